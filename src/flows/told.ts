/**
 * What is counted of compiles, and remembered of each source's last one, for those who ask.
 */
import type { ResultIndex } from "../contracts/index.ts";
import { bodyOf, type Known } from "./remembered.ts";
import type { CompileQuestion, Understood } from "./request.ts";
import type { Counts, Statistics } from "./statistics.ts";

export interface ToldParts {
  readonly index: Pick<ResultIndex, "remember">;
  readonly statistics: Statistics;
  /** ms since the epoch */
  readonly now: () => number;
}

export class Told {
  readonly #parts: ToldParts;

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
    this.write(understood.question, understood.sourcePath, outcome, body);
    return body;
  }

  /** @param source absolute path */
  write(question: CompileQuestion, source: string, outcome: string, body: string): void {
    this.#parts.index.remember({ source, request: question.key, at: this.#parts.now(), outcome, body });
  }
}
