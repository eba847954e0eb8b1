/**
 * Relay lookups: when members are to be asked again whether they relay to one that nobody relayed to the last time.
 *
 * Those who answered are asked ever more rarely, as long as nothing has changed. Who was not linked then may know the way: it is asked meanwhile.
 * Knows: when a lookup was in vain, and how often. Does not know: whom there is to ask, or how.
 */
import { Generations, type Key, limits } from "../base/index.ts";
import { pauseMs } from "./redial.ts";

export interface RelayLookupsParts {
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

interface Missed {
  readonly failures: number;
  /** When the last lookup began. */
  readonly begunAt: number;
  /** When the next one is due. */
  readonly until: number;
}

const AGAIN = { firstMs: limits.relayAgainFirstMs, mostMs: limits.relayAgainMostMs };

export class RelayLookups {
  readonly #parts: RelayLookupsParts;
  /** What falls out is looked for sooner. */
  readonly #missed = new Generations<Key, Missed>(4 * limits.peers);

  constructor(parts: RelayLookupsParts) {
    this.#parts = parts;
  }

  /** Whether nobody relayed to a member the last time. */
  has(key: Key): boolean {
    return this.#missed.has(key);
  }

  /** Links that are younger than this lead to relays that can be asked now; ms. */
  askableMs(key: Key): number {
    const missed = this.#missed.get(key);
    const now = this.#parts.now();
    return missed === undefined || now >= missed.until ? Number.POSITIVE_INFINITY : now - missed.begunAt;
  }

  /** A lookup that asked whom it liked has led nowhere. @param begunAt when it began, by `now` */
  missed(key: Key, begunAt: number): void {
    const { now, random } = this.#parts;
    const failures = (this.#missed.get(key)?.failures ?? -1) + 1;
    this.#missed.set(key, { failures, begunAt, until: now() + pauseMs(failures, random(), AGAIN) });
  }

  /** The member has a link, or something new is known of it. */
  forget(key: Key): void {
    this.#missed.delete(key);
  }

  /** This machine has moved or slept: everybody may lead somewhere else. */
  forgetAll(): void {
    this.#missed.clear();
  }
}
