/**
 * General actions of this machine's own build tools, and commands of whoever sits at it: on an idle core here, or else with a member, or here as soon
 * as a core is free. Whatever goes wrong elsewhere, and whatever fails there, is done here.
 *
 * Knows: the order of things. Does not know: what an action is for, how members are chosen or reached, who keeps a result.
 */
import { type Digest, Generations, type Key, type Log, limits } from "../base/index.ts";
import type {
  ActionRunner,
  BlobRead,
  Executor,
  ExecutorAction,
  ExecutorOutcome,
  GeneralAction,
  Placed,
  PlacedOutcome,
  Unit,
  Voucher,
  WorkerOutcome,
} from "../contracts/index.ts";
import { Dispatch, overdueMs, type Turn } from "./dispatch.ts";
import { membersAction, unitOf } from "./general-unit.ts";
import type { Work } from "./remembered.ts";
import type { Helpers } from "./remote.ts";

export interface ActionsParts {
  /** Where actions run on this machine. */
  readonly executor: Executor;
  readonly helpers: () => Helpers | undefined;
  /** What members must have installed to be asked; undefined: nobody is. */
  readonly system: () => Digest | undefined;
  /** Inputs are read from here. */
  readonly store: { read(digest: Digest, signal?: AbortSignal): Promise<BlobRead> };
  readonly log: Log;
}

export interface ActionsOptions {
  /** Actions that run here at once. */
  readonly cores: number;
}

export type Done = Extract<WorkerOutcome, { readonly kind: "done" }>;
type There = Extract<Placed, { readonly kind: "member" }>;

/** An action as members are asked for it, and as placement weighs it. */
export interface Sent {
  readonly asked: GeneralAction;
  readonly unit: Unit;
}

/** A command that somebody waits for at a command line. */
export interface CommandOrder {
  readonly action: ExecutorAction;
  /** Or why it is nothing for members. */
  readonly sent: Sent | StaysWhy;
  /** Called when it runs here. */
  readonly began: () => void;
  /** Whether what a member made of it, with exit code 0, is of use. */
  readonly accepts: (member: Key, done: Done) => Acceptance;
}

/** `useless`: it would not be from anybody; `not-believed`: from that member, now. */
export type Acceptance = "taken" | "useless" | "not-believed";

/** Why a command is not offered to members. */
export type StaysWhy =
  | "asked" // Who asks wants it here.
  | "alone" // There is no network.
  | "unshared" // Not always the same came of it.
  | "policy" // More domains must vouch for it than this machine and another one.
  | "project-policy" // Its project demands that.
  | "system-unknown" // Nobody can tell whether another machine has the same installed.
  | "too-large"; // More than travels.

/** Why something ran here. */
export type RanHereWhy =
  | StaysWhy
  | NonNullable<Placed["why"]>
  | "late" // A member that had it took too long.
  | "failed-there" // Nothing of use came from who had it.
  | "failed-before";

/** What came of it, and where. */
export type Ran = { readonly outcome: ExecutorOutcome } & (
  | { readonly by: undefined; readonly why: RanHereWhy }
  | { readonly by: Work; readonly voucher: Promise<Voucher | undefined> | undefined }
);

/** How actions of tools and commands of people differ. */
interface Manner {
  /** While all cores and all members are busy, one waits for so long, and not at all while members have nothing of this machine; undefined: as long as that lasts. */
  readonly patienceMs: number | undefined;
  /** What one takes of which nothing is known. */
  readonly unknownMs: number;
  /** As placement is told what one costs of which nothing is known; undefined: what others of its kind did. */
  readonly guessMs: number | undefined;
}

/** One action on its way. */
interface Order {
  readonly action: ExecutorAction;
  /** Undefined where it is nothing for others; asked only once somebody might be. */
  readonly sent: () => Sent | undefined;
  /** Called when it runs somewhere. */
  readonly began: () => void;
  readonly accepts: CommandOrder["accepts"];
  readonly manner: Manner;
  readonly signal: AbortSignal;
}

const {
  members: mostMembers,
  refusals: mostRefusals,
  waitMs,
  weighAgainMs,
  failuresRemembered,
  unknownMs,
  commandWaitMs,
  commandMs,
} = limits.remote;

