/**
 * What came of commands, executed here once more: those that people ask about, and a sample of what others have executed. Of which not always the
 * same comes, that stays on this machine from then on.
 *
 * Knows: what follows from a second execution: nobody is accused, a command may be what differs; but the word of a member that was wrong about one
 * of which here always the same comes is not used any more. Does not know: who is believed, or how it runs.
 */
import { CairnError, type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { CommandMarks, HistoryRow, ResultIndex, Sharing } from "../contracts/index.ts";
import type { Difference } from "./differences.ts";
import type { Statistics } from "./statistics.ts";
import { compareOutcomes, isInPrintAlone, type OutcomeDifference } from "./task-differences.ts";
import { questionOfTask, type TaskHistory } from "./task-history.ts";
import { isWhole } from "./task-placing.ts";
import { commandKey, type TaskQuestion, toolsDigest, type UnderstoodTask } from "./task-question.ts";
import { keyed, type TaskHit, type TaskKey, type TaskResults, taskAction } from "./task-results.ts";
import type { TaskRan, TaskRuns, TaskStopped } from "./task-runs.ts";

export interface TaskVerifyingParts {
  readonly runs: Pick<TaskRuns, "here" | "by">;
  readonly results: Pick<TaskResults, "find" | "keep">;
  readonly history: Pick<TaskHistory, "differences" | "remember" | "isAbout">;
  readonly index: Pick<ResultIndex, "forget">;
  readonly sharing: Pick<Sharing, "isOthers" | "checked">;
  readonly unshared: CommandMarks;
  /** What a question means as files are now. @param isFresh what is installed is looked at again @throws {CairnError} usage, limit-exceeded */
  readonly understand: (question: TaskQuestion, signal: AbortSignal, isFresh?: boolean) => Promise<UnderstoodTask>;
  readonly statistics: Pick<Statistics, "count">;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

/** What came of a further execution, beside what was known. */
export type TaskVerdict =
  /** @property differences in what was printed alone: a command may say how long it took */
  | { readonly kind: "same"; readonly differences: readonly OutcomeDifference[] }
  /** @property repeatable whether one more led to the same as this one; undefined where nobody looked */
  | { readonly kind: "differs"; readonly repeatable: boolean | undefined; readonly differences: readonly OutcomeDifference[] }
  | { readonly kind: "not-executed"; readonly reason: string; readonly detail: string };

export interface TaskVerified {
  readonly action: Digest;
  readonly source: string;
  /** Whether others alone had executed what was known: what does not come out again was taken back then. */
  readonly isOthers: boolean;
  readonly here: TaskVerdict;
  readonly members: readonly (TaskVerdict & { readonly member: Key })[];
}

/** A result of somebody else's that was used, and by what it was asked for. */
interface Waiting {
  readonly question: TaskQuestion;
  readonly action: Digest;
  /** Whether more than one domain vouches for it. */
  readonly isOfSeveral: boolean;
  /** ms since the epoch */
  readonly dueAt: number;
  readonly failed: number;
}

const { verifyWaiting, verifyAttempts, verifyAgainMs } = limits.trust;
/** What is said to have taken longer is not used as a sample. */
const SAMPLED = { wallMs: limits.task.sampledMs };
const RUN_IT = "run it again with cairn exec, or put back what has changed, and then look once more";

export class TaskVerifying {
  readonly #parts: TaskVerifyingParts;
  /** By action, who has waited longest first. */
  readonly #waiting = new Map<Digest, Waiting>();

  constructor(parts: TaskVerifyingParts) {
    this.#parts = parts;
  }

  /** What differed when a command was executed more than once; undefined of one that may be shared. */
  unsharedFor(question: TaskQuestion): string | undefined {
    return this.#parts.unshared.why(commandKey(question));
  }

  /** Somebody else's result was used, and is to be executed here when nobody builds. Where too many wait, the oldest is not. */
  took(task: UnderstoodTask, { from }: Pick<TaskHit, "from">): void {
    const action = actionOf(task);
    const isOfSeveral = from !== undefined && from.domains.length > 1;
    this.#waiting.delete(action); // It waits behind the others.
    this.#waiting.set(action, { question: task.question, action, isOfSeveral, dueAt: this.#parts.now(), failed: 0 });
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > verifyWaiting && oldest !== undefined) this.#waiting.delete(oldest);
  }

  #next(): Waiting | undefined {
    const now = this.#parts.now();
    for (const one of this.#waiting.values()) if (one.dueAt <= now) return one;
    return undefined;
  }

  /** Executes one that waits. Where it is aborted, that one waits on, behind the others. @returns whether another waits */
  async next(signal: AbortSignal): Promise<boolean> {
    const next = this.#next();
    if (next === undefined) return false;
    const isDone = await this.#isExecuted(next, signal).catch((error: unknown) => {
      if (this.#waiting.delete(next.action)) this.#waiting.set(next.action, next);
      throw error;
    });
    if (this.#waiting.get(next.action) === next) {
      const failed = next.failed + 1;
      this.#waiting.delete(next.action);
      // What cannot be executed here was only a sample.
      if (!isDone && failed < verifyAttempts) this.#waiting.set(next.action, { ...next, failed, dueAt: this.#parts.now() + verifyAgainMs });
    }
    return this.#next() !== undefined;
  }

  async #isExecuted({ question, action, isOfSeveral }: Waiting, signal: AbortSignal): Promise<boolean> {
    const { understand, results, sharing, log } = this.#parts;
    try {
      const task = await understand(question, signal);
      if (actionOf(task) !== action) return false;
      const known = await results.find(keptAs(task, task.keys.sandboxed), signal);
      // It was removed or taken back, and nobody uses it; or it was executed here meanwhile.
      if (known === undefined || !sharing.isOthers(action)) return true;
      return (await this.#verify(task, known, { isOthers: true, bars: isOfSeveral, bounds: SAMPLED }, signal)).kind !== "not-executed";
    } catch (error) {
      signal.throwIfAborted();
      log.event("warn", "verify.failed", { action, error: reasonOf(error) });
      return false;
    }
  }

  /**
   * Executes it here and by members, now.
   *
   * @param row the run that is meant
   * @throws {CairnError} not-found: nothing is known of these inputs, or of how it was asked for; the signal's reason
   */
  async verify(row: HistoryRow, members: readonly Key[], signal: AbortSignal): Promise<TaskVerified> {
    const { task, known } = await this.#known(row, signal);
    // Of the inputs as they are now: the row may be about others.
    const isOthers = this.#parts.sharing.isOthers(actionOf(task));
    const asked: TaskVerified["members"][number][] = [];
    for (const member of members) {
      const theirs = ended(known, await this.#parts.runs.by(member, task, signal));
      if (theirs.kind !== "ran") asked.push({ member, ...notExecuted(theirs) });
      else asked.push({ member, ...verdictOn(compareOutcomes(known, theirs.done), undefined) });
    }
    const here = await this.#verify(task, known, { isOthers, bars: true, bounds: {} }, signal);
    return { action: actionOf(task), source: row.source, isOthers, here, members: asked };
  }

  /** What is kept of the very inputs that are there now. */
  async #known(row: HistoryRow, signal: AbortSignal): Promise<{ readonly task: UnderstoodTask; readonly known: TaskHit }> {
    const { understand, results, history } = this.#parts;
    const question = questionOfTask(row);
    if (question === undefined)
      throw new CairnError("not-found", {
        why: `how ${row.source} was asked for is not remembered`,
        advice: "run it again with cairn exec",
      });
    const task = await understand(question, signal).catch((error: unknown) => {
      if (!(error instanceof CairnError)) throw error;
      throw unknown(row.source, String(error.facts.why ?? error.code), error);
    });
    const { keys } = task;
    const known = await results.find(keptAs(task, keys.sandboxed), signal);
    if (known !== undefined) return { task, known };
    if ((await results.find(keptAs(task, keys.bare), signal)) !== undefined)
      throw new CairnError("not-found", {
        why: `${row.source} was made without a sandbox, where the command may have read what nobody declared: that cannot be repeated`,
        advice: "cairn exec --sandbox always   makes it among its inputs alone",
      });
    const [first, ...more] = (await history.differences(task, signal)).map(changeOf);
    const kept = row.outcome === "not_stored" ? "what came of the last run was not kept" : "it is not kept any more";
    throw unknown(row.source, first === undefined ? kept : `${first}${more.length === 0 ? "" : `, and ${more.length} more`}`);
  }

  /**
   * @param doubt `bars`: whether what is not deterministic is not shared any more: in one domain nobody lies, and reports of tests that have times in
   * them are of use there; `bounds`: of each run
   */
  async #verify(
    task: UnderstoodTask,
    known: TaskHit,
    { isOthers, bars, bounds }: { readonly isOthers: boolean; readonly bars: boolean; readonly bounds: { readonly wallMs?: number } },
    signal: AbortSignal,
  ): Promise<TaskVerdict> {
    const { runs, unshared, sharing, statistics, log } = this.#parts;
    const facts = { action: actionOf(task) };
    const first = ended(known, await runs.here(task, bounds, signal));
    if (first.kind !== "ran") return this.#notExecuted(task, first, signal);
    const differences = compareOutcomes(known, first.done);
    if (isInPrintAlone(differences)) {
      statistics.count({ verified: 1 });
      log.event("debug", "verify.same", facts);
      sharing.checked(facts.action, true);
      const command = commandKey(task.question);
      const wasBarred = unshared.why(command) !== undefined;
      if (wasBarred) unshared.delete(command);
      // What was printed is signed as well: nobody is contradicted by another time.
      const isNews = differences.length === 0 && (isOthers || wasBarred);
      if (isNews && isOfUse(first) && (await this.#isSame(task, signal))) await this.#keep(task, first, signal);
      return verdictOn(differences, undefined);
    }
    const second = ended(known, await runs.here(task, bounds, signal));
    if (second.kind !== "ran") return this.#notExecuted(task, second, signal); // Nobody knows which of them is right.
    if (!(await this.#isSame(task, signal))) return this.#notExecuted(task, CHANGED, signal);
    const repeatable = isInPrintAlone(compareOutcomes(first.done, second.done));
    statistics.count({ [repeatable ? "verify_refuted" : "verify_unrepeatable"]: 1 });
    log.event("warn", repeatable ? "verify.refuted" : "verify.unrepeatable", { ...facts, first: nameOf(differences) });
    if (repeatable && isOthers) {
      sharing.checked(facts.action, false);
      await this.#recall(task, signal);
      if (isOfUse(first) && isWhole(task, first.done)) await this.#keep(task, first, signal);
    } else if (bars) await this.#bar(task, { known, isOthers, differences }, signal);
    return verdictOn(differences, repeatable);
  }

  #notExecuted(task: UnderstoodTask, stopped: TaskStopped, signal: AbortSignal): TaskVerdict {
    signal.throwIfAborted(); // Who was ended says nothing of what it was to execute.
    const { statistics, log } = this.#parts;
    const why = notExecuted(stopped);
    statistics.count({ verify_not_executed: 1 });
    log.event("info", "verify.not-executed", { action: actionOf(task), reason: why.reason, detail: why.detail });
    return why;
  }

  /** Whether programs, and what is installed, are still those that a run began with; inputs are looked at by whoever lays them out. */
  async #isSame({ question, keys }: UnderstoodTask, signal: AbortSignal): Promise<boolean> {
    const now = await this.#parts.understand(question, signal, true).catch(() => undefined);
    signal.throwIfAborted();
    return now?.keys.sandboxed === keys.sandboxed;
  }

  /** What others have executed is not used any more. */
  async #recall(task: UnderstoodTask, signal: AbortSignal): Promise<void> {
    const { index, history } = this.#parts;
    const action = actionOf(task);
    index.forget(action);
    if (!history.isAbout(task, action)) return;
    const detail = "run here as well, something else came of it: what it has written must be made again";
    await history.remember(task, { outcome: "recalled", key: task.keys.sandboxed, detail, differences: [], tookMs: 0 }, signal);
  }

  /** Not always the same comes of it: it is nothing for others, nor theirs for this machine. */
  async #bar(
    task: UnderstoodTask,
    {
      known,
      isOthers,
      differences,
    }: { readonly known: TaskHit; readonly isOthers: boolean; readonly differences: readonly OutcomeDifference[] },
    signal: AbortSignal,
  ): Promise<void> {
    const { unshared, results, index, log, now } = this.#parts;
    unshared.add(commandKey(task.question), nameOf(differences), now());
    if (isOthers) return this.#recall(task, signal);
    index.forget(actionOf(task)); // With its signatures, so that no member gets it; without them it is kept again.
    const endedAtMs = now();
    const run = { startedAtMs: endedAtMs - known.tookMs, endedAtMs, cpuMs: known.tookMs, tools: toolsDigest(task) };
    await results.keep(keyed(task, task.keys.sandboxed), known, run, false, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      log.event("warn", "verify.not-kept", { action: actionOf(task), error: reasonOf(error) });
    });
  }

  /** This machine says so, too, or says what came of it here. */
  async #keep(task: UnderstoodTask, { done, ...run }: TaskRan, signal: AbortSignal): Promise<void> {
    const { results, log } = this.#parts;
    try {
      const { isTold } = task.installed;
      await results.keep(keyed(task, task.keys.sandboxed), done, { ...run, tools: toolsDigest(task) }, isTold, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.event("warn", "verify.not-kept", { action: actionOf(task), error: reasonOf(error) });
    }
  }
}

