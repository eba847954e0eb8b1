/**
 * A look at something that may change, for many who want to know how it is now: one at a time, and one more for all who came while it was under way,
 * for what it has passed may have changed since.
 *
 * Knows: which look began when. Does not know: what is looked at.
 */
export class Looks<T> {
  readonly #look: () => Promise<T>;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(look: () => Promise<T>) {
    this.#look = look;
  }

  /** What a look finds that begins after this call. It goes on for the others when one of them is aborted. @throws the signal's reason, or the look's */
  async anew(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#next ??= this.#after(this.#running);
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#next, promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #after(before: Promise<T> | undefined): Promise<T> {
    await before?.catch(() => undefined); // Who waits for that one is told.
    this.#running = this.#next;
    this.#next = undefined;
    try {
      return await this.#look();
    } finally {
      this.#running = undefined;
    }
  }
}
