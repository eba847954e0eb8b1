/**
 * Housekeeping of the disk store: everything that must happen sometime and never while somebody waits.
 *
 * Each step is small and whole: eviction of a few blobs, one directory of the janitor's walk, compression of one blob,
 * verification of one blob. A crash between any two loses nothing.
 */
import { readFileSync } from "node:fs";
import { setImmediate as otherWork } from "node:timers/promises";
import { constants, zstdCompressSync } from "node:zlib";
import { type Digest, digestOf, type Log, limits, systemCode } from "../base/index.ts";
import { removeQuietly, writeWhole } from "./blob-files.ts";
import type { BlobTable, NamedBlob } from "./blob-table.ts";
import { Janitor } from "./janitor.ts";
import { compressedPath, plainPath, SHARDS } from "./layout.ts";

export interface HousekeepingParts {
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
  readonly table: BlobTable;
  /** A fresh name for a temporary file. */
  readonly temporary: () => string;
  /** Whether a blob is never to be evicted. */
  readonly isPinned: (digest: Digest) => boolean;
  /** Reads a blob; a damaged one is removed and forgotten. */
  readonly verify: (digest: Digest) => Promise<void>;
}

export interface HousekeepingOptions {
  readonly directory: string;
  readonly capacityBytes: number;
  readonly rawBytes: number;
}

/** Blobs evicted in one step. */
const EVICT_STEP = 16;
/** A pinned blob that counts as used since so long has been passed over just now: what is left may be nothing but pins. */
const SPARED_MS = 60_000;
/** Larger blobs are not compressed: that would hold up everything else. */
const COMPRESS_MAX_BYTES = 33_554_432;
/** A compressed blob must be smaller than this part of the plain one. */
const COMPRESS_WORTH = 0.9;
/** Above this level time grows faster than what is saved. */
const COMPRESS_LEVEL = 3;
/** A blob is verified again after this time, ms. */
const CHECK_AGE_MS = 14 * 86_400_000;
/** Between two verifications, ms: two weeks would be enough for half a million blobs. */
const CHECK_PAUSE_MS = 2_000;

export class Housekeeping {
  readonly #parts: HousekeepingParts;
  readonly #options: HousekeepingOptions;
  readonly #janitor: Janitor;
  /** Blobs of the shard that is being verified, last one next. */
  #toCheck: NamedBlob[] = [];
  #checkShard = 0;
  #checkedAt = 0;
  #stuck = false;
  #working = false;

  constructor(parts: HousekeepingParts, options: HousekeepingOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#janitor = new Janitor(parts, options.directory);
  }

