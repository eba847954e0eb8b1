/**
 * What two builds have written, side by side.
 *
 * Knows: kinds of files by their content, and which files build tools keep for themselves. Does not know: why two of them differ.
 */
import { closeSync, lstatSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { limits } from "../base/index.ts";
import { isArchive } from "./archive.ts";
import { filesBelow } from "./copies.ts";

export type Kind = "object" | "archive" | "program" | "file";

/** A file that is not the same in both, or not in both. */
export interface Different {
  readonly file: string;
  readonly kind: Kind;
}

export interface Products {
  /** Files that were written, and are the same. */
  readonly same: number;
  readonly different: readonly Different[];
  /** Files that differ, but are build tools' own notes about where and when they ran. */
  readonly notes: readonly string[];
}

/** By name; an object or a library never is one. */
const NOTES =
  /(?:^|\/)(?:\.ninja_(?:log|deps)|CMakeCache\.txt|cmake_install\.cmake|CTestTestfile\.cmake|build\.ninja|config\.(?:log|status|cache)|compile_commands\.json|libtool|Makefile|Makefile\.in|link\.txt|flags\.make|depend\.make|build\.make|[^/]*\.(?:d|dep|Po|Plo|Tpo|log|la|gcda))$|(?:^|\/)(?:CMakeFiles|meson-(?:private|info|logs)|autom4te\.cache|\.deps)\//;
const LOOKED_AT_ONCE = 32;
/** As much as tells what kind of file it is. */
const BEGIN_BYTES = 64;
const ELF = 0x7f_45_4c_46;

/** @param sources what was copied: files of the project as they were */
export async function compareProducts(
  roots: readonly [string, string],
  sources: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Products> {
  const [mine, theirs] = roots;
  const all = [...new Set([...filesBelow(mine), ...filesBelow(theirs)])].toSorted();
  const different: Different[] = [];
  const notes: string[] = [];
  let same = 0;
  for (const [at, file] of all.entries()) {
    if (at % LOOKED_AT_ONCE === 0) await otherWork(undefined, { signal });
    const [first, second] = [contentOf(mine, file), contentOf(theirs, file)];
    const isSame =
      first === undefined && second === undefined
        ? await isSameInPieces(join(mine, file), join(theirs, file), signal)
        : first !== undefined && second !== undefined && first.equals(second);
    if (isSame) {
      if (!sources.has(file)) same++;
      continue;
    }
    const kind = kindOf(file, first ?? second ?? beginOf(join(mine, file)) ?? beginOf(join(theirs, file)) ?? Buffer.alloc(0));
    if (kind === "file" && NOTES.test(file)) notes.push(file);
    else different.push({ file, kind });
  }
  return { same, different, notes };
}

/** Of a file below a root; a link is where it leads, without the root. Undefined for what is not there, or too large to be looked into. */
export function contentOf(root: string, file: string): Buffer | undefined {
  const path = join(root, file);
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined || facts.size > limits.audit.comparedBytes) return undefined;
  return facts.isSymbolicLink() ? Buffer.from(readlinkSync(path).replaceAll(root, ".")) : readFileSync(path);
}

/** Whether it is there and was not looked into for its size. */
export function isTooLarge(root: string, file: string): boolean {
  return (lstatSync(join(root, file), { throwIfNoEntry: false })?.size ?? 0) > limits.audit.comparedBytes;
}

/** Of files that are too large to be in memory. */
async function isSameInPieces(first: string, second: string, signal: AbortSignal): Promise<boolean> {
  const sizes = [first, second].map((path) => lstatSync(path, { throwIfNoEntry: false })?.size);
  if (sizes[0] === undefined || sizes[0] !== sizes[1]) return false;
  const [mine, theirs] = [openSync(first, "r"), openSync(second, "r")];
  try {
    const [here, there] = [Buffer.alloc(limits.audit.pieceBytes), Buffer.alloc(limits.audit.pieceBytes)];
    for (let at = 0; at < sizes[0]; ) {
      await otherWork(undefined, { signal });
      const bytes = readSync(mine, here, 0, here.length, at);
      if (bytes === 0 || readSync(theirs, there, 0, bytes, at) !== bytes) return false;
      if (here.compare(there, 0, bytes, 0, bytes) !== 0) return false;
      at += bytes;
    }
    return true;
  } finally {
    closeSync(mine);
    closeSync(theirs);
  }
}

/** What a file begins with. */
function beginOf(path: string): Buffer | undefined {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const [file, begin] = [openSync(path, "r"), Buffer.alloc(BEGIN_BYTES)];
  try {
    return begin.subarray(0, readSync(file, begin));
  } finally {
    closeSync(file);
  }
}

/** ELF, its header's `e_type`: 1 is what the linker has yet to see. */
function kindOf(file: string, content: Buffer): Kind {
  if (isArchive(content)) return "archive";
  if (content.length > 18 && content.readUInt32BE(0) === ELF) {
    const type = content[5] === 2 ? content.readUInt16BE(16) : content.readUInt16LE(16);
    return type === 1 ? "object" : "program";
  }
  return /\.(?:o|obj|lo)$/.test(basename(file)) ? "object" : "file";
}
