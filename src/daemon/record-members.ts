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
  readonly network: Pick<Network, "connected" | "call" | "onPeers" | "choosesLinks">;
  /** What others have said of a member lately; undefined when they have said nothing. */
  readonly heard: (key: Key) => "here" | "goodbye" | undefined;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** For so long the answer is the same, unless somebody has come or gone. */
const FRESH_MS = 1_000;
const { callsAtOnce, callMs, awayMs } = limits.replication;

export class RecordMembers {
  readonly #parts: RecordMembersParts;
  /** Members that are being called: since when. */
  readonly #calling = new Map<Key, number>();
  /** Those that did not come: until when they count as away. */
  readonly #away = new Map<Key, number>();
  #last: { readonly atMs: number; readonly all: readonly Candidate[] } | undefined;

  constructor(parts: RecordMembersParts) {
    this.#parts = parts;
    parts.network.onPeers(({ kind, key }) => {
      this.#last = undefined;
      if (kind !== "connected") return;
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
      this.#last = { atMs: now(), all: there.map((key) => ({ key, domain: domainOf(key) })) };
    }
    return this.#last.all;
  }

  /** Has this node linked with one of them, a few at a time. @returns whether it is linked already */
  call(key: Key): boolean {
    const { network, now } = this.#parts;
    if (network.connected(key)) return true;
    this.#giveUp();
    if (!this.#calling.has(key) && this.#calling.size < callsAtOnce && this.#isThere(key)) {
      this.#calling.set(key, now());
      network.call(key);
    }
    return false;
  }

  #isThere(key: Key): boolean {
    const { network, heard } = this.#parts;
    if (network.connected(key)) return true;
    const said = heard(key);
    return !this.#away.has(key) && (said === "here" || (said === undefined && network.choosesLinks));
  }

  #giveUp(): void {
    const { log, now } = this.#parts;
    for (const [key, untilMs] of this.#away) if (untilMs <= now()) this.#away.delete(key);
    for (const [key, sinceMs] of this.#calling) {
      if (now() - sinceMs < callMs) continue;
      this.#calling.delete(key);
      this.#away.set(key, now() + awayMs);
      this.#last = undefined;
      log.event("info", "copies.away", { peer: key });
    }
  }
}
