/**
 * What this node says that it can serve: all to who has just come, then what has changed.
 *
 * Knows: the shelf's manifests by their prefixes. Does not know: streams.
 */
import { type Digest, limits } from "../base/index.ts";
import type { Shelf } from "../contracts/index.ts";
import type { SummaryFrame } from "../wire/index.ts";
import { type Prefix, Prefixes, prefixBytes, prefixOf } from "./share-prefixes.ts";

/** 512 KiB. */
const PREFIXES_PER_FRAME = 65_536;
/** Changes that wait for somebody who does not read; above it all is told anew when it reads again. */
const MOST_WAITING = 64;
const NONE = new Uint8Array(0);

type Change = Pick<SummaryFrame, "added" | "removed">;

export class Announcer implements Disposable {
  readonly #prefixes = new Prefixes();
  readonly #tellers = new Set<Teller>();
  /** Since the last change was told: whether it is there now. */
  readonly #pending = new Map<Prefix, boolean>();
  #timer: NodeJS.Timeout | undefined;

  constructor(shelf: Shelf) {
    this.#prefixes.change(shelf.manifests().slice(0, limits.summaryPrefixesPerMember).map(prefixOf), []);
    shelf.onChange((added, removed) => this.#changed(added, removed));
  }

  /** For one member. `ready` is called when there is something to tell, and not before this returns. */
  teller(ready: () => void): Teller {
    const teller = new Teller({
      all: () => this.#prefixes.sorted(),
      ready,
      ended: () => this.#tellers.delete(teller),
    });
    this.#tellers.add(teller);
    return teller;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#tellers.clear();
  }

  #changed(added: readonly Digest[], removed: readonly Digest[]): void {
    for (const manifest of removed) this.#pending.set(prefixOf(manifest), false);
    for (const manifest of added) this.#pending.set(prefixOf(manifest), true);
    this.#timer ??= setTimeout(() => this.#tell(), limits.summaryEveryMs).unref();
  }

  #tell(): void {
    this.#timer = undefined;
    const removed = this.#select(false);
    const room = limits.summaryPrefixesPerMember - this.#prefixes.size + removed.length;
    const added = this.#select(true).subarray(0, Math.max(0, room));
    this.#pending.clear();
    if (added.length + removed.length === 0) return;
    this.#prefixes.change(added, removed);
    // Who has just come is told all in as many frames; so is everybody when much has changed.
    const change =
      added.length + removed.length > PREFIXES_PER_FRAME ? undefined : { added: prefixBytes(added), removed: prefixBytes(removed) };
    for (const teller of this.#tellers) teller.changed(change);
  }

  /** Those of the pending prefixes that are to be told as there, or as gone. */
  #select(present: boolean): BigUint64Array {
    const news = [...this.#pending].filter(([prefix, now]) => now === present && this.#prefixes.has(prefix) !== now);
    return BigUint64Array.from(news, ([prefix]) => prefix).toSorted();
  }
}

interface TellerParts {
  readonly all: () => BigUint64Array;
  readonly ready: () => void;
  readonly ended: () => void;
}

export class Teller implements Disposable {
  readonly #parts: TellerParts;
  readonly #changes: Change[] = [];
  #sequence = 0;
  /** What is still to be told of all. */
  #rest: BigUint64Array | undefined;
  #isFresh = true;

  constructor(parts: TellerParts) {
    this.#parts = parts;
  }

  /** @param change undefined: all is to be told anew */
  changed(change: Change | undefined): void {
    if (change === undefined || this.#changes.length >= MOST_WAITING) this.#isFresh = true;
    // Who has not been told anything yet will hear of it with all.
    if (!this.#isFresh && change !== undefined) this.#changes.push(change);
    this.#parts.ready();
  }

  /** The next frame, if there is something to tell. */
  next(): SummaryFrame | undefined {
    if (this.#isFresh) {
      this.#isFresh = false;
      this.#sequence = 0;
      this.#changes.length = 0;
      this.#rest = this.#parts.all();
    }
    if (this.#rest !== undefined) {
      const part = this.#rest.subarray(0, PREFIXES_PER_FRAME);
      this.#rest = part.length < this.#rest.length ? this.#rest.subarray(part.length) : undefined;
      return this.#frame({ added: prefixBytes(part), removed: NONE });
    }
    const change = this.#changes.shift();
    return change === undefined ? undefined : this.#frame(change);
  }

  [Symbol.dispose](): void {
    this.#parts.ended();
  }

  #frame(change: Change): SummaryFrame {
    return { kind: "summary", sequence: this.#sequence++, ...change };
  }
}
