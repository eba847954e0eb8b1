/**
 * What a build will ask for next, fetched before it does: a member that has made a result has mostly made the next ones, too, in that order.
 *
 * Knows: what was foreseen, what came of it, and how much may be wasted. Does not know: what is in a result, or whether it is believed.
 */
import { type Digest, Generations, type Key, type Log, limits } from "../base/index.ts";
import type { Given } from "../contracts/index.ts";

export interface AheadParts {
  /** Asks a member. Never rejects. */
  readonly ask: (from: Key, manifest: Digest, signal: AbortSignal) => Promise<Given>;
  /** Whether this node has results of a request itself. */
  readonly isHere: (manifest: Digest) => boolean;
  /** More has come of what is expected. */
  readonly came: () => void;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A request that was foreseen. */
export interface Foreseen {
  readonly from: Key;
  readonly given: Promise<Given>;
  /** Unset until it has come. */
  readonly arrived?: Given;
}

interface Fetched extends Foreseen {
  readonly askedAt: number;
  arrived?: Given;
}

export class Ahead implements Disposable {
  readonly #parts: AheadParts;
  /** Since nothing was foreseen last. */
  #counts = { fetched: 0, used: 0 };
  /** What is to be fetched, in order, and who has it. */
  readonly #plan = new Map<Digest, Key>();
  readonly #fetched = new Map<Digest, Fetched>();
  /** What was taken is not fetched once more, whoever names it. */
  readonly #taken = new Generations<Digest, true>(limits.laidOutUnused);
  /** So many are fetched ahead at most: more when they are used, less when they are not. */
  #depth: number = limits.aheadFirst;
  #strays = 0;
  #cancel = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AheadParts) {
    this.#parts = parts;
  }

  /** What has come, in the order in which it is expected to be asked for. */
  *arrived(): Generator<{ readonly manifest: Digest; readonly given: Given }> {
    for (const [manifest, { arrived: given }] of this.#fetched) if (given !== undefined) yield { manifest, given };
  }

  /** What has come of a request that the build has not asked for. */
  arrivedOf(manifest: Digest): { readonly from: Key; readonly given: Given } | undefined {
    const found = this.#fetched.get(manifest);
    return found?.arrived && { from: found.from, given: found.arrived };
  }

  /** The build asks for it, or it was found to be good before: was it foreseen? */
  take(manifest: Digest): Foreseen | undefined {
    this.#plan.delete(manifest);
    const found = this.#fetched.get(manifest);
    if (found === undefined) {
      if (++this.#strays > limits.aheadStrays) this.#giveUp();
      return undefined;
    }
    this.#strays = 0;
    this.#fetched.delete(manifest);
    this.#taken.set(manifest, true);
    this.#counts.used++;
    this.#depth = Math.min(limits.aheadMost, this.#depth + 2);
    this.#more();
    return found;
  }

  /** A member's results are used, and it has made these afterwards. */
  follow(from: Key, following: readonly Digest[]): void {
    for (const manifest of following) {
      if (this.#plan.size >= limits.shareManifestsAtOnce) break;
      const isKnown = this.#fetched.has(manifest) || this.#plan.has(manifest) || this.#taken.has(manifest);
      if (!isKnown && !this.#parts.isHere(manifest)) this.#plan.set(manifest, from);
    }
    this.#more();
  }

  [Symbol.dispose](): void {
    this.#giveUp();
  }

  #more(): void {
    // In batches: half of what is foreseen is asked for together.
    if (this.#fetched.size > this.#depth / 2) return;
    for (const [manifest, from] of this.#plan) {
      if (this.#fetched.size >= this.#depth) break;
      this.#plan.delete(manifest);
      this.#fetch(manifest, from);
    }
    if (this.#fetched.size > 0) this.#timer ??= setInterval(() => this.#expire(), limits.aheadMs / 4).unref();
  }

  #fetch(manifest: Digest, from: Key): void {
    const { ask, now } = this.#parts;
    const { signal } = this.#cancel;
    const fetched: Fetched = { from, given: ask(from, manifest, signal), askedAt: now() };
    this.#fetched.set(manifest, fetched);
    this.#counts.fetched++;
    void fetched.given.then((given) => {
      if (signal.aborted) return;
      fetched.arrived = given;
      this.follow(from, given.following);
      this.#parts.came();
    });
  }

  #expire(): void {
    const before = this.#parts.now() - limits.aheadMs;
    for (const [manifest, fetched] of this.#fetched) {
      if (fetched.askedAt > before) break;
      this.#fetched.delete(manifest);
      this.#depth = Math.max(limits.aheadFirst, this.#depth >> 1);
    }
    if (this.#fetched.size > 0) return;
    this.#giveUp();
  }

  /** The build has ended, or goes elsewhere. */
  #giveUp(): void {
    if (this.#counts.fetched > 0) this.#parts.log.event("info", "sharing.ahead", this.#counts);
    this.#counts = { fetched: 0, used: 0 };
    this.#cancel.abort();
    this.#cancel = new AbortController();
    this.#fetched.clear();
    this.#plan.clear();
    this.#taken.clear();
    this.#strays = 0;
    this.#depth = limits.aheadFirst;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
