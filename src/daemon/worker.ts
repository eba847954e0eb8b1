/**
 * Work for others on this machine: whose, how much, in which order, and what came of it.
 *
 * Knows: who is let in, and the steps of a job. Does not know: how jobs come here, or how a sandbox works.
 */
import { CairnError, type Digest, type Key, type Log, limits } from "../base/index.ts";
import type {
  ActionLimits,
  BringContents,
  Capacity,
  CompileAction,
  ExecutorAction,
  ExecutorLack,
  ExecutorOutcome,
  GeneralAction,
  Left,
  Usage,
  Voucher,
  WorkDesk,
  WorkerOutcome,
} from "../contracts/index.ts";
import type { SandboxExecutor } from "../exec/index.ts";
import type { CompilesForOthers, Looked, WitnessedTask } from "../flows/index.ts";
import { executorAction } from "./general-work.ts";
import type { MemberBounds } from "./member-bounds.ts";
import type { ForSigning, Vouchers } from "./vouchers.ts";
import type { Withheld, WorkShare } from "./work-share.ts";
import { type LeftOver, WorkSlots } from "./work-slots.ts";

export interface WorkerParts {
  readonly compiles: Pick<CompilesForOthers, "look" | "withdrawn">;
  readonly sandbox: Pick<SandboxExecutor, "look" | "stage" | "run">;
  readonly vouchers: Pick<Vouchers, "hasRoom" | "add" | "sign">;
  /** What may be signed of a command that has just run here; undefined: nothing. */
  readonly witness: (action: GeneralAction, done: Done, signal: AbortSignal) => Promise<WitnessedTask | undefined>;
  /** What this machine's owner allows. */
  readonly share: Pick<WorkShare, "slots" | "withheld">;
  /** And one member. */
  readonly bounds: Pick<MemberBounds, "reached" | "begin" | "isAlways">;
  /** Whether this node works for that member. */
  readonly admits: (member: Key) => boolean;
  /** Whether it runs general actions for that member. */
  readonly actsFor: (member: Key) => boolean;
  /** What general actions find here, by all that it is called by; none: none are run. */
  readonly systems: () => readonly Digest[];
  /** What a general action needs that is not here; undefined: it has all of it. */
  readonly lack: (action: GeneralAction, signal: AbortSignal, isFresh: boolean) => Promise<string | undefined>;
  readonly toolchains: () => readonly Digest[];
  /** What the processes of one job may hold in memory together. */
  readonly memoryBytes: number;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

type Outcome = Exclude<WorkerOutcome, { readonly kind: "lost" }>;
type Done = Extract<Outcome, { readonly kind: "done" }>;

/** What was done for others since the start. */
export interface WorkerCounts {
  accepted: number;
  done: number;
  refused: number;
  busy: number;
  killed: number;
  cancelled: number;
  /** Of contents that members sent, and of outputs that they got. */
  bytesIn: number;
  bytesOut: number;
  /** Time of processors. */
  cpuMs: number;
}

const { work } = limits;
const WITHHELD: Readonly<Record<Withheld, string>> = {
  off: "its owner shares nothing",
  battery: "it runs on its battery",
  hours: "not at this hour",
  "in-use": "its owner builds",
  "just-started": "it has just started",
};
const NOT_FOR = "not for this member";
const TOO_MANY_INPUTS: Outcome = { kind: "refused", reason: "too_much", detail: "inputs" };
/** What is too much where all that wait hold it together. */
const WAITING = "waiting";
/** What this machine lacks may have been installed meanwhile. */
const LACK_MS = 60_000;

export class Worker implements WorkDesk {
  readonly counts: WorkerCounts = {
    accepted: 0,
    done: 0,
    refused: 0,
    busy: 0,
    killed: 0,
    cancelled: 0,
    bytesIn: 0,
    bytesOut: 0,
    cpuMs: 0,
  };
  readonly #parts: WorkerParts;
  readonly #slots: WorkSlots;
  /** Of each member, and of all. */
  readonly #waitingOf = new Map<Key, Waiting>();
  readonly #waiting: Waiting = { jobs: 0, bytes: 0 };
  readonly #listeners: (() => void)[] = [];
  /** Why this machine cannot, and when that was found. */
  #lack: { readonly reason: ExecutorLack; readonly detail: string; readonly at: number } | undefined;
  #isAble = false;
  #looking: Promise<void> | undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const slots = (): number => parts.share.slots();
    this.#slots = new WorkSlots({ slots, bounds: parts.bounds, now: parts.now, changed: () => this.changed() });
  }

