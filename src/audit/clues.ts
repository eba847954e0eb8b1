/**
 * What two texts that should be the same say about why they are not.
 *
 * Knows: how paths, dates and names look. Does not know: where the texts come from.
 */
import type { Cause } from "./causes.ts";

/** What the two builds were told about where they are, and by whom. */
export interface Told {
  /** Their roots, the first build's first. */
  readonly roots: readonly [string, string];
  /** User and host names in either. */
  readonly names: readonly string[];
  readonly locale: string;
  readonly zones: readonly string[];
}

export interface Sample {
  /** A file, and a line where that is known; "" for neither. */
  readonly where: string;
  readonly first: string;
  readonly second: string;
}

const SAMPLE_CHARS = 160;
const DATE =
  /\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? +\d{1,2}\b|\b(?:19|20)\d\d[-/]?(?:0[1-9]|1[0-2])[-/]?(?:0[1-9]|[12]\d|3[01])|\b\d\d?:\d\d(?::\d\d)?\b|\b(?:1[6-9]|2[0-2])\d{8}(?:\d{3}){0,3}\b/;

/** Digits that mean nothing to people. */
const RANDOM = /\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/i;

/** The first line in which they differ, from a little before the place. */
export function sampleOf(first: string, second: string, where = ""): Sample {
  const [mine, theirs] = [first.split("\n"), second.split("\n")];
  const at = mine.findIndex((line, i) => line !== theirs[i]);
  const [one, other] = at < 0 ? ["", theirs[mine.length] ?? ""] : [mine[at] ?? "", theirs[at] ?? ""];
  let begin = 0;
  while (begin < one.length && one[begin] === other[begin]) begin++;
  const from = Math.max(0, begin - SAMPLE_CHARS / 2);
  const cut = (line: string): string => printable(line.slice(from, from + SAMPLE_CHARS));
  return { where, first: cut(one), second: cut(other) };
}

/** What a sample looks like; undefined where it looks like nothing in particular. */
export function causeOf(sample: Sample, { roots, names, locale, zones }: Told): Cause | undefined {
  const { first, second } = sample;
  const [mine, theirs] = roots;
  if (first.includes(mine) || second.includes(theirs)) return "build path";
  if (names.some((name) => (first.includes(name) ? 1 : 0) + (second.includes(name) ? 1 : 0) === 1)) return "user or host name";
  if (zones.some((zone) => first.includes(zone) || second.includes(zone))) return "time zone";
  if (DATE.test(first) && DATE.test(second)) return "date and time";
  if (RANDOM.test(first) && RANDOM.test(second)) return "random seed";
  if (locale !== "" && second.includes(locale) && !first.includes(locale)) return "locale";
  return undefined;
}

/** Whether they consist of the same lines in another order. */
export function isReordered(first: string, second: string): boolean {
  if (first.length !== second.length || first === second) return false;
  const sorted = (text: string): string => text.split(/\s+/).toSorted().join("\n");
  return sorted(first) === sorted(second);
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, "·");
}
