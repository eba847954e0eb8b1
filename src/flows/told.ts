/**
 * What is counted of compiles, and remembered of each source's last one, for those who ask.
 */
import { type Digest, Generations, limits } from "../base/index.ts";
import type { HistoryRow, ResultIndex } from "../contracts/index.ts";
import { bodyOf, type Known } from "./remembered.ts";
import type { CompileQuestion, Understood } from "./request.ts";
import type { Counts, Statistics } from "./statistics.ts";

export interface ToldParts {
  readonly index: Pick<ResultIndex, "history" | "remember">;
  readonly statistics: Statistics;
  /** ms since the epoch */
  readonly now: () => number;
}

export class Told {
  readonly #parts: ToldParts;
  /** Sources that were compiled and whose rows nobody has taken yet, those compiled last at the end. */
  readonly #compiled = new Set<string>();
  /** Rows of those of which another row was written since, by request: some sources are compiled in several ways. */
  readonly #replaced = new Map<string, HistoryRow>();
  /** How often what came of an action was taken in vain. */
  readonly #again = new Generations<Digest, number>(limits.movableWaiting);
  /** In their bodies. */
  #replacedChars = 0;

  constructor(parts: ToldParts) {
    this.#parts = parts;
  }

  /** @param session hex, "" for none */
  count(changes: Counts, session: string): void {
    this.#parts.statistics.count(changes, session);
  }

  /** @returns the body of the row */
  remember(understood: Understood, outcome: string, facts: Partial<Known>): string {
    const body = bodyOf(understood, facts);
    if (facts.action !== undefined) this.#note(understood);
    this.write(understood.question, understood.sourcePath, outcome, body);
    return body;
  }

  /** What was compiled lately, or answered, each once; undefined where all was taken. */
  takeCompiled(): HistoryRow | undefined {
    const [replaced] = this.#replaced.values();
    if (replaced !== undefined) return this.#forgetReplaced(replaced);
    for (const source of this.#compiled) {
      this.#compiled.delete(source);
      const row = this.#parts.index.history(source);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  /** Before the row is written. */
  #note({ sourcePath, question }: Understood): void {
    const before = this.#compiled.delete(sourcePath) ? this.#parts.index.history(sourcePath) : undefined;
    if (before !== undefined && before.request !== question.key) this.#replace(before);
    this.waits(sourcePath);
  }

  /** Nobody else has it any more. Where they take too much, the oldest goes. */
  #replace(row: HistoryRow): void {
    const known = this.#replaced.get(row.request);
    if (known !== undefined) this.#forgetReplaced(known);
    this.#replaced.set(row.request, row);
    this.#replacedChars += row.body.length;
    for (const oldest of this.#replaced.values()) {
      if (this.#replacedChars <= limits.movableReplacedBytes) break;
      this.#forgetReplaced(oldest);
    }
  }

  #forgetReplaced(row: HistoryRow): HistoryRow {
    this.#replaced.delete(row.request);
    this.#replacedChars -= row.body.length;
    return row;
  }

  /** It may be taken once more. Where too many wait, the oldest does not any longer. @param source absolute path */
  waits(source: string): void {
    this.#compiled.add(source);
    const [oldest] = this.#compiled;
    if (oldest !== undefined && this.#compiled.size > limits.movableWaiting) this.#compiled.delete(oldest);
  }

  /** What was taken may be taken once more, because it could not be told whether anything can be made of it: a few times for each action. */
  again(row: HistoryRow, action: Digest): void {
    const times = this.#again.get(action) ?? 0;
    if (times >= limits.proofsAgain) return;
    this.#again.set(action, times + 1);
    if (this.#parts.index.history(row.source)?.request === row.request) this.waits(row.source);
    else this.#replace(row);
  }

  /** @param source absolute path */
  write(question: CompileQuestion, source: string, outcome: string, body: string): void {
    this.#parts.index.remember({ source, request: question.key, at: this.#parts.now(), outcome, body });
  }
}
