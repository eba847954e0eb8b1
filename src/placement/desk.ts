/**
 * Answers to members who ask where their units should be done: as the coordinator, by all that is given out here, or as a member that is
 * asked for itself.
 *
 * Knows: slots, who has been given how many, and who asks at the same time. Does not know: leases, how members ask, or what a unit is.
 */
import { type Key, limits } from "../base/index.ts";
import type { PlacementFrame, PlacementQuestion } from "../contracts/index.ts";
import type { Capacities, Claim } from "./capacities.ts";
import { best, type Candidate } from "./choose.ts";

const { askingMs, claimMs, grantsMost, reserveMs } = limits.placement;

export interface DeskParts {
  readonly self: Key;
  readonly capacities: Capacities;
  /** Whether a member is there, as far as this node can tell. */
  readonly isLinked: (member: Key) => boolean;
  /** ms, monotonic */
  readonly now: () => number;
}

type Answer = Extract<PlacementFrame, { kind: "answer" }>;

export class Desk {
  readonly #parts: DeskParts;
  /** Who asked → what it was given and has not said to be done. */
  readonly #grants = new Map<Key, Set<Claim>>();
  /** Who has asked lately, this node among them, or given back what it was given, which it may ask for again; and when. */
  readonly #asking = new Map<Key, number>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** Slots that are given out. */
  get granted(): number {
    return [...this.#grants.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Places what one member asks for in one moment: what takes longest first, or it would be what is waited for at the end. */
  coordinate(from: Key, term: number, questions: readonly PlacementQuestion[]): Answer {
    const held = (): number => this.#grants.get(from)?.size ?? 0;
    const longest = (question: PlacementQuestion): number => question.able[0]?.expectedMs ?? 0;
    const placed = questions
      .toSorted((a, b) => longest(b) - longest(a))
      .map((question) => {
        const there = this.fair(from, held(), this.#candidates(from, question));
        return { id: question.id, member: this.#grant(from, best(there, question.hereMs)?.member, claimMs) };
      });
    return { kind: "answer", term, placed };
  }

  /**
   * Those of the members that could do a unit which somebody may be given now. Who asks alone may have all. While several ask, as many units wait at
   * a member as it does at once, and nobody has more than its part of all places but for slots that nobody else wants now: so who comes later has
   * a place at each worker, where who has least goes first. Who has its part asks only when one of its units is done, and counts until then. What a
   * part is follows from what workers tell alone: who says that its way is long, or names a member twice, has none the larger. Nothing is taken away.
   *
   * @param held places that it has
   */
  fair(from: Key, held: number, able: readonly Candidate[]): readonly Candidate[] {
    const now = this.#parts.now();
    this.#asking.set(from, now);
    for (const [member, at] of this.#asking) if (now - at > askingMs) this.#asking.delete(member);
    if (this.#asking.size === 1 && this.#grants.size === 0) return able;
    const slotsOf = new Map(able.map(({ member, slots }) => [member, slots]));
    const places = 2 * [...slotsOf.values()].reduce((sum, slots) => sum + slots, 0);
    const sharing = this.#asking.size + this.#silent(places);
    if (sharing === 1) return able;
    const mayQueue = held < partOf(places, sharing);
    return able.filter(({ free }) => mayQueue || free > 0).map((one) => ({ ...one, queue: Math.min(one.queue, one.slots) }));
  }

  /** Says for each unit whether this member does it, or else which of those that are named with it. */
  delegate(from: Key, questions: readonly PlacementQuestion[]): Answer {
    const { self } = this.#parts;
    const placed = questions.map((question) => {
      const isFree = question.able.some(({ member }) => member === self) && this.#parts.capacities.free(self) > 0;
      // That the work comes shows at once, for this member, and by what others tell, for them.
      return {
        id: question.id,
        member: this.#grant(from, isFree ? self : best(this.#candidates(from, question), question.hereMs)?.member, reserveMs),
      };
    });
    return { kind: "answer", term: 0, placed };
  }

  /** A member has said that what it was given is done. */
  release(from: Key, members: readonly Key[]): void {
    const grants = this.#grants.get(from);
    for (const member of members) {
      const claim = [...(grants ?? [])].find((one) => one.member === member);
      if (claim === undefined) continue;
      this.#take(from, claim);
      this.#asking.set(from, this.#parts.now());
    }
  }

  /** Who is gone needs nothing any more. */
  lost(peer: Key): void {
    for (const claim of this.#grants.get(peer) ?? []) this.#parts.capacities.release(claim);
    this.#grants.delete(peer);
    this.#asking.delete(peer);
  }

  /** Members that have not asked lately, and have their part of so many places. */
  #silent(places: number): number {
    const now = this.#parts.now();
    const silent = [...this.#grants]
      .filter(([member]) => !this.#asking.has(member))
      .map(([, claims]) => [...claims].filter(({ untilMs }) => untilMs > now).length)
      .filter((held) => held > 0);
    const part = partOf(places, this.#asking.size + silent.length);
    return silent.filter((held) => held >= part).length;
  }

  /** Those whom somebody named, as this node knows them. */
  #candidates(from: Key, { able }: PlacementQuestion): Candidate[] {
    const { self, capacities, isLinked } = this.#parts;
    const there = able.filter(({ member }) => member !== from && (member === self || isLinked(member)));
    return there.map(({ member, expectedMs, travelMs }) => ({ member, expectedMs, travelMs, ...capacities.room(member), reliability: 1 }));
  }

  #grant(from: Key, member: Key | undefined, forMs: number): Key | undefined {
    if (member === undefined) return undefined;
    const grants = this.#grants.get(from) ?? new Set<Claim>();
    this.#grants.set(from, grants);
    grants.add(this.#parts.capacities.claim(member, forMs));
    for (const eldest of grants) {
      if (grants.size <= grantsMost) break;
      this.#take(from, eldest);
    }
    return member;
  }

  #take(from: Key, claim: Claim): void {
    this.#grants.get(from)?.delete(claim);
    this.#parts.capacities.release(claim);
  }
}

function partOf(places: number, members: number): number {
  return Math.max(1, Math.floor(places / members));
}
