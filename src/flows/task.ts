/**
 * Tasks: a command with declared inputs and outputs is answered from what is known, or runs among its inputs alone, or in the checkout by who
 * asks; and what came of it is kept.
 *
 * Knows: the order of these steps. Does not know: how commands run, or how results travel.
 */
import { randomUUID } from "node:crypto";
import { CairnError, type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { CommandMarks, ExecutorLack, Files, HistoryRow, ResultIndex, Sharing, TaskPrograms } from "../contracts/index.ts";
import type { Difference } from "./differences.ts";
import { projectPolicy } from "./project-policy.ts";
import type { From } from "./remembered.ts";
import type { Statistics } from "./statistics.ts";
import { questionOfTask, TaskHistory } from "./task-history.ts";
import { gatherInputs, type Wanted } from "./task-inputs.ts";
import { demandRoom, missingOutputs, oddity, placeLeft, readLeft, type Whole } from "./task-outputs.ts";
import { demandPlaces, refuseUnknown } from "./task-places.ts";
import { bareEnvironment, type TaskQuestion, toolsDigest, type UnderstoodTask, understandTask } from "./task-question.ts";
import { keyed, type TaskDone, type TaskHit, TaskResults, type TaskResultsParts, type TaskRun } from "./task-results.ts";
import {
  type RanWhere,
  type Show,
  type TaskRan,
  TaskRuns,
  type TaskRunsOptions,
  type TaskRunsParts,
  type TaskStopped,
} from "./task-runs.ts";
import { type TaskVerified, TaskVerifying } from "./task-verifying.ts";

export interface TaskParts extends TaskResultsParts, TaskRunsParts {
  readonly index: TaskResultsParts["index"] & ConstructorParameters<typeof TaskHistory>[0]["index"] & Pick<ResultIndex, "forget">;
  readonly files: Files;
  readonly sharing: Sharing;
  readonly programs: TaskPrograms;
  readonly sandbox: TaskRunsParts["sandbox"] & {
    look(): Promise<{ readonly kind: "walled" } | { readonly kind: "unavailable"; readonly reason: ExecutorLack; readonly detail: string }>;
  };
  readonly unshared: CommandMarks;
  readonly statistics: Pick<Statistics, "count">;
  /** What people call a member. */
  readonly nameOf: (member: Key) => string;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

/** What is known of a task before anything runs. */
export interface TaskPlan {
  readonly kind: "plan";
  readonly key: Digest;
  readonly isHit: boolean;
  readonly where: Where;
  readonly inputs: number;
  readonly programs: readonly string[];
  readonly differences: readonly Difference[];
  readonly inTheWay: InTheWay | undefined;
}

/** Why the outputs could not be put where they belong. */
export interface InTheWay {
  readonly why: string;
  readonly advice: string;
  /** Otherwise it depends on what the command leaves. */
  readonly isCertain: boolean;
}

/** Where a command runs; `why` says why not in a sandbox, where one was not refused. */
export interface Where {
  readonly sandboxed: boolean;
  readonly why: string;
}

/** What came of it. */
export interface TaskAnswered extends Pick<TaskDone, "exitCode" | "stdout" | "stderr"> {
  readonly kind: "answered";
  readonly how: "hit" | "executed";
  readonly key: Digest;
  readonly where: Where;
  /** What the run took: of a hit, what it took once. */
  readonly tookMs: number;
  readonly from: From | undefined;
  /** Of what was executed: who did, "" for this machine; and why there, or why here. */
  readonly placed: { readonly member: string; readonly why: string } | undefined;
  readonly inputs: number;
  readonly left: readonly string[];
  /** Why it was not kept; "" where it was. */
  readonly notKept: string;
  /** What differed when it was executed before: it is kept for this machine alone; "" where nothing is known of that. */
  readonly unshared: string;
  /** Declared outputs that were not written, by a command that says that it went well. */
  readonly missing: readonly string[];
  readonly differences: readonly Difference[];
}

/** Who asks is to run it in the checkout, and tell. */
export interface TaskRunIt {
  readonly kind: "run";
  /** Of no other run, not even of another process of the daemon: reports come long after. */
  readonly job: string;
  readonly key: Digest;
  readonly environment: Readonly<Record<string, string>>;
  readonly where: Where;
  readonly inputs: number;
  readonly differences: readonly Difference[];
}

/** What came of a run in the checkout. */
export interface TaskReport {
  readonly job: string;
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** ms since the epoch */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export type TaskKept = Pick<TaskAnswered, "notKept" | "missing" | "left">;

/** A task of which nothing is known yet. */
interface Missed {
  readonly where: Where;
  readonly differences: readonly Difference[];
  readonly show: Show;
}

interface Job {
  readonly task: UnderstoodTask;
  readonly differences: readonly Difference[];
}

const { jobs: mostJobs, jobInputs: mostJobInputs } = limits.task;
/** From here on a signal ended it, or a shell says that one did; below are those of commands that could not be started. */
const SIGNALLED = 128;
const NOT_STARTED: ReadonlySet<number> = new Set([126, 127]);
const NS_PER_MS = 1_000_000n;

export class TaskFlow {
  readonly #parts: TaskParts;
  readonly #runs: TaskRuns;
  readonly #results: TaskResults;
  readonly #history: TaskHistory;
  readonly #verifying: TaskVerifying;
  readonly #jobs = new Map<string, Job>();
  /** Commands that somebody waits for. */
  #running = 0;
  /** By project: when the last of those is done that put something there. */
  readonly #placing = new Map<string, Promise<void>>();

  constructor(parts: TaskParts, options: TaskRunsOptions) {
    this.#parts = parts;
    this.#runs = new TaskRuns(parts, options);
    this.#results = new TaskResults(parts);
    this.#history = new TaskHistory(parts);
    this.#verifying = new TaskVerifying({
      ...parts,
      runs: this.#runs,
      results: this.#results,
      history: this.#history,
      understand: (question, signal, isFresh) => this.#understand(question, signal, isFresh),
    });
  }

  /** See {@link TaskVerifying.verify}. */
  verify(row: HistoryRow, members: readonly Key[], signal: AbortSignal): Promise<TaskVerified> {
    return this.#verifying.verify(row, members, signal);
  }

  /** See {@link TaskVerifying.next}. */
  verifyNext(signal: AbortSignal): Promise<boolean> {
    return this.#verifying.next(signal);
  }

  /** Whether nobody waits for a command in a sandbox. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** What differed when the command of a row was executed more than once: what comes of it stays here. */
  unsharedFor(row: HistoryRow): string | undefined {
    const question = questionOfTask(row);
    return question && this.#verifying.unsharedFor(question);
  }

  /** Looks without running or changing anything. @throws {CairnError} as ask */
  async plan(question: TaskQuestion, signal: AbortSignal): Promise<TaskPlan> {
    const task = await this.#understand(question, signal);
    const where = await this.#where(task);
    const hit = await this.#known(task, where, signal);
    return {
      kind: "plan",
      key: keyOf(task, where),
      isHit: hit !== undefined,
      where,
      inputs: task.inputs.files,
      programs: task.programs.map(({ path }) => path),
      differences: hit === undefined ? await this.#history.differences(task, signal) : [],
      inTheWay: await this.#inTheWay(task, where, hit),
    };
  }

  /** What the run would be refused with, or what is in its place and may be lost. */
  async #inTheWay(task: UnderstoodTask, { sandboxed }: Where, hit: TaskHit | undefined): Promise<InTheWay | undefined> {
    if (hit === undefined && !sandboxed) return undefined; // It writes there by itself.
    const placed = this.#history.placed(task);
    let isCertain = true;
    try {
      await (hit === undefined ? demandPlaces(task.question) : demandRoom(task.question, hit.left, placed));
      isCertain = false;
      if (hit === undefined && !task.question.force) await refuseUnknown(task.question, placed);
      return undefined;
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      const { path, system, why = `${path} cannot be written: ${system}`, advice = "" } = error.facts;
      return { why: String(why), advice: String(advice), isCertain };
    }
  }

  /**
   * Answers from what is known, or runs it in a sandbox, or tells who asks to run it.
   *
   * @param show called with what a command prints while it runs in a sandbox; the answer has all of it
   * @throws {CairnError} usage, limit-exceeded, home-unwritable; the signal's reason, and then nothing of it runs and nothing was placed
   */
  async ask(question: TaskQuestion, show: Show, signal: AbortSignal): Promise<TaskAnswered | TaskRunIt> {
    const task = await this.#understand(question, signal);
    const where = await this.#where(task);
    const hit = (await this.#known(task, where, signal)) ?? (await this.#asked(task, where, signal));
    if (hit !== undefined) return this.#answer(task, where, hit, signal);
    const differences = await this.#history.differences(task, signal);
    this.#count("miss");
    this.#parts.log.event("debug", "task.missed", {
      key: keyOf(task, where),
      first: differences[0]?.name ?? null,
      sandboxed: where.sandboxed,
    });
    if (where.sandboxed) await demandPlaces(task.question);
    if (where.sandboxed) return this.#execute(task, { where, differences, show }, signal);
    return this.#runIt(task, where, differences);
  }

  /** What came of a run in the checkout. @throws {CairnError} not-found: nobody was told to run that */
  async ran({ job: id, ...report }: TaskReport, signal: AbortSignal): Promise<TaskKept> {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new CairnError("not-found", { why: "nobody was told to run that" });
    this.#jobs.delete(id);
    const { task, differences } = job;
    const { question, keys } = task;
    const tookMs = report.endedAtMs - report.startedAtMs;
    const news = { key: keys.bare, differences, tookMs };
    let left: readonly Whole[];
    try {
      left = await readLeft(question, report.startedAtMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      const notKept = reasonOf(error);
      await this.#history.remember(task, { ...news, outcome: "not_stored", detail: notKept }, signal);
      return { notKept, missing: [], left: [] };
    }
    const done = { ...report, left };
    const changed = task.inputs.all.find((one) => one.kind === "file" && one.changedNs >= BigInt(report.startedAtMs) * NS_PER_MS);
    const notKept =
      changed === undefined ? await this.#keep(task, keys.bare, done, { ...report, cpuMs: tookMs }, false, signal) : whileRan(changed.path);
    await this.#history.remember(task, { ...news, ...outcomeOf(notKept), placed: pathsOf(left) }, signal);
    return { notKept, missing: missingOf(task, done), left: pathsOf(left) };
  }

  async #understand(question: TaskQuestion, signal: AbortSignal, isFresh = false): Promise<UnderstoodTask> {
    const { files, programs } = this.#parts;
    const { command, cwd, root, path } = question;
    const [name = ""] = command;
    const found = await programs.find(name, { cwd, root, path }, signal);
    if (found === undefined) throw new CairnError("usage", { why: `${name}: no such command, or what its first line names is none` });
    const inputs = await gatherInputs(files, wantedBy(question), signal);
    const project = projectPolicy(files, files, [root]).sharing;
    return understandTask(question, { inputs, programs: found, installed: await programs.installed(signal, isFresh), project });
  }

  async #where({ question: { sandbox, network } }: UnderstoodTask): Promise<Where> {
    if (network) return { sandboxed: false, why: "it may use the network" };
    if (sandbox === "never") return { sandboxed: false, why: "--sandbox never" };
    const look = await this.#parts.sandbox.look();
    if (look.kind === "walled") return { sandboxed: true, why: "" };
    const why = `this machine has no sandbox: ${look.detail}`;
    if (sandbox === "always") throw new CairnError("usage", { why, advice: "cairn doctor   tells what is missing" });
    return { sandboxed: false, why };
  }

  /** Also without a sandbox here: what came of it in one is as good. */
  async #known(task: UnderstoodTask, where: Where, signal: AbortSignal): Promise<TaskHit | undefined> {
    const { keys, question } = task;
    const wanted = question.network ? [keys.bare] : where.sandboxed ? [keys.sandboxed] : [keys.sandboxed, keys.bare];
    for (const key of wanted) {
      const hit = await this.#results.find(keyed(task, key), signal);
      if (hit !== undefined && (hit.exitCode === 0 || question.cacheFailures)) return hit;
    }
    return undefined;
  }

  async #asked(task: UnderstoodTask, { sandboxed }: Where, signal: AbortSignal): Promise<TaskHit | undefined> {
    const { keys, question, installed } = task;
    if (question.network || !installed.isTold || this.#verifying.unsharedFor(question) !== undefined) return undefined;
    const asked = await this.#results.ask(keyed(task, keys.sandboxed), sandboxed, signal);
    if (asked === undefined) return undefined;
    // It is kept, also where who asks now does not want it.
    if (asked.isSample) this.#verifying.took(task, asked.hit);
    return asked.hit.exitCode === 0 || question.cacheFailures ? asked.hit : undefined;
  }

  async #answer(task: UnderstoodTask, where: Where, hit: TaskHit, signal: AbortSignal): Promise<TaskAnswered> {
    await this.#place(task, hit.left, signal);
    this.#count("hit");
    const { key, from, tookMs } = hit;
    const outcome = from === undefined ? "direct" : "hit_peer";
    await this.#history.remember(task, { outcome, key, differences: [], tookMs, from, placed: pathsOf(hit.left) }, signal);
    this.#parts.log.event("info", "task.hit", { key, tookMs, peer: from?.member ?? null });
    return { ...hit, ...this.#about(task, key, where, hit), how: "hit", placed: undefined, notKept: "", differences: [] };
  }

  #about(task: UnderstoodTask, key: Digest, where: Where, done: TaskDone) {
    return {
      kind: "answered",
      key,
      where,
      inputs: task.inputs.files,
      left: pathsOf(done.left),
      missing: missingOf(task, done),
      unshared: this.#verifying.unsharedFor(task.question) ?? "",
    } as const;
  }

  #runIt(task: UnderstoodTask, where: Where, differences: readonly Difference[]): TaskRunIt {
    const job = randomUUID();
    this.#jobs.set(job, { task, differences });
    this.#forgetJobs();
    const environment = bareEnvironment(task.question);
    return { kind: "run", job, key: task.keys.bare, environment, where, inputs: task.inputs.files, differences };
  }

  /** Who asked and has not told for long has gone, most likely: it was stopped, or printed too much. */
  #forgetJobs(): void {
    let inputs = [...this.#jobs.values()].reduce((sum, { task }) => sum + task.inputs.all.length, 0);
    for (const [oldest, { task }] of this.#jobs) {
      if (this.#jobs.size <= mostJobs && inputs <= mostJobInputs) return;
      this.#jobs.delete(oldest);
      inputs -= task.inputs.all.length;
    }
  }

  async #execute(task: UnderstoodTask, { where, differences, show }: Missed, signal: AbortSignal): Promise<TaskAnswered> {
    const key = task.keys.sandboxed;
    const isUnshared = this.#verifying.unsharedFor(task.question) !== undefined;
    this.#running++;
    const known = { costMs: this.#history.tookMs(task), isUnshared };
    const ran = await this.#runs.placed(task, known, show, signal).finally(() => this.#running--);
    if (ran.kind !== "ran") throw troubleOf(ran);
    const { done, startedAtMs, endedAtMs, where: ranWhere } = ran;
    const { left, exitCode } = done;
    const odd = oddity(left, task.question.outputs);
    if (odd !== undefined) throw new CairnError("usage", { why: odd });
    // Before it is placed, which may be refused: who has made room gets it from what is kept.
    const notKept = await this.#keep(task, key, done, ran, task.installed.isTold && !isUnshared && !ran.isNearLimit, signal);
    await this.#place(task, left, signal);
    const tookMs = endedAtMs - startedAtMs;
    const told = { key, differences, tookMs, placed: pathsOf(left), by: ranWhere?.by, here: herePlace(ranWhere) };
    await this.#history.remember(task, { ...outcomeOf(notKept, ranWhere), ...told }, signal);
    const placed = this.#told(ranWhere);
    this.#parts.log.event("info", "task.executed", {
      key,
      exitCode,
      tookMs,
      kept: notKept === "",
      peer: ranWhere?.by?.member ?? null,
      why: placed.why,
    });
    return { ...done, ...this.#about(task, key, where, done), how: "executed", tookMs, from: undefined, placed, notKept, differences };
  }

  #told(where: RanWhere | undefined): NonNullable<TaskAnswered["placed"]> {
    this.#count(where?.by === undefined ? "here" : "elsewhere");
    if (where?.by === undefined) return { member: "", why: where?.why ?? "" };
    return { member: this.#parts.nameOf(where.by.member), why: where.by.why ?? "" };
  }

  /** One after the other: two runs of one command write beside the same places. @throws {CairnError} see placeLeft */
  async #place(task: UnderstoodTask, left: readonly Whole[], signal: AbortSignal): Promise<void> {
    const { root } = task.question;
    const place = (this.#placing.get(root) ?? Promise.resolve()).then(() =>
      placeLeft(task.question, left, this.#history.placed(task), signal),
    );
    const done = place.catch(() => undefined);
    this.#placing.set(root, done);
    await place.finally(() => {
      if (this.#placing.get(root) === done) this.#placing.delete(root);
    });
  }

  /** @returns why it was not kept; "" where it was */
  async #keep(
    task: UnderstoodTask,
    key: Digest,
    done: TaskDone,
    run: Pick<TaskRan, "startedAtMs" | "endedAtMs" | "cpuMs" | "where">,
    isShared: boolean,
    signal: AbortSignal,
  ): Promise<string> {
    const { exitCode } = done;
    if (exitCode >= SIGNALLED || NOT_STARTED.has(exitCode)) return `it ended with exit code ${exitCode}`;
    if (exitCode !== 0 && !task.question.cacheFailures) return `it failed with exit code ${exitCode} (--cache-failures keeps that, too)`;
    const [missing] = missingOf(task, done);
    if (missing !== undefined) return `it has not written the output ${missing}`;
    const odd = oddity(done.left, task.question.outputs);
    if (odd !== undefined) return odd;
    try {
      const { files } = this.#parts;
      const again = await gatherInputs(files, wantedBy(task.question), signal);
      if (again.digest !== task.inputs.digest) return whileRan(firstChanged(task, again.listing));
      const changed = await this.#changedTools(task, signal);
      if (changed !== undefined) return `${changed} changed while it ran`;
      const keeping = { ...run, tools: toolsDigest(task) };
      if (run.where?.by === undefined) await this.#results.keep(keyed(task, key), done, keeping, isShared, signal);
      else await this.#keepWork(task, done, keeping, run.where, signal);
      this.#count("put");
      return "";
    } catch (error) {
      signal.throwIfAborted();
      this.#parts.log.event("warn", "task.not-kept", { key, error: reasonOf(error) });
      return reasonOf(error);
    }
  }

  /** This node has not executed what a member made: others are offered it once that member has signed it. */
  async #keepWork(
    task: UnderstoodTask,
    done: TaskDone,
    run: TaskRun,
    { by: { member }, word, voucher }: Extract<RanWhere, { readonly by: object }>,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = keyed(task, task.keys.sandboxed);
    const made = await this.#results.keepWork(wanted, done, run, member, signal);
    if (made === undefined) return;
    if (word.isToVerify) this.#verifying.took(task, { from: undefined });
    voucher
      ?.then((signed) => signed && this.#results.vouched(wanted, member, made, run.tools, signed))
      .catch((error: unknown) => this.#parts.log.event("warn", "task.not-vouched", { key: wanted.key, error: reasonOf(error) }));
  }

  /** What else is in its key, and is not what it was. */
  async #changedTools({ question, programs: before, installed }: UnderstoodTask, signal: AbortSignal): Promise<string | undefined> {
    const { programs } = this.#parts;
    const { command, cwd, root, path } = question;
    const now = await programs.find(command[0] ?? "", { cwd, root, path }, signal);
    const changed = before.find((one, at) => now?.[at]?.path !== one.path || now[at].digest !== one.digest);
    if (changed !== undefined) return changed.path;
    return (await programs.installed(signal, true)).digest === installed.digest ? undefined : "what is installed";
  }

  #count(what: string): void {
    this.#parts.statistics.count({ [`door:exec:${what}`]: 1 });
  }
}

