/**
 * The byte stream of the Remote Execution API: blobs of any size, in and out, as they are or compressed by zstd.
 *
 * Knows: offsets, what a call may say. Does not know: connections, or where blobs lie.
 */
import { pipeline } from "node:stream";
import { createZstdCompress, constants as zlib } from "node:zlib";
import { CairnError, limits, reasonOf } from "../base/index.ts";
import type { Sending } from "../contracts/index.ts";
import type { RemoteCodec, RemoteWrite } from "../wire/index.ts";
import type { RemoteBlobs, RemoteStore } from "./remote-blobs.ts";
import { RemoteFailure } from "./remote-failure.ts";
import { readStreamName, type StreamName } from "./remote-names.ts";
import type { RemoteUpload, RemoteUploads } from "./remote-uploads.ts";

export interface RemoteStreamsParts {
  readonly store: RemoteStore;
  readonly blobs: RemoteBlobs;
  readonly uploads: RemoteUploads;
  readonly codec: RemoteCodec;
}

interface ReadQuestion {
  readonly resourceName: string;
  readonly readOffset: bigint;
  readonly readLimit: bigint;
}

/** See {@link Sending}. */
type Pieces = Pick<Sending, "bytes" | "roomBytes">;

interface Written {
  readonly committed: number;
  readonly kept: number;
  readonly name: string;
}

/** On one machine, and between machines that have a cable between them, more costs more than it saves. */
const ZSTD_LEVEL = 1;
/** What of a compressed blob makes one message. */
const PIECE_BYTES = 262_144;

export class RemoteStreams {
  readonly #parts: RemoteStreamsParts;

  constructor(parts: RemoteStreamsParts) {
    this.#parts = parts;
  }

  /**
   * The bytes of a blob, or of a part of it.
   *
   * @throws {RemoteFailure} invalidArgument, outOfRange, notFound
   */
  async read(question: ReadQuestion, signal: AbortSignal): Promise<Pieces> {
    const name = this.#name(question.resourceName);
    if (name.upload !== undefined) throw new RemoteFailure("invalidArgument", "this names what is written");
    const [from, most] = [Number(question.readOffset), Number(question.readLimit)];
    const { digest, size } = name.blob;
    if (most < 0 || (name.isCompressed && most > 0)) throw new RemoteFailure("invalidArgument", "a limit cannot be meant here");
    if (from < 0 || from > size) throw new RemoteFailure("outOfRange", `this blob has ${size} bytes`);
    const length = Math.min(size - from, most === 0 ? size : most);
    const sending = await this.#bytes(digest, size, length === size ? undefined : { from, length }, signal);
    return name.isCompressed ? { bytes: deflated(sending.bytes), roomBytes: 0 } : sending;
  }

  async #bytes(
    digest: string,
    size: number,
    range: { readonly from: number; readonly length: number } | undefined,
    signal: AbortSignal,
  ): Promise<Pieces> {
    if (size === 0) return { bytes: nothing(), roomBytes: 0 };
    const sending = await this.#parts.store.send(digest, range, signal);
    if (sending?.size === size) return sending;
    await sending?.[Symbol.asyncDispose]();
    throw new RemoteFailure("notFound", `${digest} is not here`);
  }

  /**
   * Takes a blob, or a part of it.
   *
   * @returns `committed`: how many bytes of it are here, -1 for one that came compressed and is whole; `kept`: its bytes where this call made it whole
   * @throws {RemoteFailure} invalidArgument, outOfRange, resourceExhausted, aborted; what `chunks` throws
   */
  async write(chunks: AsyncIterable<RemoteWrite>): Promise<Written> {
    let writing: { readonly upload: RemoteUpload; readonly turn: number; readonly text: string; readonly name: StreamName } | undefined;
    try {
      for await (const chunk of chunks) {
        if (writing === undefined) {
          const text = chunk.resourceName;
          const name = this.#name(text);
          if (name.upload === undefined) throw new RemoteFailure("invalidArgument", "this names what is read");
          if (name.blob.size > limits.blobBytes) throw new RemoteFailure("resourceExhausted", `a blob may have ${limits.blobBytes} bytes`);
          if (this.#parts.blobs.isHere(name.blob)) return { committed: wholeSize(name), kept: 0, name: text };
          const upload = this.#parts.uploads.at(text, name, Number(chunk.writeOffset));
          writing = { upload, turn: upload.turn, text, name };
        }
        const { upload, turn, text, name } = writing;
        if (chunk.resourceName !== "" && chunk.resourceName !== text)
          throw new RemoteFailure("invalidArgument", "one call writes one blob");
        if (Number(chunk.writeOffset) !== upload.committed)
          throw new RemoteFailure("invalidArgument", `${upload.committed} bytes of this have come`);
        const more = await upload.take(turn, chunk.data);
        if (more && !name.isCompressed) letGo(chunk.data); // The store has copied it.
        if (chunk.finishWrite || !more) return { committed: await settled(upload, name), kept: name.blob.size, name: text };
      }
      if (writing === undefined) throw new RemoteFailure("invalidArgument", "nothing was written");
      return { committed: writing.upload.committed, kept: 0, name: writing.text };
    } finally {
      writing?.upload.leave(writing.turn);
    }
  }

  /** How much of a blob has come. @throws {RemoteFailure} invalidArgument */
  status(text: string): { readonly committed: number; readonly complete: boolean } {
    const name = this.#name(text);
    if (this.#parts.blobs.isHere(name.blob)) return { committed: name.blob.size, complete: true };
    // Nobody can go on with what is compressed: offsets in it are no offsets of what it is made of.
    return { committed: name.isCompressed ? 0 : (this.#parts.uploads.committed(text) ?? 0), complete: false };
  }

  #name(text: string): StreamName {
    const name = readStreamName(text, this.#parts.codec);
    if (name === undefined) throw new RemoteFailure("invalidArgument", "this names no blob by its SHA-256, plain or as zstd");
    return name;
  }
}

/**
 * Gives the memory of a message back now, and not when V8 looks for it: it lies outside of the heap, and each few MiB of it that are left there make
 * V8 collect everything. What lies in memory with other things is left.
 */
function letGo(data: Uint8Array): void {
  const { buffer } = data;
  if (buffer instanceof ArrayBuffer && data.length >= LARGE_BYTES && buffer.byteLength <= data.length + MESSAGE_HEAD_BYTES)
    buffer.transfer(0);
}

/** Node keeps smaller ones in one piece of memory. */
const LARGE_BYTES = 65_536;
/** What a message has beside its data: the longest name, an offset, lengths. */
const MESSAGE_HEAD_BYTES = 2_048;

function wholeSize({ isCompressed, blob }: StreamName): number {
  return isCompressed ? -1 : blob.size;
}

async function settled(upload: RemoteUpload, name: StreamName): Promise<number> {
  const end = await upload.finish();
  switch (end.kind) {
    case "kept":
      return wholeSize(name);
    case "dropped":
      if (end.error instanceof CairnError) throw end.error;
      // What is no zstd is not worth another attempt.
      throw new RemoteFailure(name.isCompressed ? "invalidArgument" : "aborted", reasonOf(end.error));
    case "other":
    case "large":
      throw new RemoteFailure("invalidArgument", "these are not the bytes that the digest is of");
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function deflated(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const stream = createZstdCompress({ chunkSize: PIECE_BYTES, params: { [zlib.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  pipeline(source, stream, () => undefined); // Its trouble is that of who reads.
  return stream;
}
