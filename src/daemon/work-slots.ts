/**
 * Slots for others' jobs: as many as this machine's owner leaves them, given to the member for whom the fewest run, and of several to the one that
 * has had slots for the shortest time. Who has had as much of their time as one member may comes after all others, or not at all.
 *
 * Knows: who runs, who waits, for how long, and how long a job has a slot. Does not know: what a job is, or why there are so many slots.
 */
import { FairTurns, type Key, limits } from "../base/index.ts";
import type { Bound, MemberBounds } from "./member-bounds.ts";

export interface WorkSlotsParts {
  /** How many jobs of others may run now. */
  readonly slots: () => number;
  readonly bounds: Pick<MemberBounds, "reached" | "begin" | "isAlways">;
  /** ms, monotonic */
  readonly now: () => number;
  /** Called after each change of what runs. */
  readonly changed: () => void;
}

/** A slot that no job wants, until one does. */
export interface LeftOver extends Disposable {
  /** Aborted when a job has it: whatever is done in it is to end. */
  readonly wanted: AbortSignal;
}

interface Took {
  /** How long a member's latest jobs had a slot; ms. */
  readonly tookMs: readonly number[];
  readonly endedMs: number;
}

interface Waiting {
  readonly from: Key;
  readonly sinceMs: number;
  /** Since when there has been no slot that it could wait for; undefined: there is one. */
  vainSinceMs: number | undefined;
  /** @param hasSlot false: it waits no longer */
  readonly end: (hasSlot: boolean) => void;
}

const { leftOverMs, queueMs, turnMs, waitingPerMember } = limits.work;
/** Jobs by which it is judged how long one has a slot, and how many there must have been. */
const JUDGED_MOST = 32;
const JUDGED_LEAST = 8;
/** Members by whose jobs it is judged, those that were there last, as long as that was not long ago. */
const JUDGED_MEMBERS = 16;
const JUDGED_MS = 60_000;

/** How often it is looked whether the user's own builds have left a slot, and who waits in vain, while somebody waits for one. */
const LOOK_MS = 100;

export class WorkSlots {
  readonly #parts: WorkSlotsParts;
  readonly #waiting = new Set<Waiting>();
  readonly #runningOf = new Map<Key, number>();
  /** By how long jobs have had slots. */
  readonly #turns = new FairTurns();
  #running = 0;
  readonly #leftOver = new Set<AbortController>();
  /** Jobs that have ended lately: how many ran just before, where that is more than before any later one. */
  readonly #peaks: { readonly running: number; readonly atMs: number }[] = [];
  #looking: NodeJS.Timeout | undefined;
  /** Members whose jobs have ended, the latest last. */
  readonly #took = new Map<Key, Took>();

  constructor(parts: WorkSlotsParts) {
    this.#parts = parts;
  }

