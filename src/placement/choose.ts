/**
 * The choice itself: here or elsewhere, and with whom.
 *
 * Knows: figures. Does not know: where they come from, clocks, members that are not named.
 */
import { type Key, limits } from "../base/index.ts";
import type { PlacedWhy } from "../contracts/index.ts";

/** A member that could do a unit, and what is expected of it. */
export interface Candidate {
  readonly member: Key;
  readonly slots: number;
  /** Slots in which nothing runs; below 0: as many wait there for one, or are on their way. */
  readonly free: number;
  /** Jobs that it lets wait for a slot. */
  readonly queue: number;
  /** From sending the unit to having what came of it, when it need not wait there. */
  readonly expectedMs: number;
  /** Of these, the time on the way, there and back: no slot is taken meanwhile. */
  readonly travelMs: number;
  /** Of these, what it takes because the member lacks something that others may have. No slot is taken meanwhile, either. */
  readonly fetchMs?: number;
  /** It does not have the toolchain, and refuses the unit while it fetches that. */
  readonly isToFetch?: boolean;
  /** Of what it takes on, the share that it does: above 0, at most 1. */
  readonly reliability: number;
}

export interface HereFacts {
  /** Compiles that run, this one not among them. */
  readonly running: number;
  readonly cores: number;
  /** How long it has waited for a core. */
  readonly waitedMs?: number;
  /** What the unit takes on a core that does nothing else. */
  readonly costMs: number;
}

/** Who takes so many times as long is about as fast. */
const AS_FAST = 1.25;

/** Of what would still be worth it, the most that a refusal is taken to cost: who is never asked for what it does not have never fetches it. */
const REFUSED = 0.9;

/** What a place in a queue is worth beside a free slot. */
const QUEUED = 0.5;

export type Weighed =
  | { readonly kind: "here"; readonly why: PlacedWhy }
  | { readonly kind: "worth"; readonly hereMs: number; readonly candidates: readonly Candidate[] };

/**
 * Whether a unit is worth sending, and to whom it might go, the best first; those are among them that have no room now.
 * An idle core takes it whatever others could do: the next unit may be theirs.
 */
export function weigh(here: HereFacts, candidates: readonly Candidate[]): Weighed {
  if (here.running < here.cores) return { kind: "here", why: "core-idle" };
  if (candidates.length === 0) return { kind: "here", why: "nobody" };
  const hereMs = waitedHereMs(here);
  const worth = candidates.filter(({ expectedMs, reliability }) => isWorth(expectedMs, reliability, hereMs));
  if (worth.length === 0) return { kind: "here", why: "not-worth" };
  return { kind: "worth", hereMs, candidates: fetchersLast(worth, hereMs).toSorted((a, b) => soonMs(a) - soonMs(b)) };
}

/**
 * Where some have the toolchain and others would have to fetch it first: these are asked in vain, and the unit is sent a second time. So it takes
 * them twice as long, as far as they are worth asking then.
 */
function fetchersLast(candidates: readonly Candidate[], hereMs: number): readonly Candidate[] {
  if (candidates.every(({ isToFetch }) => isToFetch === true)) return candidates;
  return candidates.map((one) => {
    if (one.isToFetch !== true) return one;
    const most = REFUSED * one.reliability * hereMs;
    const refusedMs = Math.max(0, Math.min(one.expectedMs, most - one.expectedMs));
    return { ...one, expectedMs: one.expectedMs + refusedMs, fetchMs: (one.fetchMs ?? 0) + refusedMs };
  });
}

/**
 * Those that lack little of what the unit needs: with all of it they would be about as fast. Who must ask the same member as others do asks among these,
 * unless none of them has room.
 */
export function near(candidates: readonly Candidate[], hereMs: number): readonly Candidate[] {
  const having = candidates.filter(({ expectedMs, fetchMs = 0 }) => expectedMs <= AS_FAST * (expectedMs - fetchMs));
  return having.some((one) => hasRoom(one, hereMs)) ? having : candidates;
}

/**
 * Where some could say something new of a result, by signing what they executed, and others of whose trust domain somebody has spoken already could
 * not: of two that are about as fast the first goes first. By time alone, so that who places for others need not know why.
 *
 * @param hasSpoken whether the member's domain has
 */
export function spread(candidates: readonly Candidate[], hasSpoken: (member: Key) => boolean): Candidate[] {
  const spoken = new Set(candidates.flatMap(({ member }) => (hasSpoken(member) ? [member] : [])));
  if (spoken.size === candidates.length) return [...candidates];
  return candidates.map((one) => (spoken.has(one.member) ? { ...one, expectedMs: AS_FAST * one.expectedMs } : one));
}

