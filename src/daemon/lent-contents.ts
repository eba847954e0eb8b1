/**
 * Contents for sandboxes: blobs of the store, and files of this machine that somebody lends while a command runs. What people keep of their
 * projects is not copied into the store to be read once.
 *
 * Knows: which file had which content. Does not know: who reads it; what is read is verified.
 */
import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Digest, digestOf } from "../base/index.ts";
import type { BlobRead } from "../contracts/index.ts";
import type { DiskStore } from "../store/index.ts";

/** Nothing is waited for that is no file after all. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export class LentContents {
  readonly #store: Pick<DiskStore, "read" | "place">;
  /** By content, the latest last. */
  readonly #lent = new Map<Digest, string[]>();

  constructor(parts: { readonly store: Pick<DiskStore, "read" | "place"> }) {
    this.#store = parts.store;
  }

  /** Until it is disposed of, a file is looked into where its content is wanted. */
  lend(contents: Iterable<readonly [digest: Digest, path: string]>): Disposable {
    const all = [...contents];
    for (const [digest, path] of all) {
      const paths = this.#lent.get(digest);
      if (paths === undefined) this.#lent.set(digest, [path]);
      else paths.push(path);
    }
    return { [Symbol.dispose]: () => this.#takeBack(all) };
  }

  async read(digest: Digest, signal?: AbortSignal): Promise<BlobRead> {
    for (const path of this.#lent.get(digest)?.toReversed() ?? []) {
      const options = signal === undefined ? { flag: READ_FLAGS } : { flag: READ_FLAGS, signal };
      const bytes = await readFile(path, options).catch(() => undefined);
      signal?.throwIfAborted();
      if (bytes !== undefined && digestOf(bytes) === digest) return { kind: "hit", bytes };
    }
    return this.#store.read(digest, signal);
  }

  /** Where the content may lie, the latest that was lent first; the store is asked when nothing else will do. */
  async *places(digest: Digest): AsyncGenerator<string> {
    yield* this.#lent.get(digest)?.toReversed() ?? [];
    const place = await this.#store.place(digest);
    if (place !== undefined) yield place;
  }

  #takeBack(contents: readonly (readonly [digest: Digest, path: string])[]): void {
    for (const [digest, path] of contents) {
      const paths = this.#lent.get(digest);
      const at = paths?.lastIndexOf(path) ?? -1;
      if (at >= 0) paths?.splice(at, 1);
      if (paths?.length === 0) this.#lent.delete(digest);
    }
  }
}
