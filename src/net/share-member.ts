/**
 * Sharing with one member over one channel: what each says that it has, and questions and answers both ways.
 *
 * Knows: which frame goes next, and when a member is to be let go of. Does not know: other members.
 */
import { CairnError, type Key, limits } from "../base/index.ts";
import type { Shelf } from "../contracts/index.ts";
import type { NetworkCodec, ShareFrame, SummaryFrame } from "../wire/index.ts";
import type { Announcer, Teller } from "./share-announcer.ts";
import { Answerer } from "./share-answerer.ts";
import { Asker, type Asking } from "./share-asker.ts";
import type { Budget } from "./share-budget.ts";
import type { Channel } from "./share-channel.ts";
import type { Source } from "./share-fetch.ts";
import { ResultsDesk } from "./share-results.ts";

export interface MemberParts {
  readonly shelf: Shelf;
  readonly codec: NetworkCodec;
  /** ms, monotonic */
  readonly now: () => number;
  readonly announcer: Announcer;
  readonly budget: Budget;
  /** The member tells what it can serve. @throws {CairnError} frame-invalid */
  readonly heard: (frame: SummaryFrame) => void;
  /** @param offence whether the member has not kept to the rules */
  readonly ended: (member: ShareMember, why: string, offence: boolean) => void;
}

/** What has passed between this node and a member since their channel began. */
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

/** Frames that are sent without a look at what else there is to do. */
const BYTES_AT_ONCE = 524_288;
/** Frames of a summary that may come in a burst, and in a second. */
const SUMMARY_BURST = 32;
const SUMMARIES_PER_SECOND = 8;

export class ShareMember implements Source {
  readonly counts: ShareCounts = {
    questionsOut: 0,
    questionsIn: 0,
    results: 0,
    blobs: 0,
    missed: 0,
    late: 0,
    bytesIn: 0,
    bytesOut: 0,
    firstAnswerMs: undefined,
  };
  readonly results: ResultsDesk;
  readonly #parts: MemberParts;
  readonly #channel: Channel;
  readonly #asker: Asker;
  readonly #answerer: Answerer;
  readonly #teller: Teller;
  readonly #openedAt: number;
  /** Set while the channel takes no more. */
  #blocked: NodeJS.Timeout | undefined;
  #isPumping = false;
  #isOver = false;
  #isOffence = false;
  #summaries = SUMMARY_BURST;
  #summaryAt: number;

  constructor(parts: MemberParts, channel: Channel) {
    this.#parts = parts;
    this.#channel = channel;
    this.#openedAt = parts.now();
    this.#summaryAt = this.#openedAt;
    const { codec, now, shelf, budget } = parts;
    const ready = (): void => this.#pumpSoon();
    this.#asker = new Asker({
      codec,
      now,
      ready,
      began: (afterMs) => void (this.counts.firstAnswerMs = afterMs),
      broken: (why) => this.#offend(why),
    });
    this.#answerer = new Answerer({ shelf, codec, budget, ready });
    this.#teller = parts.announcer.teller(ready);
    this.results = new ResultsDesk({ ask: (asking) => this.ask(asking), gave: (found) => this.#gave(found) });
    channel.listen({
      frame: (bytes) => this.#received(bytes),
      drained: () => this.#drained(),
      broken: (why) => this.#offend(why),
      ended: (why) => this.#ended(why),
    });
    ready();
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

  ask(asking: Asking): () => void {
    if (this.#isOver) {
      queueMicrotask(() => asking.ended("closed"));
      return () => undefined;
    }
    this.counts.questionsOut++;
    return this.#asker.ask({
      ...asking,
      ended: (why) => {
        if (why !== undefined) this.counts.late++;
        asking.ended(why);
      },
    });
  }

  finished(): void {
    this.counts.blobs++;
  }

  missed(): void {
    this.counts.missed++;
  }

  end(why: string): void {
    this.#channel.end(why);
  }

  #gave(results: number): void {
    this.counts.results += results;
    if (results === 0) this.counts.missed++;
  }

  #received(bytes: Uint8Array): void {
    this.counts.bytesIn += bytes.length;
    try {
      this.#handle(this.#parts.codec.decodeShareFrame(bytes));
    } catch (error) {
      if (error instanceof CairnError) return this.#offend(`${error.code}: ${error.facts.what}`);
      throw error;
    }
  }

  /** @throws {CairnError} frame-invalid */
  #handle(frame: ShareFrame): void {
    switch (frame.kind) {
      case "summary":
        this.#countSummary();
        return this.#parts.heard(frame);
      case "want-results":
      case "want-blobs":
        this.counts.questionsIn++;
        return this.#answerer.take(frame.question, frame);
      case "results":
      case "blobs":
        return this.#asker.take(frame.question, frame);
      case "cancel":
        return this.#answerer.cancel(frame.question);
    }
  }

  #countSummary(): void {
    const now = this.#parts.now();
    this.#summaries = Math.min(SUMMARY_BURST, this.#summaries + ((now - this.#summaryAt) / 1_000) * SUMMARIES_PER_SECOND) - 1;
    this.#summaryAt = now;
    if (this.#summaries < 0) throw new CairnError("frame-invalid", { what: "summaries" });
  }

  #offend(why: string): void {
    this.#isOffence = true;
    this.#channel.end(why);
  }

  #ended(why: string): void {
    this.#isOver = true;
    clearTimeout(this.#blocked);
    this.#teller[Symbol.dispose]();
    this.#answerer[Symbol.dispose]();
    this.#parts.ended(this, why, this.#isOffence);
    this.#asker.end(why); // Last: who waited asks somebody else now.
  }

  #drained(): void {
    clearTimeout(this.#blocked);
    this.#blocked = undefined;
    this.#pumpSoon();
  }

  /** What became ready together goes together. */
  #pumpSoon(): void {
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    this.#isPumping = false;
    for (let bytes = 0; !this.#isOver && this.#blocked === undefined; ) {
      // Questions first: somebody waits for them. Then what others wait for; what this node has, when there is nothing else to say.
      const frame = this.#asker.next() ?? this.#answerer.next() ?? this.#summary();
      if (frame === undefined) return;
      bytes += frame.length;
      this.counts.bytesOut += frame.length;
      if (!this.#channel.send(frame)) this.#blocked = setTimeout(() => this.#offend("does not read"), limits.sharePieceMs).unref();
      if (bytes < BYTES_AT_ONCE) continue;
      this.#isPumping = true;
      setImmediate(() => this.#pump());
      return;
    }
  }

  #summary(): Uint8Array | undefined {
    const frame = this.#teller.next();
    return frame === undefined ? undefined : this.#parts.codec.encodeSummary(frame);
  }
}
