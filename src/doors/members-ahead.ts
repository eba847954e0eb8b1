/**
 * Hot records of what members have built, laid out before anybody asks: a build uses a member's results, and what the member made after them has
 * been fetched.
 *
 * Knows: how many may lie there that nobody has used. Does not know: when an answer is right, or from whom.
 */
import { type Digest, Generations, type Log, limits, reasonOf } from "../base/index.ts";
import type { CompileFlow, Prepared, PreparedUse, Unit } from "../flows/index.ts";
import { requestKey } from "../wire/index.ts";
import type { HotRecords } from "./hot-records.ts";

/** What is seen of files is seen anew so often: who uses a record looks himself. */
const SEEN_MS = 100;
/**
 * So long it is gone on with before it is looked whether somebody asks: each record saves a question, which would take as long. Whoever waits
 * already, and longer than others go first, waits for one record at a time.
 */
const AT_ONCE_MS = 30;
/** After so long without a question the next one begins another build. */
const PAUSE_MS = 60_000;
/** Of what comes next, so many are asked for already: builds compile some at a time. */
const UNDER_WAY = 2;
/** Units that may be foreseen wrongly, more than are used: then nothing more is laid out in this build. */
const WRONG_MOST = 4;
/** Units in a row of which nothing could be laid out: then the build has to come further first. */
const IN_VAIN_MOST: number = limits.laidOutFirst;
/** How long after the last hit it is told what came of it. */
const TOLD_AFTER_MS = 10_000;

export interface MembersAheadParts {
  readonly flow: Pick<CompileFlow, "askedExpected" | "beganExpected" | "onExpected" | "preparer" | "recalls" | "usedPrepared">;
  readonly records: Pick<HotRecords, "has" | "leave">;
  /** Resolves when nobody waits for an answer, with true, or somebody has waited for long. */
  readonly letOthersGoFirst: () => Promise<boolean>;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

export class MembersAhead implements Disposable {
  readonly #parts: MembersAheadParts;
  readonly #stop = new AbortController();
  /** By request: what nobody has used yet. */
  readonly #laid = new Generations<Digest, PreparedUse>(2 * limits.laidOutUnused);
  /** Of each manifest that was laid out, the request. */
  readonly #requests = new Generations<Digest, Digest>(2 * limits.laidOutUnused);
  /** When that was looked at last: nothing is there any more that was laid out before results were taken back. */
  #recalls = 0;
  #counts = { laid: 0, used: 0, wrong: 0 };
  #inVain = 0;
  /** So many may be laid out in this build, and how many more each time that it has come so far. */
  #until = 0;
  #depth: number = limits.laidOutFirst;
  #askedAt: number | undefined;
  #running = false;
  #telling: NodeJS.Timeout | undefined;

