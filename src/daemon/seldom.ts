/**
 * Work that costs much and that others can cause: done at once, and what is asked for soon after together, so that it is never done often.
 *
 * Knows: when. Does not know: what.
 */
export class Seldom implements Disposable {
  readonly #work: () => void;
  readonly #everyMs: number;
  /** Runs after the work was done, until it may be done again. */
  #pause: NodeJS.Timeout | undefined;
  #isWanted = false;

  constructor(work: () => void, everyMs: number) {
    this.#work = work;
    this.#everyMs = everyMs;
  }

  /** It is done now, or when so much time has passed since it was done last. */
  soon(): void {
    if (this.#pause !== undefined) {
      this.#isWanted = true;
      return;
    }
    this.#isWanted = false;
    this.#pause = setTimeout(() => this.#over(), this.#everyMs);
    this.#pause.unref();
    this.#work();
  }

  /** What is wanted still is done. */
  [Symbol.dispose](): void {
    clearTimeout(this.#pause);
    if (this.#isWanted) this.#work();
    this.#isWanted = false;
  }

  #over(): void {
    this.#pause = undefined;
    if (this.#isWanted) this.soon();
  }
}
