/**
 * Whom to believe, as people ask about it: compiles that are executed once more, and who had said what of them.
 *
 * Knows: which parts answer. Does not know: how a compile is repeated, or what is shown.
 */
import { availableParallelism } from "node:os";
import { CairnError, type Key, limits, reasonOf } from "../base/index.ts";
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
    if (row !== undefined) return this.#verify(row, challenge, new Set(), tell, signal);
    const sources = compile.action === "" && compile.file !== "" ? index.sourcesBelow(compile.file, limits.historyEntries) : [];
    if (sources.length === 0) throw unknown(compile);
    return this.#verifyAll(compile.file, sources, challenge, tell, signal);
  }

  /** Some at a time. What came out the same is counted, all else is told; what fails of one leaves the others as they are. */
  async #verifyAll(directory: string, sources: readonly string[], challenge: boolean, tell: Tell, signal: AbortSignal): Promise<object> {
    const found = new Map<Told["kind"], Told[]>([
      ["confirmed", []],
      ["differs", []],
      ["not-executed", []],
    ]);
    const passed: { source: string; why: string }[] = [];
    const leftOut = new Set<Key>();
    const verify = async (source: string): Promise<void> => {
      const row = this.#parts.index.history(source);
      if (row === undefined) return;
      try {
        const one = await this.#verify(row, challenge, leftOut, tell, signal);
        found.get(one.kind)?.push(one);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CairnError && error.code === "network-absent") throw error;
        if (error instanceof CairnError && error.code === "not-found") passed.push({ source, why: String(error.facts.why ?? "") });
        else found.get("not-executed")?.push(failed(source, error));
      }
    };
    const waiting = sources.values();
    const worker = async (): Promise<void> => {
      for (const source of waiting) await verify(source);
    };
    await Promise.all(Array.from({ length: ABREAST }, worker));
    const [confirmed = [], differs = [], notExecuted = []] = found.values();
    const told = [...differs, ...notExecuted];
    return {
      directory,
      isOfMany: true,
      results: sources.length,
      confirmed: confirmed.length,
      differs: differs.length,
      notExecuted: notExecuted.length,
      told: told.slice(0, MOST_TOLD),
      notTold: Math.max(0, told.length - MOST_TOLD),
      unknown: passed.length,
      passed: passed.slice(0, MOST_TOLD),
      leftOut: leftOut.size,
    };
  }

  /** @param leftOut members that are not asked; those that did not answer are added */
  async #verify(row: HistoryRow, challenge: boolean, leftOut: Set<Key>, tell: Tell, signal: AbortSignal): Promise<Told> {
    const { flow, tasks, network } = this.#parts;
    const isCommand = isOfTask(row);
    // Nobody runs commands for other domains.
    const there = !challenge ? [] : isCommand ? await network.colleagues() : await network.challengers();
    const asked = there.filter(({ key }) => !leftOut.has(key));
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
    for (const one of verified.members) if (isGone(one)) leftOut.add(one.member);
    const of = (key: Key): Challenger | undefined => asked.find((one) => one.key === key);
    const said = verified.action === action ? voices : [];
    const kind = kindOf(verified, said);
    const answer = {
      isOthers,
      ...verified,
      kind,
      confirmed: kind === "confirmed",
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
  /** Confirmed: somebody has executed it now, and whoever did has found the same, and nobody had said otherwise before. */
  readonly kind: "confirmed" | "differs" | "not-executed";
}

function kindOf({ here, members }: Verified | TaskVerified, voices: readonly Voice[]): Told["kind"] {
  const verdicts = [here, ...members].map(({ kind }) => kind);
  if (verdicts.includes("differs") || voices.some(({ isSame }) => !isSame)) return "differs";
  return verdicts.includes("same") ? "confirmed" : "not-executed";
}

/** Who would keep every further result waiting. */
function isGone(one: (Verified | TaskVerified)["members"][number]): boolean {
  if ("isLate" in one && one.isLate) return true;
  return one.kind === "not-executed" && (one.reason === "lost" || one.reason === "killed");
}

function failed(source: string, error: unknown): Told {
  const here = { kind: "not-executed", reason: "error", detail: reasonOf(error) };
  return { source, action: "", kind: "not-executed", confirmed: false, here, members: [], voices: [] } as Told;
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
