/**
 * Signs what tools leave at doors, and what actions of theirs that ran here have left, off the path of those who leave it: soon, many together, and the last of what comes under one key.
 *
 * Knows: what waits. Does not know: doors, or who asks for it.
 */
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { type Digest, type Log, limits } from "../base/index.ts";
import type { DoorEntry, LocalStore, ResultIndex, SharedResult } from "../contracts/index.ts";
import { writeBlobList } from "./blob-list.ts";
import { belongingOf, type DoorKey, manifestOf, type NamedBlob, signableOf } from "./receipt-form.ts";
import type { Unsigned } from "./sharing.ts";

/** What a network does for it while this node is in one. */
export interface SigningNetwork {
  /** Undefined where it is too large to travel. */
  sign(unsigned: Unsigned): SharedResult | undefined;
  /** Puts what this node has signed on the shelf; what it has executed goes into its log as well. */
  keepSigned(made: readonly SharedResult[]): void;
}

export interface ReceiptSigningParts {
  readonly index: Pick<ResultIndex, "add" | "result">;
  readonly store: Pick<LocalStore, "write">;
  /** Undefined while this node is in no network. */
  readonly network: () => SigningNetwork | undefined;
  /** Whether that may change soon by itself. */
  readonly isStarting: () => boolean;
  /** Blobs that an entry of a door speaks of, all of which are here; undefined where one is not. */
  readonly named: (door: string, entry: DoorEntry, signal: AbortSignal) => Promise<readonly NamedBlob[] | undefined>;
  /** Whether all that a receipt names is here. */
  readonly isWhole: (shared: SharedResult) => boolean;
  /** What is installed here, by a look that began then or later; undefined: nobody can tell. */
  readonly installed: (sinceMs: number) => Promise<Digest | undefined>;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Left extends DoorKey {
  readonly entry: DoorEntry;
}

interface Waiting extends Left {
  /** ms, monotonic */
  readonly sinceMs: number;
}

const AT_ONCE = 64;
const EVERY_MS = 250;

export class ReceiptSigning implements AsyncDisposable {
  readonly #parts: ReceiptSigningParts;
  /** By what it is found. */
  readonly #waiting = new Map<Digest, Waiting>();
  readonly #stop = new AbortController();
  #working: Promise<void> | undefined; // Never rejects.
  #isFull = false;
  #signed = 0;

  constructor(parts: ReceiptSigningParts) {
    this.#parts = parts;
  }

  /** How many were signed. */
  get signed(): number {
    return this.#signed;
  }

  /** A tool has left something here. Returns at once. */
  left(left: Left): void {
    const { network, isStarting, log, now } = this.#parts;
    if (network() === undefined && !isStarting()) return;
    const manifest = manifestOf(left);
    // What came under the same key before need not be signed any more.
    this.#waiting.delete(manifest);
    if (this.#waiting.size >= limits.doors.unsigned) {
      if (!this.#isFull) this.#notShared(left, "too-many-wait"); // Said once for all of them.
      this.#isFull = true;
      return;
    }
    this.#waiting.set(manifest, { ...left, sinceMs: now() });
    this.#working ??= this.#work()
      .catch((error: unknown) => log.event("warn", "sharing.not-signed", { error: String(error) }))
      .finally(() => {
        this.#working = undefined;
      });
  }

  /** It was deleted before it was signed. */
  forget(manifest: Digest): void {
    this.#waiting.delete(manifest);
  }

  clear(): void {
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { network: running, isStarting } = this.#parts;
    while (this.#waiting.size > 0) {
      await sleep(EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined); // At the end, all at once.
      this.#isFull = false;
      const network = running();
      if (network !== undefined) await this.#sign(network);
      else if (!isStarting() || this.#stop.signal.aborted) return this.clear();
    }
  }

  async #sign(network: SigningNetwork): Promise<void> {
    const signed: SharedResult[] = [];
    for (const [manifest, left] of [...this.#waiting].slice(0, AT_ONCE)) {
      await setImmediate(); // Whoever asks something comes first.
      const unsigned = await this.#signable(left);
      // Something else may have come under that key meanwhile, or it was deleted.
      if (this.#waiting.get(manifest) !== left) continue;
      this.#waiting.delete(manifest);
      const shared = unsigned && network.sign(unsigned);
      if (shared === undefined || !this.#parts.isWhole(shared)) continue;
      this.#parts.index.add(shared.manifest, shared.entry, shared.result, new Map());
      signed.push(shared);
    }
    // What was replaced or deleted meanwhile is told to nobody.
    const { index } = this.#parts;
    const current = signed.filter(({ entry }) => index.result(entry.action) !== undefined);
    network.keepSigned(current);
    this.#signed += current.length;
  }

  async #signable(left: Waiting): Promise<Unsigned | undefined> {
    const { ran } = left.entry;
    // What may have read something else than what was there when it began is no execution that somebody else could repeat.
    if (ran !== undefined && (await this.#parts.installed(left.sinceMs)) !== ran.installed)
      return this.#notShared(left, "installed-changed");
    // At the end, too.
    const others = await this.#parts.named(left.door, left.entry, AbortSignal.timeout(limits.doors.bringMostMs)).catch(() => undefined);
    const belonging = others && belongingOf(left.entry, others);
    if (belonging === undefined) return this.#notShared(left, others === undefined ? "not-whole" : "too-many-blobs");
    if (belonging.listed.length === 0) return signableOf(left, left.entry, belonging);
    const list = writeBlobList(belonging.listed);
    const digest = await this.#parts.store.write(list, this.#stop.signal.aborted ? undefined : this.#stop.signal);
    return signableOf(left, left.entry, belonging, { digest, size: list.length });
  }

  #notShared({ door, key }: Left, why: string): undefined {
    this.#parts.log.event("info", "door.not-shared", { door, key, why });
  }
}
