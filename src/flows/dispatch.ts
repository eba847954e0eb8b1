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

interface Waiter {
  /** A member would do. */
  readonly sendable: boolean;
  readonly wake: () => void;
}

interface Away {
  readonly lateAtMs: number;
  readonly goneAtMs: number;
  readonly begin: () => void;
}

/** Members may have room again without anybody here having heard of it. */
const LOOK_EVERY_MS = 200;

export class Dispatch implements Disposable {
  readonly #parts: DispatchParts;
  readonly #cores: number;
  readonly #waiters: Waiter[] = [];
  readonly #away = new Set<Away>();
  #timer: NodeJS.Timeout | undefined;
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

  /** Compiles that members have. */
  get away(): number {
    return this.#away.size;
  }

  /**
   * Resolves when something may have changed for who waits, those first who have waited longest.
   *
   * @param sendable whether a member would do
   * @param mostMs it does not take longer
   * @param again it waited before, and goes on
   * @throws the signal's reason
   */
  async turn(sendable: boolean, mostMs: number, again: boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { sendable, wake: resolve };
    if (again) this.#waiters.unshift(waiter);
    else this.#waiters.push(waiter);
    const timer = setTimeout(resolve, mostMs);
    const abandon = (): void => resolve();
    signal.addEventListener("abort", abandon, { once: true });
    this.#lookLater();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abandon);
      this.#drop(waiter);
    }
    signal.throwIfAborted();
  }

  /** A compile has ended here, or will not run. */
  endedHere(): void {
    if (!this.hasIdleCore) return;
    const now = this.#parts.now();
    // Who has it may be dead: nothing that waits has waited longer.
    const lost = this.#latest(now, (away) => away.goneAtMs);
    if (lost !== undefined) return this.#begin(lost);
    if (this.#wake(() => true)) return;
    const late = this.#latest(now, (away) => away.lateAtMs);
    if (late !== undefined) this.#begin(late);
  }

  /** A member has room. */
  roomElsewhere(): void {
    this.#wake(({ sendable }) => sendable);
  }

  /**
   * A member has it.
   *
   * @param expectedMs how long it is expected to take
   * @param begin called at most once, with an idle core
   */
  watch(expectedMs: number, begin: () => void): Disposable {
    const now = this.#parts.now();
    const { lateTimes, lateLeastMs, goneTimes } = limits.remote;
    const away: Away = {
      lateAtMs: now + Math.max(lateLeastMs, lateTimes * expectedMs),
      goneAtMs: now + Math.max(lateLeastMs, goneTimes * expectedMs),
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

  #wake(fits: (waiter: Waiter) => boolean): boolean {
    const waiter = this.#waiters.find(fits);
    if (waiter === undefined) return false;
    this.#drop(waiter);
    waiter.wake();
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
