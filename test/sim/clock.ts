/**
 * Simulated time: what is to happen, in order, as fast as it can be computed.
 *
 * Knows: milliseconds. Does not know: what happens in them.
 */

/** Furthest that anything may be put off, ms. */
const HORIZON_MS = 8_192;

export class SimClock {
  /** Made as they are needed: some simulations are over after a hundred of them. */
  readonly #slots: (() => void)[][] = [];
  #now = 0;

  /** ms since the simulation began */
  get now(): number {
    return this.#now;
  }

  /** @param delayMs a whole number, below 8,192; 0 is the next millisecond */
  after(delayMs: number, what: () => void): void {
    if (!(delayMs < HORIZON_MS - 1)) throw new RangeError(`${delayMs} ms are too far away`);
    const at = (this.#now + 1 + delayMs) % HORIZON_MS;
    this.#slots[at] ??= [];
    this.#slots[at].push(what);
  }

  /** Lets so much time pass. */
  run(forMs: number): void {
    for (const end = this.#now + forMs; this.#now < end; ) {
      this.#now += 1;
      const slot = this.#slots[this.#now % HORIZON_MS] ?? [];
      for (const what of slot) what();
      slot.length = 0;
    }
  }
}