const TOOLS: Manner = { patienceMs: undefined, unknownMs, guessMs: undefined };
/** What one costs says nothing of the next, whatever program both begin with. */
const COMMANDS: Manner = { patienceMs: commandWaitMs, unknownMs: commandMs, guessMs: commandMs };

export class Actions implements ActionRunner, Disposable {
  readonly #parts: ActionsParts;
  readonly #dispatch: Dispatch;
  /** What came back as nothing of use, by what it is: it is done here the next time. */
  readonly #failures = new Generations<Digest, true>(failuresRemembered);
  readonly #cores: number;
  #running = 0;
  /** Actions that wait for a core or a member. */
  #waiting = 0;

  constructor(parts: ActionsParts, options: ActionsOptions) {
    this.#parts = parts;
    this.#cores = options.cores;
    this.#dispatch = new Dispatch({ running: () => this.#running, now: () => performance.now() }, options);
  }

  /** Actions that run on this machine. */
  get running(): number {
    return this.#running;
  }

  [Symbol.dispose](): void {
    this.#dispatch[Symbol.dispose]();
  }

  /** See {@link ActionRunner}. */
  async run(action: ExecutorAction, signal: AbortSignal, told: () => void): Promise<ExecutorOutcome> {
    let sent: Sent | undefined;
    const asked = (): Sent | undefined => (sent ??= this.#sent(action));
    const order = { action, sent: asked, began: once(told), accepts: () => "taken" as const, manner: TOOLS, signal };
    return (await this.#place(order)).outcome;
  }

  /** The same for a command. @throws the signal's reason when it is aborted; nothing of the command runs for long then */
  async command({ action, sent, accepts, began }: CommandOrder, signal: AbortSignal): Promise<Ran> {
    const order = { action, accepts, began, manner: COMMANDS, signal };
    if (typeof sent === "string") return this.#here({ ...order, sent: () => undefined }, undefined, sent);
    return this.#place({ ...order, sent: () => sent });
  }

  /** A core that is found idle is taken at once: nothing is awaited in between. */
  async #place(order: Order): Promise<Ran> {
    const { signal } = order;
    const tried: Key[] = [];
    /** Members that had no room since it waited last; and how often one had none since it waited because of that. */
    let full: Key[] = [];
    let refusals = 0;
    const cameAt = performance.now();
    let sent: Sent | undefined;
    let why: RanHereWhy = "core-idle";
    for (let turn: Turn | undefined; ; ) {
      let isWorth = true;
      signal.throwIfAborted();
      if (this.#dispatch.hasIdleCore) return this.#here(order, sent?.unit, why);
      sent ??= order.sent();
      const helpers = this.#parts.helpers();
      const hasFailed = sent !== undefined && this.#failures.has(sent.unit.key);
      if (hasFailed && tried.length === 0) why = "failed-before";
      const waitedMs = performance.now() - cameAt;
      const isRefused = refusals >= mostRefusals;
      const mayAsk = tried.length < mostMembers && !isRefused && full.length < mostMembers;
      if (sent !== undefined && helpers !== undefined && mayAsk && !hasFailed) {
        const here = { running: this.#running + this.#waiting, cores: this.#cores, waitedMs };
        const unit = { ...sent.unit, costMs: sent.unit.costMs ?? order.manner.guessMs };
        const placed = await helpers.placement.place(unit, here, [...tried, ...full], signal);
        if (placed.kind === "member") {
          const ran = await this.#send(helpers, order, sent, placed);
          this.#dispatch.roomElsewhere();
          if (ran === "busy") {
            full.push(placed.member);
            refusals++;
            why = "busy";
            continue;
          }
          if (ran !== undefined) return ran;
          tried.push(placed.member);
          why = "failed-there";
          continue;
        }
        helpers.placement.ended(sent.unit, placed, "cancelled", 0);
        if (tried.length + full.length === 0) why = placed.why ?? why;
        // A core here is sooner free than a member would be done, or so it seems: what runs there may take for long.
        isWorth = placed.why !== "not-worth";
        if (placed.why === "core-idle") continue;
      }
      const { patienceMs } = order.manner;
      if (patienceMs !== undefined && (this.#dispatch.away === 0 || waitedMs > patienceMs)) return this.#here(order, sent?.unit, why);
      turn = await this.#wait(isWorth && !isRefused, turn, signal);
      if (isRefused) refusals = 0;
      full = [];
    }
  }

  async #wait(sendable: boolean, before: Turn | undefined, signal: AbortSignal): Promise<Turn> {
    this.#waiting++;
    try {
      return await this.#dispatch.turn(sendable, sendable ? waitMs : weighAgainMs, before, signal);
    } finally {
      this.#waiting--;
    }
  }

  /** Undefined where it is nothing for others. */
  #sent(action: ExecutorAction): Sent | undefined {
    const system = this.#parts.system();
    const asked = system === undefined ? undefined : membersAction(action, system);
    return asked && { asked, unit: unitOf(asked, action) };
  }

  async #here({ action, began, signal }: Order, unit: Unit | undefined, why: RanHereWhy): Promise<Ran> {
    this.#running++;
    try {
      began();
      const outcome = await this.#parts.executor.run(action, signal);
      const costMs = costOf(outcome);
      if (unit !== undefined && costMs !== undefined) this.#parts.helpers()?.placement.ended(unit, { kind: "here" }, "done", costMs);
      return { outcome, by: undefined, why };
    } finally {
      this.#running--;
      this.#dispatch.endedHere();
    }
  }

  /** Resolves when a member has done it, or a core here that was quicker in the end; undefined when it is to be done by somebody else; `busy` when it may have room later. */
  async #send(helpers: Helpers, order: Order, sent: Sent, placed: There): Promise<Ran | "busy" | undefined> {
    const { signal } = order;
    const { unit } = sent;
    using race = new Race(signal);
    using _ = this.#dispatch.watch(expectedMs(order, unit, placed), placed.waitMs ?? 0, () => {
      this.#parts.log.event("info", "actions.late", { peer: placed.member, kind: unit.kind });
      // Who is first is not known yet: nothing is shown of it before.
      const { show: _show, ...action } = order.action;
      race.begin((stop) => this.#here({ ...order, action, signal: stop }, unit, "late"));
    });
    const there = this.#attempt(helpers, order, sent, placed, race);
    const first = await Promise.race([there, race.here.promise]);
    if (first !== undefined && first !== "busy") return first;
    return race.isOn ? await race.here.promise : first; // Awaited here: what is still raced ends with this.
  }

