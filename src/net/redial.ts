/**
 * Redial: members that should be connected and are not are dialled again, soon at first, then ever more rarely, never all at once.
 *
 * Knows: when. Does not know: how to dial; that is given.
 */
import { type Key, limits } from "../base/index.ts";

export interface RedialParts {
  /** @returns whether the member is connected now */
  readonly dial: (key: Key) => Promise<boolean>;
  /** In [0, 1). */
  readonly random: () => number;
  /** ms, monotonic */
  readonly now: () => number;
}

/** Attempts at one member: what has just been heard does not wait for one that leads nowhere. */
const AT_ONCE = 2;
const REDIAL = { firstMs: limits.redialFirstMs, mostMs: limits.redialMostMs };

interface Wanted {
  failures: number;
  /** When the last attempt began. */
  begunAt: number;
  /** Attempts under way. */
  dialling: number;
  /** It was lost while they are: what comes of them may be the connection that is gone. */
  isLost: boolean;
  /** Connections in a row that the other side has ended soon: it has better ones. */
  ended: number;
  timer: NodeJS.Timeout | undefined;
}

export class Redial implements Disposable {
  readonly #parts: RedialParts;
  readonly #wanted = new Map<Key, Wanted>();

  constructor(parts: RedialParts) {
    this.#parts = parts;
  }

  /**
   * A member is not connected and should be.
   * @param changed something is known now that was not before: it is dialled at once, if it was not just now
   */
  want(key: Key, changed: boolean): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) this.#schedule(key, this.#begin(key), 0);
    else if (changed && wanted.dialling < AT_ONCE && wanted.ended === 0) {
      wanted.failures = 0;
      const sinceMs = this.#parts.now() - wanted.begunAt;
      this.#schedule(key, wanted, Math.max(0, limits.redialSpacingMs - sinceMs));
    } else this.lost(key);
  }

  /** Much has changed: every member that is waited for is dialled soon, whatever failed before. */
  hurry(): void {
    for (const [key, wanted] of this.#wanted) if (wanted.timer !== undefined) this.want(key, true);
  }

  /** The member is connected, whoever dialled. */
  connected(key: Key): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    clearTimeout(wanted.timer);
    wanted.timer = undefined;
    wanted.failures = 0;
    wanted.isLost = false;
  }

  /** The other side has ended the connection soon after it began: it is dialled again as if that had failed, and not because it is heard of. */
  ended(key: Key): void {
    const wanted = this.#wanted.get(key) ?? this.#begin(key);
    wanted.ended += 1;
    this.lost(key);
  }

  /** The connection has lasted, or the other side had no part in its end. */
  lasted(key: Key): void {
    const wanted = this.#wanted.get(key);
    if (wanted !== undefined) wanted.ended = 0;
  }

  /** The connection is gone: try again soon, but not at the same moment as the other side. */
  lost(key: Key): void {
    const wanted = this.#wanted.get(key) ?? this.#begin(key);
    if (wanted.dialling > 0) wanted.isLost = true;
    else if (wanted.timer === undefined) this.#schedule(key, wanted, pauseMs(wanted.ended, this.#parts.random()));
  }

  forget(key: Key): void {
    clearTimeout(this.#wanted.get(key)?.timer);
    this.#wanted.delete(key);
  }

  /** How often in a row the member could not be reached; 0 for one that was. */
  failures(key: Key): number {
    return this.#wanted.get(key)?.failures ?? 0;
  }

  [Symbol.dispose](): void {
    for (const key of this.#wanted.keys()) this.forget(key);
  }

  #begin(key: Key): Wanted {
    const wanted: Wanted = { failures: 0, begunAt: Number.NEGATIVE_INFINITY, dialling: 0, isLost: false, ended: 0, timer: undefined };
    this.#wanted.set(key, wanted);
    return wanted;
  }

  #schedule(key: Key, wanted: Wanted, afterMs: number): void {
    clearTimeout(wanted.timer);
    wanted.timer = setTimeout(() => {
      wanted.timer = undefined;
      wanted.dialling += 1;
      wanted.begunAt = this.#parts.now();
      this.#parts.dial(key).then(
        (connected) => this.#dialled(key, wanted, connected),
        () => this.#dialled(key, wanted, false),
      );
    }, afterMs);
    wanted.timer.unref();
  }

  #dialled(key: Key, wanted: Wanted, connected: boolean): void {
    wanted.dialling -= 1;
    if (this.#wanted.get(key) !== wanted || wanted.timer !== undefined || wanted.dialling > 0) return;
    const isConnected = connected && !wanted.isLost;
    wanted.isLost = false;
    if (isConnected) return;
    wanted.failures += 1;
    this.#schedule(key, wanted, pauseMs(Math.max(wanted.failures, wanted.ended), this.#parts.random()));
  }
}

/** Doubles with each failure up to a limit; half of it is chance, so that machines which lost each other together do not try together. */
export function pauseMs(failures: number, random: number, { firstMs, mostMs }: { firstMs: number; mostMs: number } = REDIAL): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(failures, 20));
  return whole / 2 + (whole / 2) * random;
}
