/**
 * A large blob on this machine's disk as chunks: one that is being fetched, and grows in any order, or one that is here.
 *
 * What was fetched survives a crash: what a chunk list vouches for is found again by hashing. Knows: one file. Does not know: members.
 */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { limits } from "../base/index.ts";
import type { WholeBlob } from "../contracts/index.ts";
import { ChunkSet, chunkLength, chunksIn } from "./chunk-set.ts";

const { chunkBytes } = limits.swarm;
const HASH_BYTES = 32;

/** SHA-256 of each chunk, one after the other. */
export type ChunkList = Uint8Array;

export class PartFile {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #listeners = new Set<(chunk: number) => void>();
  /** Whether it held something before. */
  #isOld: boolean;
  #has: ChunkSet;
  /** Chunks that are being written. */
  readonly #puts = new Set<Promise<unknown>>();
  #users = 1;

  /** A file that is being fetched; made when it is missing. @throws a system error */
  static async grow(path: string, size: number): Promise<PartFile> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "a+", 0o600).then(async (made) => {
      await made.close(); // Appending ignores positions.
      return open(path, "r+");
    });
    const before = (await file.stat()).size;
    await file.truncate(size);
    return new PartFile(file, size, before > 0);
  }

  /** A file that is here and whole. @throws a system error */
  static async whole(path: string, size: number): Promise<PartFile> {
    const part = new PartFile(await open(path, "r"), size, true);
    part.has.fill();
    return part;
  }

  private constructor(file: FileHandle, size: number, isOld: boolean) {
    this.#file = file;
    this.size = size;
    this.#has = new ChunkSet(chunksIn(size));
    this.#isOld = isOld;
  }

  get has(): ChunkSet {
    return this.#has;
  }

  /** Calls `listener` for each chunk that comes. @returns stops it */
  onChunk(listener: (chunk: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Finds which chunks of an earlier attempt are as the list says. */
  async recognise(list: ChunkList): Promise<void> {
    if (!this.#isOld) return;
    const has = this.#has;
    await Promise.allSettled(this.#puts); // What they overwrite must not have been recognised.
    for (let chunk = 0; chunk < has.chunks; chunk++) {
      if (has.has(chunk)) continue;
      const bytes = await this.read(chunk);
      if (has !== this.#has) return; // Forgotten meanwhile.
      if (isChunk(list, chunk, bytes)) this.#came(chunk);
    }
  }

  /** Its bytes, as they lie there. */
  async read(chunk: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(chunkLength(this.size, chunk));
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, chunk * chunkBytes);
    return bytes.subarray(0, bytesRead);
  }

  /** Keeps a chunk that was verified, unless all is forgotten before it is written. */
  async put(chunk: number, bytes: Uint8Array): Promise<void> {
    const has = this.#has;
    const writing = this.#file.write(bytes, 0, bytes.length, chunk * chunkBytes);
    this.#puts.add(writing);
    try {
      await writing;
    } finally {
      this.#puts.delete(writing);
    }
    if (has === this.#has) this.#came(chunk);
  }

  /** The chunk list of what lies there. */
  async list(): Promise<ChunkList> {
    const hashes = Buffer.alloc(this.has.chunks * HASH_BYTES);
    for (let chunk = 0; chunk < this.has.chunks; chunk++) {
      hashes.set(
        createHash("sha256")
          .update(await this.read(chunk))
          .digest(),
        chunk * HASH_BYTES,
      );
      await otherWork();
    }
    return hashes;
  }

  /** Digest and checksum of all of it. */
  async measure(): Promise<WholeBlob> {
    const hash = createHash("sha256");
    let sum = 0;
    for (let chunk = 0; chunk < this.has.chunks; chunk++) {
      const bytes = await this.read(chunk);
      hash.update(bytes);
      sum = crc32(bytes, sum);
      await otherWork();
    }
    return { digest: hash.digest("hex"), size: this.size, crc32: sum };
  }

  /** Forgets what it has; the bytes still lie there, to be looked at by another list. */
  forget(): void {
    this.#has = new ChunkSet(this.#has.chunks);
    this.#isOld = true;
  }

  /** Somebody else uses it, too, and will close it. */
  hold(): void {
    this.#users++;
  }

  /** The last one who uses it closes the file. */
  close(): void {
    if (--this.#users === 0) void this.#file.close().catch(() => undefined);
  }

  #came(chunk: number): void {
    this.has.add(chunk);
    for (const listener of this.#listeners) listener(chunk);
  }
}

/** Whether these bytes are what a list says of a chunk. */
export function isChunk(list: ChunkList, chunk: number, bytes: Uint8Array): boolean {
  const expected = list.subarray(chunk * HASH_BYTES, (chunk + 1) * HASH_BYTES);
  return createHash("sha256").update(bytes).digest().equals(expected);
}

/** Whether a list has as many hashes as a blob of that size has chunks. */
export function fits(list: ChunkList, size: number): boolean {
  return list.length === chunksIn(size) * HASH_BYTES;
}
