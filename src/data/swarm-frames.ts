/**
 * Puts frames of a stream together again, and the bytes that follow some of them.
 *
 * Knows: lengths. Does not know: what a frame says.
 */
import { CairnError, limits } from "../base/index.ts";

export interface FrameTaker {
  /** @returns how many bytes follow that are no frame. @throws {CairnError} frame-invalid */
  frame(bytes: Uint8Array): number;
  /** What followed; the bytes are the taker's. */
  body(bytes: Buffer): void;
}

const LENGTH_BYTES = 4;

export class SwarmFrames {
  readonly #taker: FrameTaker;
  #wanted: Buffer = Buffer.allocUnsafe(LENGTH_BYTES);
  #have = 0;
  #expecting: "length" | "frame" | "body" = "length";

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** @throws {CairnError} frame-invalid */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const bytes = chunk.subarray(at, at + this.#wanted.length - this.#have);
      this.#wanted.set(bytes, this.#have);
      this.#have += bytes.length;
      at += bytes.length;
      if (this.#have === this.#wanted.length) this.#whole(this.#wanted);
    }
  }

  #whole(bytes: Buffer): void {
    switch (this.#expecting) {
      case "length": {
        const length = bytes.readUInt32BE();
        if (length === 0 || length > limits.swarm.frameBytes) throw new CairnError("frame-invalid", { what: "length", length });
        return this.#expect("frame", length);
      }
      case "frame": {
        const follows = this.#taker.frame(bytes);
        return follows === 0 ? this.#expect("length", LENGTH_BYTES) : this.#expect("body", follows);
      }
      case "body":
        this.#expect("length", LENGTH_BYTES);
        return this.#taker.body(bytes);
    }
  }

  #expect(what: "length" | "frame" | "body", bytes: number): void {
    this.#expecting = what;
    this.#wanted = Buffer.allocUnsafeSlow(bytes);
    this.#have = 0;
  }
}
