/**
 * Results of tasks: kept as what was executed is kept, found again, and asked of other members.
 *
 * Knows: which blobs a result consists of, who is believed for it. Does not know: how a command runs.
 */
import { isDeepStrictEqual } from "node:util";
import { CairnError, type Digest, digestOf, type Key, type Log, limits, type SharingPolicy } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type {
  LocalStore,
  ManifestEntry,
  Offer,
  ResultIndex,
  ResultOutput,
  Sharing,
  StoredResult,
  TaskCodec,
  TaskLeft,
  TaskOutcome,
  Voucher,
} from "../contracts/index.ts";
import { isOfItsAction } from "./others.ts";
import type { From } from "./remembered.ts";
import { oddity, type Whole } from "./task-outputs.ts";
import type { UnderstoodTask } from "./task-question.ts";

export interface TaskResultsParts {
  readonly store: Pick<LocalStore, "has" | "read" | "write" | "writeVerified">;
  readonly index: Pick<ResultIndex, "entries" | "result" | "originOf" | "touch" | "add">;
  readonly sharing: Sharing;
  readonly codec: () => Promise<TaskCodec>;
  readonly log: Log;
}

/** By what a result is found. */
export interface TaskKey {
  readonly key: Digest;
  /** Of the inputs, whose content is in the key, too. */
  readonly inputs: Digest;
  /** As they were declared. */
  readonly outputs: readonly string[];
  /** What the project demands of others' results. */
  readonly project?: SharingPolicy | undefined;
}

/** What came of a task, whole. */
export interface TaskDone {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly left: readonly Whole[];
}

export interface TaskHit extends TaskDone {
  /** By which it was found. */
  readonly key: Digest;
  /** What the run took, ms. */
  readonly tookMs: number;
  /** Whose work it is; undefined: this machine's, or what a member's was when it was kept. */
  readonly from: From | undefined;
}

/** A result with what leads to it. */
export interface MadeTask {
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
}

/** When, with what and for how long something ran. */
export interface TaskRun {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly cpuMs: number;
  readonly tools: Digest;
}

/** What the outcome is called among the outputs of a result; no declared output is. */
const OUTCOME = "\0P";
const { apart: mostApart, apartBytes, leftBytes, outcomeBytes, sampledMs } = limits.task;

export class TaskResults {
  readonly #parts: TaskResultsParts;

  constructor(parts: TaskResultsParts) {
    this.#parts = parts;
  }

  /** What is kept here. */
  async find(wanted: TaskKey, signal: AbortSignal): Promise<TaskHit | undefined> {
    const { index, sharing } = this.#parts;
    const entry = entryOf(wanted);
    if (!index.entries(wanted.key).some(({ action }) => action === entry.action)) return undefined;
    if (!sharing.mayUse(wanted.key, entry, wanted.project)) return undefined;
    const result = index.result(entry.action);
    const done = result === undefined ? undefined : await this.#done(wanted, result, signal);
    if (done === undefined || result === undefined) return undefined;
    index.touch(wanted.key, entry.action);
    return { ...done, key: wanted.key, tookMs: result.compileMs, from: undefined };
  }

  /**
   * What members have, as far as this one believes them; it is kept, and members that ask get it from here.
   *
   * @param maySample whether what was drawn to be executed here, too, may be used before
   */
  async ask(
    wanted: TaskKey,
    maySample: boolean,
    signal: AbortSignal,
  ): Promise<{ readonly hit: TaskHit; readonly isSample: boolean } | undefined> {
    const { sharing, log } = this.#parts;
    const beganAt = performance.now();
    for (const offer of await sharing.find(wanted.key, wanted.project, signal)) {
      if (!isFor(wanted, offer, maySample)) continue;
      const { complete, bytes } = await sharing.bring(offer, signal);
      const { result, execution } = offer.shared;
      const done = complete ? await this.#done(wanted, result, signal) : undefined;
      if (done === undefined || !sharing.keep(offer)) continue;
      const tookMs = Math.round(performance.now() - beganAt);
      const from = { signer: execution.signer, member: offer.from[0] ?? "", bytes, tookMs, tier: offer.tier, domains: offer.domains };
      log.event("debug", "task.brought", { key: wanted.key, bytes, tookMs });
      return { hit: { ...done, key: wanted.key, tookMs: result.compileMs, from }, isSample: offer.isToVerify };
    }
    return undefined;
  }

