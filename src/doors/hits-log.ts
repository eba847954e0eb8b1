/**
 * Reads what wrappers noted about the hits that they served alone.
 *
 * Knows: the file, how it is taken over without losing a line. Does not know: what hits are good for.
 */
import { readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { systemCode } from "../base/index.ts";
import { type LoggedHit, readHitsLog } from "../wire/index.ts";

/** A wrapper that has opened the file before it was moved may still append its one line. */
const STRAGGLERS_MS = 30;

export class HitsLog {
  readonly #path: string;
  #draining: Promise<LoggedHit[]> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the hits noted since the last time; none where nothing was noted. */
  async drain(): Promise<LoggedHit[]> {
    while (this.#draining !== undefined) await this.#draining;
    if (statSync(this.#path, { throwIfNoEntry: false }) === undefined) return [];
    this.#draining = this.#take().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #take(): Promise<LoggedHit[]> {
    const taken = `${this.#path}.taken`;
    try {
      renameSync(this.#path, taken);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
    await sleep(STRAGGLERS_MS);
    const hits = readHitsLog(readFileSync(taken));
    rmSync(taken, { force: true });
    return hits;
  }
}
