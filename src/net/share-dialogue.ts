/**
 * A dialogue with a member over one channel: questions and answers both ways, and whatever else is to be said when there is nothing better.
 *
 * Knows: which frame goes next, and when a channel takes no more. Does not know: what else there is to say, or other channels.
 */
import { CairnError, type Key, limits } from "../base/index.ts";
import type { BlobDigests, FrameChannel, Shelf } from "../contracts/index.ts";
import type { NetworkCodec, SetCarrier, SummaryFrame } from "../wire/index.ts";
import { type AnswerBudgets, Answerer } from "./share-answerer.ts";
import { Asker, type Asking } from "./share-asker.ts";

/** What has passed between this node and a member. */
export interface ShareCounts {
  questionsOut: number;
  questionsIn: number;
  /** Results and blobs that the member gave; manifests and blobs that it had said to have, or may have had, and had not. */
  results: number;
  blobs: number;
  missed: number;
  /** Questions that were not answered in time. */
  late: number;
  bytesIn: number;
  bytesOut: number;
  /** From a question to its first answer, the last time. */
  firstAnswerMs: number | undefined;
}

export interface DialogueParts {
  readonly shelf: Shelf;
  readonly codec: NetworkCodec;
  /** ms, monotonic */
  readonly now: () => number;
  readonly budgets: AnswerBudgets;
  readonly counts: ShareCounts;
  /** The member tells what it can serve, or what it knows. @throws {CairnError} frame-invalid */
  readonly heard: (frame: SummaryFrame | SetCarrier) => void;
  /** What to say when there is nothing else. */
  readonly spare: () => Uint8Array | undefined;
  /** The member does not keep to the rules. */
  readonly offended: (why: string) => void;
  /** The channel is over; questions that are open end after it. */
  readonly ended: (why: string) => void;
}

/** Frames that are sent without a look at what else there is to do. */
const BYTES_AT_ONCE = 524_288;

export class Dialogue {
  readonly #parts: DialogueParts;
  readonly #channel: FrameChannel;
  readonly #asker: Asker;
  readonly #answerer: Answerer;
  readonly #openedAt: number;
  #usedAt: number;
  /** Set while the channel takes no more. */
  #blocked: NodeJS.Timeout | undefined;
  #isPumping = false;
  #isOver = false;

  constructor(parts: DialogueParts, channel: FrameChannel) {
    this.#parts = parts;
    this.#channel = channel;
    this.#openedAt = parts.now();
    this.#usedAt = this.#openedAt;
    const { codec, now, shelf, budgets, counts, offended } = parts;
    const ready = (): void => this.ready();
    this.#asker = new Asker({
      codec,
      now,
      ready,
      began: (afterMs) => void (counts.firstAnswerMs = afterMs),
      broken: offended,
    });
    this.#answerer = new Answerer({ key: channel.key, shelf, codec, budgets, ready });
    channel.listen({
      frame: (bytes, digests) => this.#received(bytes, digests),
      drained: () => this.#drained(),
      broken: offended,
      ended: (why) => this.#ended(why),
    });
  }

  get key(): Key {
    return this.#channel.key;
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#channel.isOpen;
  }

  get ageMs(): number {
    return this.#parts.now() - this.#openedAt;
  }

  /** Since the last frame came. */
  get idleMs(): number {
    return this.#parts.now() - this.#usedAt;
  }

  ask(asking: Asking): () => void {
    if (this.#isOver) {
      queueMicrotask(() => asking.ended("closed"));
      return () => undefined;
    }
    const { counts } = this.#parts;
    counts.questionsOut++;
    return this.#asker.ask({
      ...asking,
      ended: (why) => {
        if (why !== undefined) counts.late++;
        asking.ended(why);
      },
    });
  }

  end(why: string): void {
    this.#channel.end(why);
  }

  /** There may be something to say. What became ready together goes together. */
  ready(): void {
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    queueMicrotask(() => this.#pump());
  }

  #received(bytes: Uint8Array, digests: BlobDigests | undefined): void {
    this.#parts.counts.bytesIn += bytes.length;
    this.#usedAt = this.#parts.now();
    try {
      this.#handle(bytes, digests);
    } catch (error) {
      if (error instanceof CairnError) return this.#parts.offended(`${error.code}: ${error.facts.what}`);
      throw error;
    }
  }

  /** @throws {CairnError} frame-invalid */
  #handle(bytes: Uint8Array, digests: BlobDigests | undefined): void {
    const frame = this.#parts.codec.decodeShareFrame(bytes);
    switch (frame.kind) {
      case "summary":
      case "set":
        return this.#parts.heard(frame);
      case "want-results":
      case "want-blobs":
        this.#parts.counts.questionsIn++;
        return this.#answerer.take(frame.question, frame);
      case "results":
      case "blobs":
        return this.#asker.take(frame.question, frame, digests);
      case "cancel":
        return this.#answerer.cancel(frame.question);
    }
  }

  #ended(why: string): void {
    this.#isOver = true;
    clearTimeout(this.#blocked);
    this.#answerer[Symbol.dispose]();
    this.#parts.ended(why);
    this.#asker.end(why); // Last: who waited asks somebody else now.
  }

  #drained(): void {
    clearTimeout(this.#blocked);
    this.#blocked = undefined;
    this.ready();
  }

  #pump(): void {
    this.#isPumping = false;
    for (let bytes = 0; !this.#isOver && this.#blocked === undefined; ) {
      // Questions first: somebody waits for them. Then what others wait for.
      const frame = this.#asker.next() ?? this.#answerer.next() ?? this.#parts.spare();
      if (frame === undefined) return;
      bytes += frame.length;
      this.#parts.counts.bytesOut += frame.length;
      if (!this.#channel.send(frame)) this.#blocked = setTimeout(() => this.#parts.offended("does not read"), limits.sharePieceMs).unref();
      if (bytes < BYTES_AT_ONCE) continue;
      this.#isPumping = true;
      setImmediate(() => this.#pump());
      return;
    }
  }
}
