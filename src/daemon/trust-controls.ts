/**
 * Whom to believe, as people ask about it: compiles that are executed once more, and who had said what of them.
 *
 * Knows: which parts answer. Does not know: how a compile is repeated, or what is shown.
 */
import { availableParallelism } from "node:os";
import { CairnError, type Key, limits } from "../base/index.ts";
import type { HistoryRow, ResultIndex } from "../contracts/index.ts";
import type { CompileNamed, Tell } from "../doors/index.ts";
import { type CompileFlow, isOfTask, type TaskFlow, type TaskVerified, type Verified } from "../flows/index.ts";
import type { NetworkLog } from "./network-log.ts";
import type { Challenger, Voice } from "./network-runtime.ts";

export interface TrustControlsParts {
  readonly index: Pick<ResultIndex, "history" | "historyOfAction" | "latestHistory" | "sourcesBelow">;
  readonly flow: Pick<CompileFlow, "catchUp" | "verify">;
  readonly tasks: Pick<TaskFlow, "verify">;
  readonly network: {
    /** Members of other domains that are there, one of each domain first. @throws {CairnError} network-absent */
    challengers(): Promise<readonly Challenger[]>;
    /** Other machines of this one's domain that are there. @throws {CairnError} network-absent */
    colleagues(): Promise<readonly Challenger[]>;
    /** Who says to have executed that action, and what came of it; nobody without a network. */
    voices(action: string): readonly Voice[];
    /** @throws {CairnError} network-absent */
    evidence(): Promise<object>;
    /** @throws {CairnError} network-absent */
    logs(): Promise<Pick<NetworkLog, "describe" | "prove">>;
  };
}

export class OwnTrustControls {
  readonly #parts: TrustControlsParts;

  constructor(parts: TrustControlsParts) {
    this.#parts = parts;
  }

  /** Of one result, or of all that were compiled below a directory: a build. */
  async verify(compile: CompileNamed, challenge: boolean, tell: Tell, signal: AbortSignal): Promise<object> {
    const { flow, index } = this.#parts;
    await flow.catchUp();
    const row = this.#find(compile);
    if (row !== undefined) return this.#verify(row, challenge, tell, signal);
    const sources = compile.action === "" && compile.file !== "" ? index.sourcesBelow(compile.file, limits.historyEntries) : [];
    if (sources.length === 0) throw unknown(compile);
    return this.#verifyAll(compile.file, sources, challenge, tell, signal);
  }

  /** Some at a time. What came out the same is counted, all else is told. */
  async #verifyAll(directory: string, sources: readonly string[], challenge: boolean, tell: Tell, signal: AbortSignal): Promise<object> {
    const told: Told[] = [];
    const passed: { source: string; why: string }[] = [];
    let confirmed = 0;
    const verify = async (source: string): Promise<void> => {
      const row = this.#parts.index.history(source);
      if (row === undefined) return;
      try {
        const one = await this.#verify(row, challenge, tell, signal);
        if (one.confirmed) confirmed++;
        else if (told.length < MOST_TOLD) told.push(one);
      } catch (error) {
        if (!(error instanceof CairnError && error.code === "not-found")) throw error;
        passed.push({ source, why: String(error.facts.why ?? "") });
      }
    };
    const waiting = sources.values();
    const worker = async (): Promise<void> => {
      for (const source of waiting) await verify(source);
    };
    await Promise.all(Array.from({ length: ABREAST }, worker));
    const others = sources.length - confirmed - passed.length;
    return {
      directory,
      isOfMany: true,
      results: sources.length,
      confirmed,
      others,
      told,
      unknown: passed.length,
      passed: passed.slice(0, MOST_TOLD),
    };
  }

  async #verify(row: HistoryRow, challenge: boolean, tell: Tell, signal: AbortSignal): Promise<Told> {
    const { flow, tasks, network } = this.#parts;
    const isCommand = isOfTask(row);
    // Nobody runs commands for other domains.
    const asked = !challenge ? [] : isCommand ? await network.colleagues() : await network.challengers();
    tell({ source: row.source, members: asked.length, isCommand });
    const { action, by } = JSON.parse(row.body) as { readonly action?: string; readonly by?: object };
    const voices = action === undefined ? [] : network.voices(action);
    // What a member made for this machine alone, nobody has signed.
    const isOthers = by !== undefined || (voices.length > 0 && !voices.some(({ self }) => self));
    const members = asked.map(({ key }) => key);
    const verified: Verified | TaskVerified | undefined = isCommand
      ? await tasks.verify(row, members, signal)
      : await flow.verify(row, members, isOthers, signal);
    if (verified === undefined)
      throw new CairnError("not-found", { why: `no result of ${row.source} as it is now is here`, advice: COMPILE_IT });
    const of = (key: Key): Challenger | undefined => asked.find((one) => one.key === key);
    const said = verified.action === action ? voices : [];
    const answer = {
      isOthers,
      ...verified,
      confirmed: isConfirmed(verified, said),
      isCommand,
      members: verified.members.map((one) => ({ ...one, name: of(one.member)?.name ?? "", domain: of(one.member)?.domain ?? "" })),
      voices: said,
    };
    return answer;
  }

  evidence(): Promise<object> {
    return this.#parts.network.evidence();
  }

  async log(): Promise<object> {
    return (await this.#parts.network.logs()).describe();
  }

  async prove(compile: CompileNamed): Promise<object> {
    const logs = await this.#parts.network.logs();
    await this.#parts.flow.catchUp();
    if (compile.action !== "") return logs.prove(compile.action);
    const row = this.#row(compile);
    const { action } = JSON.parse(row.body) as { readonly action?: string };
    if (action === undefined) throw new CairnError("not-found", { why: `the compile of ${row.source} has no action`, advice: COMPILE_IT });
    return logs.prove(action);
  }

  #row(compile: CompileNamed): HistoryRow {
    const row = this.#find(compile);
    if (row === undefined) throw unknown(compile);
    return row;
  }

  #find({ file, action }: CompileNamed): HistoryRow | undefined {
    const { index } = this.#parts;
    return action !== "" ? index.historyOfAction(action) : file === "" ? index.latestHistory() : index.history(file);
  }
}

/** What is told of one result, as far as it matters here. */
interface Told {
  /** Whether somebody has executed it now, and whoever did has found the same, and nobody had said otherwise before. */
  readonly confirmed: boolean;
}

function isConfirmed({ here, members }: Verified | TaskVerified, voices: readonly Voice[]): boolean {
  const verdicts = [here, ...members].map(({ kind }) => kind);
  return verdicts.includes("same") && !verdicts.includes("differs") && voices.every(({ isSame }) => isSame);
}

function unknown({ file, action }: CompileNamed): CairnError {
  const named = action !== "" ? `action ${action}` : file === "" ? "anything" : file;
  return new CairnError("not-found", { why: `no compile of ${named} is remembered here`, advice: COMPILE_IT });
}

/** Results of one build that are executed at the same time: a core is left for who works here. */
const ABREAST = Math.max(1, Math.min(8, availableParallelism() - 1));
/** Of those that did not come out the same, and of those of which nothing is known. */
const MOST_TOLD = 500;

const COMPILE_IT = "compile it here first: who executes it once more needs the files";
