/**
 * Questions to members who should do something, and their answers: those of one moment go together, none is waited for for long.
 *
 * Knows: numbers of questions, deadlines. Does not know: who should be asked, or how a frame gets there.
 */
import { type Key, limits } from "../base/index.ts";
import type { Able, PlacementFrame, PlacementQuestion } from "../contracts/index.ts";

const { answerMs, questionsPerFrame, ableMost } = limits.placement;

export interface QuestionsParts {
  readonly send: (to: Key, frame: PlacementFrame) => void;
  /** Calls `what` after so long; 0: when all that came together has been looked at. */
  readonly after: (ms: number, what: () => void) => Disposable;
}

export type Answered =
  /** By who holds the lease of that term, or speaks for itself. */
  | { readonly kind: "placed"; readonly member: Key }
  | { readonly kind: "none" }
  /** The other does not hold the lease by which it was asked. */
  | { readonly kind: "stale" }
  /** No answer in time, or one that makes no sense. */
  | { readonly kind: "silent" };

interface Open {
  readonly to: Key;
  readonly term: number;
  readonly able: readonly Able[];
  readonly resolve: (answered: Answered) => void;
  readonly deadline: Disposable;
}

export class Questions {
  readonly #parts: QuestionsParts;
  readonly #open = new Map<number, Open>();
  /** Member and term → questions that are about to go. */
  readonly #batches = new Map<string, PlacementQuestion[]>();
  #last = 0;

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  /**
   * Asks a member which of some should do a unit.
   *
   * @param term of its lease; 0: it is asked for itself
   * @throws the signal's reason
   */
  async ask(to: Key, term: number, { able, hereMs }: Omit<PlacementQuestion, "id">, signal: AbortSignal): Promise<Answered> {
    signal.throwIfAborted();
    const id = (this.#last = (this.#last + 1) % 2 ** 32);
    const asked = able.slice(0, ableMost);
    const { promise, resolve } = Promise.withResolvers<Answered>();
    const deadline = this.#parts.after(answerMs, () => this.#settle(id, { kind: "silent" }));
    this.#open.set(id, { to, term, able: asked, resolve, deadline });
    this.#gather(to, term, { id, able: asked, hereMs });
    const aborted = (): void => this.#settle(id, { kind: "silent" });
    signal.addEventListener("abort", aborted, { once: true });
    const answered = await promise;
    signal.removeEventListener("abort", aborted);
    // Whoever is asked may have given a slot: an answer that comes now gives it back.
    signal.throwIfAborted();
    return answered;
  }

  /** An answer has come. One that nobody waits for any more is given back, so that its slot is not held. */
  answered(from: Key, { term, placed }: Extract<PlacementFrame, { kind: "answer" }>): void {
    const unwanted: Key[] = [];
    for (const { id, member } of placed) {
      const open = this.#open.get(id);
      if (open?.to !== from) {
        if (member !== undefined) unwanted.push(member);
      } else if (open.term !== term) this.#settle(id, { kind: "stale" });
      else if (member === undefined) this.#settle(id, { kind: "none" });
      else this.#settle(id, open.able.some((one) => one.member === member) ? { kind: "placed", member } : { kind: "silent" });
    }
    if (unwanted.length > 0) this.#parts.send(from, { kind: "release", term, members: unwanted });
  }

  /** Nothing comes of that member any more. */
  lost(peer: Key): void {
    for (const [id, { to }] of this.#open) if (to === peer) this.#settle(id, { kind: "silent" });
  }

  #gather(to: Key, term: number, question: PlacementQuestion): void {
    const name = `${to} ${term}`;
    const batch = this.#batches.get(name);
    if (batch !== undefined && batch.length < questionsPerFrame) return void batch.push(question);
    const questions = [question];
    this.#batches.set(name, questions);
    this.#parts.after(0, () => {
      if (this.#batches.get(name) === questions) this.#batches.delete(name);
      this.#parts.send(to, { kind: "ask", term, questions });
    });
  }

  #settle(id: number, answered: Answered): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    open.deadline[Symbol.dispose]();
    open.resolve(answered);
  }
}