  constructor(parts: MembersAheadParts) {
    this.#parts = parts;
    parts.flow.onExpected(() => void this.#run());
  }

  /** Somebody was answered who had no record. Never rejects. */
  async follow({ manifest }: Unit, request: Digest): Promise<void> {
    this.#forgetRecalled();
    this.#asked();
    const isSoFar = this.#parts.flow.askedExpected(manifest, UNDER_WAY);
    const foreseen = this.#requests.get(manifest);
    if (foreseen !== undefined && foreseen !== request && this.#drop(foreseen)) this.#counts.wrong += 1;
    if (isSoFar) this.#inVain = 0;
    if (this.#until === 0) this.#until = this.#depth;
    else if (isSoFar && this.#counts.laid >= this.#until) {
      this.#depth = Math.min(2 * this.#depth, limits.laidOutUnused);
      this.#until = this.#counts.laid + this.#depth;
    }
    await this.#run();
  }

  /** A record was asked about that was laid out: it does not hold. */
  failed(request: Digest): void {
    if (!this.#drop(request)) return;
    this.#counts.wrong += 1;
    this.#depth = limits.laidOutFirst / 2;
    this.#until = this.#counts.laid; // Until the build has come further.
  }

  /**
   * A wrapper has used a record.
   *
   * @param atMs since the epoch
   * @param session hex, "" for none
   * @returns whether that was counted as the work of a member
   */
  served(request: Digest, atMs: number, session: string): boolean {
    this.#forgetRecalled();
    const use = this.#laid.get(request);
    if (use === undefined) return false;
    this.#asked();
    this.#drop(request);
    this.#counts.used += 1;
    this.#tellLater();
    try {
      return this.#parts.flow.usedPrepared(use, atMs, session);
    } finally {
      void this.#run();
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    if (this.#telling !== undefined) this.#tell();
  }

  #forgetRecalled(): void {
    const { recalls } = this.#parts.flow;
    if (this.#recalls === recalls) return;
    this.#recalls = recalls;
    this.#laid.clear();
    this.#requests.clear();
  }

  #asked(): void {
    const { now } = this.#parts;
    if (this.#askedAt === undefined || now() - this.#askedAt > PAUSE_MS) this.#begin();
    this.#askedAt = now();
  }

  /** What was laid out for another build may be used in this one, too. */
  #begin(): void {
    this.#parts.flow.beganExpected();
    this.#counts = { laid: 0, used: 0, wrong: 0 };
    this.#inVain = 0;
    this.#until = 0;
    this.#depth = limits.laidOutFirst;
  }

  #drop(request: Digest): boolean {
    const use = this.#laid.get(request);
    if (use === undefined) return false;
    this.#requests.delete(use.manifest);
    this.#laid.delete(request);
    return true;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#mayGoOn()) {
        const prepare = this.#parts.flow.preparer(requestKey);
        const ends = this.#parts.now() + SEEN_MS;
        while (this.#mayGoOn() && this.#parts.now() < ends) {
          const isQuiet = await this.#parts.letOthersGoFirst();
          const now = this.#parts.now();
          if (!(await this.#laySome(prepare, isQuiet ? Math.min(ends, now + AT_ONCE_MS) : now))) return;
        }
      }
    } catch (error) {
      this.#until = 0;
      if (!this.#stop.signal.aborted) this.#parts.log.event("warn", "members-ahead.failed", { error: reasonOf(error) });
    } finally {
      this.#running = false;
    }
  }

  /** One at least, and until then. @returns whether there may be more */
  async #laySome(prepare: ReturnType<MembersAheadParts["flow"]["preparer"]>, ends: number): Promise<boolean> {
    do {
      const { recalls } = this.#parts.flow;
      const next = await prepare(this.#stop.signal);
      if (next.kind === "none") return false;
      this.#inVain += 1;
      if (next.kind === "prepared" && recalls === this.#parts.flow.recalls) this.#lay(next.prepared);
    } while (this.#mayGoOn() && this.#parts.now() < ends);
    return true;
  }

  #mayGoOn(): boolean {
    const { laid, used, wrong } = this.#counts;
    const isWorthIt = this.#inVain < IN_VAIN_MOST && wrong <= WRONG_MOST + used;
    return laid < this.#until && isWorthIt && laid - used < limits.laidOutUnused && !this.#stop.signal.aborted;
  }

  #lay({ placement, validity, use }: Prepared): void {
    const { request } = use.row;
    if (this.#parts.records.has(request)) return;
    this.#parts.records.leave(request, placement, validity);
    this.#forgetRecalled();
    this.#laid.set(request, use);
    this.#requests.set(use.manifest, request);
    this.#counts.laid += 1;
    this.#inVain = 0;
    this.#tellLater();
  }

  #tellLater(): void {
    this.#telling ??= setTimeout(() => this.#tell(), TOLD_AFTER_MS).unref();
    this.#telling.refresh();
  }

  #tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#parts.log.event("info", "members-ahead.laid-out", this.#counts);
  }
}
