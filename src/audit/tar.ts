/**
 * Tar archives, read as far as it takes to tell why two of them differ.
 */
import type { Cause } from "./causes.ts";

interface Entry {
  readonly name: string;
  readonly mode: string;
  /** Owner, group, time, and their names. */
  readonly facts: string;
  readonly content: string;
}

const BLOCK = 512;

export function isTar(content: Buffer): boolean {
  return content.toString("latin1", 257, 262) === "ustar";
}

/** Why they differ; empty where what they hold differs, or one is none. */
export function tarCauses(one: Buffer, other: Buffer): readonly Cause[] {
  const [mine, theirs] = [entriesOf(one), entriesOf(other)];
  const byName = new Map(theirs.map((entry) => [entry.name, entry]));
  const pairs = mine.flatMap((entry) => {
    const same = byName.get(entry.name);
    return same === undefined ? [] : [[entry, same] as const];
  });
  if (pairs.length !== mine.length || mine.length !== theirs.length || pairs.some(([a, b]) => a.content !== b.content)) return [];
  const causes: Cause[] = [];
  if (mine.some(({ name }, at) => theirs[at]?.name !== name)) causes.push("order of files");
  if (pairs.some(([a, b]) => a.facts !== b.facts)) causes.push("times and owners in the archive");
  if (pairs.some(([a, b]) => a.mode !== b.mode)) causes.push("umask");
  return causes;
}

function entriesOf(content: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; isTar(content.subarray(at, at + BLOCK)); ) {
    const text = (from: number, to: number): string => content.toString("latin1", at + from, at + to).replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 136), 8);
    if (!Number.isSafeInteger(size) || size < 0) break;
    const end = at + BLOCK + size;
    const facts = [text(108, 116), text(116, 124), text(136, 148), text(265, 297), text(297, 329)].join(" ");
    entries.push({
      name: text(345, 500) + text(0, 100),
      mode: text(100, 108),
      facts,
      content: content.toString("latin1", at + BLOCK, end),
    });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return entries;
}
