/**
 * The file in which is written down how long tests took: to be committed, or carried from one CI run to the next, so that all parts of one run
 * are made from the same.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { CairnError, systemCode, systemReason } from "../base/index.ts";

export const DURATIONS_FILE = ".cairn-durations.json";
/** Larger ones, and more tests, are none. */
const FILE_BYTES = 16_777_216;
const TESTS = 100_000;

/** ms by test; none where there is no file. @throws {CairnError} usage: it is no such file */
export function readDurations(file: string): Map<string, number> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return new Map();
    throw new CairnError("usage", { why: `${file} cannot be read: ${systemReason(error)}` }, error);
  }
  try {
    const { version, ms } = JSON.parse(text) as { readonly version?: unknown; readonly ms?: unknown };
    const entries = Object.entries(ms as Record<string, unknown>);
    const isFine = ([, value]: [string, unknown]): boolean => typeof value === "number" && Number.isFinite(value) && value >= 0;
    if (version === 1 && text.length <= FILE_BYTES && entries.length <= TESTS && entries.every(isFine))
      return new Map(entries as [string, number][]);
  } catch {
    // Told below.
  }
  throw new CairnError("usage", {
    why: `${file} holds no durations of tests`,
    advice: `remove it, and cairn partition --learn REPORT makes a new one`,
  });
}

/** Halfway between what was known and what was seen: one slow machine does not turn everything over. @returns how many tests it knows now */
export function learn(file: string, seen: ReadonlyMap<string, number>): number {
  const known = readDurations(file);
  for (const [test, ms] of seen) known.set(test, Math.round(((known.get(test) ?? ms) + ms) / 2));
  const sorted = [...known].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, TESTS);
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify({ version: 1, ms: Object.fromEntries(sorted) }, null, 1)}\n`);
  renameSync(fresh, file);
  return sorted.length;
}
