/**
 * Splits a test suite into parts that take about as long as each other, by how long its tests took before.
 *
 * Knows: durations. Does not know: what a test is called by whom, or where durations come from. No I/O.
 */

export interface Part {
  readonly tests: readonly string[];
  /** What they are expected to take together, ms. */
  readonly expectedMs: number;
}

/** What nobody knows anything of takes as long as anything else. */
const UNKNOWN_MS = 1_000;

/**
 * The longest goes first, to the part that has least to do until then (Graham, "Bounds on multiprocessing timing anomalies", 1969: no part takes
 * more than 4/3 of the best that there is). Equal for equal tests and durations, in whatever order they come.
 *
 * @param durations by test, ms; a test that is not among them takes the median of those that are
 * @param count how many parts, at least 1
 */
export function split(tests: readonly string[], durations: ReadonlyMap<string, number>, count: number): Part[] {
  const all = [...new Set(tests)];
  const usual = median(all.flatMap((test) => durations.get(test) ?? [])) ?? median([...durations.values()]) ?? UNKNOWN_MS;
  const rated = all.map((test) => ({ test, ms: durations.get(test) ?? usual }));
  rated.sort((a, b) => b.ms - a.ms || (a.test < b.test ? -1 : 1));
  const parts = Array.from({ length: count }, () => ({ tests: [] as string[], expectedMs: 0 }));
  for (const { test, ms } of rated) {
    const least = parts.reduce((one, other) => (isLess(other, one) ? other : one));
    least.tests.push(test);
    least.expectedMs += ms;
  }
  return parts.map(({ tests: own, expectedMs }) => ({ tests: own.toSorted(), expectedMs }));
}

/** Where nothing takes any time, they are dealt out all the same. */
function isLess(one: { readonly tests: readonly string[]; readonly expectedMs: number }, other: typeof one): boolean {
  return one.expectedMs < other.expectedMs || (one.expectedMs === other.expectedMs && one.tests.length < other.tests.length);
}

/** The lower of two in the middle: durations are whole. */
function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
