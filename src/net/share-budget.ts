/**
 * Bytes that may be in memory at once; who wants more waits for its turn. With turns, it is the next one's by what each has given; without, the
 * first come's.
 */
import type { FairTurns, Key } from "../base/index.ts";

interface Waiting {
  readonly key: Key;
  readonly bytes: number;
  readonly go: () => void;
}

export class Budget {
  readonly #capacityBytes: number;
  readonly #turns: FairTurns | undefined;
  readonly #waiting: Waiting[] = [];
  #usedBytes = 0;

  constructor(capacityBytes: number, turns?: FairTurns) {
    this.#capacityBytes = capacityBytes;
    this.#turns = turns;
  }

  /**
   * Resolves when there is room. What is larger than the whole budget is let in alone.
   *
   * @param key for whom, where that matters
   * @returns gives the bytes back
   * @throws the signal's reason
   */
  async take(bytes: number, signal: AbortSignal, key: Key = ""): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      const turn = Promise.withResolvers<void>();
      const waiting = { key, bytes, go: turn.resolve };
      this.#waiting.push(waiting);
      const leave = (): void => turn.reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      try {
        await turn.promise;
      } catch (error) {
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
        else this.#usedBytes -= bytes; // It was let in at the very moment in which it left.
        this.#admit();
        throw error;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    } else this.#use({ key, bytes });
    return { [Symbol.dispose]: () => this.#give(bytes) };
  }

  #give(bytes: number): void {
    this.#usedBytes -= bytes;
    // Whoever gives back has its turn like the others when it wants more at once.
    queueMicrotask(() => this.#admit());
  }

  #admit(): void {
    for (let next = this.#next(); next !== undefined && this.#fits(next.bytes); next = this.#next()) {
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#use(next);
      next.go();
    }
  }

  #next(): Waiting | undefined {
    const [first] = this.#waiting;
    if (this.#turns === undefined || first === undefined) return first;
    const key = this.#turns.next(this.#waiting.map((one) => one.key));
    return this.#waiting.find((one) => one.key === key);
  }

  #use({ key, bytes }: Pick<Waiting, "key" | "bytes">): void {
    this.#usedBytes += bytes;
    this.#turns?.use(key, bytes);
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#capacityBytes;
  }
}
