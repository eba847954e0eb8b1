/**
 * Keeps copies of results that other members offer: looks whether they are wanted, fetches them, and puts them on the shelf.
 *
 * Knows: the reader's rule, and how much room there is. Does not know: why this node is asked.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Exchange, LocalStore, ResultIndex, SharedResult, Shelf, Wish } from "../contracts/index.ts";
import { isOfItsAction } from "../flows/index.ts";
import { isOfAction, isReceipt } from "../trust/index.ts";
import type { KeepItem, KeepVerdict } from "../wire/index.ts";

export interface KeeperParts {
  readonly exchange: Pick<Exchange, "results" | "blobs">;
  readonly store: Pick<LocalStore, "has" | "writeVerified">;
  readonly index: Pick<ResultIndex, "add" | "result">;
  readonly shelf: Pick<Shelf, "results"> & { put(shared: readonly SharedResult[]): number };
  /** By the reader's rule, and not on condition that it is executed again first: nobody here has asked for it, so nobody here can. */
  readonly isBelieved: (shared: SharedResult, from: Key) => boolean;
  /** Whether so many more bytes may be kept. */
  readonly hasRoom: (bytes: number) => boolean;
  /** Whether anything is kept for others. */
  readonly keeps: boolean;
  readonly log: Log;
}

const { offersTaken, offerMs } = limits.replication;
/** Their blobs are asked for when it is known which of them are not here. */
const RESULTS_ALONE: Wish = { alongBytes: 0, have: [], following: 0 };

export class Keeper implements Disposable {
  readonly #parts: KeeperParts;
  readonly #stop = new AbortController();
  readonly #busyWith = new Set<Key>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Keeps what a member offers. @returns one verdict an item; never rejects */
  async take(from: Key, items: readonly KeepItem[]): Promise<readonly KeepVerdict[]> {
    if (!this.#parts.keeps) return items.map(() => "full");
    if (this.#busyWith.has(from) || this.#busyWith.size >= offersTaken) return items.map(() => "busy");
    this.#busyWith.add(from);
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(offerMs)]);
    try {
      // All at once, so that questions and small blobs travel together.
      const verdicts = await Promise.all(items.map((item) => this.bring(from, item, this.#parts.hasRoom, signal)));
      this.#parts.log.event("info", "copies.kept", { peer: from, kept: verdicts.filter((verdict) => verdict === "kept").length });
      return verdicts;
    } finally {
      this.#busyWith.delete(from);
    }
  }

  /** Fetches what a member has, and keeps it. Never rejects. */
  async bring(from: Key, { manifest, actions }: KeepItem, hasRoom: KeeperParts["hasRoom"], signal: AbortSignal): Promise<KeepVerdict> {
    const { exchange, shelf, log } = this.#parts;
    const kept = (): ReadonlySet<Digest> => new Set(shelf.results(manifest).map(({ entry }) => entry.action));
    const isHere = (all: ReadonlySet<Digest>): boolean => actions.every((action) => all.has(action));
    if (isHere(kept())) return "kept";
    try {
      const { shared: offered } = await exchange.results(from, manifest, RESULTS_ALONE, signal);
      // As a copy and for a pin it may come at one time.
      const here = kept();
      if (isHere(here)) return "kept";
      const missing = offered.filter(({ entry }) => actions.includes(entry.action) && !here.has(entry.action));
      if (missing.length === 0) return "failed";
      const wanted = missing.filter((shared) => this.#isWanted(shared, from));
      const verdict = wanted.length === 0 ? "refused" : await this.#fetch(from, wanted, hasRoom, signal);
      return verdict === "kept" && wanted.length < missing.length ? "refused" : verdict;
    } catch (error) {
      log.event("info", "copies.not-kept", { peer: from, manifest, why: reasonOf(error) });
      return "failed";
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  /** What is here of an action already stays as it is, whoever offers something else. */
  #isWanted(shared: SharedResult, from: Key): boolean {
    const { index, isBelieved } = this.#parts;
    return (
      isOfItsAction(shared) &&
      !isReceipt(shared.result.outputs) &&
      !isOfAction(shared.result.outputs) &&
      index.result(shared.entry.action) === undefined &&
      isBelieved(shared, from)
    );
  }

  async #fetch(from: Key, wanted: readonly SharedResult[], hasRoom: KeeperParts["hasRoom"], signal: AbortSignal): Promise<KeepVerdict> {
    const { exchange, store, index, shelf } = this.#parts;
    const blobs = new Map<Digest, number>();
    for (const { digest, size } of wanted.flatMap(({ result }) => result.outputs)) if (!(await store.has(digest))) blobs.set(digest, size);
    const missing = [...blobs].map(([digest, size]) => ({ digest, size }));
    if (!hasRoom(missing.reduce((sum, { size }) => sum + size, 0))) return "full";
    const take = (digest: Digest, bytes: Uint8Array): Promise<void> => store.writeVerified(digest, bytes, signal);
    const lacking = missing.length === 0 ? [] : await exchange.blobs([from], missing, take, signal);
    if (lacking.length > 0) return "failed";
    for (const shared of wanted) {
      await otherWork(); // A build may ask something.
      index.add(shared.manifest, shared.entry, shared.result, new Map());
      shelf.put([shared]);
    }
    return "kept";
  }
}
