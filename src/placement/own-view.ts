/**
 * What one node knows for its own units: who could do them, who has room, what came of it. All patterns decide with it, and fall back to it.
 *
 * Knows: capacities, figures, own claims. Does not know: whom else one could ask.
 */
import { type Digest, Generations, type Key, type Log, limits } from "../base/index.ts";
import type { Placed, PlacedOutcome, PlacedWhy, Placement, Unit } from "../contracts/index.ts";
import type { Capacities, Claim } from "./capacities.ts";
import { best, type Candidate, depth, pick, spread, waitMs, weigh } from "./choose.ts";
import type { Measured, Prior } from "./measured.ts";

const { bytesPerMs: mostBytesPerMs, claimMs, claimMost, overheadMs, roundTrips, unknownCostMs } = limits.placement;
/** What a unit takes in a slot is taken to be this part of what it costs here, whatever was measured: nobody is that much faster. */
const WORK_LEAST = 0.25;

export interface OwnViewParts {
  readonly self: Key;
  readonly capacities: Capacities;
  readonly measured: Measured;
  /** Whether work can be sent to a member now. */
  readonly isLinked: (member: Key) => boolean;
  /** Whether a unit of this node's may go to a member at all. */
  readonly mayWork: (member: Key, unit: Unit) => boolean;
  /** Whether the member's trust domain has signed a result of that request already. */
  readonly hasSpoken: (member: Key, request: Digest) => boolean;
  /** The last round trip to a member; undefined: none yet. */
  readonly rttMs: (member: Key) => number | undefined;
  /** Of a unit's inputs, what a member is not known to have; undefined: nothing is known. Asked again and again while the unit waits. */
  readonly lackedBytes: (member: Key, contents: ReadonlyMap<Digest, number>) => number | undefined;
  /** How fast the link with a member takes bytes; undefined: not measured. */
  readonly bytesPerMs: (member: Key) => number | undefined;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

export type Here = Parameters<Placement["place"]>[1];

/** A unit that is worth sending: to these, the best first, as long as they take less than this machine. */
export interface Worth {
  readonly hereMs: number;
  readonly candidates: readonly Candidate[];
}

export type Considered = { readonly kind: "here"; readonly placed: Placed } | ({ readonly kind: "worth" } & Worth);

/** A slot that this node has given a unit of its own. */
interface Given {
  readonly claim: Claim;
  /** What sending what the member lacked was expected to take. */
  readonly sendMs: number;
}

/** Everybody has as much as can be waited for. */
export const BUSY: Placed = { kind: "here", why: "busy" };

export class OwnView {
  readonly #parts: OwnViewParts;
  /** Unit and member → slots that this node has given its own units; as many as are sent at once. */
  readonly #given = new Map<string, Given>();
  /** How many units members were given so far. */
  readonly #gifts = new Generations<Key, number>(claimMost);
  /** Members that were busy while they had units of this node, and how many slots they have told to be free since, at the least: what they have is all that they take. */
  readonly #full = new Map<Key, number>();

  constructor(parts: OwnViewParts) {
    this.#parts = parts;
  }

