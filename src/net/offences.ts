/**
 * Members that did not keep to the rules of a protocol, and how long each is left alone: longer each time.
 *
 * Knows: counting within bounded memory. Does not know: which rules, or what follows.
 */
import { type Key, limits } from "../base/index.ts";

/** Each offence doubles the pause after it, up to 64 times. */
const MOST_DOUBLINGS = 6;
/** After so long without another, offences are forgotten. */
const FORGIVEN_MS = 3_600_000;

export class Offences {
  readonly #now: () => number;
  readonly #pauseMs: number;
  readonly #known = new Map<Key, { count: number; at: number }>();

  /** @param parts `now` in ms, monotonic @param options `pauseMs` after the first offence */
  constructor(parts: { readonly now: () => number }, options: { readonly pauseMs: number }) {
    this.#now = parts.now;
    this.#pauseMs = options.pauseMs;
  }

  offended(key: Key): void {
    const at = this.#now();
    const before = this.#known.get(key);
    const count = before === undefined || at - before.at > FORGIVEN_MS ? 0 : before.count;
    this.#known.delete(key);
    this.#known.set(key, { count: count + 1, at });
    for (const eldest of this.#known.keys()) {
      if (this.#known.size <= limits.members) break;
      this.#known.delete(eldest);
    }
  }

  /** ms until a member may try again; 0 or less when it may. */
  pauseMs(key: Key): number {
    const offences = this.#known.get(key);
    if (offences === undefined) return 0;
    return offences.at + this.#pauseMs * 2 ** Math.min(offences.count - 1, MOST_DOUBLINGS) - this.#now();
  }
}