  /**
   * Keeps what was executed here.
   *
   * @param isShared whether members may have it
   * @throws {CairnError} home-unwritable, index-corrupt, limit-exceeded; nothing leads to it then
   */
  async keep(wanted: TaskKey, done: TaskDone, run: TaskRun, isShared: boolean, signal: AbortSignal): Promise<void> {
    const { index, sharing } = this.#parts;
    const { entry, result } = await this.#write(wanted, done, run, signal);
    index.add(wanted.key, entry, result, new Map(), "here");
    const { tools: toolchain, startedAtMs, endedAtMs } = run;
    if (isShared) sharing.executed(wanted.key, entry, result, { toolchain, startedAtMs, endedAtMs });
  }

  /**
   * Keeps what a member has executed for this node; it rests on that member's word.
   *
   * @returns undefined where this node has executed the same meanwhile, which it keeps
   * @throws {CairnError} as keep
   */
  async keepWork(wanted: TaskKey, done: TaskDone, run: TaskRun, member: Key, signal: AbortSignal): Promise<MadeTask | undefined> {
    const { index, sharing } = this.#parts;
    const made = await this.#write(wanted, done, run, signal);
    const { action } = made.entry;
    if (index.result(action) !== undefined && index.originOf(action) === "here") return undefined;
    if (!sharing.restsOn(action, member)) throw new CairnError("home-unwritable", { why: "whose work it is could not be written" });
    index.add(wanted.key, made.entry, made.result, new Map());
    return made;
  }

  /** The member has signed it; others are offered it then. */
  vouched({ key: manifest }: TaskKey, member: Key, made: MadeTask, tools: Digest, voucher: Voucher): void {
    const { index, sharing } = this.#parts;
    // It may have been forgotten meanwhile, or another may have taken its place.
    if (isDeepStrictEqual(index.result(made.entry.action)?.outputs, made.result.outputs))
      sharing.vouched(member, { manifest, ...made }, tools, voucher);
  }

  async #write(wanted: TaskKey, done: TaskDone, run: TaskRun, signal: AbortSignal): Promise<MadeTask> {
    const { store, codec } = this.#parts;
    const { blobs, ...made } = resultOf(await codec(), wanted, done, run);
    for (const [digest, bytes] of blobs) await store.writeVerified(digest, bytes, signal);
    return made;
  }

  /** Undefined where some of it cannot be had, or is not what a result of this task may be. */
  async #done(wanted: TaskKey, result: StoredResult, signal: AbortSignal): Promise<TaskDone | undefined> {
    const { store, codec, log } = this.#parts;
    const [outcome] = result.outputs;
    const read = outcome === undefined ? undefined : await store.read(outcome.digest, signal);
    if (outcome?.role !== "outcome" || read?.kind !== "hit") return undefined;
    const { decodeTaskOutcome } = await codec();
    try {
      const told = decodeTaskOutcome(read.bytes);
      const odd = oddity(told.left, wanted.outputs);
      const left = odd === undefined ? await this.#whole(told, result, signal) : undefined;
      if (odd !== undefined) log.event("warn", "task.odd", { key: wanted.key, why: odd });
      if (left === undefined) return undefined;
      const printed = (inResult: string, apart: Uint8Array): Uint8Array => (inResult === "" ? apart : Buffer.from(inResult, "base64"));
      return {
        exitCode: told.exitCode,
        left,
        stdout: printed(result.stdout, told.stdout),
        stderr: printed(result.stderr, told.stderr),
      };
    } catch (error) {
      signal.throwIfAborted();
      log.event("warn", "task.odd", { key: wanted.key, why: String(error) });
      return undefined;
    }
  }

  async #whole({ left }: TaskOutcome, result: StoredResult, signal: AbortSignal): Promise<Whole[] | undefined> {
    const blobs = new Set(result.outputs.map(({ digest }) => digest));
    const whole: Whole[] = [];
    let bytes = 0;
    for (const one of left) {
      if (one.kind === "file") bytes += one.content.length;
      if (one.kind === "apart") bytes += one.size;
      // Thousands of files may name one blob.
      if (bytes > leftBytes) return undefined;
      if (one.kind !== "apart") {
        whole.push(one);
        continue;
      }
      // What the result does not name was neither brought nor is it kept with it.
      const read = blobs.has(one.digest) ? await this.#parts.store.read(one.digest, signal) : undefined;
      if (read?.kind !== "hit" || read.bytes.length !== one.size) return undefined;
      whole.push({ kind: "file", path: one.path, executable: one.executable, content: read.bytes });
    }
    return whole;
  }
}

