/**
 * Unpacking what travels compressed by zstd, in bounded memory: how far back a sender may point, and how many unpack at once, are limited.
 *
 * Knows: zstd. Does not know: who sends it, or what it holds.
 */
import type { ZstdDecompress, ZstdOptions } from "node:zlib";
import { limits, Turns } from "../base/index.ts";

const { zstdWindowLog, unpackings } = limits.doors;

/** Compression is loaded when a client wants it. */
const zlib = (): typeof import("node:zlib") => process.getBuiltinModule("node:zlib");

/** Options of a decompressor: how far back a sender may point, which is memory before there is any output. */
export function boundedWindow(): ZstdOptions {
  return { params: { [zlib().constants.ZSTD_d_windowLogMax]: zstdWindowLog } };
}

export class Unpacking {
  readonly #turns = new Turns({ jobs: unpackings });

  /**
   * What one frame or several hold, as it comes. The source is read as far as is needed, and never closed.
   *
   * @throws what the source throws; a system error of zlib where it is no zstd, or ends too early; the signal's reason
   */
  async *unpack(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    using _ = await this.#turns.take(0, signal);
    yield* frames(source[Symbol.asyncIterator]());
  }
}

async function* frames(pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array | undefined = new Uint8Array();
  while (rest !== undefined) {
    const inflate = zlib().createZstdDecompress(boundedWindow());
    const fed = new Feeding(inflate, pieces, rest);
    try {
      yield* inflate as AsyncIterable<Uint8Array>;
    } finally {
      inflate.destroy();
    }
    rest = fed.rest;
  }
}

/** Gives a decompressor piece after piece. One that has come to the end of a frame within a piece takes nothing any more. */
class Feeding {
  readonly #inflate: ZstdDecompress;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array | undefined;
  /** Taken before this piece. */
  #before = 0;

  constructor(inflate: ZstdDecompress, pieces: AsyncIterator<Uint8Array>, first: Uint8Array) {
    this.#inflate = inflate;
    this.#pieces = pieces;
    this.#piece = first;
    this.#feed().catch((error: unknown) => inflate.destroy(error instanceof Error ? error : new Error(String(error))));
  }

  /** What it has not taken; undefined where there is no more. */
  get rest(): Uint8Array | undefined {
    return this.#piece?.subarray(this.#inflate.bytesWritten - this.#before);
  }

  async #feed(): Promise<void> {
    while (this.#piece !== undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#inflate.write(this.#piece, (error) => (error === null || error === undefined ? resolve() : reject(error)));
      await promise;
      if (this.#inflate.bytesWritten - this.#before < this.#piece.byteLength) return;
      this.#before = this.#inflate.bytesWritten;
      const next = await this.#pieces.next();
      this.#piece = next.done === true ? undefined : next.value;
    }
    this.#inflate.end();
  }
}