  get #overCapacity(): boolean {
    return this.#parts.table.storedBytes > this.#options.capacityBytes;
  }

  /** Whether there is too much of something, so that work is not only a precaution. */
  get isPressed(): boolean {
    return this.#overCapacity || this.#parts.table.plainBytes > this.#options.rawBytes;
  }

  /** Whether so many more bytes may be kept for others: there is space, or what has not been used for long makes some. */
  hasRoom(bytes: number): boolean {
    const { table, now } = this.#parts;
    if (table.storedBytes + bytes <= this.#options.capacityBytes) return true;
    const [oldest] = table.oldest(1);
    return oldest !== undefined && now() - oldest.used > limits.replication.coldMs && bytes <= this.#options.capacityBytes / 2;
  }

  get foreignFiles(): number {
    return this.#janitor.foreignFiles;
  }

  /** Looks at the whole directory again: the table was lost. */
  restart(): void {
    this.#janitor.restart();
  }

  /** @returns bytes of what was begun and not gone on with, and is removed */
  dropUnfinished(): number {
    return this.#janitor.temporaries(limits.unfinishedMs);
  }

  /** @returns whether work is left */
  async work(deadlineMs: number): Promise<boolean> {
    if (this.#working) return true;
    this.#working = true;
    this.#stuck = false;
    const end = this.#parts.now() + deadlineMs;
    try {
      do {
        if (!(await this.#step())) {
          this.#parts.table.flush();
          return false;
        }
      } while (this.#parts.now() < end);
      return true;
    } finally {
      this.#working = false;
    }
  }

  /** Does the most urgent piece of work. @returns false when there is none */
  async #step(): Promise<boolean> {
    if (this.#overCapacity && !this.#stuck) {
      this.#stuck = !this.#evict(this.#options.capacityBytes);
      return true;
    }
    if (this.#janitor.step()) return true;
    if (this.#parts.table.plainBytes > this.#options.rawBytes && !this.#stuck) return await this.#compress();
    return await this.#check();
  }

  /**
   * Evicts until at most that many bytes are stored, or nothing more can be removed.
   *
   * @returns what was evicted: blobs, and bytes of their files
   */
  async shrink(bytes: number): Promise<{ readonly blobs: number; readonly bytes: number }> {
    const { table } = this.#parts;
    // What the table does not know cannot be evicted.
    while (this.#janitor.step()) await otherWork();
    let evicted = { blobs: 0, bytes: 0 };
    while (table.storedBytes > bytes) {
      const before = { blobs: table.blobs, bytes: table.storedBytes };
      if (!this.#evict(bytes)) break;
      evicted = { blobs: evicted.blobs + before.blobs - table.blobs, bytes: evicted.bytes + before.bytes - table.storedBytes };
      await otherWork(); // A build may ask something.
    }
    return evicted;
  }

  /** Evicts a few blobs. @returns false when nothing could be removed: trying again at once would not end */
  #evict(bytes: number): boolean {
    const { table } = this.#parts;
    const chosen: Digest[] = [];
    let excess = table.storedBytes - bytes;
    let spared = false;
    for (const blob of table.oldest(EVICT_STEP)) {
      if (excess <= 0) break;
      if (this.#parts.isPinned(blob.digest)) {
        // Counted as used, so that others are the oldest the next time.
        const now = this.#parts.now();
        spared ||= now - blob.used >= SPARED_MS;
        table.use(blob.digest, blob, now);
        continue;
      }
      const removed = [plainPath, compressedPath].map((path) => removeQuietly(path(this.#options.directory, blob.digest)));
      if (removed.includes(false)) continue;
      excess -= blob.stored;
      chosen.push(blob.digest);
    }
    if (chosen.length === 0) return spared;
    if (!table.forget(chosen)) return false;
    this.#parts.log.event("debug", "store.evicted", { blobs: chosen.length, storedBytes: table.storedBytes });
    return true;
  }

  async #compress(): Promise<boolean> {
    const blob = this.#parts.table.oldestPlain(1)[0];
    if (blob === undefined) {
      this.#stuck = true;
      return true;
    }
    try {
      await this.#compressBlob(blob);
    } catch (error) {
      const system = systemCode(error);
      if (system === undefined) throw error;
      // A file that vanished is the janitor's; on a full disk eviction must come first.
      if (system === "ENOENT") this.#parts.table.forget([blob.digest]);
      else this.#stuck = true;
    }
    return true;
  }

  async #compressBlob(blob: NamedBlob): Promise<void> {
    const { digest, ...row } = blob;
    const { table, now } = this.#parts;
    if (row.stored > COMPRESS_MAX_BYTES) return table.put(digest, { ...row, form: "kept" });
    const plain = plainPath(this.#options.directory, digest);
    const bytes = readFileSync(plain);
    if (digestOf(bytes) !== digest) {
      return await this.#parts.verify(digest); // Finds the damage once more, says so and removes the file.
    }
    const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: COMPRESS_LEVEL } });
    if (packed.length > bytes.length * COMPRESS_WORTH) return table.put(digest, { ...row, form: "kept", checked: now() });
    await writeWhole(this.#parts.temporary(), compressedPath(this.#options.directory, digest), packed);
    // The row changes before the plain file goes: an outside reader that misses it asks, and it is put plain again.
    table.put(digest, { ...row, size: bytes.length, stored: packed.length, form: "zstd", checked: now() });
    removeQuietly(plain);
  }

  /** Verifies blobs that were not verified for long, one in a while: disks rot. @returns false: none of this is urgent */
  async #check(): Promise<boolean> {
    const { table, verify, now } = this.#parts;
    if (now() - this.#checkedAt < CHECK_PAUSE_MS) return false;
    this.#checkedAt = now();
    if (this.#toCheck.length === 0) {
      const shard = SHARDS[this.#checkShard++ % SHARDS.length] ?? "";
      this.#toCheck = table.shard(shard).filter((blob) => now() - blob.checked > CHECK_AGE_MS);
      return false;
    }
    const digest = this.#toCheck.pop()?.digest;
    if (digest === undefined || table.get(digest) === undefined) return false;
    await verify(digest);
    const row = table.get(digest);
    if (row !== undefined) table.put(digest, { ...row, checked: now() });
    return false;
  }
}
