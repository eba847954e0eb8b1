/**
 * DiskStore: blobs in a directory of this machine.
 *
 * Guarantees: a blob that is read has the digest it was asked by; a damaged one is removed and is a miss; a crash at any moment loses
 * at most blobs that were not acknowledged; a full or unwritable disk makes writes fail and nothing else.
 * Not guaranteed: that what was written survives a power failure.
 * Knows: files, free space, last use. Does not know: peers, actions, compilers.
 */
import { randomInt } from "node:crypto";
import { closeSync, constants, fstatSync, mkdirSync, openSync } from "node:fs";
import { copyFile, type FileHandle, open } from "node:fs/promises";
import { zstdDecompressSync } from "node:zlib";
import { CairnError, type Digest, type Facts, type Log, limits, systemCode } from "../base/index.ts";
import type { BlobRead, BlobStreams, Expected, LocalStore, PlainBlob, Range, Received, Sending, WholeBlob } from "../contracts/index.ts";
import { adoptFile, fileSize, measure, measureFile, readWhole, removeQuietly, type Verified, writeWhole } from "./blob-files.ts";
import { gather, ROOM_BYTES, readVerified } from "./blob-streams.ts";
import { type BlobRow, BlobTable } from "./blob-table.ts";
import type { Database } from "./database.ts";
import { HashThread } from "./hashing.ts";
import { Housekeeping } from "./housekeeping.ts";
import { type Inspected, Inspection, type InspectionLimits } from "./inspection.ts";
import { compressedPath, partPath, plainPath, SHARDS, TEMPORARY, temporaryName } from "./layout.ts";
import { VerifiedFiles } from "./verified-files.ts";

/** What a write to an open file may fail with; the same is no trouble of a connection. */
const DISK_TROUBLES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS"]);

export interface DiskStoreParts {
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
  /** Holds the blob table; the result index shares it, so that evicted blobs take their results along. */
  readonly database: Database;
  /** Whether a blob is never to be evicted; without it none is. */
  readonly isPinned?: (digest: Digest) => boolean;
}

export interface DiskStoreOptions {
  /** Absolute path; made when it is missing. */
  readonly directory: string;
  /** Bytes of files to keep; blobs not used for the longest time go first. */
  readonly capacityBytes: number;
  /** Bytes of files that may lie uncompressed; blobs not used for the longest time are compressed first. */
  readonly rawBytes: number;
}

export class DiskStore implements LocalStore, BlobStreams {
  readonly directory: string;
  readonly #parts: DiskStoreParts;
  readonly #table: BlobTable;
  readonly #housekeeping: Housekeeping;
  readonly #hashes: HashThread;
  readonly #verified: VerifiedFiles;
  readonly #startedMs: number;
  #temporaries = 0;
  #failing: string | undefined;
  #damagedBlobs = 0;

  private constructor(parts: DiskStoreParts, options: DiskStoreOptions) {
    this.directory = options.directory;
    this.#parts = parts;
    this.#startedMs = parts.now();
    this.#table = new BlobTable(parts.database);
    this.#hashes = new HashThread(parts);
    this.#verified = new VerifiedFiles(parts);
    this.#housekeeping = new Housekeeping(
      {
        ...parts,
        table: this.#table,
        temporary: () => this.#temporary(),
        verify: async (digest) => void (await this.audit(digest)),
        isPinned: parts.isPinned ?? (() => false),
      },
      options,
    );
    parts.database.onReset(() => this.#housekeeping.restart());
  }

  /** Opens the store, whatever an earlier process left in its directory. */
  static open(parts: DiskStoreParts, options: DiskStoreOptions): DiskStore {
    try {
      mkdirSync(`${options.directory}/${TEMPORARY}`, { recursive: true, mode: 0o700 });
    } catch (error) {
      parts.log.event("error", "store.unwritable", { directory: options.directory, system: systemCode(error) ?? "" });
    }
    return new DiskStore(parts, options);
  }

