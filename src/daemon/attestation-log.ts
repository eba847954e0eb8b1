/**
 * This node's own log: every attestation that it signs is an entry, written in batches when nobody waits for it.
 *
 * Knows: docs/protocol/log.md, "The log on disk". Does not know: witnesses, or how a checkpoint travels.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Digest, type Log, limits, reasonOf } from "../base/index.ts";
import {
  compareHead,
  type Hash,
  type Head,
  inclusionProof,
  type KeyPair,
  type KnownLog,
  type LogEntry,
  readLogEntry,
  signHead,
  TILE_WIDTH,
  writeLogEntry,
} from "../trust/index.ts";
import { TiledLog, type TileFiles } from "./tiled-log.ts";

/** Where it lies. */
export interface LogHome extends TileFiles {
  note(bytes: Uint8Array): void;
  noted(): Uint8Array;
  noteOnly(bytes: Uint8Array): void;
}

export interface AttestationLogParts {
  readonly files: LogHome;
  /** What signs the attestations. */
  readonly keys: KeyPair;
  readonly log: Log;
}

/** Why nothing is added any more. */
export type LogStopped = "damaged" | "full" | "rolled-back";

/** Where an entry is. */
export interface Logged {
  readonly entry: LogEntry;
  readonly index: number;
}

const { batch: BATCH, batchMs: BATCH_MS, entries: MOST, waiting: WAITING } = limits.transparency;
const STOPPED = "stopped";
/** Bundles that are looked through between two looks at whatever else there is to do. */
const BUNDLES_AT_ONCE = 16;
/** Of a record in the journal: the number that the entry is to have. */
const NUMBER_BYTES = 8;
const RECORD_BYTES = NUMBER_BYTES + writeLogEntry({ action: "00".repeat(32), statement: "00".repeat(32) }).length;

export class AttestationLog implements AsyncDisposable {
  readonly #parts: AttestationLogParts;
  readonly #tiles: TiledLog | undefined;
  #waiting: Uint8Array[] = [];
  /** The number of the next entry that is added; what waits may be in the tiles already, and still be counted among what waits. */
  #next = 0;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopped: LogStopped | undefined;
  #isLosing = false;
  #isOver = false;

