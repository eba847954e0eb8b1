/**
 * Results of which it is only presumed that they depend on where their checkout lies: does that matter? Asked when one is wanted in another
 * place, or when nobody waits.
 */
import { type Digest, type Log, limits } from "../base/index.ts";
import type { Files, ManifestEntry, ResultIndex, Sharing, StoredResult, Toolchains } from "../contracts/index.ts";
import type { Found } from "./find.ts";
import type { Made } from "./own-compiles.ts";
import { namesPlace } from "./prove-place.ts";
import type { CompileQuestion, Understood } from "./request.ts";
import type { Told } from "./told.ts";
import { responseReader } from "./understand.ts";
import { withoutPlace } from "./witness.ts";

interface Presumed {
  readonly question: CompileQuestion;
  readonly execution: Made;
  /** How often the preprocessor has told nothing. */
  readonly unanswered?: number;
}

export interface SettlingParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
  readonly index: ResultIndex;
  readonly sharing: Sharing;
  readonly told: Told;
  /** What is known of a request as of now. */
  readonly find: (understood: Understood) => Found;
  readonly log: Log;
}

export class Settling {
  readonly #parts: SettlingParts;
  /** Results that wait for a quiet moment, by action. */
  readonly #presumed = new Map<Digest, Presumed>();

  constructor(parts: SettlingParts) {
    this.#parts = parts;
  }

  wait(action: Digest, presumed: Presumed): void {
    if (this.#presumed.size < limits.proofsWaiting) this.#presumed.set(action, presumed);
  }

  /** Who has waited longest, and waits no more. */
  next(): Presumed | undefined {
    const [next] = this.#presumed;
    if (next === undefined) return undefined;
    this.#presumed.delete(next[0]);
    return next[1];
  }

  /** The preprocessor told nothing, which it may do a few times. */
  again(action: Digest, { unanswered = 0, ...presumed }: Presumed): void {
    if (unanswered < limits.proofsAgain) this.wait(action, { ...presumed, unanswered: unanswered + 1 });
  }

  /**
   * Asks the preprocessor whether the place matters, and keeps the entry accordingly.
   * @param made set when nobody waits
   * @returns whether it gave an answer
   */
  async settle(
    understood: Understood,
    entry: ManifestEntry,
    result: StoredResult,
    made: Made | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { toolchains, index, sharing, log } = this.#parts;
    const readText = responseReader(this.#parts.files, understood);
    const named = await namesPlace(toolchains, understood, readText, made !== undefined, signal);
    if (named === undefined) return false;
    // The preprocessor must have read what the entry speaks of.
    const found = this.#parts.find(understood);
    if (found.kind === "miss" || found.entry.action !== entry.action) return true;
    log.event("debug", "compile.place-settled", { source: understood.sourcePath, named });
    const settled = named ? { ...entry, presumed: false } : withoutPlace(understood.manifest, entry);
    if (settled.action !== entry.action && !sharing.restsOnThat(settled.action, entry.action)) return true;
    index.add(understood.manifest, settled, result, new Map(), made === undefined ? index.originOf(entry.action) : "here");
    if (made !== undefined) sharing.executed(understood.manifest, settled, result, made);
    this.#parts.told.count({ [named ? "place_matters" : "place_free"]: 1 }, "");
    return true;
  }
}
