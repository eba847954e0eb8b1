/**
 * Directories made where people said they should be: anywhere, so the answer may be no.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "./errors.ts";

/**
 * Makes a directory and those above it, for the owner alone; it may be there already.
 *
 * Not by Node's own `recursive`: where nothing can be made, as below /proc, that tries for ever.
 * @throws {Error} of the system: ENOENT where the file system makes no directories, EEXIST or ENOTDIR where a file is in the way
 */
export function makeDirectories(path: string): void {
  const above = dirname(path);
  try {
    makeOne(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || above === path) throw error;
    makeDirectories(above);
    makeOne(path);
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
