/**
 * Keeps copies of files, directories and results that members have pinned: looks whether there is room for them, fetches them slowly, and holds them
 * for as long as somebody wants them. docs/protocol/replication.md
 *
 * Knows: how much members may fill, and what is being fetched. Does not know: why this node is asked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CairnError, type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Exchange } from "../contracts/index.ts";
import type { DiskStore, Pins } from "../store/index.ts";
import type { KeepTree, KeepVerdict, Root, TreeCodec } from "../wire/index.ts";
import { type Claim, CODECS, type KeptTree, type KeptTrees, keyOf, type TreeName } from "./kept-trees.ts";
import type { PinnedResults } from "./pinned-results.ts";
import { TreeFetch, type TreeNetwork } from "./tree-fetch.ts";
import { blobsOf } from "./tree-totals.ts";

export interface TreeKeeperParts {
  readonly kept: KeptTrees;
  readonly pins: Pick<Pins, "hold" | "list">;
  readonly store: Pick<DiskStore, "has" | "read" | "write" | "sizeOf" | "directory"> & { hasRoom(bytes: number): boolean };
  readonly codec: TreeCodec;
  readonly trees: TreeNetwork;
  readonly results: PinnedResults;
  readonly network: Digest;
  readonly self: Key;
  readonly domainOf: (key: Key) => string;
  /** Whether nobody builds here. */
  readonly isQuiet: () => boolean;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface TreeKeeperOptions {
  /** Of the store, of which others' trees may take a part. */
  readonly capacityBytes: number;
  /** Whether copies are kept for others at all. */
  readonly keeps: boolean;
}

interface Fetching {
  readonly domain: string;
  readonly pinner: Key;
  readonly stop: AbortController;
}

interface Look {
  readonly atMs: number;
  readonly isWhole: boolean;
}

const {
  trees: mostTrees,
  blobs: mostBlobs,
  ofStore,
  ofDomain,
  leaseMs,
  askS,
  quietEveryMs,
  wholeMs,
  lookAtOnce,
  lookPauseMs,
} = limits.treeCopies;
const { fetchMs, fetches: mostFetches, turnMs, batchBytes, slowMs, leastBytesPerSecond } = limits.treeCopies;
const { bytesPerSecond, patienceMs } = limits.replication;
const MS = 1_000;

export class TreeKeeper implements Disposable {
  readonly #parts: TreeKeeperParts;
  readonly #options: TreeKeeperOptions;
  readonly #stop = new AbortController();
  /** What is being fetched: one tree of each domain, so that a slow member holds up its own domain alone. */
  readonly #fetching = new Map<string, Fetching>();
  /** Who waits for a turn, first come first, and when it has asked last, ms since the epoch. */
  readonly #waiting = new Map<Key, number>();
  /** Trees that have been looked at: whether all of them was here. */
  readonly #looks = new Map<string, Look>();
  /** Those that are to be looked at, one after the other. */
  readonly #toLook = new Set<string>();
  #looking: Promise<void> = Promise.resolve();
  /** What came of the last attempt at what a member has offered, until that is offered again. */
  readonly #outcomes = new Map<string, KeepVerdict>();

