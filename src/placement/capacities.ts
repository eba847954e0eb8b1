/**
 * Who can do how much: what members have told, less what was given to them since.
 *
 * What members tell is late: it was true when they said it. So what this node gives and gets back in the meantime is counted with it.
 * Knows: slots, claims. Does not know: who gives what to whom, or why.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import type { Capacity, Unit } from "../contracts/index.ts";

const { busyMs, claimMost, phantomMs, settleHereMs, settleMs, tellStaleMs } = limits.placement;

interface Told {
  readonly capacity: Capacity;
  readonly atMs: number;
}

export interface CapacitiesParts {
  readonly self: Key;
  /** The last round trip to a member; undefined: none yet. */
  readonly rttMs: (member: Key) => number | undefined;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A slot that was given away. */
export interface Claim {
  readonly member: Key;
  readonly atMs: number;
  readonly untilMs: number;
}

export class Capacities {
  readonly #parts: CapacitiesParts;
  readonly #told = new Map<Key, Told>();
  readonly #claims = new Map<Key, Set<Claim>>();
  /** When slots came back that members did not know to be free when they told last. */
  readonly #released = new Map<Key, number[]>();
  /** Members that said they are busy, and when. */
  readonly #busy = new Map<Key, number>();

  constructor(parts: CapacitiesParts) {
    this.#parts = parts;
  }

  /** A member has told what it can do. */
  told(capacity: Capacity): void {
    this.#told.set(capacity.member, { capacity, atMs: this.#parts.now() });
    this.#reconcile(capacity);
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

  /** Whether a member says that it has a toolchain. */
  has(member: Key, toolchain: Digest): boolean {
    return this.of(member)?.toolchains.includes(toolchain) === true;
  }

  /**
   * Members that do work like this, whether or not they have room now: who has what it needs, whatever machine that is, and who would fetch it and can
   * execute it. What is installed somewhere cannot be fetched as a toolchain can.
   */
  able({ toolchain, platform, isGeneral = false }: Pick<Unit, "toolchain" | "platform" | "isGeneral">): Key[] {
    return [...this.#told.keys()].filter((member) => {
      const capacity = this.of(member);
      if (capacity === undefined || capacity.slots === 0) return false;
      if (capacity.toolchains.includes(toolchain)) return true;
      // Who does not say what it is is asked, as before, and declines what it cannot execute.
      return capacity.takesToolchains && !isGeneral && (capacity.platform === platform || capacity.platform === "");
    });
  }

  /** Slots of a member that should be free now; below 0: as many units wait there for one, as far as this node knows. Those of others leave it a place for one, which is the next to have a slot. */
  free(member: Key): number {
    const told = this.#fresh(member);
    if (told === undefined) return 0;
    if (this.#isBusy(member)) return -told.capacity.queue;
    const claims = [...this.#live(member)];
    const unseen = claims.filter(({ atMs }) => !this.#isSeen(atMs, told)).length;
    const released = this.#released.get(member)?.length ?? 0;
    const { slots, free } = told.capacity;
    const left = Math.min(free - unseen + released, slots - claims.length);
    return claims.length === 0 && slots > 0 ? Math.max(left, 0) : left;
  }

  /** What a member can do at once, and what of it is free now. */
  room(member: Key): { readonly slots: number; readonly free: number; readonly queue: number } {
    const { slots, queue } = this.of(member) ?? { slots: 0, queue: 0 };
    return { slots, queue, free: this.free(member) };
  }

  /** Whether it may take one more, as far as this node knows for certain: by what it has given it, and by what it answered just now. */
  isOpen(member: Key, most: number): boolean {
    return !this.#isBusy(member) && this.#live(member).size < most;
  }

  /** Counts a slot of a member as given away until it is released, or `forMs` have passed. */
  claim(member: Key, forMs: number): Claim {
    const atMs = this.#parts.now();
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
    if (told === undefined || !this.#isSeen(atMs, told)) return;
    const released = this.#released.get(member) ?? [];
    if (released.length < told.capacity.slots + told.capacity.queue) released.push(this.#parts.now());
    this.#released.set(member, released);
  }

  /** A member has said that it has no room, whatever it had told: until it tells again, or for a moment. */
  busy(member: Key): void {
    if (this.#told.has(member)) this.#busy.set(member, this.#parts.now());
  }

  /** Claims that a member has had long enough to know of, and does not: what they were for has ended, or never came. */
  #reconcile({ member, slots, free }: Capacity): void {
    const claims = this.#live(member);
    const old = [...claims].filter(({ atMs }) => atMs <= this.#parts.now() - phantomMs);
    for (const claim of old.slice(0, Math.max(0, old.length + free - slots))) claims.delete(claim);
  }

  #fresh(member: Key): Told | undefined {
    const told = this.#told.get(member);
    return told !== undefined && this.#parts.now() - told.atMs < tellStaleMs ? told : undefined;
  }

  /** Whether a member had what was given to it then when it told: what was given just before had not arrived, and what it tells takes its time as well. */
  #isSeen(givenAtMs: number, { capacity, atMs }: Told): boolean {
    const { self, rttMs } = this.#parts;
    const { member } = capacity;
    return givenAtMs <= atMs - (member === self ? settleHereMs : settleMs + (rttMs(member) ?? 0));
  }

  #isBusy(member: Key): boolean {
    const since = this.#busy.get(member);
    return since !== undefined && this.#parts.now() - since < busyMs;
  }

  #live(member: Key): Set<Claim> {
    const claims = this.#claims.get(member) ?? new Set<Claim>();
    const now = this.#parts.now();
    for (const claim of claims) if (claim.untilMs <= now) claims.delete(claim);
    return claims;
  }
}
