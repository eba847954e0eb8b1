/**
 * How far records have been laid out in one checkout, and how far they may be.
 *
 * Knows: what was foreseen of each unit, what was used of it, what was asked instead. Does not know: records, files.
 */
import { type Digest, limits } from "../base/index.ts";
import type { Elsewhere } from "../flows/index.ts";

/** Of what comes next, so many are asked for already: builds compile some at a time. */
const UNDER_WAY = 2;
/** Units that may be foreseen wrongly, more than are used: then nothing more is laid out. */
const WRONG_MOST = 4;
/** Units in a row of which nothing could be laid out: then the build has to come further first. */
const IN_VAIN_MOST: number = limits.laidOutFirst;

export class Laying {
  readonly elsewhere: Elsewhere;
  running = false;
  /** Since when nobody has asked for anything there; ms, monotonic. */
  askedAt: number;
  /** As far as is known: whether nobody asks there about what there is an answer for every checkout of. */
  movablesHold = true;
  #laid = 0;
  #used = 0;
  /** Whatever came of them. */
  #tried = 0;
  #inVain = 0;
  #wrong = 0;
  #depth: number = limits.laidOutFirst / 2;
  /** The next unit, and the first that is too far. */
  #next = 0;
  #until = 0;
  /** Requests that were laid out and not used, by unit. */
  readonly #waiting = new Map<number, Digest>();

  constructor(elsewhere: Elsewhere, askedAt: number) {
    this.elsewhere = elsewhere;
    this.askedAt = askedAt;
  }

  get facts(): { readonly laid: number; readonly used: number; readonly tried: number; readonly wrong: number } {
    return { laid: this.#laid, used: this.#used, tried: this.#tried, wrong: this.#wrong };
  }

  get mayGoOn(): boolean {
    return this.#next < this.#until && this.#inVain < IN_VAIN_MOST && this.#wrong <= WRONG_MOST + this.#used;
  }

  /** Of the units that may be looked at. @returns which */
  take(): number {
    this.#tried += 1;
    this.#inVain += 1;
    return this.#next++;
  }

  put(at: number, request: Digest): void {
    this.#laid += 1;
    this.#inVain = 0;
    this.#waiting.set(at, request);
  }

  /** The build has come so far. @returns what was laid out of that unit, if it is not what is asked */
  asked(at: number, request: Digest): Digest | undefined {
    const foreseen = this.#waiting.get(at);
    this.#waiting.delete(at); // The same may have been laid out while it was asked for.
    if (foreseen !== undefined && foreseen !== request) {
      this.failed(at);
      return foreseen;
    }
    if (at < this.#next - UNDER_WAY) return undefined;
    // What was laid out was in its way, as far as there was something to lay out.
    if (at >= this.#until - UNDER_WAY && this.#laid * 2 >= this.#tried) this.#depth = Math.min(this.#depth * 2, limits.laidOutUnused);
    this.#next = Math.max(this.#next, at + 1 + UNDER_WAY);
    this.#until = Math.max(this.#until, Math.min(at + 1 + this.#depth, this.elsewhere.size));
    this.#inVain = 0;
    return undefined;
  }

  /** An answer for every checkout does not hold there, nor may others: what was passed over for their sake is looked at again. */
  missed(at: number): void {
    this.movablesHold = false;
    this.#next = Math.min(this.#next, at);
  }

  used(at: number): void {
    this.#waiting.delete(at);
    this.#used += 1;
  }

  /** What was laid out of a unit does not hold, or is not what is asked. */
  failed(at: number): void {
    this.#waiting.delete(at);
    this.#wrong += 1;
    this.#depth = limits.laidOutFirst;
    this.end();
  }

  /** Until the build has come further. */
  end(): void {
    this.#until = this.#next;
  }
}
