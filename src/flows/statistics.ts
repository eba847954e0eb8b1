/**
 * Counters: of this node, and of each `cairn run` while it lasts.
 */
import type { ResultIndex } from "../contracts/index.ts";

export type Counts = Record<string, number>;

/** Sessions kept in memory; the oldest is forgotten first. */
const SESSIONS = 64;

export class Statistics {
  readonly #index: ResultIndex;
  readonly #sessions = new Map<string, Counts>();

  constructor(parts: { index: ResultIndex }) {
    this.#index = parts.index;
  }

  /** @param session hex, "" for none */
  count(changes: Readonly<Counts>, session = ""): void {
    this.#index.count(changes);
    if (session === "") return;
    let counts = this.#sessions.get(session);
    if (counts === undefined) {
      counts = {};
      this.#sessions.set(session, counts);
      const oldest = this.#sessions.keys().next().value;
      if (this.#sessions.size > SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    }
    for (const [name, change] of Object.entries(changes)) counts[name] = (counts[name] ?? 0) + change;
  }

  all(): Counts {
    return this.#index.counters();
  }

  session(session: string): Counts {
    return { ...this.#sessions.get(session) };
  }

  zero(): void {
    this.#index.zeroCounters();
    this.#sessions.clear();
  }
}