  has(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.isHere(digest));
  }

  /** As `has`, at once. */
  isHere(digest: Digest): boolean {
    return this.#size(plainPath(this.directory, digest)) !== undefined || this.#size(compressedPath(this.directory, digest)) !== undefined;
  }

  async read(digest: Digest, signal?: AbortSignal): Promise<BlobRead> {
    signal?.throwIfAborted();
    const bytes = (await this.#readPlain(digest, signal)) ?? (await this.#inflated(digest));
    if (bytes === undefined) {
      this.#forgetMissing(digest);
      return { kind: "miss" };
    }
    const row = this.#table.get(digest);
    if (row !== undefined) this.#table.use(digest, row, this.#parts.now());
    return { kind: "hit", bytes };
  }

  /** @throws {CairnError} `home-unwritable` when the disk does not take it, `limit-exceeded` when it is larger than limits.blobBytes */
  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    signal?.throwIfAborted();
    demandFits(bytes);
    const verified = await measure(bytes, signal);
    await this.#keep(bytes, verified, signal);
    return verified.digest;
  }

  /** @throws {CairnError} as `write` */
  async writeVerified(digest: Digest, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    demandFits(bytes);
    await this.#keep(bytes, await measure(bytes, signal, digest), signal);
  }

  remove(digest: Digest): Promise<void> {
    removeQuietly(plainPath(this.directory, digest));
    removeQuietly(compressedPath(this.directory, digest));
    this.#table.forget([digest]);
    return Promise.resolve();
  }

  async plain(digest: Digest): Promise<PlainBlob | undefined> {
    const now = this.#parts.now();
    const row = this.#table.get(digest);
    if (row?.crc32 !== undefined && row.size !== undefined && row.form !== "zstd" && this.#intact(digest, row)) {
      this.#table.use(digest, row, now);
      return { size: row.size, crc32: row.crc32 };
    }
    const verified = (await this.#verifyPlain(digest)) ?? (await this.#unpack(digest));
    if (verified === undefined) this.#forgetMissing(digest);
    return verified === undefined ? undefined : { size: verified.size, crc32: verified.crc32 };
  }

  /** The path of a file with these bytes, made plain if need be; undefined when they are not here. */
  async place(digest: Digest): Promise<string | undefined> {
    return (await this.plain(digest)) === undefined ? undefined : this.plainPath(digest);
  }

  /**
   * Does waiting work in small steps: last uses, eviction, compression, what crashes left, verifying what lies here.
   * To be called when the daemon is idle and after writes.
   *
   * @param deadlineMs stop when that much time has passed; one step takes a few ms
   * @returns whether work is left that is worth another call soon
   */
  async tidy(deadlineMs: number): Promise<boolean> {
    return await this.#housekeeping.work(deadlineMs);
  }

  /** Evicts blobs, those not used for the longest time first, until at most that many bytes are stored. @returns what was evicted */
  shrink(bytes: number): Promise<{ readonly blobs: number; readonly bytes: number }> {
    return this.#housekeeping.shrink(bytes);
  }

  /** Whether `tidy` should be called soon, and not only when there is time. */
  get isPressed(): boolean {
    return this.#housekeeping.isPressed;
  }

  /** Where a blob may grow that is fetched in parts. */
  partPath(digest: Digest): string {
    return partPath(this.directory, digest);
  }

  /** Where a blob lies that `plain` has found. */
  plainPath(digest: Digest): string {
    return plainPath(this.directory, digest);
  }

  /**
   * Takes a file whose bytes were verified just now.
   *
   * @throws {CairnError} home-unwritable
   */
  adopt(path: string, { digest, size, crc32 }: WholeBlob): void {
    try {
      adoptFile(path, plainPath(this.directory, digest));
    } catch (error) {
      this.#unwritable(systemCode(error) ?? "", error);
    }
    removeQuietly(compressedPath(this.directory, digest));
    const now = this.#parts.now();
    this.#table.put(digest, { size, stored: size, form: "plain", crc32, used: now, checked: now });
  }

  /**
   * Keeps what a file holds now, without ever having all of it in memory.
   *
   * @throws {CairnError} home-unwritable, limit-exceeded, usage where it is no file; a system error where it cannot be read or is a link; the signal's reason
   */
  async copyIn(path: string, signal: AbortSignal): Promise<WholeBlob> {
    const temporary = this.#temporary();
    try {
      const measured = await this.#copied(path, temporary, signal);
      if (measured.size > limits.blobBytes) throw new CairnError("limit-exceeded", { what: "blob", size: measured.size });
      this.#take(temporary, measured);
      return measured;
    } finally {
      removeQuietly(temporary);
    }
  }

  /** See {@link BlobStreams.receive}. */
  async receive(source: AsyncIterable<Uint8Array>, expected: Expected, limitBytes: number, signal: AbortSignal): Promise<Received> {
    const temporary = this.#temporary();
    try {
      const most = Math.min(limitBytes, limits.blobBytes);
      const gathered = await gather(source, { path: temporary, hashes: this.#hashes }, { ...expected, limitBytes: most }, signal);
      if (gathered.kind === "small") return await this.#receiveSmall(gathered.bytes, expected);
      if (gathered.kind !== "file") return gathered;
      if (expected.digest !== undefined && gathered.digest !== expected.digest) return { kind: "other" };
      this.#take(temporary, gathered);
      return { kind: "kept", digest: gathered.digest, size: gathered.size };
    } catch (error) {
      if (!isOfDisk(error)) throw error;
      this.#unwritable(systemCode(error) ?? "", error);
    } finally {
      removeQuietly(temporary);
    }
  }

  /** See {@link BlobStreams.send}. */
  async send(digest: Digest, range: Range | undefined, signal: AbortSignal): Promise<Sending | undefined> {
    // It may be compressed, or go, between the look at it and its opening.
    const opened = (await this.#openPlain(digest)) ?? (await this.#openPlain(digest));
    if (opened === undefined) return undefined;
    const { blob, file } = opened;
    const damaged = async (): Promise<Error> => {
      await this.audit(digest); // Finds the damage once more, says so and removes the file.
      return new CairnError("blob-absent", { digest, why: "it is damaged" });
    };
    const bytes = readVerified(file, blob, range, { verified: this.#verified, damaged }, signal);
    return { size: blob.size, bytes, roomBytes: ROOM_BYTES, [Symbol.asyncDispose]: () => file.close() };
  }

  async #openPlain(digest: Digest): Promise<{ readonly blob: PlainBlob; readonly file: FileHandle } | undefined> {
    const path = plainPath(this.directory, digest);
    const blob = await this.plain(digest);
    const file = blob === undefined ? undefined : await this.#guardAsync(path, () => open(path, "r"));
    return blob === undefined || file === undefined ? undefined : { blob, file };
  }

  /** Verifies a blob now, in whichever form it lies; a damaged one is removed and forgotten. @returns whether it is here */
  async audit(digest: Digest): Promise<boolean> {
    if ((await this.#verifyPlain(digest)) ?? (await this.#inflated(digest))) return true;
    this.#forgetMissing(digest);
    return false;
  }

  /**
   * Verifies all blobs, or as many as the limits allow, beginning somewhere. What was damaged or gone is forgotten afterwards.
   *
   * @param tell is called with what has been read so far, after each blob
   * @throws the signal's reason
   */
  async inspect(most: InspectionLimits, tell: (found: Inspected) => void, signal: AbortSignal): Promise<Inspected> {
    const inspection = new Inspection({
      table: this.#table,
      audit: (digest) => this.audit(digest),
      isHere: (digest) => this.isHere(digest),
      met: () => this.#damagedBlobs,
      now: this.#parts.now,
    });
    const found = await inspection.run(most, randomInt(SHARDS.length), tell, signal);
    if (found.blobs === found.ofBlobs && found.damaged === 0) this.#damagedBlobs = 0;
    return found;
  }

  /** Removes what was begun and is not gone on with: parts of large blobs, and files of processes that are no more. @returns bytes */
  dropUnfinished(): number {
    return this.#housekeeping.dropUnfinished();
  }

  /** Bytes of a blob that is here; undefined also where that would have to be found out. */
  sizeOf(digest: Digest): number | undefined {
    return this.isHere(digest) ? (this.#table.get(digest)?.size ?? this.#size(plainPath(this.directory, digest))) : undefined;
  }

  /** Somebody counts on a blob: it is not the next to go. */
  touch(digest: Digest): void {
    const row = this.#table.get(digest);
    if (row !== undefined) this.#table.use(digest, row, this.#parts.now());
  }

  /** Whether so many more bytes may be kept for others. */
  hasRoom(bytes: number): boolean {
    return this.#housekeeping.hasRoom(bytes);
  }

  /** Blobs that were damaged and have been removed, since the store was opened or all of it was last read and found well. */
  get damagedBlobs(): number {
    return this.#damagedBlobs;
  }

  /** Numbers for people. */
  facts(): Facts {
    return {
      blobs: this.#table.blobs,
      storedBytes: this.#table.storedBytes,
      plainBytes: this.#table.plainBytes,
      foreignFiles: this.#housekeeping.foreignFiles,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#table[Symbol.dispose]();
    await this.#hashes[Symbol.asyncDispose]();
  }

  /** Whether the file that the table speaks of lies there with its size. Cheap; catches what a power failure truncates. */
  #intact(digest: Digest, row: BlobRow): boolean {
    const path = row.form === "zstd" ? compressedPath(this.directory, digest) : plainPath(this.directory, digest);
    return this.#size(path) === row.stored;
  }

  #size(path: string): number | undefined {
    return this.#guard(path, () => fileSize(path));
  }

  async #readPlain(digest: Digest, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    const path = plainPath(this.directory, digest);
    const bytes = await this.#guardAsync(path, () => readWhole(path, signal));
    if (bytes === undefined) return undefined;
    const verified = await measure(bytes, signal);
    if (!this.#judge(digest, path, verified)) return undefined;
    this.#noteVerified(verified);
    return bytes;
  }

  /** Verifies the plain file without holding it in memory. */
  async #verifyPlain(digest: Digest): Promise<Verified | undefined> {
    const path = plainPath(this.directory, digest);
    const verified = await this.#guardAsync(path, () => measureFile(path));
    if (verified === undefined || !this.#judge(digest, path, verified)) return undefined;
    this.#noteVerified(verified);
    return verified;
  }

  /** The verified content of the compressed file. */
  async #inflated(digest: Digest): Promise<Buffer | undefined> {
    const path = compressedPath(this.directory, digest);
    const packed = await this.#guardAsync(path, () => readWhole(path));
    if (packed === undefined) return undefined;
    const row = this.#table.get(digest);
    let bytes: Buffer;
    try {
      // A damaged file may claim to be enormous.
      bytes = zstdDecompressSync(packed, { maxOutputLength: Math.max(1, row?.size ?? limits.sourceBytes) });
    } catch {
      this.#damaged(digest, path);
      return undefined;
    }
    const verified = await measure(bytes);
    if (!this.#judge(digest, path, verified)) return undefined;
    const now = this.#parts.now();
    this.#table.put(digest, { ...verified, stored: packed.length, form: "zstd", used: row?.used ?? now, checked: now });
    return bytes;
  }

  /** Makes a file of ours a blob, where that is not here yet. */
  #take(temporary: string, measured: Verified): void {
    const row = this.#table.get(measured.digest);
    if (row?.crc32 === undefined || !this.#intact(measured.digest, row)) this.adopt(temporary, measured);
    else this.#table.use(measured.digest, row, this.#parts.now());
  }

  async #receiveSmall(bytes: Buffer, expected: Expected): Promise<Received> {
    const verified = await measure(bytes);
    if (expected.digest !== undefined && verified.digest !== expected.digest) return { kind: "other" };
    await this.#keep(bytes, verified, undefined);
    return { kind: "kept", digest: verified.digest, size: verified.size };
  }

  async #copied(path: string, temporary: string, signal: AbortSignal): Promise<Verified> {
    // Whoever may not read it hears so, and not that the store is full. A pipe is not waited for, and no link is followed.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      if (!fstatSync(descriptor).isFile()) throw new CairnError("usage", { why: `${path} is no file` });
      // The file that was opened, whatever lies at the path by now.
      await copyFile(`/proc/self/fd/${descriptor}`, temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    } catch (error) {
      if (error instanceof CairnError) throw error;
      this.#unwritable(systemCode(error) ?? "", error);
    } finally {
      closeSync(descriptor);
    }
    return measureFile(temporary, signal);
  }

  /** Puts a compressed blob plain. */
  async #unpack(digest: Digest): Promise<Verified | undefined> {
    const bytes = await this.#inflated(digest);
    if (bytes === undefined) return undefined;
    const verified = await measure(bytes);
    try {
      await this.#put(digest, bytes, verified, undefined);
    } catch (error) {
      if (error instanceof CairnError) return undefined; // Logged; the blob stays as it was.
      throw error;
    }
    return verified;
  }

  async #keep(bytes: Uint8Array, verified: Verified, signal: AbortSignal | undefined): Promise<void> {
    const { digest } = verified;
    const row = this.#table.get(digest);
    if (row?.crc32 !== undefined && this.#intact(digest, row)) this.#table.use(digest, row, this.#parts.now());
    else await this.#put(digest, bytes, verified, signal);
  }

  async #put(digest: Digest, bytes: Uint8Array, verified: Verified, signal: AbortSignal | undefined): Promise<void> {
    try {
      await writeWhole(this.#temporary(), plainPath(this.directory, digest), bytes, signal);
    } catch (error) {
      const system = systemCode(error);
      if (system === undefined || system === "ABORT_ERR") throw error;
      this.#unwritable(system, error);
    }
    this.#failing = undefined;
    removeQuietly(compressedPath(this.directory, digest));
    const now = this.#parts.now();
    this.#table.put(digest, { size: verified.size, stored: verified.size, form: "plain", crc32: verified.crc32, used: now, checked: now });
  }

  #unwritable(system: string, cause: unknown): never {
    // Said once for each kind of trouble, not once for each blob.
    if (this.#failing !== system) this.#parts.log.event("error", "store.unwritable", { directory: this.directory, system });
    this.#failing = system;
    throw new CairnError("home-unwritable", { path: this.directory, system }, cause);
  }

  #noteVerified(verified: Verified): void {
    const now = this.#parts.now();
    const old = this.#table.get(verified.digest);
    const form = old?.form === "kept" ? "kept" : "plain";
    if (old?.crc32 === verified.crc32 && old.form === form) return;
    this.#table.put(verified.digest, {
      size: verified.size,
      stored: verified.size,
      form,
      crc32: verified.crc32,
      used: old?.used ?? now,
      checked: now,
    });
  }

  /** @returns whether the content is what it should be; if not, it is removed */
  #judge(digest: Digest, path: string, verified: Verified): boolean {
    if (verified.digest === digest) return true;
    this.#damaged(digest, path);
    return false;
  }

  #damaged(digest: Digest, path: string): void {
    this.#damagedBlobs++;
    this.#parts.log.event("warn", "store.blob-damaged", { digest, path });
    removeQuietly(path);
  }

  /** A blob that the table knows and the disk does not have: results that name it are forgotten with it. */
  #forgetMissing(digest: Digest): void {
    if (this.#table.get(digest) !== undefined && !this.isHere(digest)) this.#table.forget([digest]);
  }

  #temporary(): string {
    return `${this.directory}/${TEMPORARY}/${temporaryName(process.pid, this.#startedMs, this.#temporaries++)}`;
  }

  /** Runs a file operation; a missing file is undefined, and so is any other trouble, which is logged. */
  #guard<T>(path: string, body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      return this.#unreadable(path, error);
    }
  }

  async #guardAsync<T>(path: string, body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body();
    } catch (error) {
      return this.#unreadable(path, error);
    }
  }

  #unreadable(path: string, error: unknown): undefined {
    const system = systemCode(error);
    if (system === undefined || system === "ABORT_ERR") throw error;
    if (system !== "ENOENT" && system !== "ENOTDIR") this.#parts.log.event("warn", "store.unreadable", { path, system });
    return undefined;
  }
}

/** Whether it is about files of ours, and not about where bytes come from. */
function isOfDisk(error: unknown): boolean {
  return error instanceof Error && "path" in error ? systemCode(error) !== undefined : DISK_TROUBLES.has(systemCode(error) ?? "");
}

function demandFits(bytes: Uint8Array): void {
  if (bytes.byteLength > limits.blobBytes) throw new CairnError("limit-exceeded", { what: "blob", size: bytes.byteLength });
}
