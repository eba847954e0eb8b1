/**
 * Refusals of strangers as events, at most one a second, with the number of those that were not told: strangers must not fill the log.
 */
import type { Log } from "./log.ts";

const LOG_EVERY_MS = 1_000;

export class Refusals {
  readonly #parts: { readonly log: Log; readonly now: () => number };
  readonly #event: string;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  /** @param parts `now` in ms; need not be the time of day */
  constructor(parts: { readonly log: Log; readonly now: () => number }, event: string) {
    this.#parts = parts;
    this.#event = event;
  }

  add(why: string, address: string): void {
    const now = this.#parts.now();
    if (now - this.#loggedAt < LOG_EVERY_MS) {
      this.#unlogged += 1;
      this.#parts.log.count?.(this.#event, why);
      return;
    }
    this.#parts.log.event("warn", this.#event, { why, address, unlogged: this.#unlogged });
    this.#loggedAt = now;
    this.#unlogged = 0;
  }
}
