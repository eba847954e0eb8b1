/**
 * What is left of many noisy measurements: medians, quartiles, and ratios of pairs that were measured in the same round.
 */

export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
}

/** @throws {RangeError} for no values */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("there is no median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), p25: quantile(sorted, 0.25), p75: quantile(sorted, 0.75) };
}

/** Of a figure that is one, and not a sample. */
export function same(value: number): Spread {
  return { median: value, p25: value, p75: value };
}

/** Of values in ascending order. Between two of them: their weighted mean (Hyndman and Fan, type 7). */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const [low, high] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return spread(values).median;
}

/** Element by element: round by round. */
export function paired(left: readonly number[], right: readonly number[], combine: (l: number, r: number) => number): number[] {
  return left.slice(0, right.length).map((value, round) => combine(value, right[round] ?? Number.NaN));
}

/** The ratio of each round; noise that lasts longer than a round cancels out. */
export function ratios(left: readonly number[], right: readonly number[]): number[] {
  return paired(left, right, (l, r) => l / r);
}
