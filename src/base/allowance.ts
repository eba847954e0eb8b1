/**
 * An allowance: so much at once, and so much a second on average.
 */
export interface AllowanceLimits {
  readonly burst: number;
  readonly perSecond: number;
}

export class Allowance {
  readonly #limits: AllowanceLimits;
  #left: number;
  #at: number;

  /** @param now ms, monotonic, as in every later call */
  constructor(limits: AllowanceLimits, now: number) {
    this.#limits = limits;
    this.#left = limits.burst;
    this.#at = now;
  }

  /** @returns whether there is so much left; if not, nothing is taken */
  take(amount: number, now: number): boolean {
    if (amount > this.left(now)) return false;
    this.#left -= amount;
    return true;
  }

  /** Takes what has been used already, of which there may not have been so much. */
  spend(amount: number, now: number): void {
    this.#left = this.left(now) - amount;
  }

  /** May be below nothing, of what was spent. */
  left(now: number): number {
    this.#left = Math.min(this.#limits.burst, this.#left + ((now - this.#at) / 1_000) * this.#limits.perSecond);
    this.#at = now;
    return this.#left;
  }
}
