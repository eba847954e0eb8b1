/**
 * How much of this machine others may use.
 *
 * Knows: what the owner allows, how many cores there are, what the owner's own builds run. Does not know: jobs.
 */
import { limits } from "../base/index.ts";

export interface WorkShareParts {
  /** Compiles of the user's own builds that run here. */
  readonly ownRunning: () => number;
}

export interface WorkShareOptions {
  readonly cores: number;
  /** Of the cores. */
  readonly percent: number;
}

export class WorkShare {
  readonly #parts: WorkShareParts;
  readonly #cores: number;
  #percent: number;

  constructor(parts: WorkShareParts, { cores, percent }: WorkShareOptions) {
    this.#parts = parts;
    this.#cores = cores;
    this.#percent = percent;
  }

  get percent(): number {
    return this.#percent;
  }

  set(percent: number): void {
    this.#percent = percent;
  }

  /** Jobs of others that may run now. The user's own come first. */
  slots(): number {
    return Math.max(0, this.most - this.#parts.ownRunning());
  }

  /** The same on a machine on which nobody builds: a share that is not nothing is one core at least. */
  get most(): number {
    if (this.#percent === 0) return 0;
    return Math.min(limits.sandbox.jobs, Math.max(1, Math.floor((this.#cores * this.#percent) / 100)));
  }
}