/**
 * One of those that have room, for a node that does not know what others choose at the same time. Of equal ones each is as probable, so that
 * many do not choose the same; who is twice as fast or has twice the room is drawn more often. Two are drawn, and of two that are about as
 * fast the less busy one is taken (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).
 *
 * More room never makes a member less probable: with the same draws it is still chosen.
 *
 * @param hereMs what it takes where it is wanted: nobody who takes longer is chosen
 * @param draw in [0, 1), for each candidate one
 */
export function pick(candidates: readonly Candidate[], hereMs: number, draw: (member: Key) => number): Candidate | undefined {
  const [first, second] = candidates
    .filter((one) => hasRoom(one, hereMs))
    .map((candidate) => ({ candidate, at: -Math.log(1 - draw(candidate.member)) / weightOf(candidate) })) // A race: who is twice as heavy comes first twice as often.
    .toSorted((a, b) => a.at - b.at)
    .map(({ candidate }) => candidate);
  if (first === undefined || second === undefined) return first;
  const isAsFast = soonMs(second) <= AS_FAST * soonMs(first);
  return isAsFast && busyShare(second) < busyShare(first) ? second : first;
}

/**
 * One of those that have room, for a node that places for all: who is soonest done, a busy one later than one that is not.
 *
 * @param hereMs as above
 */
export function best(candidates: readonly Candidate[], hereMs: number): Candidate | undefined {
  const doneMs = (one: Candidate): number => soonMs(one) * (1 + busyShare(one));
  return candidates.filter((one) => hasRoom(one, hereMs)).toSorted((a, b) => doneMs(a) - doneMs(b))[0];
}

/**
 * A unit too many slows down all that run: each gets its part of the cores. They may be other than it is: what has kept it waiting for so long may
 * do so for as long again.
 */
function waitedHereMs({ running, cores, waitedMs = 0, costMs }: HereFacts): number {
  return costMs * Math.max(1, (running + 1) / Math.max(1, cores)) + waitedMs;
}

/** Whether a member takes one more unit, and is done with it sooner than who wants it, also where it has to wait there. */
export function hasRoom(candidate: Candidate, hereMs: number): boolean {
  return candidate.free > -depth(candidate) && isWorth(soonMs(candidate), candidate.reliability, hereMs);
}

/** When it fails, the time is lost, and it has still to be done here. */
function isWorth(expectedMs: number, reliability: number, hereMs: number): boolean {
  return expectedMs + (1 - reliability) * hereMs < hereMs;
}

/**
 * Units that may wait at a member for a slot, or be on their way to one: as many as it does at once, as far as anybody lets wait, and where the way is long as many more as
 * its slots do in the meantime, so that none of them is empty until the next unit has come. These only as long as it lets them wait, and
 * no more than `limits.placement.underWayMs` of work are under way there. One in any case, and otherwise none that would not have its turn in time.
 */
export function depth(candidate: Pick<Candidate, "slots" | "queue" | "expectedMs" | "travelMs" | "fetchMs">): number {
  const { slots, queue, travelMs } = candidate;
  const workMs = Math.max(1, inSlotMs(candidate));
  const inTime = Math.max(1, Math.floor((limits.work.turnMs * (slots + 1)) / workMs));
  const least = Math.min(slots, limits.work.waitingPerMember, inTime);
  const bridging = slots + Math.floor((slots * travelMs) / workMs);
  const bounded = Math.floor(limits.placement.underWayMs / workMs) - slots;
  return Math.max(least, Math.min(bridging, bounded, queue));
}

/** With a wait for a slot where there is none. */
function soonMs(candidate: Candidate): number {
  return candidate.expectedMs + (waitMs(candidate) ?? 0);
}

/**
 * How long a unit waits there for a slot: of so many that began at any time the first ends after its part of one, the second after twice that.
 * What passes on the way is not waited for once more. Undefined: one is free.
 */
export function waitMs(candidate: Candidate): number | undefined {
  const { slots, free, travelMs, fetchMs = 0 } = candidate;
  return free > 0 ? undefined : Math.max(0, (inSlotMs(candidate) * (1 - free)) / (slots + 1) - travelMs - fetchMs);
}

/** Of what it takes, the work itself. */
function inSlotMs({ expectedMs, travelMs, fetchMs = 0 }: Pick<Candidate, "expectedMs" | "travelMs" | "fetchMs">): number {
  return expectedMs - travelMs - fetchMs;
}

function weightOf(candidate: Candidate): number {
  return (Math.max(candidate.free, QUEUED) * candidate.reliability) / Math.max(1, soonMs(candidate)) ** 2;
}

function busyShare({ slots, free }: Candidate): number {
  return 1 - Math.min(1, Math.max(0, free) / Math.max(1, slots));
}
