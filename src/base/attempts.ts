/**
 * How often each place tried something in the last minute, places that belong together, and all of them.
 *
 * Knows: counting within bounded memory. Does not know: what is tried, or what follows.
 */
const MINUTE_MS = 60_000;
/** Places that are counted; the eldest is forgotten for a new one. */
const PLACES = 4_096;
/** Not a place: all of them together. */
const EVERYWHERE = "*";
/** Before the name of a group, which may be that of a place, too. */
const GROUP = "* ";

export interface AttemptLimits {
  readonly perPlace: number;
  /** Of all places that belong together, so that somebody with many of them has a part only. */
  readonly perGroup?: number;
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

  /**
   * Counts an attempt. What is over its own share takes nothing of what others have: one that goes on and on shuts out itself.
   *
   * @param group what the place belongs to @returns whether there were too many
   */
  tooMany(place: string, group?: string): boolean {
    const { perPlace, perGroup = Number.POSITIVE_INFINITY, perMinute } = this.#limits;
    if (this.#count(place, 1) > perPlace) return true;
    if (group !== undefined && this.#count(`${GROUP}${group}`, 1) > perGroup) return true;
    return this.#count(EVERYWHERE, 1) > perMinute;
  }

  /** One attempt of that place, which belongs to nothing, was rightful: it does not count. */
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
