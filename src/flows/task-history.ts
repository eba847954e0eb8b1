/**
 * What `explain` is told of tasks, by each of their outputs; and what their earlier runs have put into the checkout.
 *
 * Knows: how a run is described. Does not know: when.
 */
import { posix } from "node:path";
import { type Digest, limits } from "../base/index.ts";
import type { HistoryRow, LocalStore, ResultIndex } from "../contracts/index.ts";
import { type Difference, describeDifferences, mostDifferences } from "./differences.ts";
import { type From, type Remembered, readRemembered, type Work } from "./remembered.ts";
import { compareListings } from "./task-inputs.ts";
import { type TaskQuestion, toolsDigest, type UnderstoodTask } from "./task-question.ts";
import { taskAction } from "./task-results.ts";

export interface TaskHistoryParts {
  readonly store: Pick<LocalStore, "has" | "read" | "write">;
  readonly index: Pick<ResultIndex, "history" | "remember">;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface TaskNews {
  /** As in HistoryRow. */
  readonly outcome: string;
  readonly key: Digest;
  readonly detail?: string;
  readonly differences: readonly Difference[];
  readonly tookMs: number;
  readonly from?: From | undefined;
  readonly by?: Work | undefined;
  readonly here?: string | undefined;
  /** Paths that lie in the checkout now because of this task; undefined: what is remembered stays true. */
  readonly placed?: readonly string[];
}

interface RememberedTask extends Remembered {
  /** Blob with the listing of the inputs. */
  readonly listing: Digest;
  readonly placed: readonly string[];
  /** By what it can be run once more; undefined where that is too long, and in rows of versions that did not remember it. */
  readonly task: AskedTask | undefined;
}

/** A question as JSON has it. */
interface AskedTask extends Omit<TaskQuestion, "environment"> {
  readonly environment: readonly (readonly [name: string, value: string])[];
}

/** Outputs by which a task can be asked about. */
const NAMES = 16;

export class TaskHistory {
  readonly #parts: TaskHistoryParts;

  constructor(parts: TaskHistoryParts) {
    this.#parts = parts;
  }

  /** How a task differs from its last run. None where nothing is known of one. */
  async differences(task: UnderstoodTask, signal: AbortSignal): Promise<readonly Difference[]> {
    const before = this.#before(task);
    if (before === undefined) return [];
    const found = [...describeDifferences(before, describe(task))];
    if (before.listing !== task.inputs.digest) {
      const read = await this.#parts.store.read(before.listing, signal);
      const listed = read.kind === "hit" ? compareListings(read.bytes.toString("utf8"), task.inputs.listing) : [];
      const kinds = { changed: "input", new: "appeared", gone: "missing" } as const;
      found.push(...listed.slice(0, mostDifferences).map(({ path, how }) => ({ kind: kinds[how], name: path })));
      if (listed.length === 0) found.push({ kind: "input", name: "the earlier inputs are not remembered any more" });
    }
    return found.slice(0, mostDifferences);
  }

  /** What earlier runs have put at the outputs. */
  placed(task: UnderstoodTask): ReadonlySet<string> {
    return new Set(namesOf(task).flatMap((name) => this.#row(name)?.placed ?? []));
  }

  /** What it took the last time, whatever its inputs were; ms. */
  tookMs(task: UnderstoodTask): number | undefined {
    return this.#before(task)?.compileMs || undefined;
  }

  /** Never throws for what the disk may do. */
  async remember(task: UnderstoodTask, news: TaskNews, signal: AbortSignal): Promise<void> {
    const { store, index, now } = this.#parts;
    const { inputs } = task;
    const { key, detail, differences, tookMs, from, by, here, outcome } = news;
    const placed = (news.placed ?? [...this.placed(task)]).slice(0, limits.task.placed);
    const body = {
      ...describe(task),
      manifest: key,
      action: taskAction({ key, inputs: inputs.digest }),
      detail,
      differences,
      inputs: inputs.files,
      outputs: task.question.outputs,
      compileMs: tookMs,
      from,
      by,
      here,
      asked: undefined,
      listing: inputs.digest,
      task: askedBy(task.question),
    };
    try {
      // Without it the next miss is explained less well.
      if (!(await store.has(inputs.digest))) await store.write(Buffer.from(inputs.listing), signal);
    } catch {
      signal.throwIfAborted();
    }
    const at = now();
    for (const [i, source] of namesOf(task).entries()) {
      const row: RememberedTask = { ...body, placed: placed.filter((path) => rowOf(task, path) === i) };
      index.remember({ source, request: key, at, outcome, body: JSON.stringify(row) });
    }
  }

  /** Whether the last that is remembered of it led to that action. */
  isAbout(task: UnderstoodTask, action: Digest): boolean {
    return this.#before(task)?.action === action;
  }

  #before(task: UnderstoodTask): RememberedTask | undefined {
    const [name = ""] = namesOf(task);
    return this.#row(name);
  }

  /** Rows of compiles may have the same name, and know less. */
  #row(name: string): RememberedTask | undefined {
    const row = this.#parts.index.history(name);
    const body = row === undefined ? undefined : (readRemembered(row) as Partial<RememberedTask> & Remembered);
    if (body?.listing === undefined || body.placed === undefined) return undefined;
    return { ...body, listing: body.listing, placed: body.placed, task: body.task };
  }
}

/** Whether a row is about a task, and not about a compile. */
export function isOfTask(row: HistoryRow): boolean {
  return "listing" in readRemembered(row);
}

/** The question that a row is about, to be asked once more. */
export function questionOfTask(row: HistoryRow): TaskQuestion | undefined {
  const { task } = readRemembered(row) as Partial<RememberedTask>;
  return task && { ...task, environment: new Map(task.environment) };
}

function askedBy({ environment, ...question }: TaskQuestion): AskedTask | undefined {
  const asked = { ...question, environment: [...environment] };
  return Buffer.byteLength(JSON.stringify(asked)) > limits.task.askedBytes ? undefined : asked;
}

/** By its outputs, the first of them; one without is known by what is run, and where. */
function namesOf({ question: { outputs, root, cwd, command } }: UnderstoodTask): string[] {
  return outputs.length === 0 ? [`${cwd}$ ${command.join(" ")}`] : outputs.slice(0, NAMES).map((output) => posix.join(root, output));
}

/** Which of the names has written down with it that a path was placed: its output's, or the first where that is not among them. */
function rowOf({ question: { outputs } }: UnderstoodTask, path: string): number {
  const at = outputs.findIndex((output) => path === output || path.startsWith(`${output}/`));
  return at < 0 || at >= NAMES ? 0 : at;
}

function describe(task: UnderstoodTask): Pick<Remembered, "compiler" | "toolchain" | "keyArgs" | "environment" | "cwd"> {
  const { command, cwd, environment, outputs } = task.question;
  const [program = "", ...words] = command;
  return {
    compiler: program,
    toolchain: toolsDigest(task),
    keyArgs: [...words, ...outputs.map((output) => `--out ${output}`)],
    environment: [...environment].map(([name, value]) => `${name}=${value}`).toSorted(),
    cwd,
  };
}
