/**
 * Claims: what members say that they have, and whether they had it when they were asked. Who often had not is left alone, longer each time.
 *
 * What is in a summary is gone some 250 ms before the next one says so, and 8 bytes of a digest hardly ever are somebody else's: honest members
 * miss a few of a thousand. Both counts are of the last 256 answers or so, and halve in half an hour.
 * Knows: counting within bounded memory. Does not know: what was asked.
 */
import { type Key, limits } from "../base/index.ts";
import { Offences } from "./offences.ts";

/** Answers that are counted, more or less: each one shrinks what was before by one part of so many. */
const WINDOW = 256;
const HALF_LIFE_MS = 1_800_000;
/** In vain before anybody is left alone: all at first, and one for so many that were not. */
const ALLOWED = 16;
const HELD_FOR_EACH = 8;

interface Count {
  held: number;
  vain: number;
  at: number;
}

export class Claims {
  readonly #now: () => number;
  readonly #counts = new Map<Key, Count>();
  readonly #offences: Offences;

  /** @param parts `now` in ms, monotonic */
  constructor(parts: { readonly now: () => number }) {
    this.#now = parts.now;
    this.#offences = new Offences(parts, { pauseMs: limits.shareLeftAloneMs });
  }

  /** A member had what it said that it has. */
  held(key: Key): void {
    this.#count(key).held++;
  }

  /** It had not. @returns whether it is to be left alone from now on; false where it is already */
  vain(key: Key): boolean {
    const count = this.#count(key);
    count.vain++;
    if (count.vain <= ALLOWED + count.held / HELD_FOR_EACH || this.leftAloneMs(key) > 0) return false;
    this.#offences.offended(key);
    return true;
  }

  /** ms for which a member is not to be asked; 0 when it may be. */
  leftAloneMs(key: Key): number {
    return Math.max(0, this.#offences.pauseMs(key));
  }

  #count(key: Key): Count {
    const now = this.#now();
    const { held, vain, at } = this.#counts.get(key) ?? { held: 0, vain: 0, at: now };
    const kept = (1 - 1 / WINDOW) * 0.5 ** ((now - at) / HALF_LIFE_MS);
    const count = { held: held * kept, vain: vain * kept, at: now };
    this.#counts.delete(key);
    this.#counts.set(key, count);
    for (const eldest of this.#counts.keys()) {
      if (this.#counts.size <= limits.members) break;
      this.#counts.delete(eldest);
    }
    return count;
  }
}
