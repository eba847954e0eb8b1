/**
 * The complete list of what a compile reads, for one of which no more than the preprocessor knows all names: it is asked here, with the compile's
 * own options.
 *
 * Knows: how it is asked, and how many are asked at once. Does not know: when that is worth it, what comes of it.
 */
import { availableParallelism } from "node:os";
import { Turns } from "../base/index.ts";
import { parseDepfile, preprocessorArgs } from "../compile/index.ts";
import type { Files, Toolchains } from "../contracts/index.ts";
import type { Understood } from "./request.ts";
import { responseReader } from "./understand.ts";

export interface ListsParts {
  readonly files: Files;
  readonly toolchains: Pick<Toolchains, "dependencies">;
}

export class Lists {
  readonly #parts: ListsParts;
  readonly #turns = new Turns({ jobs: availableParallelism() });

  constructor(parts: ListsParts) {
    this.#parts = parts;
  }

  /**
   * @returns names as the compiler gives them; undefined where it gives none, or takes too long
   * @throws the signal's reason
   */
  async of(understood: Understood, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const { files, toolchains } = this.#parts;
    const { question } = understood;
    using _ = await this.#turns.take(0, signal);
    const args = preprocessorArgs(question.argv, responseReader(files, understood), ["-M"]);
    const text = await toolchains.dependencies(question.compiler, args, question.cwd, question.environment, signal);
    signal.throwIfAborted();
    return text === undefined ? undefined : parseDepfile(text)?.dependencies;
  }
}
