/**
 * Answers to members who ask where their units should be done: as the coordinator, by all that is given out here, or as a member that is
 * asked for itself.
 *
 * Knows: slots, who has been given how many, and who asks at the same time. Does not know: leases, how members ask, or what a unit is.
 */
import { type Key, limits } from "../base/index.ts";
import type { Able, PlacementFrame, PlacementQuestion } from "../contracts/index.ts";
import type { Capacities, Claim } from "./capacities.ts";
import { best, type Candidate, depth } from "./choose.ts";

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
  /** Who has asked lately, this node among them, and when. */
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
        const mayQueue = this.mayQueue(from, held(), question.able);
        return { id: question.id, member: this.#grant(from, this.#best(from, question, mayQueue), claimMs) };
      });
    return { kind: "answer", term, placed };
  }

  /**
   * Whether a member may have one more place in a queue of those that could do its unit. While several ask, nobody has more than its part of all
   * places, but for slots that nobody else wants now: so who comes later has a place at each worker, where who has least goes first. Nothing is taken
   * away. Who asks alone may have all.
   *
   * @param held places that it has
   */
  mayQueue(from: Key, held: number, able: readonly Able[]): boolean {
    const now = this.#parts.now();
    this.#asking.set(from, now);
    for (const [member, at] of this.#asking) if (now - at > askingMs) this.#asking.delete(member);
    const places = able.map((one) => this.#candidate(one)).reduce((sum, one) => sum + one.slots + depth(one), 0);
    return this.#asking.size === 1 || held < Math.max(1, Math.floor(places / this.#asking.size));
  }

  /** Says for each unit whether this member does it, or else which of those that are named with it. */
  delegate(from: Key, questions: readonly PlacementQuestion[]): Answer {
    const { self } = this.#parts;
    const placed = questions.map((question) => {
      const isFree = question.able.some(({ member }) => member === self) && this.#parts.capacities.free(self) > 0;
      // That the work comes shows at once, for this member, and by what others tell, for them.
      return { id: question.id, member: this.#grant(from, isFree ? self : this.#best(from, question), reserveMs) };
    });
    return { kind: "answer", term: 0, placed };
  }

  /** A member has said that what it was given is done. */
  release(from: Key, members: readonly Key[]): void {
    const grants = this.#grants.get(from);
    for (const member of members) {
      const claim = [...(grants ?? [])].find((one) => one.member === member);
      if (claim !== undefined) this.#take(from, claim);
    }
  }

  /** Who is gone needs nothing any more. */
  lost(peer: Key): void {
    for (const claim of this.#grants.get(peer) ?? []) this.#parts.capacities.release(claim);
    this.#grants.delete(peer);
    this.#asking.delete(peer);
  }

  #best(from: Key, { able, hereMs }: PlacementQuestion, mayQueue = true): Key | undefined {
    const there = able.filter(({ member }) => member !== from && (member === this.#parts.self || this.#parts.isLinked(member)));
    return best(
      there.map((one) => this.#candidate(one)).filter(({ free }) => mayQueue || free > 0),
      hereMs,
    )?.member;
  }

  /** As this node knows a member that somebody else could send to. */
  #candidate(able: Able): Candidate {
    return { ...able, ...this.#parts.capacities.room(able.member), reliability: 1 };
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
