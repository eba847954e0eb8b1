/**
 * MemoryStore: blobs in memory, for tests and for small things that need not survive.
 */
import { type Digest, digestOf } from "../base/index.ts";
import type { BlobRead, Store } from "../contracts/index.ts";

export interface MemoryStoreOptions {
  /** Bytes of blobs to keep; blobs not used for the longest time go first. */
  readonly capacityBytes: number;
}

export class MemoryStore implements Store {
  readonly #capacityBytes: number;
  /** In the order of last use, oldest first. */
  readonly #blobs = new Map<Digest, Buffer>();
  #storedBytes = 0;

  constructor(options: MemoryStoreOptions) {
    this.#capacityBytes = options.capacityBytes;
  }

  has(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.#blobs.has(digest));
  }

  async read(digest: Digest, signal?: AbortSignal): Promise<BlobRead> {
    signal?.throwIfAborted();
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) return { kind: "miss" };
    this.#blobs.delete(digest);
    this.#blobs.set(digest, bytes);
    return { kind: "hit", bytes: Buffer.from(bytes) }; // A copy: the reader may write into it.
  }

  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    signal?.throwIfAborted();
    const digest = digestOf(bytes);
    this.#drop(digest);
    this.#blobs.set(digest, Buffer.from(bytes));
    this.#storedBytes += bytes.byteLength;
    for (const oldest of this.#blobs.keys()) {
      if (this.#storedBytes <= this.#capacityBytes || oldest === digest) break;
      this.#drop(oldest);
    }
    return digest;
  }

  remove(digest: Digest): Promise<void> {
    this.#drop(digest);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#blobs.clear();
    this.#storedBytes = 0;
    return Promise.resolve();
  }

  #drop(digest: Digest): void {
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) return;
    this.#blobs.delete(digest);
    this.#storedBytes -= bytes.byteLength;
  }
}
