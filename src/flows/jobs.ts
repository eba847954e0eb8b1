/**
 * Compiles that are running, and which of them write to the same place.
 */
import type { SearchPaths } from "../contracts/index.ts";
import type { Difference } from "./differences.ts";
import type { Understood } from "./request.ts";

export interface Job {
  readonly understood: Understood;
  /** Set when the compiler was told to write a dependency file for us; it comes with the report. */
  readonly ownDepfile: boolean;
  readonly search: Promise<SearchPaths | undefined>;
  readonly differences: readonly Difference[];
  /** Why it runs here; see Known. */
  readonly here: string | undefined;
  /** Absolute paths. */
  readonly outputs: readonly string[];
  /** Another compile was to write one of the outputs while this one ran. */
  contested: boolean;
}

export class Jobs {
  readonly #running = new Map<bigint, Job>();
  readonly #writers = new Map<string, Job>();
  #next = 1n;

  get size(): number {
    return this.#running.size;
  }

  begin(job: Job): bigint {
    const id = this.#next++;
    this.#running.set(id, job);
    for (const path of job.outputs) {
      const other = this.#writers.get(path);
      if (other !== undefined) other.contested = job.contested = true;
      this.#writers.set(path, job);
    }
    return id;
  }

  end(id: bigint): Job | undefined {
    const job = this.#running.get(id);
    this.#running.delete(id);
    for (const path of job?.outputs ?? []) if (this.#writers.get(path) === job) this.#writers.delete(path);
    return job;
  }
}
