/**
 * Shares: how much of what this node relays is for whom. Those who relay for it go first when there is not enough for all.
 *
 * A member weighs 1, and up to 4 when it has relayed more for this node than this node for it; both counts halve every two days. All that
 * are moving bytes share the capacity by weight; whoever is alone has all of it.
 * Knows: bytes and time. Does not know: streams.
 */
import type { Key } from "../base/index.ts";

const HALF_LIFE_MS = 48 * 3_600_000;
const EXTRA_WEIGHT = 3;
/** Who has moved nothing for so long is not in anybody's way. */
const BUSY_MS = 1_000;
/** What may go at once before anybody has to wait. */
const BURST_MS = 100;
/** Accounts that are kept; the one that was used least recently goes first. */
const ACCOUNTS = 1_024;

interface Account {
  /** Bytes that the member relayed for this node, and this node for it. */
  earned: number;
  used: number;
  /** When both were last halved as far as they should be. */
  agedAt: number;
  /** When what it has moved will have had its time. */
  freeAt: number;
}

export interface SharesParts {
  /** ms, monotonic */
  readonly now: () => number;
}

export class Shares {
  readonly #now: () => number;
  readonly #bytesPerMs: number;
  readonly #accounts = new Map<Key, Account>();

  constructor({ now }: SharesParts, options: { readonly bytesPerSecond: number }) {
    this.#now = now;
    this.#bytesPerMs = options.bytesPerSecond / 1_000;
  }

  /** A member has relayed so many bytes for this node. */
  earn(key: Key, bytes: number): void {
    this.#account(key).earned += bytes;
  }

  /** This node relays so many bytes that a member has asked for. @returns ms to wait before it takes more of it */
  use(key: Key, bytes: number): number {
    const now = this.#now();
    const account = this.#account(key);
    account.used += bytes;
    account.freeAt = Math.max(account.freeAt, now);
    const busy = [...this.#accounts.values()].filter(({ freeAt }) => now - freeAt < BUSY_MS);
    const all = busy.reduce((sum, one) => sum + weight(one), 0);
    account.freeAt += bytes / ((this.#bytesPerMs * weight(account)) / all);
    return Math.max(0, account.freeAt - now - BURST_MS);
  }

  #account(key: Key): Account {
    const now = this.#now();
    const known = this.#accounts.get(key) ?? { earned: 0, used: 0, agedAt: now, freeAt: Number.NEGATIVE_INFINITY };
    const kept = 0.5 ** ((now - known.agedAt) / HALF_LIFE_MS);
    known.earned *= kept;
    known.used *= kept;
    known.agedAt = now;
    this.#accounts.delete(key);
    this.#accounts.set(key, known);
    for (const eldest of this.#accounts.keys()) {
      if (this.#accounts.size <= ACCOUNTS) break;
      this.#accounts.delete(eldest);
    }
    return known;
  }
}

function weight({ earned, used }: Account): number {
  return earned === 0 ? 1 : 1 + EXTRA_WEIGHT * (earned / (earned + used));
}
