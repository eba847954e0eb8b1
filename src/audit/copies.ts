/**
 * A project as its build would find it after a fresh checkout: its files copied to another place, without what was built before.
 *
 * Knows: git, where the project uses it; otherwise everything is copied. Does not know: what is built.
 */
import { execFile } from "node:child_process";
import { constants, copyFileSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, utimesSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Environment, limits, systemCode } from "../base/index.ts";

export interface Project {
  /** Absolute. */
  readonly root: string;
  /** Where the build begins, below the root; "" there. */
  readonly below: string;
  /** Relative to the root, sorted. */
  readonly files: readonly string[];
  readonly isGit: boolean;
}

/** Files copied between two looks at whether somebody wants to stop. */
const AT_ONCE = 64;

export async function projectAt(cwd: string, signal: AbortSignal): Promise<Project> {
  const top = (await git(cwd, ["rev-parse", "--show-toplevel"], signal))?.trim();
  const listed = top === undefined ? undefined : await git(top, ["ls-files", "-z", "-co", "--exclude-standard"], signal);
  if (top === undefined || top === "" || listed === undefined)
    return { root: cwd, below: "", files: filesBelow(cwd).toSorted(), isGit: false };
  // A file that was removed is listed still, and a submodule as a directory.
  const files = [...new Set(listed.split("\0"))].filter((file) => file !== "").flatMap((file) => presentAt(top, file));
  return { root: top, below: relative(top, cwd), files: files.toSorted(), isGit: true };
}

/** @param isReversed whether the last file comes first: some file systems list directories in that order */
export async function copyProject({ root, files, isGit }: Project, to: string, isReversed: boolean, signal: AbortSignal): Promise<void> {
  mkdirSync(dirname(to), { recursive: true });
  // Its own repository, which borrows the objects: what a build asks git is answered, and the user's own is left alone.
  const cloned = isGit ? await git(root, ["clone", "--quiet", "--shared", "--no-checkout", "--", root, to], signal) : undefined;
  mkdirSync(to, { recursive: true });
  const order = isReversed ? files.toReversed() : files;
  for (const [at, file] of order.entries()) {
    if (at % AT_ONCE === 0) await otherWork(undefined, { signal });
    copyOne(root, to, file);
  }
  if (cloned !== undefined) await git(to, ["reset", "--quiet"], signal);
}

/** All files below a directory, relative to it, in no order; what version control keeps is left out. @throws {CairnError} limit-exceeded */
export function filesBelow(directory: string): string[] {
  const found: string[] = [];
  const visit = (below: string): void => {
    for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
      const path = join(below, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== ".git") visit(path);
      } else if (entry.isFile() || entry.isSymbolicLink()) found.push(path);
      if (found.length > limits.audit.files)
        throw new CairnError("limit-exceeded", { what: directory, most: `${limits.audit.files} files` });
    }
  };
  visit("");
  return found;
}

function presentAt(root: string, file: string): string[] {
  try {
    const facts = lstatSync(join(root, file));
    if (!facts.isDirectory()) return facts.isFile() || facts.isSymbolicLink() ? [file] : [];
    return filesBelow(join(root, file)).map((one) => join(file, one));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

function copyOne(root: string, copy: string, file: string): void {
  const [from, to] = [join(root, file), join(copy, file)];
  mkdirSync(dirname(to), { recursive: true });
  const { atime, mtime, ...stats } = lstatSync(from);
  if ((stats.mode & constants.S_IFMT) === constants.S_IFLNK) return symlinkSync(targetIn(root, copy, from), to);
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  utimesSync(to, atime, mtime); // What is older than what is made of it must stay so.
}

/** A link into the project leads into the copy there, so that nothing is written past it; one that leads out of it still leads where it did. */
function targetIn(root: string, copy: string, link: string): string {
  const target = readlinkSync(link);
  const whole = resolve(dirname(link), target);
  const isInside = whole === root || whole.startsWith(`${root}/`);
  if (!isInside) return whole;
  return isAbsolute(target) ? join(copy, relative(root, whole)) : target;
}

/** What git is told by variables is told for the user's own repository, and nothing may be done to that. */
export function withoutGit(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) =>
        !/^GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|PREFIX|NAMESPACE|ALTERNATE_OBJECT_DIRECTORIES)$/.test(name),
    ),
  );
}

/** Undefined where there is no git, or it says no. */
function git(cwd: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  const env = { ...withoutGit(process.env), GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" };
  return new Promise((resolve, reject) => {
    execFile("git", [...args], { cwd, env, maxBuffer: limits.audit.listingBytes, signal, encoding: "utf8" }, (error, stdout) => {
      if (signal.aborted) reject(signal.reason as Error);
      else resolve(error === null ? stdout : undefined);
    });
  });
}
