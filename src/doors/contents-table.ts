/**
 * The table in which wrappers remember what files of checkouts contain: docs/protocol/hot-record.md, "The table of contents".
 *
 * Knows: how large it is. Does not know: what is in it, which only wrappers read.
 */
import { closeSync, ftruncateSync, openSync, renameSync, statSync } from "node:fs";
import { limits } from "../base/index.ts";

/** Makes it where there is none of the right size. It is never cut or written while it lies there: wrappers may have it open. */
export function makeContentsTable(path: string): void {
  const { contentsTableBytes } = limits;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() === true && stats.size === contentsTableBytes) return;
  const unfinished = `${path}.new`;
  try {
    const file = openSync(unfinished, "w", 0o600);
    try {
      ftruncateSync(file, contentsTableBytes); // Takes no room until something is written there.
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
  } catch {
    // Without it wrappers read what they have to know of, or ask.
  }
}
