/**
 * What members have executed for this node alone, at its request, and whether that is still used: it rests on the word of one machine, and goes
 * with it.
 *
 * Knows: what rests on whose word. Does not know: by which rule a word is good enough, or how something is executed once more.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import type { Digest, Key, Log } from "../base/index.ts";
import type { Recalls } from "./recalls.ts";

/** See MembersWorks. */
export interface KeptWorks {
  memberOf(action: Digest): Key | undefined;
  members(): readonly Key[];
  of(member: Key, after: Digest, most: number): readonly Digest[];
  delete(action: Digest): void;
}

export interface WorkersWordsParts {
  readonly works: KeptWorks;
  readonly recalls: Pick<Recalls, "begin" | "end" | "takeBack">;
  /** Whether enough others have signed what is kept of an action. */
  readonly isBelieved: (action: Digest) => boolean;
  /** Undefined where a member's word is not good enough, whatever is built. */
  readonly wordOf: (member: Key) => object | undefined;
  readonly log: Log;
}

/** Forgotten in one step: some 10 ms. */
const AT_ONCE = 64;

export class WorkersWords {
  readonly #parts: WorkersWordsParts;
  /** Who was wrong here. Whether it lies, or its compiler differs, this node cannot tell, so it asks it again after the next start. */
  readonly #refuted = new Set<Key>();

  constructor(parts: WorkersWordsParts) {
    this.#parts = parts;
  }

  isRefuted(member: Key): boolean {
    return this.#refuted.has(member);
  }

  /** What a member had executed was executed here, and something else came of it. */
  refute(member: Key): void {
    this.#refuted.add(member);
  }

  /** Takes back what rests on words that are not good enough any more. @throws the signal's reason */
  async recall(signal: AbortSignal): Promise<void> {
    const { works, wordOf, recalls, log } = this.#parts;
    for (const member of works.members()) {
      if (wordOf(member) !== undefined) continue;
      recalls.begin("member", [member]);
      const forgotten = await this.#recallOf(member, signal);
      recalls.end("member", [member]);
      if (forgotten > 0) log.event("warn", "work.recalled", { member, forgotten });
    }
  }

  async #recallOf(member: Key, signal: AbortSignal): Promise<number> {
    const { works, recalls, isBelieved } = this.#parts;
    let forgotten = 0;
    for (let last: Digest = ""; ; ) {
      signal.throwIfAborted();
      const some = works.of(member, last, AT_ONCE);
      for (const action of some) {
        if (isBelieved(action)) works.delete(action);
        else {
          recalls.takeBack(action); // And whose work it was, too; not before.
          works.delete(action);
          forgotten++;
        }
      }
      last = some.at(-1) ?? last;
      if (some.length < AT_ONCE) return forgotten;
      await otherWork();
    }
  }
}