/**
 * What a machine ran out of may have ended it: that says nothing of the command, unless the same was known of it. Nor does what came near a limit
 * here, however often the same comes of it.
 */
function ended(known: TaskHit, ran: TaskRan | TaskStopped): TaskRan | TaskStopped {
  if (ran.kind === "ran" && ran.isNearLimit) return { kind: "not-run", reason: "near_limit", detail: "" };
  if (ran.kind !== "ran" || isOfUse(ran) || ran.done.exitCode === known.exitCode) return ran;
  return { kind: "not-run", reason: "ended", detail: `exit code ${ran.done.exitCode}` };
}

function isOfUse({ done }: TaskRan): boolean {
  return done.exitCode < UNUSABLE;
}

/** From here on it could not be started, or a signal ended it, as shells say it. */
const UNUSABLE = 126;
const CHANGED = { kind: "not-run", reason: "files_changed", detail: "" } as const;

/** Whatever the project demands of others' results: it is looked at, and not used. */
function keptAs(task: UnderstoodTask, key: Digest): TaskKey {
  return { ...keyed(task, key), project: undefined };
}

function actionOf({ keys, inputs }: UnderstoodTask): Digest {
  return taskAction({ key: keys.sandboxed, inputs: inputs.digest });
}

function verdictOn(differences: readonly OutcomeDifference[], repeatable: boolean | undefined): TaskVerdict {
  return isInPrintAlone(differences) ? { kind: "same", differences } : { kind: "differs", repeatable, differences };
}

function notExecuted(stopped: TaskStopped): Extract<TaskVerdict, { kind: "not-executed" }> {
  if (stopped.kind === "killed") return { kind: "not-executed", reason: "killed", detail: stopped.limit };
  const { reason, detail } = stopped;
  return { kind: "not-executed", reason: reason === "input_missing" ? CHANGED.reason : reason, detail };
}

/** For people: the first that differs. */
function nameOf([first]: readonly OutcomeDifference[]): string {
  if (first === undefined) return "";
  const where = first.path === "" ? first.what.replace("-", " ") : first.path;
  return first.line === undefined ? where : `${where}, line ${first.line}`;
}

function changeOf({ kind, name }: Difference): string {
  switch (kind) {
    case "input":
      return `changed: ${name}`;
    case "appeared":
      return `new: ${name}`;
    case "missing":
      return `gone: ${name}`;
    default:
      return `another ${kind}: ${name}`;
  }
}

function unknown(source: string, why: string, cause?: unknown): CairnError {
  return new CairnError("not-found", { why: `no result of ${source} as its inputs are now is here: ${why}`, advice: RUN_IT }, cause);
}
