/**
 * What came from which member, as counters: they are kept and added up like all others.
 *
 * Knows: how such counters are called. Does not know: who a member is.
 */
import type { Key } from "../base/index.ts";
import type { From } from "./remembered.ts";
import type { Counts } from "./statistics.ts";

/** What a member has given. */
export interface Gifts {
  readonly hits: number;
  readonly bytes: number;
  /** From the first question to the last byte, all hits together, ms. */
  readonly tookMs: number;
}

const NAME = /^from:([0-9a-f]{64}):(hits|bytes|tookMs)$/;

/** What one hit adds. */
export function countsOf({ member, bytes, tookMs }: From): Counts {
  const name = (what: keyof Gifts): string => `from:${member}:${what}`;
  return { peer_bytes: bytes, peer_ms: tookMs, [name("hits")]: 1, [name("bytes")]: bytes, [name("tookMs")]: tookMs };
}

/** Counters without those of members, and what each member has given, by its peer key. */
export function partGifts(all: Counts): { readonly counters: Counts; readonly gifts: ReadonlyMap<Key, Gifts> } {
  const counters: Counts = {};
  const gifts = new Map<Key, Gifts>();
  for (const [name, value] of Object.entries(all)) {
    const [, key, what] = NAME.exec(name) ?? [];
    if (key === undefined || what === undefined) counters[name] = value;
    else gifts.set(key, { ...(gifts.get(key) ?? { hits: 0, bytes: 0, tookMs: 0 }), [what]: value });
  }
  return { counters, gifts };
}
