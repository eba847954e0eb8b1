/**
 * An uplink of limited speed, shared by all that a machine sends: a token bucket in front of streams, since this machine's own speed is not
 * what is measured.
 */
import { Duplex, Transform, type TransformCallback } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { asError } from "../src/base/index.ts";

/** Written in pieces of this size, so that streams take turns. */
const PIECE_BYTES = 65_536;
const MS = 1_000;

class Limited extends Transform {
  readonly #send: (chunk: Buffer, put: (piece: Buffer) => void) => Promise<void>;

  constructor(send: (chunk: Buffer, put: (piece: Buffer) => void) => Promise<void>) {
    super({ highWaterMark: PIECE_BYTES });
    this.#send = send;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    void this.#pass(chunk, done);
  }

  async #pass(chunk: Buffer, done: TransformCallback): Promise<void> {
    try {
      await this.#send(chunk, (piece) => this.push(piece));
      done();
    } catch (error) {
      done(asError(error));
    }
  }
}

export class Uplink {
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / MS;
  }

  /** Resolves when so many bytes may go. */
  async send(bytes: number): Promise<void> {
    const now = performance.now();
    this.#freeAt = Math.max(now, this.#freeAt) + bytes / this.#bytesPerMs;
    if (this.#freeAt - now > 1) await pause(this.#freeAt - now);
  }

  /** What is written to it goes on as fast as the uplink takes it. */
  limited(): Transform {
    return new Limited((chunk, put) => this.#pieces(chunk, put));
  }

  /** The same stream, whose writes take their time. */
  around(inner: Duplex): Duplex {
    const limited = this.limited();
    limited.pipe(inner);
    const outer = Duplex.from({ writable: limited, readable: inner });
    inner.once("close", () => outer.destroy());
    outer.once("close", () => inner.destroy()).on("error", () => undefined);
    return outer;
  }

  async #pieces(chunk: Buffer, put: (piece: Buffer) => void): Promise<void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      await this.send(piece.length);
      put(piece);
    }
  }
}
