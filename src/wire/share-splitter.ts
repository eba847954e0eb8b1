/**
 * Frames of the exchange out of a stream of bytes: docs/protocol/exchange.md.
 *
 * Knows: the length before each frame. Does not know: what a frame means.
 */
import { CairnError, limits } from "../base/index.ts";

const LENGTH_BYTES = 4;

/** Puts frames together again, each in memory of its own. */
export class ShareSplitter {
  readonly #head: Buffer = Buffer.alloc(LENGTH_BYTES);
  #headBytes = 0;
  /** The frame that arrives; undefined between frames. */
  #frame: Buffer<ArrayBuffer> | undefined;
  #frameBytes = 0;

  /** @throws {CairnError} frame-invalid when a frame is too large */
  push(chunk: Uint8Array, whole: (frame: Buffer<ArrayBuffer>) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        const bytes = chunk.subarray(at, at + LENGTH_BYTES - this.#headBytes);
        this.#head.set(bytes, this.#headBytes);
        this.#headBytes += bytes.length;
        at += bytes.length;
        if (this.#headBytes < LENGTH_BYTES) return;
        const length = this.#head.readUInt32BE();
        if (length === 0 || length > limits.shareFrameBytes) throw new CairnError("frame-invalid", { what: "length", length });
        this.#frame = Buffer.allocUnsafeSlow(length);
        this.#frameBytes = 0;
      }
      const bytes = chunk.subarray(at, at + this.#frame.length - this.#frameBytes);
      this.#frame.set(bytes, this.#frameBytes);
      this.#frameBytes += bytes.length;
      at += bytes.length;
      if (this.#frameBytes < this.#frame.length) return;
      const frame = this.#frame;
      this.#frame = undefined;
      this.#headBytes = 0;
      whole(frame);
    }
  }
}
