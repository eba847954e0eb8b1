/**
 * Blobs that are being written by the byte stream of the Remote Execution API, over one call or several.
 *
 * What a broken call has brought waits a while for the client to go on with it: the store goes on receiving when the next call brings more.
 * Knows: who brings how much of what. Does not know: messages, or where blobs lie.
 */
import { pipeline } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { type Log, limits, reasonOf } from "../base/index.ts";
import type { BlobStreams, Received } from "../contracts/index.ts";
import { RemoteFailure } from "./remote-failure.ts";
import type { StreamName } from "./remote-names.ts";
import { boundedWindow } from "./unpacking.ts";

const { uploads: mostUploads, uploadKeptMs } = limits.remoteExecution;

export interface RemoteUploadsParts {
  readonly store: BlobStreams;
  readonly log: Log;
}

export class RemoteUploads implements AsyncDisposable {
  readonly #parts: RemoteUploadsParts;
  readonly #open = new Map<string, RemoteUpload>();

  constructor(parts: RemoteUploadsParts) {
    this.#parts = parts;
  }

  /** Bytes of it that have come, as they were sent; undefined: none. */
  committed(name: string): number | undefined {
    return this.#open.get(name)?.committed;
  }

  /**
   * Goes on with an upload, or begins it: from the first byte that is always possible.
   *
   * @throws {RemoteFailure} outOfRange where something between is missing, resourceExhausted
   */
  at(text: string, name: StreamName, offset: number): RemoteUpload {
    const before = this.#open.get(text);
    if (before !== undefined && offset > 0 && offset === before.committed && !name.isCompressed) return before.again();
    if (offset !== 0) throw new RemoteFailure("outOfRange", `${before?.committed ?? 0} bytes of this have come`);
    before?.drop("begun anew");
    if (this.#open.size >= mostUploads) this.#forgetLeft();
    if (this.#open.size >= mostUploads) throw new RemoteFailure("resourceExhausted", `${mostUploads} uploads at once, and no more`);
    const upload = new RemoteUpload(name, this.#parts);
    this.#open.set(text, upload);
    void upload.ended.finally(() => {
      if (this.#open.get(text) === upload) this.#open.delete(text);
    });
    return upload;
  }

  /** Who writes now goes before who may come back. */
  #forgetLeft(): void {
    for (const [name, upload] of this.#open) {
      if (!upload.isLeft) continue;
      this.#open.delete(name);
      return upload.drop("others need the room");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open.values()];
    for (const upload of open) upload.drop("the daemon ends");
    await Promise.all(open.map(({ ended }) => ended));
  }
}

/** What came of it: as the store says, or that it was given up. */
type End = Received | { readonly kind: "dropped"; readonly error: unknown };

export class RemoteUpload {
  readonly #feed = new Feed();
  readonly #stop = new AbortController();
  /** Never rejects. */
  readonly ended: Promise<End>;
  #committed = 0;
  #turn = 0;
  #isOver = false;
  #late: NodeJS.Timeout | undefined;

  constructor({ blob, isCompressed }: StreamName, { store, log }: RemoteUploadsParts) {
    const source = isCompressed ? inflated(this.#feed) : this.#feed;
    this.ended = store
      .receive(source, blob, blob.size, this.#stop.signal)
      .catch((error: unknown): End => {
        log.event("info", "door.upload-dropped", { digest: blob.digest, size: blob.size, why: reasonOf(error) });
        return { kind: "dropped", error };
      })
      .finally(() => {
        this.#isOver = true;
        clearTimeout(this.#late);
        this.#feed.close();
      });
  }

  get committed(): number {
    return this.#committed;
  }

  /** Whether nobody brings any of it now. */
  get isLeft(): boolean {
    return this.#late !== undefined;
  }

  /** Somebody new brings the rest; whoever did before is late. */
  again(): RemoteUpload {
    clearTimeout(this.#late);
    this.#late = undefined;
    this.#turn++;
    return this;
  }

  /** Whose turn it is, for `take` and `leave`. */
  get turn(): number {
    return this.#turn;
  }

  /**
   * Takes the next bytes; resolves when there is room for more.
   *
   * @returns whether more are wanted
   * @throws {RemoteFailure} aborted where somebody else brings them by now
   */
  async take(turn: number, bytes: Uint8Array): Promise<boolean> {
    if (turn !== this.#turn) throw new RemoteFailure("aborted", "another call goes on with this upload");
    this.#committed += bytes.length;
    return bytes.length === 0 || this.#feed.give(bytes);
  }

  /** All of it has been brought. */
  finish(): Promise<End> {
    this.#feed.close();
    return this.ended;
  }

  /** Whoever brought it is gone; the rest may come for a while. */
  leave(turn: number): void {
    if (turn !== this.#turn || this.#isOver) return;
    this.#late = setTimeout(() => this.drop("nobody went on with it"), uploadKeptMs);
    this.#late.unref();
  }

  drop(why: string): void {
    this.#turn++;
    this.#stop.abort(new Error(why));
    this.#feed.fail(new Error(why));
  }
}

/** Bytes from one who gives them, one piece after the other, to one who takes them. */
class Feed implements AsyncIterable<Uint8Array> {
  #piece: Uint8Array | undefined;
  #closed = false;
  #error: Error | undefined;
  #changed = Promise.withResolvers<void>();

  /** Resolves when it has been taken. @returns false where nobody takes any more */
  async give(piece: Uint8Array): Promise<boolean> {
    while (this.#piece !== undefined && !this.#closed) await this.#changed.promise; // Of a call that broke, and counted already.
    if (this.#closed) return false;
    this.#piece = piece;
    this.#tell();
    while (this.#piece === piece && !this.#closed) await this.#changed.promise;
    return !this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.#tell();
  }

  fail(error: Error): void {
    this.#error = error;
    this.close();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      const piece = this.#piece;
      if (piece !== undefined) {
        yield piece;
        this.#piece = undefined;
        this.#tell();
      } else if (this.#closed) return;
      else await this.#changed.promise;
    }
  }
}

function inflated(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const stream = createZstdDecompress(boundedWindow());
  pipeline(source, stream, () => undefined); // Its trouble is that of who reads.
  return stream;
}