function wantedBy({ root, cwd, inputs: patterns, named, outputs }: TaskQuestion): Wanted {
  return { root, cwd, patterns, named, outputs };
}

function keyOf({ keys }: UnderstoodTask, { sandboxed }: Where): Digest {
  return sandboxed ? keys.sandboxed : keys.bare;
}

function pathsOf(left: readonly Whole[]): string[] {
  return left.map(({ path }) => path);
}

/** A command that failed need not have written anything. */
function missingOf({ question }: UnderstoodTask, { exitCode, left }: TaskDone): string[] {
  return exitCode === 0 ? missingOutputs(left, question.outputs) : [];
}

function outcomeOf(notKept: string, where?: RanWhere): { readonly outcome: string; readonly detail?: string } {
  if (notKept !== "") return { outcome: "not_stored", detail: notKept };
  return { outcome: where?.by === undefined ? "miss" : "ran_elsewhere" };
}

/** Why it ran here, where members might have run it, as explain has it. */
function herePlace(where: RanWhere | undefined): string | undefined {
  return where?.by === undefined ? where?.why.replaceAll("-", "_") : undefined;
}

function whileRan(path: string): string {
  return `the input ${path} changed while it ran`;
}

function firstChanged({ inputs }: UnderstoodTask, listing: string): string {
  const rows = (text: string): Map<string, string> => new Map(JSON.parse(text) as [string, string][]);
  const [before, after] = [rows(inputs.listing), rows(listing)];
  return [...new Set([...before.keys(), ...after.keys()])].find((path) => before.get(path) !== after.get(path)) ?? "";
}

/** Why a command did not come to an end of its own. */
function troubleOf(stopped: TaskStopped): CairnError {
  const advice = "--sandbox never   runs it in the project itself, without these bounds, and keeps what comes of it to this machine";
  if (stopped.kind === "killed") {
    const why = `the sandbox has ended it, which used more than it may have: ${LIMITS[stopped.limit]}`;
    return new CairnError("usage", { why, advice });
  }
  const { reason, detail } = stopped;
  switch (reason) {
    case "input_missing":
      return new CairnError("usage", { why: `the input ${detail} changed while it was read` });
    case "no_sandbox":
      return new CairnError("usage", { why: `the sandbox failed: ${detail}`, advice: "cairn doctor   tells what is missing" });
    default:
      return new CairnError("usage", { why: `it cannot be run in a sandbox: ${reason.replaceAll("_", " ")}, ${detail}`, advice });
  }
}

const LIMITS = {
  wall: "time",
  cpu: "time of processors",
  file_size: "one file",
  output: "outputs, or what it prints",
  files: "files",
  memory: "memory",
} as const;
