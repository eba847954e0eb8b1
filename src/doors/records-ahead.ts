/**
 * Hot records that are laid out before anybody asks: a build in a checkout that is new here asks for what was asked in another one, in that order.
 *
 * Knows: how far it has come with each checkout, how much may be in vain. Does not know: when an answer is right.
 */
import { setImmediate } from "node:timers/promises";
import { type Digest, Generations, type Log, limits, reasonOf } from "../base/index.ts";
import type { CompileFlow, Elsewhere, Foresee, Unit } from "../flows/index.ts";
import { requestKey } from "../wire/index.ts";
import type { HotRecords } from "./hot-records.ts";

/** Questions are answered at least so often. */
const SLICE_MS = 10;
/** What is seen of files is seen anew so often: who uses a record looks himself. */
const SEEN_MS = 100;
/** Of what comes next, so many are asked for already: builds compile some at a time. */
const UNDER_WAY = 2;
/** How long after the last hit it is told what came of it. */
const TOLD_AFTER_MS = 10_000;

export interface RecordsAheadParts {
  readonly flow: Pick<CompileFlow, "elsewhere" | "foreseer" | "recalls" | "rememberUsed">;
  readonly records: Pick<HotRecords, "has" | "leave">;
  readonly log: Log;
}

/** A checkout in which records are laid out. */
interface Laying {
  readonly elsewhere: Elsewhere;
  /** The next unit, and the first that is too far. */
  next: number;
  until: number;
  depth: number;
  laid: number;
  used: number;
  running: boolean;
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
  /** Roots of which nothing was built elsewhere. */
  readonly #others = new Generations<string, true>(limits.laidOutUnits);
  /** By request: what nobody has used yet. */
  readonly #laid = new Generations<Digest, Laid>(limits.laidOutUnits);
  readonly #telling = new Map<Laying, NodeJS.Timeout>();
  readonly #stop = new AbortController();

  constructor(parts: RecordsAheadParts) {
    this.#parts = parts;
  }

  /** Somebody was answered who had no record. Never rejects. */
  async follow(unit: Unit): Promise<void> {
    const laying = this.#safely(() => this.#layingFor(unit));
    const at = laying?.elsewhere.find(unit);
    if (laying === undefined || at === undefined || at < laying.next - UNDER_WAY) return;
    // The build has come so far, and what was laid out was in its way.
    if (at >= laying.until - UNDER_WAY) laying.depth = Math.min(laying.depth * 2, limits.laidOutUnits);
    laying.next = Math.max(laying.next, at + 1 + UNDER_WAY);
    laying.until = Math.max(laying.until, Math.min(at + 1 + laying.depth, laying.elsewhere.size));
    await this.#run(laying);
  }

  /** A record was asked about that was laid out: it does not hold. */
  failed(request: Digest): void {
    const laid = this.#laid.get(request);
    if (laid === undefined) return;
    this.#laid.delete(request);
    const { laying } = laid;
    laying.until = laying.next;
    laying.depth = limits.laidOutFirst;
  }

  /** A wrapper has used a record. @param atMs since the epoch */
  served(request: Digest, atMs: number): void {
    const laid = this.#laid.get(request);
    if (laid === undefined) return;
    this.#laid.delete(request);
    const { laying, at, action } = laid;
    laying.used += 1;
    this.#safely(() => {
      const question = laying.elsewhere.question(at, requestKey);
      const row = question && laying.elsewhere.remembered(at, question, action, atMs);
      if (row !== undefined) this.#parts.flow.rememberUsed(row);
    });
    void this.#run(laying);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const [laying, timer] of this.#telling) {
      clearTimeout(timer);
      this.#tell(laying);
    }
  }

  #layingFor(unit: Unit): Laying | undefined {
    const known = this.#checkouts.get(unit.projectRoot);
    if (known !== undefined || this.#others.has(unit.projectRoot)) return known;
    const elsewhere = this.#parts.flow.elsewhere(unit);
    if (elsewhere === undefined) {
      this.#others.set(unit.projectRoot, true);
      return undefined;
    }
    const laying: Laying = { elsewhere, next: 0, until: 0, depth: limits.laidOutFirst / 2, laid: 0, used: 0, running: false };
    this.#checkouts.set(unit.projectRoot, laying);
    return laying;
  }

  /** In slices, so that questions are answered in between. */
  async #run(laying: Laying): Promise<void> {
    if (laying.running) return;
    laying.running = true;
    try {
      while (this.#mayGoOn(laying)) {
        const foresee = this.#parts.flow.foreseer();
        const ends = performance.now() + SEEN_MS;
        while (this.#mayGoOn(laying) && performance.now() < ends) {
          await this.#slice(laying, foresee);
          await setImmediate();
        }
      }
    } catch (error) {
      laying.until = laying.next;
      this.#failed(error);
    } finally {
      laying.running = false;
    }
  }

  async #slice(laying: Laying, foresee: Foresee): Promise<void> {
    const ends = performance.now() + SLICE_MS;
    while (this.#mayGoOn(laying) && performance.now() < ends) await this.#lay(laying, laying.next++, foresee);
  }

  #mayGoOn(laying: Laying): boolean {
    return laying.next < laying.until && laying.laid - laying.used < limits.laidOutUnused && !this.#stop.signal.aborted;
  }

  async #lay(laying: Laying, at: number, foresee: Foresee): Promise<void> {
    const { flow, records } = this.#parts;
    const question = laying.elsewhere.question(at, requestKey);
    if (question === undefined || records.has(question.key)) return;
    const foreseen = await foresee(question, this.#stop.signal);
    if (foreseen === undefined || foreseen.recalls !== flow.recalls) return;
    records.leave(question.key, foreseen.placement, foreseen.validity);
    this.#laid.set(question.key, { laying, at, action: foreseen.action });
    laying.laid += 1;
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
    const { elsewhere, laid, used } = laying;
    this.#parts.log.event("info", "records-ahead.laid-out", { checkout: elsewhere.to, like: elsewhere.from, laid, used });
  }
}