  /** Jobs that another slot would be for; who is held back by its own bound keeps no slot from others. */
  get waiting(): number {
    const { bounds, slots } = this.#parts;
    const would = new Map<Key, number>();
    for (const { from } of this.#waiting) {
      const more = would.get(from) ?? 0;
      const bound = bounds.reached(from, (this.#runningOf.get(from) ?? 0) + more, slots());
      if (bound === undefined || (bound === "seconds" && !bounds.isAlways)) would.set(from, more + 1);
    }
    return [...would.values()].reduce((sum, jobs) => sum + jobs, 0);
  }

  get running(): number {
    return this.#running;
  }

  /** Of each member. */
  get runningOf(): ReadonlyMap<Key, number> {
    return this.#runningOf;
  }

  /**
   * So many may wait: as many as run. Where jobs are short, as many as get a slot within half of the time that one waits at most, so that members who
   * are far away can have the next ones here before the last ones have come back to them. A power of two: it is told to all when it changes.
   */
  get queue(): number {
    const most = Math.min(this.#inTime / 2, waitingPerMember);
    return Math.max(this.#parts.slots(), most < 1 ? 0 : 2 ** Math.floor(Math.log2(most)));
  }

  /**
   * Whether one more may wait: who is told how many may is not told that it was one too many because others took longer since. Who has nothing here
   * has a place, however many of others wait: else those who came first would take each that becomes free, and it would never have its turn.
   *
   * @param coming jobs of that member that do not run yet, wherever they are
   */
  hasRoom(from: Key, coming: number): boolean {
    if (this.#isVain(from)) return false;
    const slots = this.#parts.slots();
    const own = (this.#runningOf.get(from) ?? 0) + coming;
    if (own === 0) return slots > 0;
    // It has all that it may have, or will have when that is here, and slots are left all the same.
    if (this.#running + coming < slots && this.#parts.bounds.reached(from, own, slots) === "slots") return false;
    const most = slots + Math.max(this.queue, Math.min(this.#inTime, waitingPerMember));
    return this.#running + this.waiting < most && own < most;
  }

  /**
   * Waits for a slot: `limits.work.turnMs` at most, and no longer than `limits.work.queueMs` where there is none to wait for, as the owner's builds have
   * all, or the member has all that it may have; in the latter case not at all where that is so when it comes.
   *
   * @returns gives it back; undefined when there was none
   * @throws the signal's reason
   */
  async take(from: Key, signal: AbortSignal): Promise<Disposable | undefined> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const waiting: Waiting = { from, sinceMs: this.#parts.now(), vainSinceMs: undefined, end: resolve };
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(waiting);
    this.#look();
    try {
      if (this.#waiting.has(waiting) && this.#isVain(from)) return undefined;
      if (!(await promise)) return undefined;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(waiting);
    }
    const beganMs = this.#parts.now();
    const bound = this.#parts.bounds.begin(from);
    return {
      [Symbol.dispose]: () => {
        const tookMs = this.#parts.now() - beganMs;
        bound[Symbol.dispose]();
        this.#judge(from, tookMs);
        this.#turns.use(from, tookMs);
        this.#end(from);
      },
    };
  }

  /**
   * One that nobody waits for, nor has had just now: who has a job done may have the next one on its way. No job is kept waiting by it.
   *
   * @returns gives it back; undefined when there is none
   */
  takeLeftOver(from: Key): LeftOver | undefined {
    const isWanted = this.waiting > 0 || [...this.#waiting].some((one) => one.from === from);
    if (isWanted || this.#hadLately() + this.#leftOver.size >= this.#parts.slots()) return undefined;
    const wanted = new AbortController();
    this.#leftOver.add(wanted);
    return { wanted: wanted.signal, [Symbol.dispose]: () => void this.#leftOver.delete(wanted) };
  }

  /**
   * Jobs that get a slot within the time that one waits at most, when they take as long as those before them: those of the member whose jobs take
   * longest, for they may be the ones to wait for. So nobody makes the row longer for others by many short ones.
   */
  get #inTime(): number {
    const now = this.#parts.now();
    for (const [member, { endedMs }] of this.#took) if (now - endedMs > JUDGED_MS) this.#took.delete(member);
    const all = [...this.#took.values()].map(({ tookMs }) => tookMs);
    if (all.reduce((sum, { length }) => sum + length, 0) < JUDGED_LEAST) return 0;
    return Math.floor((this.#parts.slots() * queueMs) / Math.max(1, ...all.map(medianOf)));
  }

  #judge(from: Key, tookMs: number): void {
    const before = this.#took.get(from)?.tookMs ?? [];
    this.#took.delete(from);
    this.#took.set(from, { tookMs: [...before, tookMs].slice(-JUDGED_MOST), endedMs: this.#parts.now() });
    for (const eldest of this.#took.keys()) {
      if (this.#took.size <= JUDGED_MEMBERS) break;
      this.#took.delete(eldest);
    }
  }

  /** Slots that jobs have or had a moment ago, by the most that they had at once. */
  #hadLately(): number {
    const sinceMs = this.#parts.now() - leftOverMs;
    while (this.#peaks[0] !== undefined && this.#peaks[0].atMs <= sinceMs) this.#peaks.shift();
    return Math.max(this.#running, this.#peaks[0]?.running ?? 0);
  }

  /** Gives out what is free, and sends away who waits in vain or has waited too long. */
  #look(): void {
    while (this.#waiting.size > 0 && this.#running < this.#parts.slots()) if (!this.#start()) break;
    const now = this.#parts.now();
    for (const one of this.#waiting) {
      const isVain = this.#parts.slots() === 0 || this.#isVain(one.from);
      one.vainSinceMs = isVain ? (one.vainSinceMs ?? now) : undefined;
      if (now - one.sinceMs < turnMs && now - (one.vainSinceMs ?? now) < queueMs) continue;
      this.#waiting.delete(one);
      one.end(false);
    }
    if (this.#waiting.size === 0) {
      clearInterval(this.#looking);
      this.#looking = undefined;
    } else this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Whether a member gets no slot by waiting: it has what it may have of them while others are free, or has had its time, and that is all it may have. */
  #isVain(from: Key): boolean {
    const { bounds, slots } = this.#parts;
    if (bounds.isAlways && bounds.reached(from, 0, slots()) === "seconds") return true;
    return this.#running < slots() && this.#reached(from) === "slots";
  }

  /**
   * Among members for whom as many run, those have their turn who had less; first come first served where that is the same.
   *
   * @returns whether there was one who may have a slot
   */
  #start(): boolean {
    const reachedBy = (bound: Bound | undefined): Waiting[] => [...this.#waiting].filter(({ from }) => this.#reached(from) === bound);
    const within = reachedBy(undefined);
    const may = within.length > 0 || this.#parts.bounds.isAlways ? within : reachedBy("seconds");
    const runningOf = ({ from }: Waiting): number => this.#runningOf.get(from) ?? 0;
    const fewest = Math.min(...may.map(runningOf));
    const could = may.filter((one) => runningOf(one) === fewest);
    const whose = this.#turns.next(could.map(({ from }) => from));
    const next = could.find(({ from }) => from === whose);
    if (next === undefined) return false;
    this.#waiting.delete(next);
    next.end(true);
    this.#begin(next.from);
    return true;
  }

  /** What keeps a member from another slot. */
  #reached(from: Key): Bound | undefined {
    return this.#parts.bounds.reached(from, this.#runningOf.get(from) ?? 0, this.#parts.slots());
  }

  #begin(from: Key): void {
    this.#runningOf.set(from, (this.#runningOf.get(from) ?? 0) + 1);
    this.#running++;
    for (const wanted of this.#leftOver) {
      if (this.#running + this.#leftOver.size <= this.#parts.slots()) break;
      this.#leftOver.delete(wanted);
      wanted.abort();
    }
    this.#parts.changed();
  }

  #end(from: Key): void {
    while ((this.#peaks.at(-1)?.running ?? Number.POSITIVE_INFINITY) <= this.#running) this.#peaks.pop();
    this.#peaks.push({ running: this.#running, atMs: this.#parts.now() });
    this.#running--;
    const left = (this.#runningOf.get(from) ?? 1) - 1;
    if (left > 0) this.#runningOf.set(from, left);
    else this.#runningOf.delete(from);
    this.#look();
    this.#parts.changed();
  }
}

function medianOf(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0;
}