  get running(): number {
    return this.#slots.running;
  }

  /** Members whose jobs have a slot, with how many. */
  get runningFor(): Readonly<Record<Key, number>> {
    return Object.fromEntries(this.#slots.runningOf);
  }

  /** A slot that no job wants. */
  leftOver(from: Key): LeftOver | undefined {
    return this.#slots.takeLeftOver(from);
  }

  /** For people: undefined when it can, or when nobody has looked yet. */
  get lack(): { readonly reason: ExecutorLack; readonly detail: string } | undefined {
    return this.#lack;
  }

  /** See {@link OwnCapacity}. Without a sandbox it is nothing. */
  capacity(): Omit<Capacity, "member" | "takesToolchains" | "platform" | "targets"> {
    const slots = this.#isAble ? this.#parts.share.slots() : 0;
    const has = [...this.#parts.systems(), ...this.#parts.toolchains()];
    const free = slots - this.#slots.running - this.#slots.waiting;
    return { slots, free, queue: slots > 0 ? this.#slots.queue : 0, toolchains: slots > 0 ? has : [] };
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** What the owner allows, or what runs, is another than before. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Finds out whether this machine can. */
  async look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async compile(
    from: Key,
    action: CompileAction,
    bring: BringContents,
    signal: AbortSignal,
    waits?: (isWaiting: boolean) => void,
  ): Promise<Outcome> {
    const job = { from, toolchain: action.toolchain, source: action.source, bytesIn: 0, heldBytes: 0 };
    const look = (): Promise<Looked> => this.#parts.compiles.look(action, from, signal);
    const may = { admits: () => this.#parts.admits(from), most: work.most };
    const objectionBefore = async (looked: ExecutorAction): Promise<Outcome | undefined> => this.#parts.compiles.withdrawn(looked, from);
    const { request } = action;
    const asked = request && { ...action, request };
    return this.#attempt(job, action, { ...may, look, bring, waits, objectionBefore, asked }, signal);
  }

  async act(from: Key, action: GeneralAction, bring: BringContents, signal: AbortSignal): Promise<Outcome> {
    const job = {
      from,
      toolchain: action.system,
      source: (action.command?.name ?? action.arguments[0] ?? "").slice(0, work.detailCharacters),
      bytesIn: 0,
      heldBytes: 0,
    };
    const refused = async (isFresh: boolean): Promise<Outcome | undefined> => {
      const lack = await this.#parts.lack(action, signal, isFresh);
      return lack === undefined ? undefined : { kind: "refused", reason: "system_unknown", detail: lack.slice(0, work.detailCharacters) };
    };
    const look = async (): Promise<Looked | Outcome> => (await refused(false)) ?? { kind: "harmless", action: executorAction(action) };
    // Who sent a command takes what comes of it for what its own machine makes of it.
    const objectionAfter = action.command === undefined ? undefined : () => refused(true);
    const sign = action.command?.signed === true ? (ran: Ran) => this.#signCommand(job, action, ran, signal) : undefined;
    const admits = (): boolean => this.#parts.systems().length > 0 && this.#parts.actsFor(from);
    const may = { admits, most: work.mostGeneral, objectionBefore: () => refused(false), objectionAfter, sign };
    return this.#attempt(job, action, { ...may, look, bring }, signal);
  }

  async #attempt(job: Job, action: Wanted, terms: Terms, signal: AbortSignal): Promise<Outcome> {
    const startedAt = this.#parts.now();
    try {
      const outcome = await this.#work(job, action, terms, signal);
      this.#count(job, outcome, this.#parts.now() - startedAt);
      return outcome;
    } catch (error) {
      if (signal.aborted) {
        this.#cancelled(job, this.#parts.now() - startedAt);
        throw error;
      }
      this.#parts.log.event("warn", "work.failed", { peer: job.from, error: String(error) }); // A full disk.
      return { kind: "busy" };
    }
  }

  async #work(job: Job, action: Wanted, terms: Terms, signal: AbortSignal): Promise<Outcome> {
    const unwilling = await this.#objection(action, terms);
    if (unwilling !== undefined) return unwilling;
    const begunAt = this.#parts.now();
    using queue = new DisposableStack();
    const hold = this.#enter(job.from, queue);
    if (hold === undefined) return { kind: "busy" };
    const looked = await terms.look();
    if (looked.kind !== "harmless") return looked;
    this.counts.accepted++;
    this.#parts.log.event("debug", "work.accepted", { peer: job.from, toolchain: job.toolchain, inputs: action.inputs.length });
    await using held = new AsyncDisposableStack();
    using running = new DisposableStack();
    const brought = await this.#bring(job, action, { bring: terms.bring, hold, held }, signal);
    if (brought !== undefined) return brought;
    terms.waits?.(true);
    const slot = await this.#slots.take(job.from, signal).finally(() => terms.waits?.(false));
    if (slot === undefined) return { kind: "busy" };
    running.use(slot);
    queue.dispose();
    // What was allowed when it came may have been withdrawn while it waited.
    const withdrawn = terms.admits() ? await terms.objectionBefore(looked.action) : notShared(NOT_FOR);
    if (withdrawn !== undefined) return withdrawn;
    const queuedMs = this.#parts.now() - begunAt;
    const ran = { ...looked.action, heldBytes: Math.min(action.limits.memoryBytes, this.#parts.memoryBytes) };
    const startedAtMs = Date.now();
    const ended = await this.#parts.sandbox.run(ran, signal);
    const outcome = outcomeOf(ended, queuedMs);
    const endedAtMs = Math.max(startedAtMs, Date.now()); // Clocks are set.
    if (outcome.kind !== "done" || outcome.exitCode !== 0) return outcome; // Nobody takes that for its own.
    const spoilt = await terms.objectionAfter?.();
    if (spoilt !== undefined) return spoilt;
    const { vouchers } = this.#parts;
    if (terms.sign === undefined && terms.asked === undefined) return outcome;
    if (ended.kind === "done" && ended.near !== undefined) {
      // With other limits it might have made something else: nobody is told that this is what comes of it.
      this.#parts.log.event("info", "work.near-limit", { peer: job.from, source: job.source, limit: ended.near });
      return { ...outcome, voucher: Promise.resolve(undefined) };
    }
    if (terms.sign !== undefined) return { ...outcome, voucher: terms.sign({ done: outcome, startedAtMs, endedAtMs }) };
    if (terms.asked === undefined) return outcome;
    const made = { from: job.from, asked: terms.asked, action: ran, done: outcome, startedAtMs, endedAtMs, inputBytes: job.heldBytes };
    // Whoever asked waits for one, and is told at once that none comes.
    if (!vouchers.hasRoom(made)) return { ...outcome, voucher: Promise.resolve(undefined) };
    running.dispose();
    return { ...outcome, voucher: vouchers.add(made, held.move()) };
  }

  /** Never rejects. */
  #signCommand({ from, source }: Job, action: GeneralAction, ran: Ran, signal: AbortSignal): Promise<Voucher | undefined> {
    const { witness, vouchers } = this.#parts;
    const { done, startedAtMs, endedAtMs } = ran;
    return vouchers.sign({ from, source, done }, async () => {
      const seen = await witness(action, done, signal);
      if (seen === undefined) return undefined;
      const { toolchain, ...made } = seen;
      return { ...made, execution: { toolchain, startedAtMs, endedAtMs } };
    });
  }

  /** Why it is not done, whatever else comes. */
  async #objection({ limits: wanted }: Wanted, { admits, most }: Terms): Promise<Outcome | undefined> {
    const withheld = this.#parts.share.withheld();
    if (withheld !== undefined) return notShared(WITHHELD[withheld]);
    if (!admits()) return notShared(NOT_FOR);
    if (!this.#isAble) await this.look();
    if (!this.#isAble) return notShared("it has no sandbox");
    const tooMuch = (Object.keys(most) as (keyof ActionLimits)[]).find((name) => wanted[name] > most[name]);
    return tooMuch === undefined ? undefined : { kind: "refused", reason: "too_much", detail: tooMuch };
  }

  /** Takes a place among those that wait. @returns counts what is held in it, and throws where that is too much of all that wait; undefined: there is none */
  #enter(from: Key, queue: DisposableStack): Hold | undefined {
    const all = this.#waiting;
    const mine = this.#waitingOf.get(from) ?? { jobs: 0, bytes: 0 };
    if (!this.#slots.hasRoom(from, mine.jobs) || mine.jobs >= work.waitingPerMember || all.jobs >= work.waiting) return undefined;
    let held = 0;
    const count = (jobs: number, bytes: number): void => {
      held += bytes;
      for (const one of [mine, all]) {
        one.jobs += jobs;
        one.bytes += bytes;
      }
    };
    count(1, 0);
    this.#waitingOf.set(from, mine);
    queue.defer(() => {
      count(-1, -held);
      if (mine.jobs === 0) this.#waitingOf.delete(from);
    });
    return (bytes) => {
      count(0, bytes);
      if (mine.bytes > work.waitingBytesPerMember || all.bytes > work.waitingBytes)
        throw new CairnError("limit-exceeded", { what: WAITING });
    };
  }

  /** @returns undefined when all contents are here, and held */
  async #bring(
    job: Job,
    action: Wanted,
    { bring, hold, held }: { readonly bring: BringContents; readonly hold: Hold; readonly held: AsyncDisposableStack },
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    const digests = action.inputs.map(({ digest }) => digest);
    const stage = await this.#parts.sandbox.stage(digests, signal);
    if ("kind" in stage) return notShared(stage.detail);
    held.use(stage);
    if (stage.bytes > work.inputBytes) return TOO_MANY_INPUTS;
    const { missing } = stage;
    try {
      hold(stage.bytes);
      const take = (digest: Digest, bytes: Uint8Array): void => {
        job.bytesIn += bytes.length;
        hold(bytes.length);
        stage.put(digest, bytes);
      };
      const [absent] = missing.length > 0 ? await bring(missing, take, signal) : [];
      if (absent !== undefined) return { kind: "refused", reason: "input_missing", detail: absent };
    } catch (error) {
      if (!(error instanceof CairnError) || error.code !== "limit-exceeded") throw error;
      // Not the job's own inputs, but those of all: later there may be room.
      const isOfAll = error.facts.what === "assembling" || error.facts.what === WAITING;
      return isOfAll ? { kind: "busy" } : TOO_MANY_INPUTS;
    }
    job.heldBytes = stage.bytes;
    return stage.bytes > work.inputBytes ? TOO_MANY_INPUTS : undefined;
  }

  async #look(): Promise<void> {
    const { sandbox, now, log } = this.#parts;
    if (this.#isAble || (this.#lack !== undefined && now() - this.#lack.at < LACK_MS)) return;
    const found = await sandbox.look();
    if (found.kind === "walled") {
      this.#lack = undefined;
      this.#isAble = true;
    } else {
      if (this.#lack === undefined) log.event("warn", "work.unable", { reason: found.reason, detail: found.detail });
      this.#lack = { reason: found.reason, detail: found.detail, at: now() };
    }
    this.changed();
  }

  #count({ from, toolchain, source, bytesIn }: Job, outcome: Outcome, tookMs: number): void {
    const { counts } = this;
    const { log } = this.#parts;
    counts[outcome.kind]++;
    counts.bytesIn += bytesIn;
    const facts = { peer: from, toolchain, source, tookMs: Math.round(tookMs), bytesIn };
    switch (outcome.kind) {
      case "done": {
        const bytesOut = [...outcome.outputs, ...filesOf(outcome.left)].reduce((sum, { content }) => sum + content.length, 0);
        counts.bytesOut += bytesOut;
        counts.cpuMs += outcome.used.cpuMs ?? 0;
        const { exitCode, queuedMs } = outcome;
        return log.event("info", "work.ended", { ...facts, exitCode, bytesOut, queuedMs: Math.round(queuedMs), ...usageOf(outcome.used) });
      }
      case "killed":
        return log.event("info", "work.ended", { ...facts, killedBy: outcome.limit });
      case "refused":
        return log.event("info", "work.refused", { ...facts, why: outcome.reason, detail: outcome.detail.slice(0, work.detailCharacters) });
      case "busy":
        return log.event("debug", "work.refused", { ...facts, why: "busy" });
    }
  }

  #cancelled({ from, toolchain, source, bytesIn }: Job, tookMs: number): void {
    this.counts.cancelled++;
    this.counts.bytesIn += bytesIn;
    this.#parts.log.event("info", "work.cancelled", { peer: from, toolchain, source, tookMs: Math.round(tookMs), bytesIn });
  }
}

/** Jobs that do not run yet, and what is held of their inputs. */
interface Waiting {
  jobs: number;
  bytes: number;
}

/** @throws {CairnError} limit-exceeded */
type Hold = (bytes: number) => void;

interface Job {
  readonly from: Key;
  /** Or what is installed here. */
  readonly toolchain: Digest;
  /** Or the program. */
  readonly source: string;
  bytesIn: number;
  /** Of all inputs, once they are here. */
  heldBytes: number;
}

/** What compiles and general actions have in common. */
type Wanted = Pick<CompileAction | GeneralAction, "inputs" | "limits">;

/** What came of a job, and when. */
interface Ran {
  readonly done: Done;
  /** ms since the epoch */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** How one kind of work is done for one member. */
interface Terms {
  /** Whether such work is done for that member now. */
  readonly admits: () => boolean;
  readonly most: ActionLimits;
  readonly look: () => Promise<Looked | Outcome>;
  readonly bring: BringContents;
  /** Told when it waits for a slot, and when it does no longer. */
  readonly waits?: ((isWaiting: boolean) => void) | undefined;
  /** What has been withdrawn since it was looked at. */
  readonly objectionBefore: (looked: ExecutorAction) => Promise<Outcome | undefined>;
  /** What was other than it had to be while it ran, where that is looked at. */
  readonly objectionAfter?: (() => Promise<Outcome | undefined>) | undefined;
  /** Set where what came of it is signed as soon as it has ended. */
  readonly sign?: ((ran: Ran) => Promise<Voucher | undefined>) | undefined;
  /** Set where a signature is wanted. */
  readonly asked?: ForSigning["asked"] | undefined;
}

function notShared(detail: string): Outcome {
  return { kind: "refused", reason: "not_shared", detail };
}

function filesOf(left: readonly Left[] = []): Extract<Left, { kind: "file" }>[] {
  return left.filter((one) => one.kind === "file");
}

function usageOf({ cpuMs, residentBytes }: Usage): { cpuMs: number | null; residentBytes: number | null } {
  return { cpuMs: cpuMs ?? null, residentBytes: residentBytes ?? null };
}

function outcomeOf(outcome: ExecutorOutcome, queuedMs: number): Outcome {
  switch (outcome.kind) {
    case "done": {
      const { exitCode, stdout, stderr, outputs, left, used } = outcome;
      const done = { kind: "done", exitCode, stdout, stderr, outputs, used, queuedMs } as const;
      return left === undefined ? done : { ...done, left: [...new Map(left.map((one) => [one.path, one])).values()] };
    }
    case "refused":
      return outcome;
    case "killed":
      return { kind: "killed", limit: outcome.limit };
    case "unavailable":
      return notShared(outcome.detail);
  }
}
