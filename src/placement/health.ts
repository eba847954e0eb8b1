/**
 * Whether the coordinator is well: checked while this node has work to place, and not otherwise.
 *
 * One check or one question that is not answered, and nothing waits for it any more; some more, and it does not hold its lease any more.
 * Knows: checks and answers. Does not know: why one does not come.
 */
import { type Key, limits } from "../base/index.ts";

const { activeMs, missedMost } = limits.placement.health;

export class Health {
  readonly #now: () => number;
  #holder: Key | undefined;
  #missed = 0;
  #isChecked = false;
  #usedAtMs: number = -activeMs;

  /** @param parts `now`: ms, monotonic */
  constructor(parts: { readonly now: () => number }) {
    this.#now = parts.now;
  }

  /** Somebody has something to place: is it worth waiting for an answer? */
  isWell(holder: Key): boolean {
    this.#see(holder);
    this.#usedAtMs = this.#now();
    return this.#missed === 0;
  }

  /** The time for a check has come. @returns whether one is to be sent, or so many were missed that there is no point */
  beat(holder: Key): "check" | "rest" | "gone" {
    this.#see(holder);
    if (this.#isChecked) this.#missed += 1;
    if (this.#missed >= missedMost) return "gone";
    this.#isChecked = this.#missed > 0 || this.#now() - this.#usedAtMs < activeMs;
    return this.#isChecked ? "check" : "rest";
  }

  /** It has answered a question or a check. */
  answered(holder: Key): void {
    this.#see(holder);
    this.#missed = 0;
    this.#isChecked = false;
  }

  /** It has not answered a question in time. */
  missed(holder: Key): void {
    this.#see(holder);
    this.#missed = Math.max(1, this.#missed);
  }

  /** Another holder has missed nothing yet. */
  #see(holder: Key): void {
    if (this.#holder === holder) return;
    this.#holder = holder;
    this.#missed = 0;
    this.#isChecked = false;
  }
}
