/**
 * Whose results are to be taken back: those whose word counted a moment ago, and counts no more.
 *
 * Knows: who they were when it was asked last. Does not know: why, or what is taken back.
 */
import type { Key } from "../base/index.ts";

export class GoneSigners {
  #before: ReadonlySet<Key> = new Set();

  /** Whether somebody is among them who was not before. Distrust may end and begin again, with other results in between. */
  isNews(now: ReadonlySet<Key>): boolean {
    const before = this.#before;
    this.#before = new Set(now);
    return [...now].some((signer) => !before.has(signer));
  }
}
