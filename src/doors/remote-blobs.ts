/**
 * The content-addressable storage of the Remote Execution API: which blobs are here, and small ones many at a time.
 *
 * Knows: batches, trees of directories, their bounds. Does not know: connections.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { CairnError, type Digest, digestOf, limits } from "../base/index.ts";
import type { BlobStreams, Store } from "../contracts/index.ts";
import type { BlobName, RemoteCodec, RemoteDigest, RemoteDirectory } from "../wire/index.ts";
import { codes, failureOf, RemoteFailure } from "./remote-failure.ts";
import { boundedWindow } from "./unpacking.ts";

/** What is kept here, as this door needs it. */
export interface RemoteStore extends Pick<Store, "read">, BlobStreams {
  isHere(digest: Digest): boolean;
  /** Bytes of a blob that is here, where that is known. */
  sizeOf(digest: Digest): number | undefined;
  /** Somebody counts on it. */
  touch(digest: Digest): void;
  /** @throws {CairnError} home-unwritable, limit-exceeded */
  writeVerified(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/** What one blob of a batch came to. */
export interface BlobStatus {
  readonly code: number;
  readonly message: string;
}

interface Upload {
  readonly digest?: RemoteDigest | undefined;
  readonly data: Uint8Array;
  readonly compressor: number;
}

const { batchBytes, directories, directoryBytes, stepsAtOnce } = limits.remoteExecution;
const OK: BlobStatus = { code: codes.ok, message: "" };
const inflate = promisify(zstdDecompress);

export class RemoteBlobs {
  readonly #store: RemoteStore;
  readonly #codec: RemoteCodec;

  constructor(parts: { readonly store: RemoteStore; readonly codec: RemoteCodec }) {
    this.#store = parts.store;
    this.#codec = parts.codec;
  }

  /** @throws {RemoteFailure} invalidArgument where it names no blob by its SHA-256 */
  name(digest: RemoteDigest | undefined): BlobName {
    const name = this.#codec.readName(digest);
    if (name === undefined) throw new RemoteFailure("invalidArgument", "this is no SHA-256 with the size of what it is of");
    return name;
  }

  /** Whether a blob is here; it stays for a while then. */
  isHere({ digest, size }: BlobName): boolean {
    if (size === 0) return true;
    const known = this.#store.sizeOf(digest);
    if (known === undefined ? !this.#store.isHere(digest) : known !== size) return false;
    this.#store.touch(digest);
    return true;
  }

  /** @throws {RemoteFailure} invalidArgument */
  async missing(digests: readonly RemoteDigest[], signal: AbortSignal): Promise<RemoteDigest[]> {
    const missing: RemoteDigest[] = [];
    for (const [i, digest] of digests.entries()) {
      if (!this.isHere(this.name(digest))) missing.push(digest);
      if (i % stepsAtOnce === stepsAtOnce - 1) await otherWork(undefined, { signal });
    }
    return missing;
  }

  /** The bytes of a blob that fits in memory; undefined where it is not here. @throws {RemoteFailure} resourceExhausted */
  async bytes({ digest, size }: BlobName, mostBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (size === 0) return new Uint8Array();
    if (size > mostBytes || (this.#store.sizeOf(digest) ?? 0) > mostBytes)
      throw new RemoteFailure("resourceExhausted", `${digest} has more than the ${mostBytes} bytes that are taken of its kind`);
    const read = await this.#store.read(digest, signal);
    return read.kind === "hit" && read.bytes.length === size ? read.bytes : undefined;
  }

  /** @throws {RemoteFailure} invalidArgument where all of it is too much */
  async update(uploads: readonly Upload[], signal: AbortSignal): Promise<{ digest: RemoteDigest | undefined; status: BlobStatus }[]> {
    demandBatch(uploads.reduce((sum, { data }) => sum + data.length, 0));
    const done: { digest: RemoteDigest | undefined; status: BlobStatus }[] = [];
    for (const upload of uploads) {
      signal.throwIfAborted();
      const status = await this.#keep(upload).then(() => OK, statusOf);
      done.push({ digest: upload.digest, status });
    }
    return done;
  }

  async #keep({ digest, data, compressor }: Upload): Promise<void> {
    const name = this.name(digest);
    const bytes = await this.#plain(data, compressor, name.size);
    if (bytes.length !== name.size || digestOf(bytes) !== name.digest)
      throw new RemoteFailure("invalidArgument", "these are not the bytes that the digest is of");
    if (name.size > 0) await this.#store.writeVerified(name.digest, bytes);
  }

  async #plain(data: Uint8Array, compressor: number, size: number): Promise<Uint8Array> {
    if (compressor === this.#codec.Compressor.IDENTITY) return data;
    if (compressor !== this.#codec.Compressor.ZSTD) throw new RemoteFailure("invalidArgument", "only zstd is taken");
    if (size > batchBytes) throw new RemoteFailure("invalidArgument", "this is too large for a batch: ByteStream takes it");
    try {
      return await inflate(data, { ...boundedWindow(), maxOutputLength: Math.max(1, size) });
    } catch {
      throw new RemoteFailure("invalidArgument", "this is not that much, compressed by zstd");
    }
  }

  /** @throws {RemoteFailure} invalidArgument where all of it is too much, or something names no blob */
  async read(
    digests: readonly RemoteDigest[],
    signal: AbortSignal,
  ): Promise<{ digest: RemoteDigest; data: Uint8Array; status: BlobStatus }[]> {
    const names = digests.map((digest) => this.name(digest));
    demandBatch(names.reduce((sum, { size }) => sum + size, 0));
    const done: { digest: RemoteDigest; data: Uint8Array; status: BlobStatus }[] = [];
    for (const [i, digest] of digests.entries()) {
      const name = names[i] ?? this.#codec.EMPTY;
      const data = await this.bytes(name, batchBytes, signal).catch(statusOf);
      if (data instanceof Uint8Array) done.push({ digest, data, status: OK });
      else done.push({ digest, data: new Uint8Array(), status: data ?? { code: codes.notFound, message: "not here" } });
    }
    return done;
  }

  /**
   * The directories of a tree from its root downwards, each once; what is not here is left out.
   *
   * @throws {RemoteFailure} notFound without its root, resourceExhausted, invalidArgument
   */
  async *tree(root: BlobName, signal: AbortSignal): AsyncGenerator<{ readonly directory: RemoteDirectory; readonly bytes: number }> {
    const seen = new Set<Digest>([root.digest]);
    const waiting: BlobName[] = [root];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const bytes = await this.bytes(next, directoryBytes, signal);
      if (bytes === undefined && next === root) throw new RemoteFailure("notFound", `the directory ${root.digest} is not here`);
      if (bytes === undefined) continue;
      const directory = this.#codec.readDirectory(bytes);
      yield { directory, bytes: bytes.length };
      for (const { digest } of directory.directories) {
        const name = this.name(digest);
        if (seen.has(name.digest)) continue;
        if (seen.size >= directories) throw new RemoteFailure("resourceExhausted", `a tree may have ${directories} directories`);
        seen.add(name.digest);
        waiting.push(name);
      }
      if (seen.size % stepsAtOnce === 0) await otherWork(undefined, { signal });
    }
  }
}

function demandBatch(bytes: number): void {
  if (bytes > batchBytes) throw new RemoteFailure("invalidArgument", `one batch may have ${batchBytes} bytes: ByteStream takes more`);
}

function statusOf(error: unknown): BlobStatus {
  if (!(error instanceof RemoteFailure) && !(error instanceof CairnError)) throw error;
  const { code, message } = failureOf(error);
  return { code, message };
}