  /** Whether a unit is worth sending, and to whom. */
  consider(unit: Unit, here: Here, tried: readonly Key[]): Considered {
    const costMs = this.#costOf(unit);
    const weighed = weigh({ ...here, costMs }, here.running < here.cores ? [] : this.#candidates(unit, costMs, tried));
    return weighed.kind === "here" ? { kind: "here", placed: { kind: "here", why: weighed.why } } : weighed;
  }

  /** See Slots. */
  free(unit: Unit, tried: readonly Key[]): ReadonlyMap<Key, number> {
    const able = this.#able(unit, this.#costOf(unit), tried).filter(({ free }) => free > 0);
    return new Map(able.map(({ member }) => [member, this.#gifts.get(member) ?? 0]));
  }

  /** Chooses among candidates by what this node knows. */
  choose(unit: Unit, { candidates, hereMs }: Worth, why: PlacedWhy): Placed {
    const picked = pick(candidates, hereMs, this.#parts.random);
    return picked === undefined ? BUSY : this.give(unit, picked.member, why, [picked]);
  }

  /** Those that do not have as much of this node as they take; what they have of others is for who places for all to know. */
  open(candidates: readonly Candidate[]): Candidate[] {
    return candidates.filter((one) => !this.#isFull(one.member) && this.#parts.capacities.isOpen(one.member, one.slots + depth(one)));
  }

  /** Units that members have of this node. */
  get away(): number {
    return this.#given.size;
  }

  /** The same for who places for others, too, and so knows what they are given. */
  coordinate(unit: Unit, { candidates, hereMs }: Worth): Placed {
    const found = best(candidates, hereMs);
    return found === undefined ? BUSY : this.give(unit, found.member, "coordinator", [found]);
  }

  /** Sends a unit to one of those that could do it: one slot less there, from now on. */
  give(unit: Unit, member: Key, why: PlacedWhy, candidates: readonly Candidate[]): Placed {
    const { capacities } = this.#parts;
    const name = nameOf(unit.key, member);
    this.#release(name);
    this.#gifts.set(member, (this.#gifts.get(member) ?? 0) + 1);
    const chosen = candidates.find((one) => one.member === member);
    const sendMs = this.#sendMs(unit, member);
    const ways = chosen && { travelMs: chosen.travelMs + sendMs, waitMs: boundedMs(waitMs({ ...chosen, ...capacities.room(member) })) };
    this.#given.set(name, { claim: capacities.claim(member, claimMs), sendMs });
    for (const eldest of this.#given.keys()) {
      if (this.#given.size <= claimMost) break;
      this.#release(eldest);
    }
    return { kind: "member", member, why, travelMs: 0, ...ways };
  }

  /** See Placement.ended. */
  ended(unit: Unit, where: Placed, outcome: PlacedOutcome, tookMs: number, ranMs?: number): void {
    const { measured, log } = this.#parts;
    const { kind } = unit;
    if (where.kind === "here") {
      if (outcome === "done") measured.doneHere(kind, tookMs);
      return;
    }
    const { member } = where;
    const sendMs = this.#release(nameOf(unit.key, member)) ?? 0;
    log.event("debug", "placement.ended", { peer: member, outcome, kind, tookMs: Math.round(tookMs) });
    const costMs = this.#costOf(unit);
    // The next unit may lack less. What was sent may have taken less than was expected: it ran for as long as the member says, or for half of the time.
    const otherMs = Math.min(tookMs, ranMs ?? tookMs / 2);
    const besideMs = Math.max(otherMs, tookMs - sendMs);
    if (outcome === "done" && unit.costMs === undefined && ranMs !== undefined) measured.doneUnknown(member, kind, besideMs, ranMs);
    else if (outcome === "done") measured.done(member, kind, costMs, besideMs);
    else if (outcome === "late") measured.late(member, kind, costMs, besideMs);
    else if (outcome === "lost") measured.lost(member, kind);
    else if (outcome === "refused") measured.refused(member, unit.toolchain);
    else if (outcome === "busy") this.#busy(member);
  }

  #busy(member: Key): void {
    const { capacities } = this.#parts;
    capacities.busy(member);
    const hasUnits = [...this.#given.values()].some(({ claim }) => claim.member === member);
    if (hasUnits) this.#full.set(member, capacities.of(member)?.free ?? 0);
  }

  /** Until one of this node's units there has ended, or one of others has. */
  #isFull(member: Key): boolean {
    const before = this.#full.get(member);
    if (before === undefined) return false;
    const free = this.#parts.capacities.of(member)?.free ?? before;
    if (free > before) this.#full.delete(member);
    else this.#full.set(member, free);
    return free <= before;
  }

  #candidates(unit: Unit, costMs: number, tried: readonly Key[]): Candidate[] {
    return spread(this.#able(unit, costMs, tried), (member) => this.#parts.hasSpoken(member, unit.key));
  }

  #able(unit: Unit, costMs: number, tried: readonly Key[]): Candidate[] {
    const { kind, toolchain } = unit;
    const { self, capacities, measured, isLinked, mayWork, rttMs } = this.#parts;
    return capacities.able(unit).flatMap((member) => {
      const isOut = member === self || tried.includes(member) || !isLinked(member) || !mayWork(member, unit);
      if (isOut || measured.rests(member, toolchain)) return [];
      const prior = { overheadMs: overheadMs + roundTrips * (rttMs(member) ?? 0) };
      const expectedMs = measured.expected(member, kind, costMs, prior);
      const room = capacities.room(member);
      const fetchMs = this.#sendMs(unit, member);
      return {
        member,
        ...room,
        free: this.#isFull(member) ? -Math.max(room.slots, room.queue) : room.free,
        expectedMs: expectedMs + fetchMs,
        fetchMs,
        isToFetch: !capacities.has(member, toolchain),
        travelMs: Math.min(this.#travelMs(unit, member, prior), Math.max(0, expectedMs - WORK_LEAST * costMs)),
        reliability: measured.reliability(member, kind),
      };
    });
  }

  /**
   * On the way, there and back: what was measured beside the work itself, less what that costs on any way; at least one round trip, and not more than
   * is taken for it before anything was measured.
   */
  #travelMs({ kind }: Unit, member: Key, prior: Prior): number {
    const { measured, rttMs } = this.#parts;
    const roundTripMs = rttMs(member) ?? 0;
    const besideMs = measured.expected(member, kind, 0, prior) - overheadMs;
    return Math.min(roundTrips * roundTripMs, Math.max(roundTripMs, besideMs));
  }

  /** For what the member lacks of the inputs. What is not known counts as lacking, and as sent over a fast link. */
  #sendMs({ inputBytes, contents }: Unit, member: Key): number {
    const { lackedBytes, bytesPerMs } = this.#parts;
    const bytes = (contents && lackedBytes(member, contents)) ?? inputBytes;
    return bytes / Math.min(mostBytesPerMs, bytesPerMs(member) ?? mostBytesPerMs);
  }

  #costOf({ kind, costMs }: Unit): number {
    return costMs ?? this.#parts.measured.costs.usual(kind) ?? unknownCostMs;
  }

  /** @returns what was expected of its sending */
  #release(name: string): number | undefined {
    const given = this.#given.get(name);
    if (given === undefined) return undefined;
    const { claim, sendMs } = given;
    this.#given.delete(name);
    this.#full.delete(claim.member);
    this.#parts.capacities.release(claim);
    return sendMs;
  }
}

/** Whatever a member tells of those that wait there: it lets nobody wait for longer. */
function boundedMs(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.min(ms, limits.work.turnMs);
}

function nameOf(key: Digest, member: Key): string {
  return `${key} ${member}`;
}
