/**
 * A full disk shows in odd ways: a daemon that ends without a word, a compiler that cannot write. This tells that it is one.
 */
import { statfsSync } from "node:fs";
import { CairnError } from "../base/index.ts";

/** Less is no room for a daemon's log, or for the wrapper. */
const LEAST_BYTES = 262_144;

/** What to say instead, when the file system of one of these directories is full. */
export function fullDisk(...directories: readonly string[]): CairnError | undefined {
  const full = directories.find((directory) => roomIn(directory) < LEAST_BYTES);
  return full === undefined ? undefined : new CairnError("home-unwritable", { path: full, system: "ENOSPC" });
}

function roomIn(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY; // It is not there: nothing is known.
  }
}
