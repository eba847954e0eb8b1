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
  readonly recalls: Pick<Recalls, "begin" | "end" | "takeBack">;
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
  #working: Promise<void> | undefined; // Never rejects.
  #isOver = false;

  constructor(parts: ContradictionsParts) {
    this.#parts = parts;
  }

  /** More is about to be known of results of these requests: whoever is killed before they were looked at uses nothing of them. */
  expect(manifests: readonly Digest[]): void {
    if (!this.#isOver) this.#parts.recalls.begin("request", manifests);
  }

  /** More is known of results of these requests, or more is wanted. Begins soon; resolves when nothing waits. */
  look(manifests: readonly Digest[]): Promise<void> {
    for (const manifest of manifests) if (this.#waiting.size < limits.trust.lookedAgain) this.#waiting.add(manifest);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  /** The same at once for one request, whatever else waits. */
  now(manifest: Digest): void {
    if (!this.#isOver) this.#lookAt(manifest);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#waiting.clear();
  }

  async #work(): Promise<void> {
    await otherWork(); // What is told together is looked at together.
    const done: Digest[] = [];
    for (const manifest of this.#waiting) {
      if (this.#isOver) break;
      this.#waiting.delete(manifest);
      try {
        this.#lookAt(manifest);
        done.push(manifest);
      } catch (error) {
        this.#parts.log.event("warn", "sharing.not-recalled", { manifest, error: String(error) });
      }
      if (done.length >= ENDED_AT_ONCE || this.#waiting.size === 0) this.#parts.recalls.end("request", done.splice(0));
      await otherWork();
    }
  }

  #lookAt(manifest: Digest): void {
    const { shelf, recalls, isBelieved, isAskedFor, self, log } = this.#parts;
    for (const [action, vouched] of Map.groupBy(shelf.results(manifest), ({ entry }) => entry.action)) {
      if (vouched.some(({ execution }) => execution.signer === self) || vouched.some(isBelieved) || vouched.some(isAskedFor)) continue;
      recalls.takeBack(action);
      log.event("warn", "sharing.contradicted", { action, manifest, signer: vouched[0]?.execution.signer ?? "" });
    }
  }
}
