/**
 * Who goes next: compiles wait for a core here or for a member, and those that members have had for too long are begun here as well.
 *
 * Knows: how many run here, who waits, who is late. Does not know: what they are, who has them.
 */
import { limits } from "../base/index.ts";

export interface DispatchParts {
  /** Compiles that run here. */
  readonly running: () => number;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface DispatchOptions {
  readonly cores: number;
}

/** A time when a member may have room: those who wait are told of it one after the other, as long as it is of no use to them. */
interface Room {
  readonly at: number;
  /** How many more are told. */
  left: number;
}

/** A wait that has ended. */
export interface Turn {
  /** Its place among those who wait: who came first. */
  readonly number: number;
  /** The last room that it was told of; 0: none. */
  readonly toldAt: number;
  /** It ended because of that. */
  readonly room: Room | undefined;
}

interface Waiter {
  readonly number: number;
  /** A member would do. */
  readonly sendable: boolean;
  toldAt: number;
  readonly wake: (room?: Room) => void;
}

interface Away {
  readonly lateAtMs: number;
  readonly goneAtMs: number;
  readonly begin: () => void;
}

/** Members may have room again without anybody here having heard of it. */
const LOOK_EVERY_MS = 200;
/** So many hear of one room, as each asks who places for it: those next time who have not heard of any for longest. */
const TOLD_MOST = 4;

/**
 * Whether a member had something for too long that was overtaken here: a row in which it waited may have taken longer than expected, but nobody has
 * to wait for longer than a turn.
 *
 * @param hadMs how long the member had it
 * @param expectedMs how long it was expected to take
 * @param waitMs and to wait for a slot before
 * @returns how long it took at least, beside the wait; undefined: it was not too long
 */
export function overdueMs(hadMs: number, expectedMs: number, waitMs: number): number | undefined {
  const { lateTimes } = limits.remote;
  const tookMs = hadMs - Math.min(lateTimes * waitMs, limits.work.turnMs);
  return tookMs > lateTimes * expectedMs ? tookMs : undefined;
}

export class Dispatch implements Disposable {
  readonly #parts: DispatchParts;
  readonly #cores: number;
  readonly #waiters: Waiter[] = [];
  readonly #away = new Set<Away>();
  #timer: NodeJS.Timeout | undefined;
  #rooms = 0;
  #numbers = 0;
  #movedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: DispatchParts, options: DispatchOptions) {
    this.#parts = parts;
    this.#cores = options.cores;
  }

  /** When the last one was done, wherever that was; -Infinity: none has been. */
  get movedAtMs(): number {
    return this.#movedAtMs;
  }

  /** One is done: whoever waits is so much nearer to its turn. */
  moved(): void {
    this.#movedAtMs = this.#parts.now();
  }

  /** Of this machine, as placement is told. */
  get here(): { readonly running: number; readonly cores: number } {
    return { running: this.#parts.running(), cores: this.#cores };
  }

  get hasIdleCore(): boolean {
    return this.#parts.running() < this.#cores;
  }

  /** Whether somebody waits for whom a member would do. */
  get hasSendable(): boolean {
    return this.#waiters.some(({ sendable }) => sendable);
  }

  /** Compiles that members have. */
  get away(): number {
    return this.#away.size;
  }

  /**
   * Resolves when something may have changed for who waits, those first who have waited longest.
   *
   * @param sendable whether a member would do
   * @param mostMs it does not take longer
   * @param before where it waited before, and goes on: what came of that
   * @throws the signal's reason
   */
  async turn(sendable: boolean, mostMs: number, before: Turn | undefined, signal: AbortSignal): Promise<Turn> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<Room | undefined>();
    const { number, toldAt } = before ?? { number: ++this.#numbers, toldAt: 0 };
    const waiter: Waiter = { number, sendable, toldAt, wake: resolve };
    const behind = this.#waiters.findIndex((other) => other.number > number);
    this.#waiters.splice(behind < 0 ? this.#waiters.length : behind, 0, waiter);
    const abandon = (): void => resolve(undefined);
    const timer = setTimeout(abandon, mostMs);
    signal.addEventListener("abort", abandon, { once: true });
    this.#lookLater();
    if (before?.room !== undefined) this.#tell(before.room); // Of no use to this one: another may be of another kind.
    let room: Room | undefined;
    try {
      room = await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abandon);
      this.#drop(waiter);
    }
    signal.throwIfAborted();
    return { number, toldAt: waiter.toldAt, room };
  }

  /** A compile has ended here, or will not run. */
  endedHere(): void {
    if (!this.hasIdleCore) return;
    const now = this.#parts.now();
    // Who has it may be dead: nothing that waits has waited longer.
    const lost = this.#latest(now, (away) => away.goneAtMs);
    if (lost !== undefined) return this.#begin(lost);
    if (this.#wake(this.#waiters[0])) return;
    const late = this.#latest(now, (away) => away.lateAtMs);
    if (late !== undefined) this.#begin(late);
  }

  /** A member has room. */
  roomElsewhere(): void {
    const first = this.#waiters.find(({ sendable }) => sendable);
    if (first === undefined) return;
    this.#tellOne(first, { at: ++this.#rooms, left: TOLD_MOST });
  }

  /**
   * A member has it.
   *
   * @param expectedMs how long it is expected to take
   * @param waitMs and to wait for a slot before
   * @param begin called at most once, with an idle core
   */
  watch(expectedMs: number, waitMs: number, begin: () => void): Disposable {
    const atMs = this.#parts.now() + waitMs;
    const { lateTimes, lateLeastMs, goneTimes } = limits.remote;
    const away: Away = {
      lateAtMs: atMs + Math.max(lateLeastMs, lateTimes * expectedMs),
      goneAtMs: atMs + Math.max(lateLeastMs, goneTimes * expectedMs),
      begin,
    };
    this.#away.add(away);
    this.#lookLater();
    return { [Symbol.dispose]: () => this.#away.delete(away) };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #latest(now: number, dueAt: (away: Away) => number): Away | undefined {
    let latest: Away | undefined;
    for (const away of this.#away) if (dueAt(away) <= now && (latest === undefined || dueAt(away) < dueAt(latest))) latest = away;
    return latest;
  }

  #begin(away: Away): void {
    this.#away.delete(away);
    away.begin();
  }

  /** The next one hears of it. */
  #tell(room: Room): void {
    let next: Waiter | undefined;
    for (const waiter of this.#waiters) if (waiter.sendable && waiter.toldAt < Math.min(room.at, next?.toldAt ?? room.at)) next = waiter;
    if (next !== undefined && room.left > 0) this.#tellOne(next, room);
  }

  #tellOne(waiter: Waiter, room: Room): void {
    room.left--;
    waiter.toldAt = room.at;
    this.#wake(waiter, room);
  }

  #wake(waiter: Waiter | undefined, room?: Room): boolean {
    if (waiter === undefined) return false;
    this.#drop(waiter);
    waiter.wake(room);
    return true;
  }

  #drop(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at >= 0) this.#waiters.splice(at, 1);
  }

  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.endedHere();
      this.roomElsewhere();
      if (this.#waiters.length + this.#away.size > 0) this.#lookLater();
    }, LOOK_EVERY_MS).unref();
  }
}
