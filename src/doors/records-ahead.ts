/**
 * Hot records that are laid out before anybody asks: a build in a checkout that is new here asks for what was asked in another one, in that order.
 *
 * Knows: when there is time for it, and how much of it may lie there. Does not know: when an answer is right.
 */
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { type Digest, Generations, type Log, limits, reasonOf } from "../base/index.ts";
import type { CompileFlow, Foresee, Unit } from "../flows/index.ts";
import { requestKey } from "../wire/index.ts";
import type { HotRecords } from "./hot-records.ts";
import { Laying } from "./laying.ts";
import { MembersAhead, type MembersAheadParts } from "./members-ahead.ts";

/** What is seen of files is seen anew so often: who uses a record looks himself. */
const SEEN_MS = 100;
/** Questions may be open for long, where members are asked. */
const YIELDED_MS = 20;
/** How long after the last hit it is told what came of it. */
const TOLD_AFTER_MS = 10_000;
/** What was found out of a checkout is, after so long without a question: the next build begins anew. */
const PAUSE_MS = 60_000;
/** Where the same was built is looked for in the whole history. */
const LOOKED_MS = 1_000;

export interface RecordsAheadParts {
  readonly flow: Pick<CompileFlow, "elsewhere" | "foreseer" | "recalls" | "rememberUsed"> & MembersAheadParts["flow"];
  readonly records: Pick<HotRecords, "has" | "hasMovable" | "leave">;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Laid {
  readonly laying: Laying;
  readonly at: number;
  readonly action: Digest;
}

export class RecordsAhead implements Disposable {
  readonly #parts: RecordsAheadParts;
  /** By the project's root. */
  readonly #checkouts = new Generations<string, Laying>(limits.laidOutCheckouts);
  /** Roots of which nothing was built elsewhere, and when that was found. */
  readonly #others = new Generations<string, number>(limits.laidOutUnits);
  /** By request: what nobody has used yet, of all checkouts. */
  readonly #laid = new Map<Digest, Laid>();
  readonly #telling = new Map<Laying, NodeJS.Timeout>();
  readonly #stop = new AbortController();
  /** Questions that have no answer yet, and when there is none. */
  #open = 0;
  #quiet = Promise.withResolvers<void>();
  #lookedAt: number | undefined;
  readonly #ofMembers: MembersAhead;

  constructor(parts: RecordsAheadParts) {
    this.#parts = parts;
    this.#ofMembers = new MembersAhead({ ...parts, letOthersGoFirst: () => this.#letOthersGoFirst() });
  }

