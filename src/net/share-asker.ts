/**
 * What this node asks one member, and its answers: questions by number, several at a time.
 *
 * Knows: numbers and deadlines. Does not know: what is done with answers.
 */
import { CairnError, limits } from "../base/index.ts";
import type { BlobDigests } from "../contracts/index.ts";
import type { Answer, NetworkCodec, Question } from "../wire/index.ts";

/** A question and who waits for its answer. */
export interface Asking {
  readonly question: Question;
  /** Takes a part of the answer. @param digests see FrameListener @throws {CairnError} frame-invalid, when it is no answer to that question */
  part(answer: Answer, digests: BlobDigests | undefined): void;
  /** @param why set when there will be no answer, or no more of it */
  ended(why: string | undefined): void;
}

export interface AskerParts {
  readonly codec: NetworkCodec;
  /** ms, monotonic */
  readonly now: () => number;
  /** There is a frame to send. */
  readonly ready: () => void;
  /** Something is told about the member: an answer has begun after so many ms, or did not come in time. */
  readonly began: (afterMs: number) => void;
  /** The member does not keep to the rules. */
  readonly broken: (why: string) => void;
}

interface Open {
  readonly asking: Asking;
  readonly askedAt: number;
  /** When the last part came. */
  heardAt: number | undefined;
}

const LOOK_EVERY_MS = 250;

export class Asker implements Disposable {
  readonly #parts: AskerParts;
  /** Not sent yet. */
  readonly #waiting = new Set<Asking>();
  readonly #open = new Map<number, Open>();
  /** Cancelled, and their end has not come yet: number → when. */
  readonly #cancelled = new Map<number, number>();
  readonly #cancels: number[] = [];
  #number = 0;
  /** When a part of a blob came last, or there was no question about blobs before. */
  #blobsAt = 0;
  #blobsBegan = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AskerParts) {
    this.#parts = parts;
  }

  /** Asks. @returns forgets the question; nothing is called any more */
  ask(asking: Asking): () => void {
    this.#waiting.add(asking);
    this.#parts.ready();
    return () => this.#forget(asking);
  }

  /** The next frame to send, if there is one. */
  next(): Uint8Array | undefined {
    const cancel = this.#cancels.shift();
    if (cancel !== undefined) return this.#parts.codec.encodeQuestion(cancel, { kind: "cancel" });
    const [asking] = this.#waiting;
    if (asking === undefined || this.#open.size + this.#cancelled.size >= limits.shareQuestionsAtOnce) return undefined;
    this.#waiting.delete(asking);
    const askedAt = this.#parts.now();
    if (asking.question.kind === "want-blobs" && !this.#isAbout("want-blobs")) [this.#blobsAt, this.#blobsBegan] = [askedAt, false];
    this.#number = (this.#number % 0xffff_ffff) + 1;
    this.#open.set(this.#number, { asking, askedAt, heardAt: undefined });
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return this.#parts.codec.encodeQuestion(this.#number, asking.question);
  }

  /** @throws {CairnError} frame-invalid when nothing of the kind was asked, or by {@link Asking.part} */
  take(number: number, answer: Answer, digests: BlobDigests | undefined): void {
    const open = this.#open.get(number);
    if (open === undefined) {
      // Parts of what was cancelled may have been under way.
      if (!this.#cancelled.has(number)) throw new CairnError("frame-invalid", { what: "answer to nothing" });
      if (answer.complete) this.#settle(number);
      return;
    }
    const now = this.#parts.now();
    if (open.heardAt === undefined) this.#parts.began(now - open.askedAt);
    open.heardAt = now;
    if (answer.kind === "blobs") [this.#blobsAt, this.#blobsBegan] = [now, true];
    open.asking.part(answer, digests);
    if (!answer.complete) return;
    this.#settle(number);
    open.asking.ended(undefined);
  }

  /** No answer comes any more. */
  end(why: string): void {
    this[Symbol.dispose]();
    const all = [...this.#waiting, ...[...this.#open.values()].map(({ asking }) => asking)];
    this.#waiting.clear();
    this.#open.clear();
    for (const asking of all) asking.ended(why);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #settle(number: number): void {
    this.#open.delete(number);
    this.#cancelled.delete(number);
    if (this.#waiting.size > 0) this.#parts.ready();
    else if (this.#open.size + this.#cancelled.size === 0) this[Symbol.dispose]();
  }

  #forget(asking: Asking): void {
    if (this.#waiting.delete(asking)) return;
    for (const [number, open] of this.#open) if (open.asking === asking) this.#cancel(number);
  }

  #cancel(number: number): void {
    this.#open.delete(number);
    this.#cancelled.set(number, this.#parts.now());
    this.#cancels.push(number);
    this.#parts.ready();
  }

  #isAbout(kind: Question["kind"]): boolean {
    return [...this.#open.values()].some(({ asking }) => asking.question.kind === kind);
  }

  /** Has a deadline passed? */
  #look(): void {
    const now = this.#parts.now();
    for (const since of this.#cancelled.values())
      if (now - since > limits.sharePieceMs) return this.#parts.broken("does not end its answers");
    for (const [number, open] of this.#open) {
      if (!this.#isLate(open, now)) continue;
      this.#cancel(number);
      open.asking.ended("not in time");
    }
  }

  /**
   * Results come before all else, so they are due for themselves. Blobs queue behind those asked for earlier: late are all of them when
   * none comes.
   */
  #isLate({ asking, askedAt, heardAt }: Open, now: number): boolean {
    if (asking.question.kind === "want-results") return now - (heardAt ?? askedAt) > limits.shareAnswerMs;
    return now - this.#blobsAt > (this.#blobsBegan ? limits.sharePieceMs : limits.shareAnswerMs);
  }
}
