/**
 * How often each place tried something in the last minute, and all places together.
 *
 * Knows: counting within bounded memory. Does not know: what is tried, or what follows.
 */
const MINUTE_MS = 60_000;
/** Places that are counted; the eldest is forgotten for a new one. */
const PLACES = 4_096;
/** Not a place: all of them together. */
const EVERYWHERE = "*";

export interface AttemptLimits {
  readonly perPlace: number;
  readonly perMinute: number;
}

export class Attempts {
  readonly #now: () => number;
  readonly #limits: AttemptLimits;
  /** Place → when its minute began, and attempts in it that were not taken back. */
  readonly #attempts = new Map<string, { since: number; count: number }>();

  /** @param parts `now` in ms; need not be the time of day */
  constructor(parts: { readonly now: () => number }, options: AttemptLimits) {
    this.#now = parts.now;
    this.#limits = options;
  }

  /** Counts an attempt. @returns whether there were too many */
  tooMany(place: string): boolean {
    const [here, everywhere] = [this.#count(place, 1), this.#count(EVERYWHERE, 1)];
    return here > this.#limits.perPlace || everywhere > this.#limits.perMinute;
  }

  /** One attempt of that place was rightful: it does not count. */
  takeBack(place: string): void {
    for (const one of [place, EVERYWHERE]) this.#count(one, -1);
  }

  #count(place: string, change: 1 | -1): number {
    const now = this.#now();
    const known = this.#attempts.get(place);
    const attempt = known !== undefined && now - known.since < MINUTE_MS ? known : { since: now, count: 0 };
    attempt.count = Math.max(0, attempt.count + change);
    this.#attempts.delete(place);
    this.#attempts.set(place, attempt);
    for (const eldest of this.#attempts.keys()) {
      if (this.#attempts.size <= PLACES) break;
      this.#attempts.delete(eldest);
    }
    return attempt.count;
  }
}
