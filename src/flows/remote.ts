/**
 * Compiles that are nowhere yet, while every core here has something to do: another member does them, or they wait for a core.
 * Whatever goes wrong elsewhere, the compile is done here.
 *
 * Knows: the order of things: place, send, look at what came, and begin here what takes too long.
 * Does not know: how members are chosen or reached, what is kept of a result.
 */
import { availableParallelism } from "node:os";
import { type Digest, Generations, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { forgetClosures } from "../compile/index.ts";
import type {
  Files,
  Placed,
  PlacedOutcome,
  Placement,
  ResultIndex,
  Sharing,
  Slots,
  Toolchains,
  Unit,
  WorkerOutcome,
  Workers,
} from "../contracts/index.ts";
import { Dispatch, overdueMs, type Turn } from "./dispatch.ts";
import type { Look } from "./look.ts";
import { type Parcel, pack, type RootOf } from "./parcel.ts";
import { readRemembered, type Work } from "./remembered.ts";
import { kindOf, type LocalReason } from "./remote-action.ts";
import { isGuess, namesRead, type RemoteInputs } from "./remote-inputs.ts";
import { Lists } from "./remote-list.ts";
import { type AtMember, Move } from "./remote-move.ts";
import { type Done, type Judged, judge } from "./remote-result.ts";
import type { Understood } from "./request.ts";
import type { SourceFacts } from "./source-facts.ts";

/** Members that work, and who chooses among them; undefined where there is no network. */
export interface Helpers {
  readonly workers: Workers;
  readonly placement: Placement & Slots;
}

export interface RemoteParts {
  readonly files: Files;
  readonly toolchains: Pick<Toolchains, "searchPaths" | "dependencies">;
  readonly facts: SourceFacts;
  readonly rootOf: RootOf;
  readonly index: Pick<ResultIndex, "entries" | "result" | "history">;
  readonly helpers: () => Helpers | undefined;
  readonly sharing: Pick<Sharing, "mayHelp">;
  /** Compiles that run here. */
  readonly running: () => number;
  /** A look that begins now. */
  readonly look: (understood: Understood) => Look;
  readonly log: Log;
}

/** Why something is compiled here: there is no network, a core is idle, a member has it for long and may be first, or what `keptHere` was told. */
export type HereWhy = "alone" | "core_idle" | "late" | "kept";

/** A compile that somebody waits for. `A` is what the one who asked is told. */
export interface Order<A> {
  readonly understood: Understood;
  /** Begun after it was asked for. */
  readonly look: Look;
  /** Has the asker run the compiler; to be called at most once. @returns the job, too */
  readonly here: (why: HereWhy) => { readonly answer: A; readonly job: bigint };
  /** Keeps what a member made. @param late it runs here, too. @returns undefined where that cannot be */
  readonly take: (made: Good, by: Work, late: boolean) => Promise<A | undefined>;
  /** Counts why it is not sent. */
  readonly keptHere: (reason: string) => void;
  /** Aborted when nobody waits for it any more. */
  readonly gone: AbortSignal;
}

export type Good = Extract<Judged, { kind: "good" }>;

/** What is to be sent. */
interface Consignment {
  readonly unit: Unit;
  /** Undefined: it goes with the list of all that it reads, which is asked for when somebody has room. */
  readonly parcel: Parcel | undefined;
  /** What it was sent with before, and what came of that. */
  readonly missed?: Miss;
}

/** An attempt to which a file may have been wanting. */
interface Miss {
  readonly inputs: RemoteInputs;
  readonly reason: string;
}

/** What was tried with a compile: to send what the scanner found; or all that there is. */
type Tried = "found" | "all";

/** Between a member and this machine, once both do the same. */
interface Race {
  /** The compiler here has ended. */
  readonly stop: AbortSignal;
  readonly isLate: () => boolean;
  /** It goes there now. */
  readonly sends: () => void;
  /** It may be wanted back while it waits there. */
  readonly move: Move;
}

/** One attempt to have it done elsewhere. */
type Attempt<A> =
  | { readonly kind: "answered"; readonly answer: A }
  /** @property lasting nobody need be asked for the same again @property missed it may be sent once more, with the list */
  | { readonly kind: "failed"; readonly reason: string; readonly lasting: boolean; readonly missed?: Miss }
  /** The member has no room now; it may have soon. */
  | { readonly kind: "busy" }
  /** It waited there, and another member has a free slot for it. */
  | { readonly kind: "moved"; readonly to: AtMember };

/** It may be done again on another machine, or another day. */
const PASSING: ReadonlySet<string> = new Set(["not_shared", "toolchain_unknown", "input_missing"]);

export class Remote implements Disposable {
  readonly #parts: RemoteParts;
  readonly #dispatch: Dispatch;
  readonly #lists: Lists;
  /** Compiles that came back as nothing of use: after all was tried they are done here. */
  readonly #failures = new Generations<string, Tried>(limits.remote.failuresRemembered);
  /** Members that have used a compiler for this node, with the compiler. */
  readonly #acquainted = new Generations<string, true>(limits.remote.failuresRemembered);
  /** Members that have what runs here as well, by job. */
  readonly #raced = new Map<bigint, AbortController>();

  constructor(parts: RemoteParts) {
    this.#parts = parts;
    this.#lists = new Lists(parts);
    this.#dispatch = new Dispatch({ running: parts.running, now: () => performance.now() }, { cores: availableParallelism() });
  }

  [Symbol.dispose](): void {
    for (const race of this.#raced.values()) race.abort();
    this.#dispatch[Symbol.dispose]();
  }

  /** A compile has ended here, or will not run. @param done what it was when it ended well, and the time of processors that it took */
  ended(job: bigint, done?: { readonly understood: Understood; readonly cpuMs: number }): void {
    this.#raced.get(job)?.abort();
    this.#raced.delete(job);
    if (done !== undefined) this.#dispatch.moved();
    this.#dispatch.endedHere();
    const helpers = done === undefined ? undefined : this.#parts.helpers();
    if (done === undefined || helpers === undefined) return;
    const { manifest: key, toolchain } = done.understood;
    const unit: Unit = {
      key,
      kind: kindOf(done.understood),
      costMs: undefined,
      inputBytes: 0,
      toolchain: toolchain.digest,
      platform: toolchain.platform,
    };
    helpers.placement.ended(unit, { kind: "here" }, "done", done.cpuMs);
  }

  /** Members that have one of our compiles. */
  get away(): number {
    return this.#dispatch.away;
  }

  /** Never fails for what happens elsewhere. @throws the reason of `gone` */
  async answer<A>(order: Order<A>): Promise<A> {
    const helpers = this.#parts.helpers();
    if (helpers === undefined) return order.here("alone").answer;
    if (this.#dispatch.hasIdleCore) return order.here("core_idle").answer;
    const { sharing: demand } = order.understood.project;
    if (!this.#parts.sharing.mayHelp(demand)) {
      order.keptHere(this.#parts.sharing.mayHelp(undefined) ? "project_policy" : "policy");
      return order.here("kept").answer;
    }
    try {
      return await this.#place(helpers, order);
    } catch (error) {
      if (order.gone.aborted) throw error;
      this.#parts.log.event("warn", "remote.failed", { source: order.understood.sourcePath, error: reasonOf(error) });
      return order.here("kept").answer;
    }
  }

  /** A core that is found idle is taken at once: nothing is awaited in between. */
  async #place<A>(helpers: Helpers, order: Order<A>): Promise<A> {
    const began = performance.now();
    let consignment = await this.#pack(order);
    let isWorth = consignment !== undefined;
    const tried: Key[] = [];
    /** Why no member has it; of those that were tried that has been counted. */
    let reason: string | undefined;
    const here = (why: HereWhy): A => {
      if (reason !== undefined && tried.length === 0) order.keptHere(reason);
      return order.here(why).answer;
    };
    /** Members that had no room since it waited last; how often one had none; and how often before it last waited because of that. */
    let full: Key[] = [];
    let refusals = 0;
    let refusalsBefore = 0;
    /** When it came back from a row in which it had waited for its turn. */
    let backAtMs = began;
    /** How often it may still be wanted back, and where it goes then: a slot is kept for it there, so it goes at once, whatever else there is by now. */
    let moves: number = limits.remote.moves;
    let next: AtMember | undefined;
    for (let turn: Turn | undefined; ; ) {
      if (next === undefined && this.#dispatch.hasIdleCore) return here("core_idle");
      isWorth &&= tried.length < limits.remote.members;
      const isRefused = refusals - refusalsBefore >= limits.remote.refusals;
      const mayAsk = isWorth && !isRefused && full.length < limits.remote.members;
      if (consignment !== undefined && (mayAsk || next !== undefined)) {
        const { unit } = consignment;
        const others = [...tried, ...full];
        const placed: Placed = next ?? (await helpers.placement.place(unit, this.#dispatch.here, others, order.gone));
        next = undefined;
        if (placed.kind === "member") {
          this.#dispatch.roomElsewhere(); // For one there may be room for the next.
          const sentAtMs = performance.now();
          const attempt = await this.#send(helpers, order, consignment, placed, { mayMove: moves > 0, tried: others });
          if (attempt.kind === "answered") return attempt.answer;
          if (attempt.kind === "moved") {
            full.push(placed.member);
            next = attempt.to;
            moves--;
            backAtMs = performance.now();
            continue;
          }
          if (attempt.kind === "busy") {
            full.push(placed.member);
            refusals++;
            reason = "busy";
            // As long as it waited there it has not waited here; but nobody holds it up for ever like that.
            const hasWaited = performance.now() - sentAtMs >= limits.remote.weighAgainMs;
            if (hasWaited && refusals <= limits.remote.refusals) backAtMs = performance.now();
            continue;
          }
          if (attempt.missed !== undefined) {
            consignment = { unit, parcel: undefined, missed: attempt.missed };
            continue;
          }
          tried.push(placed.member);
          if (attempt.lasting) return here("kept");
          continue;
        }
        helpers.placement.ended(unit, placed, "cancelled", 0);
        if (placed.why === "core-idle") return here("kept");
        if (placed.why === "nobody" && full.length === 0) {
          reason = "nobody";
          return here("kept");
        }
        // A core here is sooner free than a member would be done, unless one would be quicker that has no room now.
        isWorth = placed.why !== "not-worth" || full.length > 0;
        reason = isWorth ? "busy" : "not_worth";
      }
      // As long as others are done, its turn at a member comes nearer.
      const sinceMs = isWorth || refusals > 0 ? Math.max(backAtMs, this.#dispatch.movedAtMs) : began;
      const leftMs = sinceMs + limits.remote.waitMs - performance.now();
      // While no member works for this node, nothing waits for a core: whoever builds has said how much at once.
      if (leftMs <= 0 || this.#dispatch.away === 0) return here("kept");
      const mostMs = isRefused ? Math.min(leftMs, limits.remote.weighAgainMs) : leftMs;
      turn = await this.#dispatch.turn(isWorth && !isRefused, mostMs, turn, order.gone);
      if (isRefused) refusalsBefore = refusals;
      full = [];
    }
  }

  /** Undefined where it is nothing for others. */
  async #pack<A>(order: Order<A>): Promise<Consignment | undefined> {
    const { understood, look, gone } = order;
    const failed = this.#failures.get(keyOf(understood, look));
    if (failed === "all") return this.#keep(order, "failed_before");
    const [earlier] = this.#parts.index.entries(understood.manifest);
    const packed = await pack(this.#parts, understood, look, earlier === undefined ? [] : namesRead(understood, earlier), gone);
    if (packed.kind === "local") return this.#keep(order, packed.reason, packed.detail);
    const unit: Unit = {
      key: understood.manifest,
      kind: kindOf(understood),
      costMs: this.#costOf(understood, earlier?.action),
      inputBytes: packed.parcel.inputs.bytes,
      contents: packed.parcel.inputs.sizes,
      toolchain: understood.toolchain.digest,
      platform: understood.toolchain.platform,
    };
    return { unit, parcel: failed === "found" && earlier === undefined ? undefined : packed.parcel };
  }

  /**
   * With all that the preprocessor names.
   *
   * @returns undefined where it is nothing for others after all, which has been counted
   * @throws the signal's reason
   */
  async #packListed<A>(order: Order<A>, missed: Miss | undefined, signal: AbortSignal): Promise<Parcel | undefined> {
    const { understood, look } = order;
    const began = performance.now();
    const list = await this.#lists.of(understood, signal);
    const packed = list && (await pack(this.#parts, understood, look, list, signal));
    if (packed?.kind === "packed" && !(missed !== undefined && isWithin(packed.parcel.inputs, missed.inputs))) {
      const facts = { files: packed.parcel.inputs.files.size, tookMs: Math.round(performance.now() - began) };
      this.#parts.log.event("debug", "remote.listed", { source: understood.sourcePath, ...facts });
      return packed.parcel;
    }
    this.#failures.set(keyOf(understood, look), "all");
    if (packed === undefined) return this.#keep(order, "not_listed");
    if (packed.kind === "local") return this.#keep(order, packed.reason, packed.detail);
    order.keptHere(`result_${missed?.reason ?? ""}`); // Nothing was wanting.
    return undefined;
  }

  #keep<A>({ understood, keptHere }: Order<A>, reason: LocalReason, detail = ""): undefined {
    keptHere(reason);
    this.#parts.log.event("debug", "remote.kept-here", { source: understood.sourcePath, reason, detail });
  }

  #costOf({ sourcePath }: Understood, action: Digest | undefined): number | undefined {
    const { index } = this.#parts;
    const known = action === undefined ? undefined : index.result(action)?.compileMs;
    if (known !== undefined) return known;
    const row = index.history(sourcePath);
    return (row === undefined ? 0 : readRemembered(row).compileMs) || undefined;
  }

  /** Resolves when a member has done it, when it has failed there, or when it was begun here because that takes too long. */
  async #send<A>(
    helpers: Helpers,
    order: Order<A>,
    consignment: Consignment,
    placed: AtMember,
    { mayMove, tried }: { readonly mayMove: boolean; readonly tried: readonly Key[] },
  ): Promise<Attempt<A>> {
    const { unit } = consignment;
    const race = new AbortController();
    const waiting = { here: () => this.#dispatch.here, hasWaiting: () => this.#dispatch.hasSendable, now: () => performance.now() };
    const move = new Move(
      { placement: helpers.placement, ...waiting },
      { unit, tried: [...tried, placed.member], mayMove, gone: AbortSignal.any([order.gone, race.signal]) },
    );
    let sentAt: number | undefined;
    let begun = false;
    const late = Promise.withResolvers<Attempt<A>>();
    using _ = this.#dispatch.watch(expectedMs(unit, placed), placed.waitMs ?? 0, () => {
      try {
        const { answer, job } = order.here("late");
        begun = true;
        this.#raced.set(job, race);
        const tookMs = sentAt === undefined ? 0 : Math.round(performance.now() - sentAt);
        this.#parts.log.event("info", "remote.late", { source: order.understood.sourcePath, member: placed.member, tookMs });
        late.resolve({ kind: "answered", answer });
      } catch (error) {
        late.reject(error); // Nobody else would hear of it: a timer is behind this.
      }
    });
    // Who waits for the compiler here does not wait for the member; what it makes is kept all the same.
    const done = this.#attempt(helpers, order, consignment, placed, {
      stop: race.signal,
      isLate: () => begun,
      sends: () => void (sentAt = performance.now()),
      move,
    });
    done.catch(() => undefined);
    return await Promise.race([done, late.promise]);
  }

  async #attempt<A>(
    { workers, placement }: Helpers,
    order: Order<A>,
    consignment: Consignment,
    placed: AtMember,
    race: Race,
  ): Promise<Attempt<A>> {
    const { files, log } = this.#parts;
    const { member } = placed;
    const { unit } = consignment;
    const signal = AbortSignal.any([order.gone, race.stop]);
    let parcel: Parcel | undefined;
    try {
      parcel = consignment.parcel ?? (await this.#packListed(order, consignment.missed, signal));
    } finally {
      // Nothing goes there: the member's room is another's.
      if (parcel === undefined || race.isLate()) this.#ended(placement, unit, placed, "cancelled", 0);
    }
    if (parcel === undefined || race.isLate()) return { kind: "failed", reason: "not_sent", lasting: true };
    const isListed = consignment.parcel === undefined;
    race.sends();
    const began = performance.now();
    const sent = { bytes: 0 };
    const content = async (digest: Digest): Promise<Uint8Array | undefined> => {
      const path = parcel.inputs.paths.get(digest);
      const bytes = path === undefined ? undefined : files.content(path, digest);
      sent.bytes += bytes?.length ?? 0;
      return bytes;
    };
    const end = (outcome: PlacedOutcome): void => this.#ended(placement, unit, placed, outcome, performance.now() - began);
    let outcome: WorkerOutcome;
    try {
      outcome = await workers.compile(member, parcel.action, content, signal, race.move.row);
    } catch (error) {
      race.move.ended(undefined);
      const hadMs = performance.now() - began;
      const lateMs = race.isLate() ? overdueMs(hadMs, expectedMs(unit, placed), placed.waitMs ?? 0) : undefined;
      this.#ended(placement, unit, placed, lateMs === undefined ? "cancelled" : "late", lateMs ?? hadMs);
      log.event("debug", "remote.cancelled", { source: order.understood.sourcePath, member });
      throw error;
    }
    const to = race.move.ended(race.isLate() ? undefined : outcome);
    if (to !== undefined) {
      end("cancelled");
      const waitedMs = Math.round(performance.now() - began);
      log.event("info", "remote.moved", { source: order.understood.sourcePath, member, to: to.member, waitedMs });
      return { kind: "moved", to };
    }
    if (outcome.kind === "done") this.#measure(placement, unit, placed, outcome, performance.now() - began);
    else end(outcome.kind === "killed" ? "done" : outcome.kind);
    const tookMs = Math.round(performance.now() - began);
    log.event("debug", "remote.ended", { source: order.understood.sourcePath, member, tookMs, sentBytes: sent.bytes, ...factsOf(outcome) });
    if (outcome.kind !== "done") return this.#failed(order, outcome);
    return this.#taken(order, { ...parcel, isListed }, outcome, { member, tookMs, sentBytes: sent.bytes, why: placed.why }, race);
  }

  /** Tells how fast a member is: waiting there, and laying out a compiler for the first time, say nothing of the next one; nor does an error. Of the first the way counts as it was expected. */
  #measure(placement: Placement, unit: Unit, placed: AtMember, done: Done, tookMs: number): void {
    const pair = `${placed.member} ${unit.toolchain}`;
    const ms = this.#acquainted.has(pair) ? tookMs - done.queuedMs : done.used.wallMs + (placed.travelMs ?? 0);
    this.#acquainted.set(pair, true);
    this.#ended(placement, unit, placed, done.exitCode === 0 ? "done" : "cancelled", Math.max(0, ms));
  }

  /** Whoever waits may have the room before it is known what came of this one. */
  #ended(placement: Placement, unit: Unit, placed: Placed, outcome: PlacedOutcome, tookMs: number): void {
    placement.ended(unit, placed, outcome, tookMs);
    this.#dispatch.roomElsewhere();
  }

  async #taken<A>(
    order: Order<A>,
    parcel: Parcel & { readonly isListed: boolean },
    done: Done,
    by: Pick<Work, "member" | "tookMs" | "sentBytes" | "why">,
    race: Race,
  ): Promise<Attempt<A>> {
    const { understood } = order;
    const { facts, look, log } = this.#parts;
    const judged = await judge(facts, { ...parcel, understood }, done, look(understood));
    if (judged.kind === "bad") {
      const { reason, detail, lasting, missed } = judged;
      const { inputs, isListed } = parcel;
      log.event("info", "remote.not-taken", { source: understood.sourcePath, member: by.member, reason, detail });
      forgetClosures(); // A header may have been looked for where it was found before.
      if (missed && !isListed && isGuess(facts, understood, inputs)) {
        this.#failures.set(keyOf(understood, order.look), "found");
        return { kind: "failed", reason, lasting: false, missed: { inputs, reason } };
      }
      order.keptHere(`result_${reason}`);
      if (lasting || (missed && isListed)) this.#failures.set(keyOf(understood, order.look), "all");
      return { kind: "failed", reason, lasting: true }; // Others would send the same.
    }
    const bytes = done.outputs.reduce((sum, { content }) => sum + content.length, done.stdout.length + done.stderr.length);
    const work: Work = { ...by, queuedMs: Math.round(done.queuedMs), compiledMs: Math.round(done.used.wallMs), bytes };
    const answer = await order.take(judged, work, race.isLate());
    if (answer === undefined) return { kind: "failed", reason: "not_kept", lasting: true };
    this.#dispatch.moved();
    return { kind: "answered", answer };
  }

  #failed<A>(order: Order<A>, outcome: Exclude<WorkerOutcome, Done>): Attempt<A> {
    const reason = outcome.kind === "refused" ? outcome.reason : outcome.kind === "killed" ? `killed_${outcome.limit}` : outcome.kind;
    if (outcome.kind === "busy") return { kind: "busy" };
    order.keptHere(`member_${reason}`);
    const lasting = outcome.kind === "killed" || (outcome.kind === "refused" && !PASSING.has(outcome.reason));
    if (lasting) this.#failures.set(keyOf(order.understood, order.look), "all");
    return { kind: "failed", reason, lasting };
  }
}

/** How long a member is expected to have it, when it need not wait for a slot. */
function expectedMs({ costMs = limits.remote.unknownMs }: Unit, { travelMs = 0 }: AtMember): number {
  return costMs + travelMs;
}

function isWithin({ files }: RemoteInputs, other: RemoteInputs): boolean {
  return [...files].every(([path, digest]) => other.files.get(path) === digest);
}

function factsOf(outcome: WorkerOutcome): Record<string, string | number> {
  switch (outcome.kind) {
    case "done":
      return {
        outcome: "done",
        exitCode: outcome.exitCode,
        compiledMs: Math.round(outcome.used.wallMs),
        queuedMs: Math.round(outcome.queuedMs),
      };
    case "refused":
      return { outcome: "refused", reason: outcome.reason, detail: outcome.detail };
    case "killed":
      return { outcome: "killed", limit: outcome.limit };
    case "lost":
      return { outcome: "lost", why: outcome.why };
    case "busy":
      return { outcome: "busy" };
  }
}

/** This request over this source. */
function keyOf({ manifest, sourcePath }: Understood, look: Look): string {
  const state = look.state(sourcePath);
  return `${manifest} ${state.kind === "file" ? state.digest : ""}`;
}
