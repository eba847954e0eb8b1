/**
 * Streams of the overlay: questions to members, one after the other on one stream each, and answers to theirs.
 *
 * A member that this node is linked with is asked over the connection that is there; any other one is visited: a connection for a few
 * questions, which ends when nothing is asked any more, and never becomes a link.
 * Knows: streams, deadlines, how much a member may ask. Does not know: what is asked.
 */
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { type Frames, framesOf } from "./frames.ts";
import { Allowance } from "./gossip-authors.ts";
import type { MemberStream } from "./member-stream.ts";

export const OVERLAY = "/cairn/overlay/1";

export interface OverlayStreamsParts {
  /** A stream to a member, wherever it can be reached. @throws when it cannot be reached in time */
  readonly open: (key: Key, addresses: readonly string[]) => Promise<MemberStream>;
  /** Answers a question. @throws {CairnError} frame-invalid when it makes no sense */
  readonly answer: (question: Uint8Array, from: MemberStream) => Uint8Array;
  /** Whether a member is linked, so that no visit is needed. */
  readonly isLinked: (key: Key) => boolean;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A question's bytes, given the stream it goes over; and an answer's. */
type Ask = (over: MemberStream) => Uint8Array;
type Answered = (answer: Uint8Array, over: MemberStream) => void;

interface Asking {
  readonly over: MemberStream;
  readonly frames: Frames;
  /** Whether its connection is for this alone. */
  readonly isVisit: boolean;
}

/** One may still be ending when the next begins. */
export const STREAMS_PER_MEMBER = 2;
const { frameBytes, idleMs, questionMs, questionsAtOnce, questionsPerSecond, streams } = limits.overlay;

export class OverlayStreams implements Disposable {
  readonly #parts: OverlayStreamsParts;
  /** Streams to members, the one that was used last at the end; each is there once it is asked for. */
  readonly #asking = new Map<Key, Promise<Asking>>();
  readonly #idle = new Map<Key, NodeJS.Timeout>();
  /** Questions to one member wait for each other. */
  readonly #turns = new Map<Key, Promise<void>>();
  readonly #allowances = new Map<Key, Allowance>();

  constructor(parts: OverlayStreamsParts) {
    this.#parts = parts;
  }

  /**
   * Asks a member.
   *
   * @throws when it cannot be reached or does not answer in time; and what `answered` throws
   */
  async ask(key: Key, addresses: readonly string[], ask: Ask, answered: Answered): Promise<void> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(() => this.#ask(key, addresses, ask, answered));
    const settled = turn.catch(() => undefined);
    this.#turns.set(key, settled);
    void settled.then(() => void (this.#turns.get(key) === settled && this.#turns.delete(key)));
    return turn;
  }

  /** Answers what a member asks on a stream, until it asks no more. */
  async serve(asked: MemberStream): Promise<void> {
    const { answer, log, now } = this.#parts;
    const frames = framesOf(asked.stream, frameBytes);
    const allowance = this.#allowances.get(asked.key) ?? new Allowance(questionsPerSecond, questionsAtOnce, now());
    this.#allowances.set(asked.key, allowance);
    try {
      for (;;) {
        const question = await frames.read(2 * idleMs); // Who asks lets go first.
        if (question === undefined) return await frames.close(questionMs);
        if (!allowance.take(1, now())) throw new CairnError("frame-invalid", { what: "too many questions" });
        await frames.write(answer(question, asked), questionMs);
      }
    } catch (error) {
      const isOffence = error instanceof CairnError && error.code === "frame-invalid";
      log.event(isOffence ? "warn" : "debug", isOffence ? "overlay.refused" : "overlay.ended", { peer: asked.key, why: reasonOf(error) });
      return frames.abort(reasonOf(error));
    }
  }

  /** Members that are gone have no part in it any more. */
  retain(keeps: (key: Key) => boolean): void {
    for (const key of this.#asking.keys()) if (!keeps(key)) this.#end(key, "no longer a member");
    for (const key of this.#allowances.keys()) if (!keeps(key)) this.#allowances.delete(key);
  }

  [Symbol.dispose](): void {
    for (const key of this.#asking.keys()) this.#end(key, "this node stops");
  }

  async #ask(key: Key, addresses: readonly string[], ask: Ask, answered: Answered): Promise<void> {
    this.#pauseIdle(key);
    try {
      const { over, frames } = await this.#reach(key, addresses);
      await frames.write(ask(over), questionMs);
      const answer = await frames.read(questionMs);
      if (answer === undefined) throw new CairnError("peer-silent", { waitedMs: questionMs });
      answered(answer, over);
    } catch (error) {
      this.#end(key, reasonOf(error));
      throw error;
    }
    this.#idle.set(key, setTimeout(() => this.#end(key, "idle"), idleMs).unref());
    for (const eldest of this.#asking.keys()) {
      if (this.#asking.size <= streams) break;
      if (eldest !== key && this.#idle.has(eldest)) this.#end(eldest, "others are of more use");
    }
  }

  /** The stream that is there, as long as it lives, or a new one. */
  async #reach(key: Key, addresses: readonly string[]): Promise<Asking> {
    const there = await this.#asking.get(key);
    if (there?.over.stream.status === "open") return there;
    this.#end(key, "closed");
    const asking = this.#open(key, addresses);
    this.#asking.set(key, asking);
    return asking;
  }

  async #open(key: Key, addresses: readonly string[]): Promise<Asking> {
    const isVisit = !this.#parts.isLinked(key);
    const over = await this.#parts.open(key, addresses);
    return { over, frames: framesOf(over.stream, frameBytes), isVisit };
  }

  #pauseIdle(key: Key): void {
    clearTimeout(this.#idle.get(key));
    this.#idle.delete(key);
  }

  #end(key: Key, why: string): void {
    this.#pauseIdle(key);
    const asking = this.#asking.get(key);
    this.#asking.delete(key);
    asking?.then(
      ({ over, frames, isVisit }) => {
        frames.abort(why);
        if (isVisit) void over.connection.close({ signal: AbortSignal.timeout(limits.linkFlushMs) }).catch(() => undefined);
      },
      () => undefined, // Told to who asked.
    );
  }
}
