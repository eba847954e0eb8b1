/**
 * A channel: frames between this node and a member over one stream, each with its length in four bytes before it.
 *
 * Knows: a libp2p stream, and when it takes no more. Does not know: what a frame means. Another kind of stream needs another such function.
 */
import type { StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { CairnError, type Key, limits, reasonOf } from "../base/index.ts";
import type { MemberStream } from "./member-stream.ts";

export interface Channel {
  readonly key: Key;
  readonly isOpen: boolean;
  /**
   * Sends a frame, which has its length in front.
   *
   * @returns whether another frame may follow at once; if not, `drained` is called when it may
   */
  send(frame: Uint8Array): boolean;
  /** Calls the listener from now on, and not before this returns. `ended` is called once, and nothing after it. */
  listen(listener: ChannelListener): void;
  end(why: string): void;
}

export interface ChannelListener {
  /** The bytes are the listener's. */
  frame(bytes: Uint8Array): void;
  drained(): void;
  /** The other side sends what is no frame. */
  broken(why: string): void;
  ended(why: string): void;
}

/** @see docs/decisions/0008-libp2p.md for why neither `for await` nor `onDrain` is used */
export function channelOf({ key, stream, connection }: MemberStream): Channel {
  const splitter = new Splitter();
  let listener: ChannelListener | undefined;
  let hasEnded = false;
  const ended = (why: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    listener?.ended(why);
  };
  const end = (why: string): void => {
    stream.abort(new Error(why));
    ended(why);
  };
  return {
    key,
    get isOpen() {
      return !hasEnded && stream.status === "open" && connection.status === "open";
    },
    send(frame) {
      if (hasEnded) return false;
      try {
        return stream.send(frame);
      } catch (error) {
        queueMicrotask(() => end(reasonOf(error)));
        return false;
      }
    },
    listen(told) {
      listener = told;
      stream.addEventListener("message", ({ data }: StreamMessageEvent) => {
        try {
          const whole = (frame: Uint8Array): void => void (hasEnded || told.frame(frame));
          if (data instanceof Uint8Array) splitter.push(data, whole);
          else for (const chunk of data) splitter.push(chunk, whole);
        } catch (error) {
          if (!(error instanceof CairnError)) throw error;
          told.broken(`${error.code}: ${error.facts.what}`);
        }
      });
      stream.addEventListener("drain", () => hasEnded || told.drained());
      stream.addEventListener("remoteCloseWrite", () => end("closed by peer"));
      stream.addEventListener("close", ({ error }: StreamCloseEvent) => ended(error === undefined ? "closed" : reasonOf(error)));
    },
    end,
  };
}

const LENGTH_BYTES = 4;

/** Puts frames together again. */
class Splitter {
  readonly #head: Buffer = Buffer.alloc(LENGTH_BYTES);
  #headBytes = 0;
  /** The frame that arrives; undefined between frames. */
  #frame: Uint8Array | undefined;
  #frameBytes = 0;

  /** @throws {CairnError} frame-invalid when a frame is too large */
  push(chunk: Uint8Array, whole: (frame: Uint8Array) => void): void {
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
