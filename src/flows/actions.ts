/**
 * General actions of this machine's own build tools: on an idle core here, or else with a member, or here as soon as a core is free. Whatever goes
 * wrong elsewhere, and whatever fails there, is done here.
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
  WorkerOutcome,
} from "../contracts/index.ts";
import { Dispatch } from "./dispatch.ts";
import { membersAction, unitOf } from "./general-unit.ts";
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

type Done = Extract<WorkerOutcome, { readonly kind: "done" }>;
type There = Extract<Placed, { readonly kind: "member" }>;

/** One action on its way. */
interface Order {
  readonly action: ExecutorAction;
  readonly asked: GeneralAction;
  readonly unit: Unit;
  /** Called when it runs somewhere. */
  readonly began: () => void;
  readonly signal: AbortSignal;
}

const { members: mostMembers, waitMs, weighAgainMs, failuresRemembered, unknownMs } = limits.remote;

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

  /** See {@link ActionRunner}. A core that is found idle is taken at once: nothing is awaited in between. */
  async run(action: ExecutorAction, signal: AbortSignal, told: () => void): Promise<ExecutorOutcome> {
    const began = once(told);
    const tried: Key[] = [];
    const cameAt = performance.now();
    let order: Order | undefined;
    for (let waited = false; ; waited = true) {
      let isWorth = true;
      signal.throwIfAborted();
      if (this.#dispatch.hasIdleCore) return this.#here(action, order?.unit, began, signal);
      order ??= this.#order(action, began, signal);
      const helpers = this.#parts.helpers();
      if (order !== undefined && helpers !== undefined && tried.length < mostMembers && !this.#failures.has(order.unit.key)) {
        const { unit } = order;
        const here = { running: this.#running + this.#waiting, cores: this.#cores, waitedMs: performance.now() - cameAt };
        const placed = await helpers.placement.place(unit, here, tried, signal);
        if (placed.kind === "member") {
          const outcome = await this.#send(helpers, order, placed);
          this.#dispatch.roomElsewhere();
          if (outcome !== undefined) return outcome;
          tried.push(placed.member);
          continue;
        }
        helpers.placement.ended(unit, placed, "cancelled", 0);
        // A core here is sooner free than a member would be done, or so it seems: what runs there may take for long.
        isWorth = placed.why !== "not-worth";
        if (placed.why === "core-idle") continue;
      }
      await this.#wait(isWorth, waited, signal);
    }
  }

  async #wait(sendable: boolean, again: boolean, signal: AbortSignal): Promise<void> {
    this.#waiting++;
    try {
      await this.#dispatch.turn(sendable, sendable ? waitMs : weighAgainMs, again, signal);
    } finally {
      this.#waiting--;
    }
  }

  /** Undefined where it is nothing for others. */
  #order(action: ExecutorAction, began: () => void, signal: AbortSignal): Order | undefined {
    const system = this.#parts.system();
    const asked = system === undefined ? undefined : membersAction(action, system);
    return asked && { action, asked, unit: unitOf(asked, action), began, signal };
  }

  async #here(action: ExecutorAction, unit: Unit | undefined, began: () => void, signal: AbortSignal): Promise<ExecutorOutcome> {
    this.#running++;
    try {
      began();
      const outcome = await this.#parts.executor.run(action, signal);
      const { cpuMs } = outcome.kind === "done" ? outcome.used : {};
      if (unit !== undefined && cpuMs !== undefined) this.#parts.helpers()?.placement.ended(unit, { kind: "here" }, "done", cpuMs);
      return outcome;
    } finally {
      this.#running--;
      this.#dispatch.endedHere();
    }
  }

  /** Resolves when a member has done it, or a core here that was quicker in the end; undefined when it is to be done by somebody else. */
  async #send(helpers: Helpers, order: Order, placed: There): Promise<ExecutorOutcome | undefined> {
    const { action, unit, signal, began } = order;
    using race = new Race(signal);
    const expectedMs = (unit.costMs ?? unknownMs) + (placed.travelMs ?? 0);
    using _ = this.#dispatch.watch(expectedMs, () => {
      this.#parts.log.event("info", "actions.late", { peer: placed.member, kind: unit.kind });
      race.begin((stop) => this.#here(action, unit, began, stop));
    });
    const there = this.#attempt(helpers, order, placed, race);
    const first = await Promise.race([there, race.here.promise]);
    return first ?? (race.isOn ? await race.here.promise : undefined); // Awaited here: what is still raced ends with this.
  }

  /** @returns undefined unless it went well there */
  async #attempt({ workers, placement }: Helpers, order: Order, placed: There, race: Race): Promise<ExecutorOutcome | undefined> {
    const { asked, unit, began } = order;
    const { member } = placed;
    const beganAt = performance.now();
    const sent = { bytes: 0 };
    const content = async (digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined> => {
      const read = await this.#parts.store.read(digest, signal);
      if (read.kind === "miss") return undefined;
      sent.bytes += read.bytes.length;
      return read.bytes;
    };
    const end = (outcome: PlacedOutcome, ms = performance.now() - beganAt): void => placement.ended(unit, placed, outcome, ms);
    let outcome: WorkerOutcome;
    try {
      began();
      outcome = await workers.act(member, asked, content, race.there.signal);
    } catch (error) {
      end(race.isOn ? "late" : "cancelled");
      this.#tell(order, placed, beganAt, sent.bytes, "cancelled");
      throw error;
    }
    this.#tell(order, placed, beganAt, sent.bytes, outcome.kind === "done" ? `exit ${outcome.exitCode}` : outcome.kind, reasonIn(outcome));
    if (outcome.kind === "done" && outcome.exitCode === 0) {
      end("done", Math.max(0, performance.now() - beganAt - outcome.queuedMs));
      return doneOf(outcome, member);
    }
    // It failed, perhaps for what a member may use less of than this machine's own actions.
    const isLasting = outcome.kind === "done" || outcome.kind === "killed" || (outcome.kind === "refused" && !PASSING.has(outcome.reason));
    if (isLasting) this.#failures.set(unit.key, true);
    end(outcome.kind === "done" || outcome.kind === "killed" ? "cancelled" : outcome.kind);
    return undefined;
  }

  #tell({ unit }: Order, { member, why }: There, beganAt: number, sentBytes: number, outcome: string, reason = ""): void {
    const tookMs = Math.round(performance.now() - beganAt);
    this.#parts.log.event("info", "actions.ended", { peer: member, why: why ?? "", kind: unit.kind, outcome, reason, tookMs, sentBytes });
  }
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
  readonly here: PromiseWithResolvers<ExecutorOutcome> = Promise.withResolvers();
  readonly there: { readonly signal: AbortSignal };
  readonly #stopHere = new AbortController();
  readonly #stopThere = new AbortController();
  readonly #signal: AbortSignal;
  #isOn = false;

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

  begin(run: (stop: AbortSignal) => Promise<ExecutorOutcome>): void {
    this.#isOn = true;
    run(AbortSignal.any([this.#signal, this.#stopHere.signal])).then(this.here.resolve, this.here.reject);
  }

  [Symbol.dispose](): void {
    for (const stop of [this.#stopHere, this.#stopThere]) stop.abort(new Error("the other was quicker"));
  }
}
