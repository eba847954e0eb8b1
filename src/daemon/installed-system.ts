/**
 * What is installed on this machine, for actions of build tools that may read it: by a name that machines have in common which are installed alike.
 *
 * Knows: when it was looked at last. Does not know: how, or which machines are alike.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, digestOf } from "../base/index.ts";
import type { TaskPrograms } from "../contracts/index.ts";

export interface InstalledSystemParts {
  readonly programs: Pick<TaskPrograms, "installed">;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A look costs some 50 ms of a core; so long lies between two. */
const PAUSE_MS = 2_000;

export class InstalledSystem implements AsyncDisposable {
  readonly #parts: InstalledSystemParts;
  readonly #stop = new AbortController();
  #seen: { readonly atMs: number; readonly digest: Digest | undefined } | undefined;
  #looking: Promise<void> | undefined; // Never rejects.

  constructor(parts: InstalledSystemParts) {
    this.#parts = parts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  /** As it was seen last; undefined also where nobody has looked yet. */
  get last(): Digest | undefined {
    return this.#seen?.digest;
  }

  /**
   * As it was seen by a look that began then, or later.
   *
   * @param sinceMs monotonic
   * @returns undefined where nobody can tell this machine from others by it, or this node stops
   */
  async seen(sinceMs: number): Promise<Digest | undefined> {
    while (!this.#stop.signal.aborted) {
      if (this.#seen !== undefined && this.#seen.atMs >= sinceMs) return this.#seen.digest;
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
    }
    return undefined;
  }

  async #look(): Promise<void> {
    const { programs, now } = this.#parts;
    const { signal } = this.#stop;
    try {
      if (this.#seen !== undefined) await sleep(Math.max(0, this.#seen.atMs + PAUSE_MS - now()), undefined, { signal });
      const atMs = now();
      const { digest, isTold } = await programs.installed(signal, true);
      this.#seen = { atMs, digest: isTold ? nameOf(digest) : undefined };
    } catch {
      // This node stops; or something could not be read, and then nobody can tell.
      this.#seen = { atMs: now(), digest: undefined };
    }
  }
}

function nameOf(installed: Digest): Digest {
  return digestOf(JSON.stringify(["cairn action system 1", process.platform, process.arch, installed]));
}
