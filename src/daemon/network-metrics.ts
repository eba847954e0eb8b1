/**
 * Metrics of the network: every event of its log, counted, by reason where it has one.
 *
 * Knows: names, reasons, bytes that events tell of. Does not know: what an event means; docs/protocol has the list of them.
 */
import type { Facts, Level, Log } from "../base/index.ts";

/** Names, and reasons of one name, that are counted apart; what comes after that is `other`. Texts from other nodes are among them. */
const NAMES = 256;
const REASONS = 32;
const REASON_CHARACTERS = 80;

/** Counts since the daemon began. */
export interface EventCounts {
  readonly events: Readonly<Record<string, number>>;
  /** Name → reason, or protocol of a stream → count. */
  readonly reasons: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Of links that have ended. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class NetworkMetrics implements Log {
  readonly #log: Log;
  readonly #events = new Map<string, number>();
  readonly #reasons = new Map<string, Map<string, number>>();
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  get counts(): EventCounts {
    return {
      events: Object.fromEntries(this.#events),
      reasons: Object.fromEntries([...this.#reasons].map(([name, counts]) => [name, Object.fromEntries(counts)])),
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    };
  }

  event(level: Level, name: string, facts: Facts = {}): void {
    const { why, protocol, bytesIn, bytesOut } = facts;
    const reason = why ?? protocol;
    this.count(name, typeof reason === "string" ? reason : undefined);
    if (name === "peer.disconnected") {
      this.#bytesIn += Number(bytesIn ?? 0);
      this.#bytesOut += Number(bytesOut ?? 0);
    }
    this.#log.event(level, name, facts);
  }

  count(name: string, why: string | undefined): void {
    add(this.#events, name, NAMES);
    if (why === undefined) return;
    let reasons = this.#reasons.get(name);
    if (reasons === undefined && this.#reasons.size < NAMES) this.#reasons.set(name, (reasons = new Map<string, number>()));
    if (reasons !== undefined) add(reasons, why.slice(0, REASON_CHARACTERS), REASONS);
  }
}

function add(counts: Map<string, number>, name: string, most: number): void {
  const counted = counts.has(name) || counts.size < most ? name : "other";
  counts.set(counted, (counts.get(counted) ?? 0) + 1);
}
