/**
 * What came from which member, as counters: they are kept and added up like all others.
 *
 * Knows: how such counters are called. Does not know: who a member is.
 */
import type { Key } from "../base/index.ts";
import type { From, Work } from "./remembered.ts";
import type { Counts } from "./statistics.ts";

/** What a member has given. */
export interface Gifts {
  readonly hits: number;
  readonly bytes: number;
  /** From the first question to the last byte, all hits together, ms. */
  readonly tookMs: number;
}

/** What a member has compiled. */
export interface Labour {
  readonly compiles: number;
  /** From the decision to the last byte, all together, ms. */
  readonly tookMs: number;
  /** Of them, waiting there. */
  readonly queuedMs: number;
  /** Of them, compiling. */
  readonly compiledMs: number;
}

const GIFT = /^from:([0-9a-f]{64}):(hits|bytes|tookMs)$/;
const LABOUR = /^by:([0-9a-f]{64}):(compiles|tookMs|queuedMs|compiledMs)$/;

/** What one hit adds. */
export function countsOf({ member, bytes, tookMs }: Pick<From, "member" | "bytes" | "tookMs">): Counts {
  const name = (what: keyof Gifts): string => `from:${member}:${what}`;
  return { peer_bytes: bytes, peer_ms: tookMs, [name("hits")]: 1, [name("bytes")]: bytes, [name("tookMs")]: tookMs };
}

/** What one compile adds. */
export function countsOfWork({ member, tookMs, queuedMs, compiledMs, sentBytes, bytes }: Work): Counts {
  const name = (what: keyof Labour): string => `by:${member}:${what}`;
  return {
    elsewhere_ms: compiledMs,
    elsewhere_sent_bytes: sentBytes,
    elsewhere_bytes: bytes,
    [name("compiles")]: 1,
    [name("tookMs")]: tookMs,
    [name("queuedMs")]: queuedMs,
    [name("compiledMs")]: compiledMs,
  };
}

/** Counters without those of members, and what each member has given and done, by its peer key. */
export function partGifts(all: Counts): {
  readonly counters: Counts;
  readonly gifts: ReadonlyMap<Key, Gifts>;
  readonly labours: ReadonlyMap<Key, Labour>;
} {
  const counters: Counts = {};
  const gifts = new Map<Key, Gifts>();
  const labours = new Map<Key, Labour>();
  for (const [name, value] of Object.entries(all)) {
    const [, giver, given] = GIFT.exec(name) ?? [];
    const [, worker, done] = LABOUR.exec(name) ?? [];
    if (giver !== undefined && given !== undefined)
      gifts.set(giver, { ...(gifts.get(giver) ?? { hits: 0, bytes: 0, tookMs: 0 }), [given]: value });
    else if (worker !== undefined && done !== undefined)
      labours.set(worker, { ...(labours.get(worker) ?? { compiles: 0, tookMs: 0, queuedMs: 0, compiledMs: 0 }), [done]: value });
    else counters[name] = value;
  }
  return { counters, gifts, labours };
}
