/**
 * Long work in pieces: how long an action of somebody else's keeps the event loop from everything else is not for that action to say.
 *
 * Knows: the event loop. Does not know: what the work is.
 */
import { setImmediate } from "node:timers/promises";
import { limits } from "../base/index.ts";

export class Pace {
  readonly #signal: AbortSignal;
  #steps = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Counts steps. @returns whether it is time to `rest` */
  isDue(steps: number): boolean {
    this.#steps += steps;
    if (this.#steps < limits.sandbox.stepsAtOnce) return false;
    this.#steps = 0;
    return true;
  }

  /** Lets everything else have its turn. @throws the signal's reason when it is aborted */
  async rest(): Promise<void> {
    await setImmediate();
    this.#signal.throwIfAborted();
  }
}
