/**
 * Runs tasks among their inputs alone, on this machine or on a member's.
 *
 * Knows: how a task becomes an action of a sandbox, and what of an outcome is the project's. Does not know: why it is run, or what becomes of it.
 */
import type { Digest, Key } from "../base/index.ts";
import type {
  ActionLimit,
  Executor,
  ExecutorAction,
  ExecutorOutcome,
  Files,
  Left,
  Sharing,
  TaskSystem,
  Voucher,
  WordOf,
  WorkerOutcome,
  Workers,
} from "../contracts/index.ts";
import type { Acceptance, Actions, Done, RanHereWhy } from "./actions.ts";
import { membersAction } from "./general-unit.ts";
import type { Work } from "./remembered.ts";
import type { Whole } from "./task-outputs.ts";
import { type Foreknown, forMembers, isWhole } from "./task-placing.ts";
import { projectPath, sandboxedAction, sentCommand, type UnderstoodTask } from "./task-question.ts";
import type { TaskDone } from "./task-results.ts";

export interface TaskRunsParts {
  readonly sandbox: Pick<Executor, "run">;
  /** Makes contents of inputs known to the sandbox until it is disposed of. */
  readonly lend: (contents: Iterable<readonly [digest: Digest, path: string]>) => Disposable;
  readonly files: Pick<Files, "content">;
  /** Runs what somebody waits for, here or with a member. */
  readonly actions: Pick<Actions, "command">;
  readonly sharing: Pick<Sharing, "mayHelp" | "wordOf">;
  /** Undefined while this node is in no network. */
  readonly workers: () => Workers | undefined;
  /** What members must have installed to be asked for a command; undefined: nobody is. */
  readonly alike: (installed: TaskSystem) => Digest | undefined;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface TaskRunsOptions {
  /** Where a sandbox has inputs, and what a command sees in their place. */
  readonly places: { readonly inputs: string; readonly work: string };
}

export interface TaskRan {
  readonly kind: "ran";
  readonly done: TaskDone;
  /** ms since the epoch, by this machine's clock */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly cpuMs: number;
  /** It may have run into a limit of its sandbox, and have made something else with another. */
  readonly isNearLimit: boolean;
  /** Where it ran, of what went through placement. */
  readonly where?: RanWhere;
}

export type RanWhere =
  | { readonly by: undefined; readonly why: RanHereWhy }
  /** @property word what that member's word is good for; `voucher` what it signs, sooner or later */
  | { readonly by: Work; readonly word: WordOf; readonly voucher: Promise<Voucher | undefined> | undefined };

/** It did not come to an end of its own. */
export type TaskStopped =
  | { readonly kind: "killed"; readonly limit: ActionLimit }
  | { readonly kind: "not-run"; readonly reason: string; readonly detail: string };

export type Show = NonNullable<ExecutorAction["show"]>;

export class TaskRuns {
  readonly #parts: TaskRunsParts;
  readonly #options: TaskRunsOptions;

