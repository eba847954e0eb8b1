/**
 * Whom to believe, as people ask about it: compiles that are executed once more, and who had said what of them.
 *
 * Knows: which parts answer. Does not know: how a compile is repeated, or what is shown.
 */
import { CairnError, type Key } from "../base/index.ts";
import type { HistoryRow, ResultIndex } from "../contracts/index.ts";
import type { CompileNamed, Tell } from "../doors/index.ts";
import { type CompileFlow, isOfTask, type TaskFlow, type TaskVerified, type Verified } from "../flows/index.ts";
import type { NetworkLog } from "./network-log.ts";
import type { Challenger, Voice } from "./network-runtime.ts";

export interface TrustControlsParts {
  readonly index: Pick<ResultIndex, "history" | "historyOfAction" | "latestHistory">;
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

  async verify(compile: CompileNamed, challenge: boolean, tell: Tell, signal: AbortSignal): Promise<object> {
    const { flow, tasks, network } = this.#parts;
    await flow.catchUp();
    const row = this.#row(compile);
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
    return {
      isOthers,
      ...verified,
      isCommand,
      members: verified.members.map((one) => ({ ...one, name: of(one.member)?.name ?? "", domain: of(one.member)?.domain ?? "" })),
      voices: verified.action === action ? voices : [],
    };
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

  #row({ file, action }: CompileNamed): HistoryRow {
    const { index } = this.#parts;
    const row = action !== "" ? index.historyOfAction(action) : file === "" ? index.latestHistory() : index.history(file);
    if (row !== undefined) return row;
    const named = action !== "" ? `action ${action}` : file === "" ? "anything" : file;
    throw new CairnError("not-found", { why: `no compile of ${named} is remembered here`, advice: COMPILE_IT });
  }
}

const COMPILE_IT = "compile it here first: who executes it once more needs the files";