  /** @returns undefined or `busy` unless it went well there */
  async #attempt(
    { workers, placement }: Helpers,
    order: Order,
    { asked, unit }: Sent,
    placed: There,
    race: Race,
  ): Promise<Ran | "busy" | undefined> {
    const { member } = placed;
    const beganAt = performance.now();
    const sent = { bytes: 0 };
    const content = async (digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined> => {
      const read = await this.#parts.store.read(digest, signal);
      if (read.kind === "miss") return undefined;
      sent.bytes += read.bytes.length;
      return read.bytes;
    };
    const end = (outcome: PlacedOutcome, ms = performance.now() - beganAt, measured = unit, ranMs?: number): void =>
      placement.ended(measured, placed, outcome, ms, ranMs);
    const tell = (outcome: string, reason = ""): void => this.#tell(unit, placed, { beganAt, sentBytes: sent.bytes, outcome, reason });
    let outcome: WorkerOutcome;
    try {
      order.began();
      outcome = await workers.act(member, asked, content, race.there.signal);
    } catch (error) {
      // Of what nothing was known it is known now: by what it took here.
      const known = { ...unit, costMs: unit.costMs ?? race.costMs };
      const lateMs = race.isOn ? overdueMs(performance.now() - beganAt, expectedMs(order, known, placed), placed.waitMs ?? 0) : undefined;
      end(lateMs === undefined ? "cancelled" : "late", lateMs, known);
      tell("cancelled");
      throw error;
    }
    tell(outcome.kind === "done" ? `exit ${outcome.exitCode}` : outcome.kind, reasonIn(outcome));
    const acceptance = outcome.kind === "done" && outcome.exitCode === 0 ? order.accepts(member, outcome) : "useless";
    if (outcome.kind === "done" && acceptance === "taken") {
      const tookMs = performance.now() - beganAt;
      const ranMs = costOf(outcome);
      // Of what nothing was known it is known now: by what it took there.
      const isGuess = unit.costMs === undefined && order.manner.guessMs !== undefined;
      end("done", Math.max(0, tookMs - outcome.queuedMs), isGuess ? { ...unit, costMs: ranMs } : unit, ranMs);
      return { outcome: doneOf(outcome, member), by: workOf(outcome, placed, tookMs, sent.bytes), voucher: outcome.voucher };
    }
    // It failed, perhaps for what a member may use less of than this machine's own actions.
    const hasFailed = outcome.kind === "killed" || (outcome.kind === "done" && acceptance === "useless");
    if (hasFailed || (outcome.kind === "refused" && !PASSING.has(outcome.reason))) this.#failures.set(unit.key, true);
    // A program of this one is another there: that says nothing of others that need the same installed.
    const isOfProgram = outcome.kind === "refused" && outcome.reason === "system_unknown" && outcome.detail !== asked.system;
    end(outcome.kind === "done" || outcome.kind === "killed" || isOfProgram ? "cancelled" : outcome.kind);
    return outcome.kind === "busy" ? "busy" : undefined;
  }

  #tell(
    { kind }: Unit,
    { member, why }: There,
    { beganAt, ...facts }: { readonly beganAt: number; readonly sentBytes: number; readonly outcome: string; readonly reason: string },
  ): void {
    const tookMs = Math.round(performance.now() - beganAt);
    this.#parts.log.event("info", "actions.ended", { peer: member, why: why ?? "", kind, tookMs, ...facts });
  }
}

