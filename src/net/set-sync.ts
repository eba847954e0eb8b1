/**
 * Keeps this node's copy of the set of attestations equal to those of the members it is linked with: own news go to all of them at once, and
 * copies are compared when a link begins and now and then.
 *
 * One comparison at a time begins here, so that what one member brings is not asked of another; what is under way is asked of one only.
 * Knows: with whom to compare, and when. Does not know: streams, or what is in an attestation.
 */
import { type AttestationId, type Key, limits } from "../base/index.ts";
import type { AttestationSet } from "../contracts/index.ts";
import { SetTalk, type SetTalkParts } from "./set-talk.ts";

const { compareEveryMs, lateMs } = limits.attestationSet;

export interface SetSyncParts {
  readonly self: Key;
  readonly set: AttestationSet;
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export class SetSync {
  readonly #parts: SetSyncParts;
  readonly #talks = new Map<Key, SetTalk>();
  readonly #underWay = new Set<AttestationId>();
  /** Members whose copies are to be compared with this one. */
  readonly #due = new Set<Key>();
  /** Members that were late → until when they are left alone. */
  readonly #late = new Map<Key, number>();
  #lookedAt: number;

  constructor(parts: SetSyncParts) {
    this.#parts = parts;
    this.#lookedAt = parts.now();
    parts.set.onOwn((ids) => {
      for (const talk of this.#talks.values()) talk.tell(ids);
    });
  }

  /** Members whose copies are being compared with this one, or are to be. */
  get comparing(): number {
    return this.#due.size + [...this.#talks.values()].filter((talk) => talk.isComparing).length;
  }

  /** A member can be talked with from now on. */
  opened(key: Key, { ready, offend }: Pick<SetTalkParts, "ready" | "offend">): SetTalk {
    const { set, now } = this.#parts;
    const talk = new SetTalk({
      set,
      now,
      ready,
      offend,
      underWay: this.#underWay,
      compared: (outcome) => {
        if (outcome === "given-up") this.#late.set(key, now() + lateMs);
        this.#begin();
      },
    });
    this.#talks.set(key, talk);
    // Either will do.
    if (this.#parts.self < key) this.#due.add(key);
    return talk;
  }

  closed(key: Key, talk: SetTalk): void {
    const isLast = this.#talks.get(key) === talk;
    if (isLast) {
      this.#talks.delete(key);
      this.#due.delete(key);
    }
    talk.end();
    if (isLast) this.#late.delete(key);
  }

  /** To be called now and then, and soon after a member is there. */
  look(): void {
    const now = this.#parts.now();
    for (const talk of this.#talks.values()) talk.lookForLate(now);
    if (now - this.#lookedAt >= compareEveryMs) {
      this.#lookedAt = now;
      const key = this.#any([...this.#talks.keys()]);
      if (key !== undefined) this.#due.add(key);
    }
    this.#begin();
  }

  #begin(): void {
    if ([...this.#talks.values()].some((talk) => talk.isComparing)) return;
    const now = this.#parts.now();
    const key = this.#any([...this.#due].filter((one) => (this.#late.get(one) ?? 0) <= now && this.#talks.get(one)?.isFree === true));
    if (key === undefined) return;
    this.#due.delete(key);
    this.#talks.get(key)?.compare();
  }

  #any(keys: readonly Key[]): Key | undefined {
    return keys[Math.floor(this.#parts.random() * keys.length)];
  }
}