  constructor(parts: TreeKeeperParts, options: TreeKeeperOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** What a member wants kept. Fetching is not waited for: who offers it again later hears what came of it. Never rejects. */
  async take(from: Key, offers: readonly KeepTree[]): Promise<readonly KeepVerdict[]> {
    return Promise.resolve(offers.map((offer) => this.#verdict(from, offer)));
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  #verdict(from: Key, offer: KeepTree): KeepVerdict {
    const { kept, pins, store, self } = this.#parts;
    const { digest: root, codec, bytes, leaseS, pinner } = offer;
    const tree = { root, codec };
    if (leaseS === 0) {
      this.#letGo(from, tree, bytes);
      return "refused";
    }
    const own = pins.list().find((pin) => pin.root === root && CODECS[pin.kind] === codec);
    // Who keeps a copy has not heard yet that this node has let go of it.
    if (!this.#options.keeps || (own === undefined && pinner === self)) return "refused";
    const known = kept.get(tree);
    const here = own ?? known;
    const isWhole = here !== undefined && this.#isWhole(tree, here.blobs);
    if (isWhole === undefined) return "busy";
    if (isWhole && own !== undefined) return "kept";
    if (leaseS <= askS) return isWhole ? "kept" : "failed";
    if (isWhole && known !== undefined) return this.#isClaimed(known, from, offer) ? "kept" : "full";
    const outcome = this.#outcomes.get(attemptAt(from, tree, bytes));
    this.#outcomes.delete(attemptAt(from, tree, bytes));
    if (outcome !== undefined) return outcome;
    if (this.#fetching.has(keyOf(tree))) return "busy";
    if (!store.hasRoom(bytes) || !this.#mayKeep(from, tree, bytes, 1)) return "full";
    if (!this.#isItsTurn(from)) return "busy";
    void this.#begin(from, offer);
    return "busy";
  }

  async #begin(from: Key, offer: KeepTree): Promise<void> {
    const tree = { root: offer.digest, codec: offer.codec };
    const stop = new AbortController();
    this.#fetching.set(keyOf(tree), { domain: this.#parts.domainOf(from), pinner: offer.pinner, stop });
    const verdict = await this.#fetch(from, offer, stop.signal);
    this.#fetching.delete(keyOf(tree));
    if (verdict === "kept" || stop.signal.aborted) return;
    // Whoever offered it may never come again.
    put(this.#outcomes, attemptAt(from, tree, offer.bytes), verdict, mostTrees);
  }

  /** Who has pinned it does not want it any more; what others want stays. */
  #letGo(from: Key, tree: TreeName, bytes: number): void {
    this.#outcomes.delete(attemptAt(from, tree, bytes));
    const fetching = this.#fetching.get(keyOf(tree));
    if (fetching?.pinner === from) fetching.stop.abort();
    this.#parts.kept.unclaim(tree, from);
  }

  /** Whether a member that wants what is here counts among those for whom it is kept, or need not. */
  #isClaimed(known: KeptTree, from: Key, offer: KeepTree): boolean {
    // Who keeps a copy tells what it has heard; who has pinned it knows.
    const { now } = this.#parts;
    if (from !== offer.pinner && known.claims.some((claim) => claim.from === offer.pinner && claim.untilMs > now())) return true;
    const isOne = known.claims.some((claim) => claim.from === from && claim.untilMs > now());
    if (!isOne && !this.#mayKeep(from, known, known.bytes, known.blobs.length)) return false;
    const fits = this.#parts.kept.renew(known, this.#claim(from, offer));
    if (!isOne) this.#makeRoom(from);
    return fits;
  }

  #claim(from: Key, { pinner, leaseS }: KeepTree): Claim {
    return { from, pinner, untilMs: this.#parts.now() + Math.min(leaseMs, leaseS * MS) };
  }

  /** Members take turns, and so do domains. */
  #isItsTurn(from: Key): boolean {
    const { domainOf, now } = this.#parts;
    const at = now();
    for (const [key, askedMs] of this.#waiting) if (Math.abs(at - askedMs) > turnMs) this.#waiting.delete(key);
    this.#waiting.set(from, at); // Who waits already keeps its place.
    const busy = new Set([...this.#fetching.values()].map(({ domain }) => domain));
    const next = [...this.#waiting.keys()].find((key) => !busy.has(domainOf(key)));
    if (next !== from || this.#fetching.size >= mostFetches) return false;
    this.#waiting.delete(from);
    return true;
  }

  /** Not looked at each time that somebody asks: they may ask often, and there may be many blobs. @returns undefined until it is known */
  #isWhole(tree: TreeName, blobs: readonly Digest[]): boolean | undefined {
    const key = keyOf(tree);
    const look = this.#looks.get(key);
    const age = look === undefined ? wholeMs : this.#parts.now() - look.atMs;
    if (look !== undefined && age >= 0 && age < wholeMs) return look.isWhole; // Clocks may be set back.
    if (this.#toLook.has(key)) return undefined;
    this.#toLook.add(key);
    this.#looking = this.#looking
      .then(() => (tree.codec === "result" && this.#parts.results.pinned(tree.root) === undefined ? undefined : this.#bytesOf(blobs)))
      .catch(() => undefined) // What cannot be read is fetched anew, if that can be.
      .then((bytes) => {
        this.#toLook.delete(key);
        this.#looked(tree, bytes !== undefined);
      });
    return undefined;
  }

  /** @returns undefined where one is missing */
  async #bytesOf(blobs: readonly Digest[]): Promise<number | undefined> {
    let bytes = 0;
    for (const [i, blob] of blobs.entries()) {
      if (i > 0 && i % lookAtOnce === 0) await sleep(lookPauseMs, undefined, { signal: this.#stop.signal }); // A build may ask something.
      const size = this.#parts.store.sizeOf(blob);
      if (size === undefined) return undefined;
      bytes += size;
    }
    return bytes;
  }

  #looked(tree: TreeName, isWhole: boolean): void {
    put(this.#looks, keyOf(tree), { atMs: this.#parts.now(), isWhole }, 2 * mostTrees);
  }

  /** One domain may hold a part of what all may, so that none leaves nothing to the others. What is over gives way: see {@link #makeRoom}. */
  #mayKeep(from: Key, tree: TreeName, bytes: number, blobs: number): boolean {
    const { kept, domainOf, now } = this.#parts;
    const others = kept.list().filter((row) => keyOf(row) !== keyOf(tree));
    const domain = domainOf(from);
    const ofIts = others.filter(({ claims }) => claims.some((claim) => claim.untilMs > now() && domainOf(claim.from) === domain));
    const more = { bytes, blobs, trees: 1 };
    return this.#fits(others, 1, more) && this.#fits(ofIts, ofDomain, more);
  }

  async #fetch(from: Key, offer: KeepTree, stop: AbortSignal): Promise<KeepVerdict> {
    const { kept, pins, network, log } = this.#parts;
    const { digest, codec, bytes } = offer;
    const tree = { root: digest, codec };
    const signal = AbortSignal.any([this.#stop.signal, stop, AbortSignal.timeout(fetchMs)]);
    const began = performance.now();
    using hold = pins.hold();
    const held: Held = {
      blobs: hold.blobs,
      check: (size, blobs) => {
        if (!this.#mayKeep(from, tree, size, blobs)) throw new CairnError("limit-exceeded", { what: "kept trees" });
      },
    };
    try {
      const brought =
        codec === "result"
          ? await this.#bringResult(from, offer, held, signal)
          : await this.#bringTree(from, { digest, codec }, bytes, held, signal);
      if (typeof brought === "string") return brought;
      const { blobs, cameBytes } = brought;
      const size = await this.#bytesOf(blobs);
      if (size === undefined) return "failed"; // Damaged, and removed just now.
      held.check(size, blobs.length); // What was here before has cost nothing, and is held from now on all the same.
      signal.throwIfAborted(); // It may not be wanted any more.
      if (!kept.put({ ...tree, network, bytes: size, blobs }, this.#claim(from, offer))) return "full";
      this.#looked(tree, true);
      this.#makeRoom(from);
      const facts = { peer: from, root: digest, blobs: blobs.length, bytes: size, cameBytes };
      log.event("info", "tree-copies.kept", { ...facts, tookMs: Math.round(performance.now() - began) });
      return "kept";
    } catch (error) {
      log.event("info", "tree-copies.not-kept", { peer: from, root: digest, why: reasonOf(error) });
      if (!(error instanceof CairnError)) return "failed";
      return error.code === "limit-exceeded" || error.code === "usage" || error.code === "home-unwritable"
        ? "full"
        : error.code === "frame-invalid"
          ? "refused"
          : "failed";
    }
  }

  /**
   * What is here for longer than its time gives way to what somebody wants: first claims of that domain, whose part counts what is over as well; others'
   * stay for as long as all of it fits, so that nobody drives out what somebody else has pinned by asking for much for a short time.
   */
  #makeRoom(from: Key): void {
    const { kept, domainOf, now } = this.#parts;
    const domain = domainOf(from);
    const none = { bytes: 0, blobs: 0, trees: 0 };
    const isIts = (claim: Claim): boolean => domainOf(claim.from) === domain;
    const isOver = (claim: Claim): boolean => isIts(claim) && claim.untilMs <= now();
    for (const { tree } of overFirst(kept.all(), isOver)) {
      const all = kept.all();
      const ofIts = all.filter(({ claims }) => claims.some(isIts));
      if (this.#fits(all, 1, none) && this.#fits(ofIts, ofDomain, none)) return;
      kept.drop(tree, isOver, "no room");
    }
    for (const over of kept.over()) {
      if (this.#fits(kept.all(), 1, none)) return;
      kept.remove(over, "no room");
    }
  }

  /** Whether so much more fits into a part of what all may take. */
  #fits(
    rows: readonly KeptTree[],
    part: number,
    more: { readonly bytes: number; readonly blobs: number; readonly trees: number },
  ): boolean {
    return (
      sum(rows.map(({ bytes }) => bytes)) + more.bytes <= this.#options.capacityBytes * ofStore * part &&
      sum(rows.map(({ blobs }) => blobs.length)) + more.blobs <= mostBlobs * part &&
      rows.length + more.trees <= mostTrees * part
    );
  }

  async #bringTree(from: Key, root: Root, bytes: number, held: Held, signal: AbortSignal): Promise<Brought> {
    const { store, codec, trees } = this.#parts;
    const exchange = { blobs: this.#paced(bytes) };
    const parts = { store, codec, network: { ...trees, exchange }, held: held.blobs, tell: () => undefined, first: [from] };
    const fetch = new TreeFetch(parts, signal);
    const { nodes } = await fetch.all(root, async ({ nodes }) => held.check(bytes, blobsOf(root, nodes).length));
    return { blobs: blobsOf(root, nodes), cameBytes: fetch.counts.bytes };
  }

  /** By the rule for copies of results. What it is to be of has come with them often already. */
  async #bringResult(
    from: Key,
    { digest: action, manifest = "", bytes }: KeepTree,
    held: Held,
    signal: AbortSignal,
  ): Promise<Brought | Exclude<KeepVerdict, "kept">> {
    const { results, store } = this.#parts;
    await this.#turn(0, signal);
    // It may answer another request here than at who offers it.
    const known = results.pinned(action);
    const wasHere = known !== undefined && (await this.#bytesOf(known.blobs)) !== undefined;
    if (!wasHere) {
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(longestMs(bytes))]);
      // What is larger than its maker said has not been looked at whether there is room.
      const hasRoom = (size: number): boolean => size <= bytes && store.hasRoom(size);
      const verdict = await results.bring(from, { manifest, action }, hasRoom, inTime);
      if (verdict !== "kept") return verdict;
    }
    const result = results.pinned(action);
    if (result === undefined) return "failed";
    for (const blob of result.blobs) held.blobs.add(blob);
    if (!wasHere) await sleep((MS * bytes * this.#fetching.size) / bytesPerSecond, undefined, { signal }); // Others that are fetched have their part.
    return { blobs: result.blobs, cameBytes: wasHere ? 0 : bytes };
  }

  /** Asks for little at once, not faster than copies may travel, and while nobody builds. @throws {CairnError} limit-exceeded */
  #paced(mostBytes: number): Exchange["blobs"] {
    let left = mostBytes;
    let notBefore = performance.now();
    return async (from, wanted, take, signal, kept) => {
      const missing: Digest[] = [];
      for (const batch of batchesOf(wanted)) {
        const bytes = sum(batch.map(({ size }) => size));
        // What is larger than its maker said has not been looked at whether there is room.
        if ((left -= bytes) < 0) throw new CairnError("limit-exceeded", { what: "bytes of a tree" });
        await this.#turn(notBefore, signal);
        notBefore = performance.now() + (MS * bytes * this.#fetching.size) / bytesPerSecond; // All at once are not faster, either.
        const inTime = AbortSignal.any([signal, AbortSignal.timeout(longestMs(bytes))]);
        const absent = new Set(await this.#parts.trees.exchange.blobs(from, batch, take, inTime, kept));
        left += sum(batch.map(({ digest, size }) => (absent.has(digest) ? size : 0)));
        missing.push(...absent);
      }
      return missing;
    };
  }

  async #turn(notBefore: number, signal: AbortSignal): Promise<void> {
    await sleep(Math.max(0, notBefore - performance.now()), undefined, { signal });
    const began = performance.now();
    while (!this.#parts.isQuiet() && performance.now() - began < patienceMs) await sleep(quietEveryMs, undefined, { signal });
  }
}

/** What is held while it is fetched, and may be kept. */
interface Held {
  readonly blobs: Set<Digest>;
  /** @throws {CairnError} limit-exceeded */
  readonly check: (bytes: number, blobs: number) => void;
}

interface Brought {
  readonly blobs: readonly Digest[];
  readonly cameBytes: number;
}

type Wanted = { readonly digest: Digest; readonly size: number };

/** Each larger one for itself. */
function* batchesOf(wanted: readonly Wanted[]): Generator<Wanted[]> {
  let batch: Wanted[] = [];
  let bytes = 0;
  for (const one of wanted) {
    if (batch.length > 0 && bytes + one.size > batchBytes) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(one);
    bytes += one.size;
  }
  if (batch.length > 0) yield batch;
}

/** For what is asked for at once. */
function longestMs(bytes: number): number {
  return Math.min(fetchMs, slowMs + Math.ceil((MS * bytes) / leastBytesPerSecond));
}

/** Those with such claims, the oldest of them first. */
function overFirst(rows: readonly KeptTree[], isOver: (claim: Claim) => boolean): { readonly tree: KeptTree; readonly untilMs: number }[] {
  const over = rows.flatMap((tree) => {
    const [first] = tree.claims.filter(isOver).toSorted((a, b) => a.untilMs - b.untilMs);
    return first === undefined ? [] : [{ tree, untilMs: first.untilMs }];
  });
  return over.toSorted((a, b) => a.untilMs - b.untilMs);
}

/** What one member says of a tree tells nothing of what another one says. */
function attemptAt(from: Key, tree: TreeName, bytes: number): string {
  return `${from} ${keyOf(tree)} ${bytes}`;
}

/** Where there are too many, the oldest is forgotten. */
function put<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