  constructor(parts: TaskRunsParts, options: TaskRunsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** On an idle core here, or with a member. @throws the signal's reason, and then nothing of it runs for long */
  async placed(task: UnderstoodTask, known: Foreknown, show: Show, signal: AbortSignal): Promise<TaskRan | TaskStopped> {
    const { lend, now, actions, sharing, workers } = this.#parts;
    using _ = lend(contentsOf(task));
    const action = sandboxedAction(task, this.#options.places);
    const sent = forMembers({ ...this.#parts, hasNetwork: () => workers() !== undefined }, task, action, known);
    let startedAtMs = now();
    let word: WordOf | undefined;
    const accepts = (member: Key, done: Done): Acceptance => {
      if (!isWhole(task, { exitCode: done.exitCode, left: leftBy(done) })) return "useless";
      word = sharing.wordOf(member, task.project); // What is demanded may have changed meanwhile, or what is known of that member.
      return word === undefined ? "not-believed" : "taken";
    };
    const began = (): void => void (startedAtMs = now());
    const ran = await actions.command({ action: { ...action, show }, sent, accepts, began }, signal);
    const told = this.#ranBy(ran.outcome, startedAtMs);
    if (told.kind !== "ran") return told;
    if (ran.by === undefined) return { ...told, where: ran };
    if (word === undefined) return { kind: "not-run", reason: "not_accepted", detail: "" };
    return { ...told, startedAtMs: told.endedAtMs - ran.by.compiledMs, where: { by: ran.by, word, voucher: ran.voucher } };
  }

  /** @param more `wallMs`: a shorter time than commands have @throws the signal's reason, and then nothing of it runs */
  async here(
    task: UnderstoodTask,
    { show, wallMs }: { readonly show?: Show; readonly wallMs?: number },
    signal: AbortSignal,
  ): Promise<TaskRan | TaskStopped> {
    const { sandbox, lend, now } = this.#parts;
    // The sandbox takes contents of inputs from where they lie.
    using _ = lend(contentsOf(task));
    const whole = sandboxedAction(task, this.#options.places);
    const action = wallMs === undefined ? whole : { ...whole, limits: { ...whole.limits, wallMs } };
    const startedAtMs = now();
    return this.#ranBy(await sandbox.run(show === undefined ? action : { ...action, show }, signal), startedAtMs);
  }

  /** Once more by a member that has the same installed. @throws the signal's reason */
  async by(member: Key, task: UnderstoodTask, signal: AbortSignal): Promise<TaskRan | TaskStopped> {
    const { workers, alike, now, files } = this.#parts;
    const system = alike(task.installed);
    if (system === undefined) return { kind: "not-run", reason: "system_unset", detail: "" };
    const asked = membersAction(sandboxedAction(task, this.#options.places), system, sentCommand(task, false));
    if (asked === undefined) return { kind: "not-run", reason: "too_large", detail: "" };
    const paths = new Map(contentsOf(task));
    const content = async (digest: Digest): Promise<Uint8Array | undefined> => {
      const path = paths.get(digest);
      return path === undefined ? undefined : files.content(path, digest);
    };
    const startedAtMs = now();
    const outcome = (await workers()?.act(member, asked, content, signal)) ?? { kind: "lost" as const, why: "no network" };
    return this.#ranBy(outcome, startedAtMs);
  }

  #ranBy(outcome: ExecutorOutcome | WorkerOutcome, startedAtMs: number): TaskRan | TaskStopped {
    switch (outcome.kind) {
      case "done": {
        const { exitCode, stdout, stderr, used } = outcome;
        const done = { exitCode, stdout, stderr, left: leftBy(outcome) };
        const isNearLimit = "near" in outcome;
        return { kind: "ran", done, startedAtMs, endedAtMs: this.#parts.now(), cpuMs: used.cpuMs ?? used.wallMs, isNearLimit };
      }
      case "killed":
        return { kind: "killed", limit: outcome.limit };
      case "refused":
        return { kind: "not-run", reason: outcome.reason, detail: projectPath(outcome.detail) ?? outcome.detail };
      case "unavailable":
        return { kind: "not-run", reason: "no_sandbox", detail: outcome.detail };
      case "busy":
        return { kind: "not-run", reason: "busy", detail: "" };
      case "lost":
        return { kind: "not-run", reason: "lost", detail: outcome.why };
    }
  }
}

/** What of it is the project's. */
export function leftBy({ left = [] }: { readonly left?: readonly Left[] }): Whole[] {
  return left.flatMap((one): Whole[] => {
    const path = projectPath(one.path);
    return path === undefined ? [] : [{ ...one, path }];
  });
}

function* contentsOf({ inputs, programs }: UnderstoodTask): Iterable<readonly [digest: Digest, path: string]> {
  for (const input of inputs.all) if (input.kind === "file") yield [input.digest, input.source];
  for (const { digest, path } of programs) yield [digest, path];
}
