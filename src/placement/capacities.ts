/**
 * Who can do how much: what members have told, less what was given to them since.
 *
 * What members tell is late: it was true when they said it. So what this node gives and gets back in the meantime is counted with it.
 * Knows: slots, claims. Does not know: who gives what to whom, or why.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import type { Capacity } from "../contracts/index.ts";

const { busyMs, claimMost, settleMs, tellStaleMs } = limits.placement;

interface Told {
  readonly capacity: Capacity;
  readonly atMs: number;
}

/** A slot that was given away. */
export interface Claim {
  readonly member: Key;
  readonly atMs: number;
  readonly untilMs: number;
}

export class Capacities {
  readonly #now: () => number;
  readonly #told = new Map<Key, Told>();
  readonly #claims = new Map<Key, Set<Claim>>();
  /** When slots came back that members did not know to be free when they told last. */
  readonly #released = new Map<Key, number[]>();
  /** Members that said they are busy, and when. */
  readonly #busy = new Map<Key, number>();

  /** @param parts `now`: ms, monotonic */
  constructor(parts: { readonly now: () => number }) {
    this.#now = parts.now;
  }

  /** A member has told what it can do. */
  told(capacity: Capacity): void {
    this.#told.set(capacity.member, { capacity, atMs: this.#now() });
    this.#released.delete(capacity.member);
    this.#busy.delete(capacity.member);
  }

  /** A member is away: nothing that was given to it is done. What it told is of use when it is back. */
  lost(member: Key): void {
    for (const all of [this.#claims, this.#released, this.#busy]) all.delete(member);
  }

  /** No member any more. */
  forget(isGone: (member: Key) => boolean): void {
    for (const member of this.#told.keys()) {
      if (!isGone(member)) continue;
      this.#told.delete(member);
      this.lost(member);
    }
  }

  /** What a member told last; undefined: nothing, or too long ago. */
  of(member: Key): Capacity | undefined {
    return this.#fresh(member)?.capacity;
  }

  /** Members that do work with a toolchain, whether or not they have room now. */
  able(toolchain: Digest): Key[] {
    return [...this.#told.keys()].filter((member) => {
      const capacity = this.of(member);
      return capacity !== undefined && capacity.slots > 0 && (capacity.takesToolchains || capacity.toolchains.includes(toolchain));
    });
  }

  /** Slots of a member that should be free now. */
  free(member: Key): number {
    const told = this.#fresh(member);
    if (told === undefined || this.#isBusy(member)) return 0;
    const claims = [...this.#live(member)];
    // What was given just before a member told had not arrived there.
    const unseen = claims.filter(({ atMs }) => atMs > told.atMs - settleMs).length;
    const released = this.#released.get(member)?.length ?? 0;
    const { slots, free } = told.capacity;
    return Math.max(0, Math.min(free - unseen + released, slots - claims.length));
  }

  /** Counts a slot of a member as given away until it is released, or `forMs` have passed. */
  claim(member: Key, forMs: number): Claim {
    const atMs = this.#now();
    const claim = { member, atMs, untilMs: atMs + forMs };
    const claims = this.#live(member);
    claims.add(claim);
    this.#claims.set(member, claims);
    for (const eldest of claims) {
      if (claims.size <= claimMost) break;
      claims.delete(eldest);
    }
    return claim;
  }

  /** The slot is free again. */
  release(claim: Claim): void {
    const { member, atMs } = claim;
    const claims = this.#claims.get(member);
    if (claims?.delete(claim) !== true) return;
    if (claims.size === 0) this.#claims.delete(member);
    const told = this.#told.get(member);
    if (told === undefined || atMs > told.atMs - settleMs) return;
    const released = this.#released.get(member) ?? [];
    if (released.length < told.capacity.slots) released.push(this.#now());
    this.#released.set(member, released);
  }

  /** A member has said that it has no room, whatever it had told: until it tells again, or for a moment. */
  busy(member: Key): void {
    if (this.#told.has(member)) this.#busy.set(member, this.#now());
  }

  #fresh(member: Key): Told | undefined {
    const told = this.#told.get(member);
    return told !== undefined && this.#now() - told.atMs < tellStaleMs ? told : undefined;
  }

  #isBusy(member: Key): boolean {
    const since = this.#busy.get(member);
    return since !== undefined && this.#now() - since < busyMs;
  }

  #live(member: Key): Set<Claim> {
    const claims = this.#claims.get(member) ?? new Set<Claim>();
    const now = this.#now();
    for (const claim of claims) if (claim.untilMs <= now) claims.delete(claim);
    return claims;
  }
}