  constructor(parts: AttestationLogParts) {
    this.#parts = parts;
    try {
      this.#tiles = new TiledLog(parts.files, parts.keys.publicKey);
      this.#stopped = parts.files.read(STOPPED) === undefined ? undefined : "rolled-back";
      this.#waiting = this.#noted();
      this.#next = this.#sizeNow + this.#waiting.length;
    } catch (error) {
      this.#stop("damaged", error);
    }
    if (this.#waiting.length > 0) this.#writeSoon();
  }

  /** What waits is written; nothing is after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.settle();
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#writing; // It may have been stopped meanwhile.
  }

  get head(): Head | undefined {
    return this.#tiles?.head;
  }

  /** Why the log does not go on; undefined where it does. */
  get stopped(): LogStopped | undefined {
    return this.#stopped;
  }

  /** This node has signed these. Returns at once. */
  add(entries: readonly LogEntry[]): void {
    const size = this.#next;
    const room = Math.min(WAITING - this.#waiting.length, MOST - size);
    if (this.#stopped === undefined && MOST - size < entries.length) this.#stop("full");
    const bytes = this.#stopped === undefined && !this.#isOver ? entries.slice(0, room).map(writeLogEntry) : [];
    this.#losing(bytes.length < entries.length);
    if (bytes.length === 0) return;
    this.#waiting.push(...bytes);
    this.#next += bytes.length;
    try {
      this.#parts.files.note(Buffer.concat(bytes.map((entry, at) => record(size + at, entry))));
    } catch (error) {
      this.#parts.log.event("warn", "log.not-noted", { why: reasonOf(error) }); // It is written with the next batch, unless the disk stays full.
    }
    this.#writeSoon();
  }

  /** Resolves when what waits now is in the log, or cannot be written. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** What others have seen of this log is not what is here: it was put back to what it once was, and must not go on. */
  async rolledBack(): Promise<void> {
    if (this.#stopped === "rolled-back" || this.#isOver) return;
    this.#stop("rolled-back");
    const { files, log } = this.#parts;
    const note = (): Promise<void> => files.write([[STOPPED, "others have seen more of this log than is here\n"]]);
    this.#writing = this.#writing.then(note).catch((error: unknown) => {
      log.event("warn", "log.not-written", { why: reasonOf(error) });
    });
    await this.#writing;
  }

  /** The log and its tree; undefined while it has no entries. @throws {CairnError} network-damaged by the reader */
  get known(): KnownLog | undefined {
    const head = this.head;
    return head === undefined || this.#tiles === undefined ? undefined : { head, read: this.#tiles.read };
  }

  /** Whether a checkpoint by this key is one that this log has had. */
  isOwn(head: Head): boolean {
    return this.known !== undefined && compareHead(this.known, head).kind === "consistent";
  }

  /** The checkpoint of its first entries, and the hashes of some. @param size at most what the head has @throws {CairnError} network-damaged */
  part(from: number, size: number): { readonly head: Head; readonly leaves: readonly Hash[] } {
    const { head } = this;
    if (head === undefined || this.#tiles === undefined) throw new CairnError("not-found", { why: "the log has no entries" });
    const at = size === head.size ? head : signHead(this.#parts.keys, size, this.#tiles.rootAt(size));
    return { head: at, leaves: this.#tiles.leaves(from, size) };
  }

  /** The last entry about an action. @param most entries with smaller numbers are looked at */
  async find(action: Digest, most: number): Promise<Logged | undefined> {
    for (let bundle = Math.ceil(most / TILE_WIDTH) - 1, looked = 0; bundle >= 0; bundle--, looked++) {
      if (looked % BUNDLES_AT_ONCE === 0) await otherWork();
      const entries = this.#tiles?.bundle(bundle).map(readLogEntry) ?? [];
      const at = entries.slice(0, most - bundle * TILE_WIDTH).findLastIndex((entry) => entry?.action === action);
      const entry = entries[at];
      if (entry !== undefined) return { entry, index: bundle * TILE_WIDTH + at };
    }
    return undefined;
  }

  /** That an entry is in the tree of that size. @throws {CairnError} network-damaged */
  proof(index: number, size: number): Hash[] {
    return this.#tiles === undefined ? [] : inclusionProof(this.#tiles.read, index, size);
  }

  #writeSoon(): void {
    if (!this.#isOver) this.#timer ??= setTimeout(() => void this.settle(), BATCH_MS).unref();
  }

  async #write(): Promise<void> {
    const { keys, files, log } = this.#parts;
    while (this.#waiting.length > 0 && this.#tiles !== undefined && (this.#stopped === undefined || this.#stopped === "full")) {
      const some = this.#waiting.slice(0, BATCH);
      try {
        await this.#tiles.append(some, (size, root) => signHead(keys, size, root));
        this.#waiting = this.#waiting.slice(some.length);
        files.noteOnly(Buffer.concat(this.#waiting.map((entry, at) => record(this.#sizeNow + at, entry))));
        log.event("debug", "log.appended", { entries: some.length, size: this.#sizeNow });
      } catch (error) {
        log.event("warn", "log.not-written", { why: reasonOf(error), waiting: this.#waiting.length });
        if (error instanceof CairnError && error.code === "network-damaged") this.#stop("damaged", error);
        else this.#writeSoon(); // A disk that is full may have room later.
        return;
      }
    }
  }

  get #sizeNow(): number {
    return this.#tiles?.size ?? 0;
  }

  /** What a process that has died had not written. */
  #noted(): Uint8Array[] {
    const bytes = Buffer.from(this.#parts.files.noted());
    const entries: Uint8Array[] = [];
    for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
      const number = Number(bytes.readBigUInt64BE(at));
      const entry = bytes.subarray(at + NUMBER_BYTES, at + RECORD_BYTES);
      if (number === this.#sizeNow + entries.length && readLogEntry(entry) !== undefined) entries.push(entry);
    }
    return entries;
  }

  #stop(why: LogStopped, error?: unknown): void {
    this.#stopped = why;
    this.#parts.log.event("error", "log.stopped", { why, ...(error === undefined ? {} : { error: reasonOf(error) }) });
  }

  #losing(isLosing: boolean): void {
    if (isLosing && !this.#isLosing) this.#parts.log.event("warn", "log.losing", { waiting: this.#waiting.length });
    this.#isLosing = isLosing;
  }
}

function record(number: number, entry: Uint8Array): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeBigUInt64BE(BigInt(number));
  return Buffer.concat([bytes, entry]);
}
