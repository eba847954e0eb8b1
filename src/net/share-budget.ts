/**
 * Bytes that may be in memory at once; who wants more waits for its turn.
 */
export class Budget {
  readonly #capacityBytes: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #usedBytes = 0;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  /**
   * Resolves when there is room, the first to ask first. What is larger than the whole budget is let in alone.
   *
   * @returns gives the bytes back
   * @throws the signal's reason
   */
  async take(bytes: number, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      const turn = Promise.withResolvers<void>();
      const waiting = { bytes, go: turn.resolve };
      this.#waiting.push(waiting);
      const leave = (): void => turn.reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      try {
        await turn.promise;
      } catch (error) {
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
        this.#admit();
        throw error;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    } else this.#usedBytes += bytes;
    return { [Symbol.dispose]: () => this.#give(bytes) };
  }

  #give(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#admit();
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#fits(first.bytes); first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#usedBytes += first.bytes;
      first.go();
    }
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#capacityBytes;
  }
}
