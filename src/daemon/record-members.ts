/**
 * Members among whom it is decided what belongs to whom: those in good standing that are there as far as anybody says, linked with this node
 * or not, so that nodes with different links come to the same. Who turns out to be away is left out for a while.
 *
 * Knows: who is linked, who was heard of, who did not answer a call. Does not know: what belongs to whom, or how members are reached.
 */
import { type Key, type Log, limits } from "../base/index.ts";
import type { Candidate, Network } from "../net/index.ts";

export interface RecordMembersParts {
  readonly self: Key;
  /** Members in good standing but for this node. */
  readonly others: () => readonly Key[];
  readonly domainOf: (key: Key) => string;
  /** Where it chooses its links, members are heard of by some of the others only. */
  readonly network: Pick<Network, "connected" | "call" | "onPeers" | "choosesLinks" | "isolation">;
  /** What a member has said lately, whoever passed it on, and how long ago; undefined when it has said nothing. */
  readonly heard: (key: Key) => { readonly kind: "here"; readonly ageMs: number } | { readonly kind: "goodbye" } | undefined;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** For so long the answer is the same, unless somebody has come or gone. */
const FRESH_MS = 1_000;
const { callsAtOnce, callMs, awayMs, heardAwayMs } = limits.replication;

/** A member that did not come when it was called. */
interface Away {
  readonly sinceMs: number;
  /** Calls in a row that failed. */
  readonly failures: number;
}

export class RecordMembers {
  readonly #parts: RecordMembersParts;
  /** Members that are being called: since when. */
  readonly #calling = new Map<Key, number>();
  readonly #away = new Map<Key, Away>();
  readonly #linked: Set<Key>;
  /** One object a member, as long as it is there: what is computed of it once stays known. */
  #candidates = new Map<Key, Candidate>();
  #last: { readonly atMs: number; readonly all: readonly Candidate[] } | undefined;

  constructor(parts: RecordMembersParts) {
    this.#parts = parts;
    this.#linked = new Set(parts.others().filter((key) => parts.network.connected(key)));
    parts.network.onPeers(({ kind, key }) => {
      this.#last = undefined;
      if (!parts.network.connected(key)) this.#linked.delete(key);
      if (kind !== "connected") return;
      this.#linked.add(key);
      this.#calling.delete(key);
      this.#away.delete(key);
    });
  }

  /** This node among them. */
  present(): readonly Candidate[] {
    const { self, others, domainOf, now } = this.#parts;
    this.#giveUp();
    if (this.#last === undefined || now() - this.#last.atMs >= FRESH_MS) {
      const there = [self, ...others().filter((key) => this.#isThere(key))];
      const all = there.map((key) => {
        const [known, domain] = [this.#candidates.get(key), domainOf(key)];
        return known?.domain === domain ? known : { key, domain };
      });
      this.#candidates = new Map(all.map((one) => [one.key, one]));
      this.#last = { atMs: now(), all };
    }
    return this.#last.all;
  }

  /** Has this node linked with one of them, a few at a time. @returns whether it is linked already */
  call(key: Key): boolean {
    const { network, now } = this.#parts;
    if (network.connected(key)) return true;
    this.#giveUp();
    if (!this.#isCutOff() && !this.#calling.has(key) && this.#calling.size < callsAtOnce && this.#isThere(key)) {
      this.#calling.set(key, now());
      network.call(key);
    }
    return false;
  }

  /** What does not come to this node then may well be there. */
  #isCutOff(): boolean {
    return this.#linked.size === 0 || this.#parts.network.isolation !== undefined;
  }

  #isThere(key: Key): boolean {
    const { network, heard } = this.#parts;
    if (network.connected(key)) return true;
    const said = heard(key);
    if (said?.kind === "goodbye" || this.#isAway(key, said?.ageMs)) return false;
    return said !== undefined || network.choosesLinks;
  }

  /** Who is heard of after it did not come is tried again sooner, and ever more rarely: it may be there, and not for this node. */
  #isAway(key: Key, ageMs: number | undefined): boolean {
    const away = this.#away.get(key);
    if (away === undefined) return false;
    const forMs = this.#parts.now() - away.sinceMs;
    const isHeard = ageMs !== undefined && ageMs < forMs;
    return forMs < (isHeard ? Math.min(awayMs, heardAwayMs * 2 ** (away.failures - 1)) : awayMs);
  }

  #giveUp(): void {
    const { log, now } = this.#parts;
    for (const [key, { sinceMs }] of this.#away) if (now() - sinceMs >= 2 * awayMs) this.#away.delete(key);
    for (const [key, sinceMs] of this.#calling) {
      if (now() - sinceMs < callMs) continue;
      this.#calling.delete(key);
      if (this.#isCutOff()) continue;
      this.#away.set(key, { sinceMs: now(), failures: Math.min(12, (this.#away.get(key)?.failures ?? 0) + 1) });
      this.#last = undefined;
      log.event("info", "copies.away", { peer: key });
    }
  }
}
