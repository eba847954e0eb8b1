/**
 * Which commands are C-family compilers, and which of them this machine has.
 *
 * Knows: names and PATH. Does not know: what a compiler really is; the daemon finds that out by content.
 */
import { accessSync, constants, readdirSync, realpathSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Environment } from "./home.ts";

/** gcc, g++-12, clang-19, cc, x86_64-linux-gnu-gcc-12; not gcc-ar, clang-format or c++filt. */
const COMPILER = /^(?:[a-z0-9_]+(?:-[a-z0-9_.]+){1,3}-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+(?:\.\d+)*)?$/;

export function isCompilerName(name: string): boolean {
  return COMPILER.test(name);
}

/** Where the names of compilers lead to Cairn. */
export function compilersDirectory(binDir: string): string {
  return join(binDir, "compilers");
}

export interface FoundCompiler {
  readonly name: string;
  /** Absolute, as PATH has it. */
  readonly path: string;
}

/**
 * The compilers that PATH leads to, sorted by name; each name once, at its first place.
 * @param except a directory that does not count: our own
 */
export function findCompilers(env: Environment, except: string): FoundCompiler[] {
  const found = new Map<string, string>();
  for (const directory of pathDirectories(env, except)) {
    for (const name of namesIn(directory)) {
      const path = join(directory, name);
      if (isCompilerName(name) && !found.has(name) && isExecutable(path)) found.set(name, path);
    }
  }
  return [...found].map(([name, path]) => ({ name, path })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Where PATH finds `name`, or undefined. */
export function findOnPath(name: string, env: Environment, except?: string): string | undefined {
  return pathDirectories(env, except)
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function pathDirectories(env: Environment, except: string | undefined): string[] {
  const own = except === undefined ? undefined : real(except);
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((directory) => directory.startsWith("/") && (own === undefined || real(directory) !== own));
}

function real(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory; // It does not exist; then it is nobody's.
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // PATH often names directories that are not there.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
