/**
 * Takes results back: out of the index, out of memory, and out of what wrappers answer from without a question.
 *
 * That something is being taken back is on the disk before the first of it is gone: whoever is killed in between leaves no answer made of what nobody
 * knows any more, and finishes at the next start, before anything is answered (docs/decisions/0083-recalls-that-survive.md).
 * Knows: the order of it. Does not know: why a result is not used any more.
 */
import type { Digest, Key, Log } from "../base/index.ts";
import type { ResultIndex } from "../contracts/index.ts";
import type { BegunRecalls, RecallKind, RecallSteps } from "../store/index.ts";

/** See BegunRecalls. */
export interface RecallMarks {
  begin(kind: RecallKind, all: readonly Digest[]): void;
  end(kind: RecallKind, all: readonly Digest[]): void;
  left(): readonly Digest[];
}

/** See SqliteShelf.recall. */
export interface SignersShelf {
  recall(
    signers: ReadonlySet<Key>,
    steps: RecallSteps,
    signal: AbortSignal,
  ): Promise<{ readonly forgotten: number; readonly isDone: boolean }>;
}

/** What a network does with it. */
export type TakingBack = Pick<Recalls, keyof Recalls>;

export interface RecallsParts {
  readonly index: Pick<ResultIndex, "forget">;
  readonly marks: RecallMarks;
  /** Whether nothing that answers for long was made of what came of an action. */
  readonly isUnverified: (action: Digest) => boolean;
  /** Results are gone. @param action whose; undefined: those of many @returns whether something that answers for long may have been made of them */
  readonly gone: (action: Digest | undefined) => boolean;
  /** What wrappers answer from. */
  readonly records: () => { doubt(): void };
  /** Removes soon what was put aside. */
  readonly clearSoon: () => void;
}

/** What an earlier process has left undone, before anything is answered. @param parts `dropRecords`: wrappers answer from nothing that is there */
export async function finishRecalls(
  { begun, dropRecords, log }: { readonly begun: BegunRecalls; readonly dropRecords: () => void; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  if (!begun.isAny) return;
  dropRecords();
  log.event("warn", "recalls.finished", { forgotten: await begun.finish(signal) });
}

export class Recalls {
  readonly #parts: RecallsParts;

  constructor(parts: RecallsParts) {
    this.#parts = parts;
  }

  /** What came of an action is not used any more. */
  takeBack(action: Digest): void {
    const { index, isUnverified, gone, clearSoon } = this.#parts;
    if (!isUnverified(action)) this.#doubt();
    index.forget(action);
    if (gone(action)) clearSoon();
  }

  /** More is going to be known of these requests, or what rests on these is about to be forgotten; {@link Recalls.end} when that is done. */
  begin(kind: RecallKind, all: readonly Digest[]): void {
    this.#parts.marks.begin(kind, all);
  }

  end(kind: RecallKind, all: readonly Digest[]): void {
    this.#parts.marks.end(kind, all);
  }

  /** Requests that are to be looked at still, as an earlier process has left them. */
  left(): readonly Digest[] {
    return this.#parts.marks.left();
  }

  /**
   * What nobody but these has signed is not used any more.
   *
   * @param isStart nothing has been answered yet: where nothing is left of theirs, nothing was made of it
   * @returns how many results were forgotten. @throws the signal's reason
   */
  async bySigners(shelf: SignersShelf, signers: ReadonlySet<Key>, isStart: boolean, signal: AbortSignal): Promise<number> {
    const { gone, clearSoon } = this.#parts;
    const all = [...signers];
    if (!isStart) this.#doubt();
    this.begin("signer", all);
    const steps = { before: () => this.#doubt(), after: () => void gone(undefined) };
    let { forgotten, isDone } = await shelf.recall(signers, steps, signal);
    if (!isDone) {
      const again = await shelf.recall(signers, steps, signal); // What could be repaired is.
      [forgotten, isDone] = [forgotten + again.forgotten, again.isDone];
    }
    // What was laid out may not be kept yet: then it is not among those.
    if (forgotten > 0 || !isStart) {
      this.#doubt();
      if (gone(undefined)) clearSoon();
    }
    if (isDone) this.end("signer", all);
    return forgotten;
  }

  #doubt(): void {
    this.#parts.records().doubt();
  }
}
