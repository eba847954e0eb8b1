/**
 * An uplink of limited speed, shared by all that a machine sends: a token bucket in front of streams, since this machine's own speed is not
 * what is measured.
 */
import { Duplex, Transform, type TransformCallback } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

/** Written in pieces of this size, so that streams take turns. */
const PIECE_BYTES = 65_536;
const MS = 1_000;

function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off("drain", go).off("close", go);
      resolve();
    };
    stream.on("drain", go).on("close", go);
  });
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
    const uplink = this;
    return new Transform({
      highWaterMark: PIECE_BYTES,
      transform(chunk: Buffer, _encoding, done: TransformCallback) {
        uplink.#pieces(chunk, (piece) => void this.push(piece)).then(() => done(), done);
      },
    });
  }

  /** The same stream, whose writes take their time. */
  around(inner: Duplex): Duplex {
    const uplink = this;
    const outer = new Duplex({
      allowHalfOpen: true,
      write(chunk: Buffer, _encoding, done) {
        const put = async (): Promise<void> => {
          await uplink.#pieces(chunk, (piece) => inner.write(piece));
          if (inner.writableNeedDrain && !inner.destroyed) await drained(inner);
        };
        put().then(() => done(), done);
      },
      final(done) {
        inner.end(() => done());
      },
      read() {
        inner.resume();
      },
      destroy(error, done) {
        inner.destroy();
        done(error);
      },
    });
    inner
      .on("data", (bytes: Buffer) => outer.push(bytes) || inner.pause())
      .once("end", () => outer.push(null))
      .on("error", (error) => outer.destroy(error))
      .once("close", () => outer.destroy());
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