  /** Somebody asks: until it is disposed of, whatever nobody has asked for waits. */
  question(): Disposable {
    this.#open += 1;
    return {
      [Symbol.dispose]: () => {
        this.#open -= 1;
        if (this.#open > 0) return;
        this.#quiet.resolve();
        this.#quiet = Promise.withResolvers();
      },
    };
  }

  /** Somebody was answered who had no record. Never rejects. */
  async follow(unit: Unit, request: Digest): Promise<void> {
    await Promise.all([this.#ofMembers.follow(unit, request), this.#followHere(unit, request)]);
  }

  async #followHere(unit: Unit, request: Digest): Promise<void> {
    const laying = this.#safely(() => this.#layingFor(unit));
    const at = laying?.elsewhere.find(unit);
    if (laying === undefined || at === undefined) return;
    if (this.#safely(() => this.#hasMovableInVain(laying, at, request)) === true) laying.missed(at);
    const wrong = laying.asked(at, request);
    if (wrong !== undefined) this.#laid.delete(wrong);
    await this.#run(laying);
  }

  /** A record was asked about that was laid out: it does not hold. */
  failed(request: Digest): void {
    this.#ofMembers.failed(request);
    const laid = this.#laid.get(request);
    if (laid === undefined) return;
    this.#laid.delete(request);
    laid.laying.failed(laid.at);
  }

  /**
   * A wrapper has used a record.
   *
   * @param atMs since the epoch
   * @param session hex, "" for none
   * @returns whether that was counted as the work of a member
   */
  served(request: Digest, atMs: number, session: string): boolean {
    const laid = this.#laid.get(request);
    if (laid === undefined) return this.#safely(() => this.#ofMembers.served(request, atMs, session)) === true;
    this.#laid.delete(request);
    const { laying, at, action } = laid;
    laying.used(at);
    this.#safely(() => {
      const row = laying.elsewhere.remembered(at, request, requestKey, action, atMs);
      if (row !== undefined) this.#parts.flow.rememberUsed(row);
    });
    void this.#run(laying);
    return false;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#ofMembers[Symbol.dispose]();
    for (const [laying, timer] of this.#telling) {
      clearTimeout(timer);
      this.#tell(laying);
    }
  }

  #layingFor(unit: Unit): Laying | undefined {
    const now = this.#parts.now();
    const root = unit.projectRoot;
    const known = this.#checkouts.get(root);
    if (known !== undefined && (known.running || now - known.askedAt < PAUSE_MS)) {
      known.askedAt = now;
      return known;
    }
    const isLately = (at: number | undefined, ms: number): boolean => at !== undefined && now - at < ms;
    if (isLately(this.#others.get(root), PAUSE_MS) || isLately(this.#lookedAt, LOOKED_MS)) return undefined;
    this.#lookedAt = now;
    for (const [request, { laying }] of this.#laid) if (!isLately(laying.askedAt, PAUSE_MS)) this.#laid.delete(request);
    const elsewhere = this.#parts.flow.elsewhere(unit);
    if (elsewhere === undefined) {
      this.#checkouts.delete(root);
      this.#others.set(root, now);
      return undefined;
    }
    const laying = new Laying(elsewhere, now);
    this.#checkouts.set(root, laying);
    return laying;
  }

  async #run(laying: Laying): Promise<void> {
    if (laying.running) return;
    laying.running = true;
    try {
      while (this.#mayGoOn(laying)) {
        const foresee = this.#parts.flow.foreseer();
        const ends = this.#parts.now() + SEEN_MS;
        while (this.#mayGoOn(laying) && this.#parts.now() < ends) {
          await this.#letOthersGoFirst();
          await this.#lay(laying, laying.take(), foresee);
        }
      }
    } catch (error) {
      laying.end();
      this.#failed(error);
    } finally {
      laying.running = false;
    }
  }

  #mayGoOn(laying: Laying): boolean {
    return laying.mayGoOn && this.#laid.size < limits.laidOutUnused && !this.#stop.signal.aborted;
  }

  /**
   * An answer takes several turns, which nothing is to come between that nobody has asked for.
   *
   * @returns whether nobody waits for one any more
   */
  async #letOthersGoFirst(): Promise<boolean> {
    const ends = this.#parts.now() + YIELDED_MS;
    do {
      if (this.#open > 0) await Promise.race([this.#quiet.promise, sleep(YIELDED_MS, undefined, { ref: false })]);
      await setImmediate();
    } while (this.#open > 0 && this.#parts.now() < ends);
    return this.#open === 0;
  }

  /** Whether somebody asked who would not have, if the answer for every checkout held in that one. */
  #hasMovableInVain({ movablesHold, elsewhere }: Laying, at: number, request: Digest): boolean {
    const question = movablesHold ? elsewhere.question(at, requestKey) : undefined;
    return question?.key === request && this.#parts.records.hasMovable(question, elsewhere.to);
  }

  async #lay(laying: Laying, at: number, foresee: Foresee): Promise<void> {
    const { flow, records } = this.#parts;
    const question = laying.elsewhere.question(at, requestKey);
    if (question === undefined || records.has(question.key)) return;
    if (laying.movablesHold && records.hasMovable(question, laying.elsewhere.to)) return;
    const foreseen = await foresee(question, this.#stop.signal);
    if (foreseen === undefined || foreseen.recalls !== flow.recalls) return;
    records.leave(question.key, foreseen.placement, foreseen.validity);
    laying.put(at, question.key);
    this.#laid.set(question.key, { laying, at, action: foreseen.action });
    this.#tellLater(laying);
  }

  /** Nobody has asked for it: whoever does is answered without it. */
  #safely<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    if (!this.#stop.signal.aborted) this.#parts.log.event("warn", "records-ahead.failed", { error: reasonOf(error) });
  }

  #tellLater(laying: Laying): void {
    const timer = this.#telling.get(laying) ?? setTimeout(() => this.#tell(laying), TOLD_AFTER_MS).unref();
    this.#telling.set(laying, timer.refresh());
  }

  #tell(laying: Laying): void {
    this.#telling.delete(laying);
    const { elsewhere, facts } = laying;
    this.#parts.log.event("info", "records-ahead.laid-out", { checkout: elsewhere.to, like: elsewhere.from, ...facts });
  }
}