/**
 * What came of a task as a result that can be kept and signed, and its blobs; for all who have executed the same it is the same but for what it took.
 */
export function resultOf(
  codec: TaskCodec,
  wanted: TaskKey,
  done: TaskDone,
  run: Pick<TaskRun, "startedAtMs" | "endedAtMs" | "cpuMs">,
): MadeTask & { readonly blobs: ReadonlyMap<Digest, Uint8Array> } {
  const blobs = new Map<Digest, Uint8Array>();
  const output = (path: string, bytes: Uint8Array, role: ResultOutput["role"]): ResultOutput => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { path, digest, size: bytes.length, role, template: false };
  };
  const apart = new Map(
    chooseApart(done.left, wanted.outputs).map(({ path, content }) => [path, output(`\0P/${path}`, content, "object")]),
  );
  const left = done.left.map((one): TaskLeft => {
    const blob = apart.get(one.path);
    if (one.kind !== "file" || blob === undefined) return one;
    return { kind: "apart", path: one.path, executable: one.executable, digest: blob.digest, size: one.content.length };
  });
  const isShort = [done.stdout, done.stderr].every(({ length }) => length <= limits.sharedPrintedBytes);
  const nothing = new Uint8Array();
  const printed = (bytes: Uint8Array): { inResult: string; apart: Uint8Array } =>
    isShort ? { inResult: Buffer.from(bytes).toString("base64"), apart: nothing } : { inResult: "", apart: bytes };
  const [stdout, stderr] = [printed(done.stdout), printed(done.stderr)];
  const outcome = codec.encodeTaskOutcome({ exitCode: done.exitCode, left, stdout: stdout.apart, stderr: stderr.apart });
  const result: StoredResult = {
    outputs: [output(OUTCOME, outcome, "outcome"), ...apart.values()],
    stdout: stdout.inResult,
    stderr: stderr.inResult,
    compileMs: run.endedAtMs - run.startedAtMs,
    cpuMs: run.cpuMs,
  };
  return { entry: entryOf(wanted), result, blobs };
}

/** By what a result of a task is found. */
export function keyed({ inputs, question, project }: UnderstoodTask, key: Digest): TaskKey {
  return { key, inputs: inputs.digest, outputs: question.outputs, project };
}

/** By what a result is kept, pinned and asked about. */
export function taskAction(wanted: Pick<TaskKey, "key" | "inputs">): Digest {
  return entryOf(wanted).action;
}

function entryOf({ key, inputs: digest }: Pick<TaskKey, "key" | "inputs">): ManifestEntry {
  const inputs = [{ path: "\0P", digest }];
  return {
    action: actionKey(key, undefined, undefined, inputs),
    place: undefined,
    presumed: false,
    terminal: undefined,
    inputs,
    absent: [],
  };
}

/**
 * Whether a member's result may be used for a task. What one domain alone vouches for would have to be executed here as well, soon: that is done at
 * once. So is a sample of the others where nobody could do it later.
 */
function isFor(wanted: TaskKey, { shared, tier, isToVerify }: Offer, maySample: boolean): boolean {
  if (tier === "speculative" || (isToVerify && !(maySample && shared.result.compileMs <= sampledMs))) return false;
  const bytes = shared.result.outputs.reduce((sum, { size }) => sum + size, 0);
  if (bytes > outcomeBytes + leftBytes) return false; // No task leaves as much; it would all be fetched.
  return shared.manifest === wanted.key && isOfItsAction(shared) && shared.entry.action === entryOf(wanted).action;
}

/** Files that are blobs of their own: those that were declared, and then the largest; so that equal ones are kept once, and can be looked for. */
function chooseApart(left: readonly Whole[], outputs: readonly string[]): Extract<Whole, { readonly kind: "file" }>[] {
  const files = left.filter((one) => one.kind === "file");
  const isDeclared = new Set(outputs);
  const rank = ({ path }: Whole): number => (isDeclared.has(path) ? 0 : 1);
  const worth = files.filter((one) => one.content.length > 0 && (isDeclared.has(one.path) || one.content.length >= apartBytes));
  return worth.toSorted((a, b) => rank(a) - rank(b) || b.content.length - a.content.length).slice(0, mostApart);
}
