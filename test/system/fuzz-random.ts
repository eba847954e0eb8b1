/**
 * Chance with a seed: the same seed gives the same choices on every machine.
 */

/** A part of a list with the weight of being drawn. */
export type Weighted<T> = readonly [weight: number, value: T];

export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** mulberry32 (Tommy Ettinger, public domain): a u32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return limit <= 0 ? 0 : this.next() % limit;
  }

  /** True so many times in a hundred. */
  percent(share: number): boolean {
    return this.below(100) < share;
  }

  /** @throws {RangeError} when the list is empty (programmer error) */
  pick<T>(list: readonly T[]): T {
    const value = list[this.below(list.length)];
    if (value === undefined) throw new RangeError("nothing to pick from");
    return value;
  }

  /** @throws {RangeError} when the list is empty (programmer error) */
  draw<T>(list: readonly Weighted<T>[]): T {
    let at = this.below(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of list) {
      if (at < weight) return value;
      at -= weight;
    }
    throw new RangeError("nothing to draw from");
  }
}

/** A seed of its own for each step, so that a sequence can be played again with steps left out. */
export function stepSeed(seed: number, step: number): number {
  return new Chance((seed ^ Math.imul(step + 1, 0x9e3779b1)) >>> 0).next();
}
