/**
 * Work that nobody waits for, while a build wants every core: it waits for a core that is idle, until somebody asks for it, or until too
 * much of it waits.
 *
 * Knows: what waits, in order. Does not know: what it is.
 */
import { setImmediate } from "node:timers/promises";
import { limits } from "../base/index.ts";

/** Whoever ends a compile says so: this is for all else that may have come to an end. */
const LOOK_EVERY_MS = 250;

export interface LaterParts {
  /** Whether every core has something to do. */
  readonly isBusy: () => boolean;
}

/** A piece of work that has not ended. */
interface Piece {
  readonly key: string;
  readonly bytes: number;
  /** Begins it, unless it has begun. */
  readonly done: () => Promise<void>;
}

export class Later implements Disposable {
  readonly #parts: LaterParts;
  readonly #pieces = new Set<Piece>();
  #bytes = 0;
  #working = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LaterParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#pieces.size;
  }

  /**
   * @param key by which it can be asked for
   * @param bytes what waiting keeps in memory
   * @param work never throws
   * @returns what comes of it
   */
  add<T>(key: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    let begun: Promise<void> | undefined;
    const piece: Piece = {
      key,
      bytes,
      done: () => {
        begun ??= work()
          .then(resolve)
          .finally(() => {
            this.#pieces.delete(piece);
            this.#bytes -= bytes;
          });
        return begun;
      },
    };
    this.#pieces.add(piece);
    this.#bytes += bytes;
    this.look();
    return promise;
  }

  /** Resolves when nothing waits under `key` any more. */
  async demand(key: string): Promise<void> {
    await Promise.all([...this.#pieces].filter((piece) => piece.key === key).map((piece) => piece.done()));
  }

  /** Resolves when all that waits now is done. */
  async catchUp(): Promise<void> {
    const waiting = [...this.#pieces]; // More may come as long as somebody builds.
    for (const piece of waiting) await piece.done();
  }

  /** A core may have become idle. */
  look(): void {
    if (this.#working) return;
    if (this.#mayWait()) return this.#lookAgain();
    this.#working = true;
    void this.#work().finally(() => {
      this.#working = false;
      this.#lookAgain();
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A while from now, if anything is left then. */
  #lookAgain(): void {
    if (this.#pieces.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.look();
    }, LOOK_EVERY_MS).unref();
  }

  async #work(): Promise<void> {
    for (;;) {
      await setImmediate(); // Whoever asks something comes first.
      const [eldest] = this.#pieces;
      if (eldest === undefined || this.#mayWait()) return;
      await eldest.done();
    }
  }

  #mayWait(): boolean {
    const tooMuch = this.#pieces.size > limits.digestsWaiting || this.#bytes > limits.digestBytesWaiting;
    return !tooMuch && this.#parts.isBusy();
  }
}