/** What a run has cost, as placement weighs it: it may wait for something, and has its core, or its slot, meanwhile. Undefined: it did not end by itself. */
function costOf(outcome: ExecutorOutcome | Done): number | undefined {
  return outcome.kind === "done" ? outcome.used.wallMs : undefined;
}

/** How long a member is expected to have it, when it need not wait for a slot. */
function expectedMs({ manner }: Order, { costMs = manner.unknownMs }: Unit, { travelMs = 0 }: There): number {
  return costMs + travelMs;
}

function workOf({ queuedMs, used, stdout, stderr, left = [] }: Done, { member, why }: There, tookMs: number, sentBytes: number): Work {
  const contents = left.reduce((sum, one) => sum + (one.kind === "file" ? one.content.length : 0), 0);
  return {
    member,
    tookMs: Math.round(tookMs),
    queuedMs: Math.round(queuedMs),
    compiledMs: Math.round(used.wallMs),
    sentBytes,
    bytes: stdout.length + stderr.length + contents,
    why,
  };
}

/** It may begin with one member after the other, and here. */
function once(what: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) what();
    isDone = true;
  };
}

/** Another member may do it, or the same another day. */
const PASSING: ReadonlySet<string> = new Set(["not_shared", "system_unknown", "input_missing"]);

function reasonIn(outcome: WorkerOutcome): string {
  switch (outcome.kind) {
    case "refused":
      return `${outcome.reason} ${outcome.detail}`;
    case "killed":
      return outcome.limit;
    case "lost":
      return outcome.why;
    default:
      return "";
  }
}

function doneOf({ exitCode, stdout, stderr, outputs, left = [], used }: Done, by: Key): ExecutorOutcome {
  return { kind: "done", exitCode, stdout, stderr, outputs, strange: [], left, used, by };
}

/** Between a member and this machine, once both do the same; whoever is disposed of with it is stopped. */
class Race implements Disposable {
  /** What came of it here; it never comes where it was not begun here. */
  readonly here: PromiseWithResolvers<Ran> = Promise.withResolvers();
  readonly there: { readonly signal: AbortSignal };
  readonly #stopHere = new AbortController();
  readonly #stopThere = new AbortController();
  readonly #signal: AbortSignal;
  #isOn = false;
  #costMs: number | undefined;

  /** @param signal aborted when nobody waits for either */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.there = { signal: AbortSignal.any([signal, this.#stopThere.signal]) };
    this.here.promise.catch(() => undefined); // Who waits for it hears of it.
  }

  /** Whether it was begun here. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** What it has cost here, where that has ended. */
  get costMs(): number | undefined {
    return this.#costMs;
  }

  begin(run: (stop: AbortSignal) => Promise<Ran>): void {
    this.#isOn = true;
    run(AbortSignal.any([this.#signal, this.#stopHere.signal])).then((ran) => {
      this.#costMs = costOf(ran.outcome);
      this.here.resolve(ran);
    }, this.here.reject);
  }

  [Symbol.dispose](): void {
    for (const stop of [this.#stopHere, this.#stopThere]) stop.abort(new Error("the other was quicker"));
  }
}
