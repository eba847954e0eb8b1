/**
 * The janitor: walks the store's directories once after each start and makes files and table agree.
 *
 * Blobs that the table does not know are adopted (a crash came before the table was written, or the table was lost), rows without
 * a file are dropped together with the results that name them, half-written files of dead processes are removed.
 * What is not ours is left alone and reported.
 */
import { type Dirent, readdirSync, statSync } from "node:fs";
import { type Digest, type Log, limits, systemCode } from "../base/index.ts";
import { fileSize, removeQuietly } from "./blob-files.ts";
import type { BlobTable } from "./blob-table.ts";
import { compressedPath, isPart, plainPath, recognise, SHARDS, TEMPORARY, temporaryOwner } from "./layout.ts";

export interface JanitorParts {
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
  readonly table: BlobTable;
}

/** A temporary file of a living process is taken for forgotten after this time, ms: the process may only have the same number. */
const TEMPORARY_AGE_MS = 3_600_000;
/** What `blocks` of a stat counts, whatever the file system's own are. */
const BLOCK_BYTES = 512;
/** Foreign files that are named in the log for one walk. */
const NAMED_MAX = 20;

export class Janitor {
  readonly #parts: JanitorParts;
  readonly #directory: string;
  #next = 0;
  #foreign = 0;

  constructor(parts: JanitorParts, directory: string) {
    this.#parts = parts;
    this.#directory = directory;
  }

  /** Files in the store's directory that are not ours, as far as this walk has come. */
  get foreignFiles(): number {
    return this.#foreign;
  }

  restart(): void {
    this.#next = 0;
    this.#foreign = 0;
  }

  /** Looks at one directory. @returns false when all have been looked at */
  step(): boolean {
    const shard = SHARDS[this.#next];
    if (shard === undefined) return false;
    if (this.#next === 0) {
      this.#top();
      this.temporaries(limits.swarm.partsKeptMs);
    }
    this.#next++;
    this.#shard(shard);
    return true;
  }

  #top(): void {
    for (const entry of this.#list("")) {
      if (entry.isDirectory() && (entry.name === TEMPORARY || SHARDS.includes(entry.name))) continue;
      this.#reportForeign(entry.name);
    }
    for (const entry of this.#list(TEMPORARY)) {
      if (entry.isFile() && (isPart(entry.name) || temporaryOwner(entry.name) !== undefined)) continue;
      this.#reportForeign(`${TEMPORARY}/${entry.name}`);
    }
  }

  /**
   * Removes half-written files that nobody finishes.
   *
   * @param partsKeptMs how long ago a part of a large blob has grown last; later ones stay, for somebody may want the rest
   * @returns bytes that are free now
   */
  temporaries(partsKeptMs: number): number {
    let bytes = 0;
    for (const entry of this.#list(TEMPORARY)) {
      const path = `${this.#directory}/${TEMPORARY}/${entry.name}`;
      const owner = isPart(entry.name) ? "anybody" : temporaryOwner(entry.name);
      const stat = owner === undefined || !entry.isFile() ? undefined : statSync(path, { throwIfNoEntry: false });
      if (owner === undefined || stat === undefined) continue;
      const quietMs = this.#parts.now() - stat.mtimeMs;
      const isOver = owner === "anybody" ? quietMs > partsKeptMs : !alive(owner) || quietMs > TEMPORARY_AGE_MS;
      if (isOver && removeQuietly(path)) bytes += stat.blocks * BLOCK_BYTES; // Parts are written in any order, and have holes.
    }
    return bytes;
  }

  #shard(shard: string): void {
    const rows = new Set(this.#parts.table.shard(shard).map((row) => row.digest));
    const seen = new Set<Digest>();
    const entries = this.#list(shard);
    // Plain files first: where both forms lie there, the plain one stays.
    for (const entry of entries.toSorted((a, b) => a.name.length - b.name.length)) {
      const blob = entry.isFile() ? recognise(shard, entry.name) : undefined;
      if (blob === undefined) {
        this.#reportForeign(`${shard}/${entry.name}`);
        continue;
      }
      if (seen.has(blob.digest)) {
        removeQuietly(compressedPath(this.#directory, blob.digest));
        continue;
      }
      seen.add(blob.digest);
      this.#reconcile(blob.digest, blob.compressed);
    }
    const lost = [...rows].filter((digest) => !seen.has(digest) && this.#gone(digest));
    if (lost.length > 0) this.#parts.table.forget(lost);
  }

  /** Makes the row of a blob say what lies on the disk. */
  #reconcile(digest: Digest, compressed: boolean): void {
    const row = this.#parts.table.get(digest);
    if (row !== undefined && (row.form === "zstd") === compressed) return;
    const path = compressed ? compressedPath(this.#directory, digest) : plainPath(this.#directory, digest);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    this.#parts.table.put(digest, {
      size: compressed ? row?.size : stat.size,
      stored: stat.size,
      form: compressed ? "zstd" : "plain",
      crc32: row?.crc32,
      used: row?.used ?? Math.floor(stat.mtimeMs),
      checked: 0,
    });
  }

  /** The listing and the table are not of one moment: a blob may have been written in between. */
  #gone(digest: Digest): boolean {
    return fileSize(plainPath(this.#directory, digest)) === undefined && fileSize(compressedPath(this.#directory, digest)) === undefined;
  }

  #list(name: string): Dirent[] {
    try {
      return readdirSync(`${this.#directory}/${name}`, { withFileTypes: true });
    } catch (error) {
      const system = systemCode(error);
      if (system === undefined) throw error;
      if (system !== "ENOENT") this.#parts.log.event("warn", "store.unreadable", { path: `${this.#directory}/${name}`, system });
      return [];
    }
  }

  #reportForeign(name: string): void {
    this.#foreign++;
    if (this.#foreign <= NAMED_MAX) this.#parts.log.event("warn", "store.foreign-file", { directory: this.#directory, name });
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0); // Signal 0 only asks.
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}
