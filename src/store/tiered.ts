/**
 * TieredStore: several stores asked in turn, nearest first. What a farther one has is copied to the nearest; writes go there only.
 */
import type { Digest, Log } from "../base/index.ts";
import type { BlobRead, Store } from "../contracts/index.ts";

export interface TieredStoreParts {
  readonly log: Log;
  readonly first: Store;
  /** Asked in this order. */
  readonly others: readonly Store[];
}

export class TieredStore implements Store {
  readonly #parts: TieredStoreParts;

  constructor(parts: TieredStoreParts) {
    this.#parts = parts;
  }

  async has(digest: Digest): Promise<boolean> {
    for (const store of [this.#parts.first, ...this.#parts.others]) if (await store.has(digest)) return true;
    return false;
  }

  async read(digest: Digest, signal?: AbortSignal): Promise<BlobRead> {
    const near = await this.#parts.first.read(digest, signal);
    if (near.kind === "hit") return near;
    for (const store of this.#parts.others) {
      const far = await store.read(digest, signal);
      if (far.kind === "miss") continue;
      await this.#copy(digest, far.bytes, signal);
      return far;
    }
    return { kind: "miss" };
  }

  write(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    return this.#parts.first.write(bytes, signal);
  }

  /** Forgets the blob in the nearest store; the others are not ours to clear. */
  remove(digest: Digest): Promise<void> {
    return this.#parts.first.remove(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of [this.#parts.first, ...this.#parts.others]) await store[Symbol.asyncDispose]();
  }

  /** A copy that cannot be kept costs time at the next read, nothing else. */
  async #copy(digest: Digest, bytes: Buffer, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#parts.first.write(bytes, signal);
    } catch (error) {
      signal?.throwIfAborted();
      this.#parts.log.event("warn", "store.copy-failed", { digest, message: error instanceof Error ? error.message : "" });
    }
  }
}
