/**
 * A small file of JSON that must survive: what people have decided, and what hangs on it.
 *
 * Knows: that a crash must leave the old or the new. Does not know: what is in it.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { CairnError, systemCode } from "../base/index.ts";

/** @returns undefined where there is no such file. @throws {SyntaxError} when it is no JSON; the system's error when it cannot be read */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** @throws {CairnError} home-unwritable; what was there is there still then */
export function writeJson(file: string, value: unknown): void {
  try {
    writeFileSync(`${file}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw new CairnError("home-unwritable", { path: file, system: systemCode(error) ?? "" }, error);
  }
}

/** The same for a large one, which is written piece by piece. Not two at once. @throws {CairnError} home-unwritable; what was there is there still then */
export async function writeText(file: string, pieces: Iterable<string>): Promise<void> {
  try {
    await writeFile(`${file}.new`, pieces, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  } catch (error) {
    throw new CairnError("home-unwritable", { path: file, system: systemCode(error) ?? "" }, error);
  }
}
