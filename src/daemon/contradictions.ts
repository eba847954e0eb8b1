/**
 * Results of others that are here and are not believed any more, because more is known of them than when they came: they are forgotten.
 *
 * Knows: what is on the shelf, and the reader's rule. Does not know: why more is known, or who has executed what.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { type Digest, type Key, type Log, limits } from "../base/index.ts";
import type { SharedResult, Shelf } from "../contracts/index.ts";
import type { Recalls } from "./recalls.ts";

export interface ContradictionsParts {
  readonly shelf: Pick<Shelf, "results">;
  readonly recalls: Pick<Recalls, "begin" | "end" | "takeBack" | "left">;
  /** Whether the reader's rule still holds for it. */
  readonly isBelieved: (shared: SharedResult) => boolean;
  /** Whether it was executed for this node, which took it from who executed it, and nothing but too few others speaks against it. */
  readonly isAskedFor: (shared: SharedResult) => boolean;
  /** This node's attestation key: what it has executed itself stays. */
  readonly self: Key;
  readonly log: Log;
}

/** Requests that were looked at are written down together. */
const ENDED_AT_ONCE = 64;

export class Contradictions implements Disposable {
  readonly #parts: ContradictionsParts;
  /** Requests of which more is known, who has waited longest first. */
  readonly #waiting = new Set<Digest>();
  /** Requests of which it is written down that they are to be looked at. */
  readonly #marked = new Set<Digest>();
  #working: Promise<void> | undefined; // Never rejects.
  #isOver = false;

  constructor(parts: ContradictionsParts) {
    this.#parts = parts;
  }

  /** More is about to be known of results of these requests: whoever is killed before they were looked at uses nothing of them. */
  expect(manifests: readonly Digest[]): void {
    if (this.#isOver) return;
    this.#parts.recalls.begin("request", manifests);
    for (const manifest of manifests) this.#marked.add(manifest);
  }

  /** What an earlier process has left to be looked at. */
  lookAtLeft(): Promise<void> {
    const left = this.#parts.recalls.left();
    for (const manifest of left) this.#marked.add(manifest);
    return this.look(left);
  }

  /** More is known of results of these requests, or more is wanted. Begins soon; resolves when nothing waits. */
  look(manifests: readonly Digest[]): Promise<void> {
    for (const manifest of manifests)
      if (this.#waiting.size < limits.trust.lookedAgain) this.#waiting.add(manifest);
      else this.#marked.delete(manifest); // It is looked at after the next start.
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  /** The same at once for one request, whatever else waits. */
  now(manifest: Digest): void {
    if (!this.#isOver) this.#lookAt(manifest);
  }

  /** What was to be looked at is, as far as that takes no time; the rest is after the next start. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    const last = [...this.#waiting].filter((manifest) => this.#marked.has(manifest)).slice(0, ENDED_AT_ONCE);
    this.#waiting.clear();
    this.#end(last.filter((manifest) => this.#isLookedAt(manifest)));
  }

  async #work(): Promise<void> {
    await otherWork(); // What is told together is looked at together.
    const done: Digest[] = [];
    for (const manifest of this.#waiting) {
      if (this.#isOver) break;
      this.#waiting.delete(manifest);
      if (this.#isLookedAt(manifest)) done.push(manifest);
      if (done.length >= ENDED_AT_ONCE || this.#waiting.size === 0) this.#end(done.splice(0));
      await otherWork();
    }
    this.#end(done);
  }

  #isLookedAt(manifest: Digest): boolean {
    try {
      const gone = this.#lookAt(manifest);
      if (gone.length > 0 && this.#parts.shelf.results(manifest).some(({ entry }) => gone.includes(entry.action)))
        throw new Error("it is in the index still");
      return true;
    } catch (error) {
      this.#parts.log.event("warn", "sharing.not-recalled", { manifest, error: String(error) });
      return false;
    }
  }

  /** Those that wait again have more to come. */
  #end(done: readonly Digest[]): void {
    const ended = done.filter((manifest) => !this.#waiting.has(manifest) && this.#marked.delete(manifest));
    if (ended.length > 0) this.#parts.recalls.end("request", ended);
  }

  /** @returns the actions that were taken back */
  #lookAt(manifest: Digest): readonly Digest[] {
    const gone: Digest[] = [];
    const { shelf, recalls, isBelieved, isAskedFor, self, log } = this.#parts;
    for (const [action, vouched] of Map.groupBy(shelf.results(manifest), ({ entry }) => entry.action)) {
      if (vouched.some(({ execution }) => execution.signer === self) || vouched.some(isBelieved) || vouched.some(isAskedFor)) continue;
      recalls.takeBack(action);
      gone.push(action);
      log.event("warn", "sharing.contradicted", { action, manifest, signer: vouched[0]?.execution.signer ?? "" });
    }
    return gone;
  }
}
