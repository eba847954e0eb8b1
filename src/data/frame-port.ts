/**
 * Frames between a stream of one thread and a channel of another: over a message port, with a window, so that neither side runs ahead.
 *
 * Knows: message ports, whose memory is given away. Does not know: what a frame means.
 */
import type { MessagePort } from "node:worker_threads";
import { CairnError, type Key, limits, reasonOf } from "../base/index.ts";
import type { BlobDigests, DataStream, FrameChannel, FrameListener } from "../contracts/index.ts";
import { ShareSplitter } from "../wire/index.ts";
import type { BlobHasher } from "./blob-hasher.ts";

type FrameMessage =
  | { readonly kind: "frame"; readonly bytes: Uint8Array<ArrayBuffer>; readonly digests: BlobDigests | undefined }
  /** Frames of so many bytes were passed on: as many more may be sent. */
  | { readonly kind: "taken"; readonly count: number }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "ended"; readonly why: string };

/** What is taken is told when it is so much, and not of each frame. */
const TOLD_FROM_BYTES = limits.dataThreadBytes / 8;

/** One end of such a port. */
class FramePort {
  readonly #port: MessagePort;
  #listener: FrameListener | undefined;
  #isOver = false;
  /** Sent, and not taken yet. */
  #ahead = 0;
  #isFull = false;
  /** Taken, and not told yet. */
  #untold = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  get isOpen(): boolean {
    return !this.#isOver;
  }

  begin(listener: FrameListener): void {
    this.#listener = listener;
    this.#port.on("message", (message: FrameMessage) => this.#take(message));
    this.#port.once("close", () => this.#ended("the other thread is gone"));
  }

  /** @returns whether another may follow at once */
  send(frame: Uint8Array, digests?: BlobDigests): boolean {
    if (this.#isOver) return false;
    const bytes = ownMemory(frame);
    this.#ahead += bytes.length;
    this.#isFull = this.#ahead >= limits.dataThreadBytes;
    this.#post({ kind: "frame", bytes, digests }, [bytes.buffer]);
    return !this.#isFull;
  }

  /** Frames of so many bytes that came have been passed on. */
  took(count: number): void {
    this.#untold += count;
    if (this.#untold < TOLD_FROM_BYTES) return;
    this.#post({ kind: "taken", count: this.#untold });
    this.#untold = 0;
  }

  broken(why: string): void {
    this.#post({ kind: "broken", why });
  }

  end(why: string): void {
    this.#post({ kind: "ended", why });
    this.#port.close();
    this.#ended(why);
  }

  #post(message: FrameMessage, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #take(message: FrameMessage): void {
    if (this.#isOver) return;
    switch (message.kind) {
      case "frame":
        return this.#listener?.frame(message.bytes, message.digests);
      case "taken":
        this.#ahead -= message.count;
        if (!this.#isFull || this.#ahead >= limits.dataThreadBytes) return;
        this.#isFull = false;
        return this.#listener?.drained();
      case "broken":
        return this.#listener?.broken(message.why);
      case "ended":
        this.#port.close();
        return this.#ended(message.why);
    }
  }

  #ended(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener?.ended(why);
  }
}

/** The channel at the end of a port of which another thread has the other: see {@link carryFrames}. */
export function channelOverPort(key: Key, port: MessagePort): FrameChannel {
  const end = new FramePort(port);
  return {
    key,
    get isOpen() {
      return end.isOpen;
    },
    send: (frame) => end.send(frame),
    listen: (listener) => {
      end.begin({
        frame: (bytes, digests) => {
          end.took(bytes.length);
          listener.frame(bytes, digests);
        },
        drained: () => listener.drained(),
        broken: (why) => listener.broken(why),
        ended: (why) => listener.ended(why),
      });
    },
    end: (why) => end.end(why),
  };
}

/** Joins a stream of this thread with another thread's channel. @param hasher hashes blobs that the stream brings */
export function carryFrames({ bytes: stream }: DataStream, port: MessagePort, hasher: BlobHasher): void {
  const end = new FramePort(port);
  const splitter = new ShareSplitter();
  /** Written to the stream, which takes no more for now. */
  let written = 0;
  let why = "closed by peer";
  end.begin({
    frame: (bytes) => {
      if (stream.write(bytes)) return end.took(bytes.length);
      written += bytes.length;
    },
    drained: () => void stream.resume(),
    broken: () => undefined,
    ended: () => void stream.destroy(),
  });
  const pass = (frame: Uint8Array): void => void (end.send(frame, hasher.digests(frame)) || stream.pause());
  stream
    .on("drain", () => {
      end.took(written);
      written = 0;
    })
    .on("data", (chunk: Buffer) => {
      try {
        splitter.push(chunk, pass);
      } catch (error) {
        if (!(error instanceof CairnError)) throw error;
        stream.pause();
        end.broken(`${error.code}: ${error.facts.what}`);
      }
    })
    .once("error", (error) => {
      why = reasonOf(error);
    })
    .once("end", () => stream.destroy())
    .once("close", () => end.end(why));
  if (stream.destroyed) end.end("closed");
}

/** Memory that can be given away: a small buffer shares its own with others. */
function ownMemory(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = frame;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? new Uint8Array(buffer) : new Uint8Array(frame);
}
