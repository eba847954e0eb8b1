/**
 * The frames of one channel on which work is asked for: sent as fast as the channel takes them, and read.
 *
 * Knows: which frame goes next, and when a channel takes no more. Does not know: jobs.
 */
import { CairnError, type Key, limits } from "../base/index.ts";
import type { FrameChannel } from "../contracts/index.ts";
import type { NetworkCodec, WorkFrame } from "../wire/index.ts";

export interface WorkTalkParts {
  readonly codec: NetworkCodec;
  /** @throws {CairnError} frame-invalid */
  readonly heard: (frame: WorkFrame) => void;
  /** The channel is over. @param isOffence whether the member has not kept to the rules */
  readonly ended: (why: string, isOffence: boolean) => void;
}

export class WorkTalk {
  readonly #parts: WorkTalkParts;
  readonly #channel: FrameChannel;
  /** Small frames, which go before all others. */
  readonly #words: Uint8Array[] = [];
  readonly #bulk: { readonly frame: Uint8Array; readonly sent: (isOpen: boolean) => void }[] = [];
  /** Set while the channel takes no more. */
  #blocked: NodeJS.Timeout | undefined;
  #isOffence = false;
  #isOver = false;
  readonly #counts = { bytesIn: 0, bytesOut: 0 };

  constructor(parts: WorkTalkParts, channel: FrameChannel) {
    this.#parts = parts;
    this.#channel = channel;
    channel.listen({
      frame: (bytes) => this.#received(bytes),
      drained: () => this.#drained(),
      broken: (why) => this.offend(why),
      ended: (why) => this.#ended(why),
    });
  }

  get key(): Key {
    return this.#channel.key;
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#channel.isOpen;
  }

  get counts(): { readonly bytesIn: number; readonly bytesOut: number } {
    return this.#counts;
  }

  /** Sends a small frame before all that waits. How many there may be is for the caller to bound. */
  say(frame: Uint8Array): void {
    if (this.#isOver) return;
    this.#words.push(frame);
    this.#pump();
  }

  /** Sends a frame in its turn. @returns when the channel has taken it, with false when the channel is over */
  send(frame: Uint8Array): Promise<boolean> {
    if (this.#isOver) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#bulk.push({ frame, sent: resolve });
    this.#pump();
    return promise;
  }

  /** The member does not keep to the rules. */
  offend(why: string): void {
    this.#isOffence = true;
    this.end(why);
  }

  end(why: string): void {
    this.#channel.end(why);
  }

  #received(bytes: Uint8Array): void {
    this.#counts.bytesIn += bytes.length;
    try {
      this.#parts.heard(this.#parts.codec.decodeWorkFrame(bytes));
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      this.offend(`${error.code}: ${error.facts.what}`);
    }
  }

  #drained(): void {
    clearTimeout(this.#blocked);
    this.#blocked = undefined;
    this.#pump();
  }

  #pump(): void {
    while (!this.#isOver && this.#blocked === undefined) {
      const word = this.#words.shift();
      const next = word === undefined ? this.#bulk.shift() : { frame: word, sent: undefined };
      if (next === undefined) return;
      this.#counts.bytesOut += next.frame.length;
      if (!this.#channel.send(next.frame)) this.#blocked = setTimeout(() => this.offend("does not read"), limits.work.cancelMs).unref();
      next.sent?.(true);
    }
  }

  #ended(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#blocked);
    this.#words.length = 0;
    for (const { sent } of this.#bulk.splice(0)) sent(false);
    this.#parts.ended(why, this.#isOffence);
  }
}
