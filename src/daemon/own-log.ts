/**
 * The daemon's log file, kept within its limit while the daemon runs: `cairn up` does the same only at a start.
 */
import { copyFileSync, fstatSync, ftruncateSync, statSync } from "node:fs";
import { limits } from "../base/index.ts";

/**
 * Moves what has been written so far to `<path>.1` once it is more than `limits.logBytes`.
 * Does nothing where `descriptor` is another file, a terminal or somebody's pipe: that is its owner's to bound.
 *
 * @param descriptor of the file, open for appending
 */
export function boundLog(path: string, descriptor: number): void {
  const open = fstatSync(descriptor);
  if (!open.isFile() || open.size <= limits.logBytes) return;
  const named = statSync(path, { throwIfNoEntry: false });
  if (named?.ino !== open.ino || named.dev !== open.dev) return;
  copyFileSync(path, `${path}.1`);
  ftruncateSync(descriptor, 0);
}
