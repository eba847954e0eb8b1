/**
 * What this node has seen of others' logs as their witness: the hashes of all entries, and the last checkpoint.
 *
 * Knows: the witness's rule, and that what was seen is on disk before it is cosigned. Does not know: how questions travel, or what becomes of
 * a fork.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { type Fork, type Head, HeardHeads, judgeUpdate, type KnownLog, type LogUpdate, type Verdict } from "../trust/index.ts";
import { TiledLog, type TileFiles } from "./tiled-log.ts";

export interface MirrorFiles extends TileFiles {
  names(): string[];
  below(name: string): TileFiles;
}

export interface LogMirrorParts {
  readonly files: MirrorFiles;
  /** The trust domain of the active member whose log it is; undefined for anybody else's. */
  readonly domainOf: (log: Key) => string | undefined;
  readonly log: Log;
}

/** What became of an update; `full`: its domain has as much here as one may have. */
export type Seen = Verdict | { readonly kind: "refused"; readonly why: "full" | "not-kept" };

const { logs: LOGS, mirrored: MIRRORED } = limits.transparency;
/** Of all that is kept, one domain's logs are a quarter at most: others need some of it, too. */
const DOMAIN_SHARE = MIRRORED / 4;

export class LogMirror implements AsyncDisposable {
  readonly #parts: LogMirrorParts;
  readonly #logs = new Map<Key, TiledLog>();
  readonly #heard = new HeardHeads();
  /** Updates of one log are taken one after the other. */
  readonly #turns = new Map<Key, Promise<unknown>>();
  #pruning: Promise<void> = Promise.resolve();
  #isOver = false;

  static async open(parts: LogMirrorParts): Promise<LogMirror> {
    const mirror = new LogMirror(parts);
    for (const name of parts.files.names()) {
      await otherWork();
      await mirror.#restore(name);
    }
    return mirror;
  }

  private constructor(parts: LogMirrorParts) {
    this.#parts = parts;
  }

  /** What is being kept is; nothing is after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#turns.values(), this.#pruning]);
  }

  of(log: Key): KnownLog | undefined {
    const tiles = this.#logs.get(log);
    return tiles?.head === undefined ? undefined : { head: tiles.head, read: tiles.read };
  }

  get heads(): Head[] {
    return [...this.#logs.values()].flatMap(({ head }) => head ?? []);
  }

  /** What a log says of itself. Resolves when it is kept. */
  take(update: LogUpdate): Promise<Seen> {
    const { log } = update.head;
    const done = (this.#turns.get(log) ?? Promise.resolve()).then(() => this.#take(update));
    this.#turns.set(log, done);
    void done.finally(() => {
      if (this.#turns.get(log) === done) this.#turns.delete(log);
    });
    return done;
  }

  /**
   * Another member says that it has seen a checkpoint.
   *
   * @param head signed by whose log it is @throws {CairnError} network-damaged
   */
  hear(head: Head, teller: string): Fork | undefined {
    return this.#heard.hear(this.of(head.log), head, teller);
  }

  /** Whose logs are no active members' any more are forgotten. */
  prune(): Promise<void> {
    this.#pruning = this.#pruning.then(() => this.#prune());
    return this.#pruning;
  }

  async #prune(): Promise<void> {
    for (const log of this.#logs.keys()) {
      if (this.#isOver) return;
      if (this.#parts.domainOf(log) === undefined) await this.#forget(log);
    }
  }

  async #take(update: LogUpdate): Promise<Seen> {
    const { files, log } = this.#parts;
    const key = update.head.log;
    try {
      const known = this.of(key);
      const verdict = judgeUpdate(known, update);
      if (verdict.kind !== "grown") return verdict;
      if (this.#isOver) return { kind: "refused", why: "not-kept" };
      if (!this.#hasRoom(key, update.leaves.length)) return { kind: "refused", why: "full" };
      const tiles = this.#logs.get(key) ?? new TiledLog(files.below(key), key);
      await tiles.mirror(update.leaves, update.head);
      this.#logs.set(key, tiles);
      const now = this.of(key);
      const fork = now === undefined ? undefined : this.#heard.grown(now);
      return fork === undefined ? verdict : { kind: "forked", fork };
    } catch (error) {
      log.event("warn", "log.not-witnessed", { log: key, why: reasonOf(error) });
      return { kind: "refused", why: "not-kept" };
    }
  }

  #hasRoom(log: Key, more: number): boolean {
    const domain = this.#parts.domainOf(log);
    const all = [...this.#logs].map(([key, { size }]) => ({ size, isSame: this.#parts.domainOf(key) === domain }));
    const sum = (sizes: readonly { readonly size: number }[]): number => sizes.reduce((total, { size }) => total + size, more);
    const isKnown = this.#logs.has(log) || this.#logs.size < LOGS;
    return isKnown && sum(all) <= MIRRORED && sum(all.filter(({ isSame }) => isSame)) <= DOMAIN_SHARE;
  }

  async #restore(name: string): Promise<void> {
    try {
      this.#logs.set(name, new TiledLog(this.#parts.files.below(name), name));
    } catch (error) {
      // It is seen anew from the first entry on; a checkpoint of before that somebody else has seen is compared with that.
      this.#parts.log.event("warn", "log.mirror-damaged", { log: name, why: error instanceof CairnError ? error.code : String(error) });
      await this.#forget(name);
    }
  }

  async #forget(log: Key): Promise<void> {
    this.#logs.delete(log);
    this.#heard.forget(log);
    await this.#parts.files.remove(log).catch(() => undefined);
  }
}
