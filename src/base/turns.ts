/**
 * Who may run now: so many at once, and no more than so many bytes that all of them together may make this process hold.
 *
 * First come, first served, so that a large one is not passed by small ones for ever. Knows nothing of what runs.
 */
export interface TurnsOptions {
  readonly jobs: number;
  /** Without it bytes do not count. */
  readonly bytes?: number;
}

export class Turns {
  readonly #options: Required<TurnsOptions>;
  readonly #waiting = new Set<{ readonly bytes: number; readonly start: () => void }>();
  #jobs = 0;
  #bytes = 0;

  constructor({ jobs, bytes = Number.POSITIVE_INFINITY }: TurnsOptions) {
    this.#options = { jobs, bytes };
  }

  /**
   * Waits for a turn, which ends when it is disposed of.
   * @param bytes at most those of the options
   * @throws the signal's reason when it is aborted meanwhile
   */
  async take(bytes: number, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn = { bytes, start: resolve };
    const onAbort = (): void => {
      this.#waiting.delete(turn);
      reject(signal.reason);
      this.#startNext();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(turn);
    this.#startNext();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    return { [Symbol.dispose]: () => this.#end(bytes) };
  }

  #startNext(): void {
    for (const turn of this.#waiting) {
      if (this.#jobs >= this.#options.jobs || this.#bytes + turn.bytes > this.#options.bytes) return;
      this.#waiting.delete(turn);
      this.#jobs++;
      this.#bytes += turn.bytes;
      turn.start();
    }
  }

  #end(bytes: number): void {
    this.#jobs--;
    this.#bytes -= bytes;
    this.#startNext();
  }
}
