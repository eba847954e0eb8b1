/**
 * How fast a way takes what is sent on it: bytes over the time in which something was on its way out.
 *
 * Knows: what was sent lately. Does not know: what is in between; what that takes in at once seems faster than it is.
 */
import { limits } from "../base/index.ts";

const { paceLeastBytes, paceMostBytes } = limits.work;

export class Pace {
  readonly #now: () => number;
  #sending = 0;
  #seenMs = 0;
  #bytes = 0;
  #ms = 0;

  /** @param now ms, monotonic */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Undefined while too little has been sent to tell. */
  get bytesPerMs(): number | undefined {
    return this.#bytes < paceLeastBytes ? undefined : this.#bytes / Math.max(1, this.#ms);
  }

  /** @param taken resolves when the way has taken so many bytes */
  async sending<T>(bytes: number, taken: Promise<T>): Promise<T> {
    this.#look();
    this.#sending++;
    try {
      return await taken;
    } finally {
      this.#look();
      this.#sending--;
      this.#bytes += bytes;
      if (this.#bytes > paceMostBytes) [this.#bytes, this.#ms] = [this.#bytes / 2, this.#ms / 2];
    }
  }

  #look(): void {
    const now = this.#now();
    if (this.#sending > 0) this.#ms += now - this.#seenMs;
    this.#seenMs = now;
  }
}
