/**
 * Hybrid: one member, which holds a lease, places what is worth sending, by what all have been given. When it does not answer, each node
 * places its own at once, as in a mesh, until another one holds the lease.
 *
 * Knows: whom to ask and how long. Does not know: how the lease is told, or what the coordinator weighs.
 */
import type { Key } from "../base/index.ts";
import { limits } from "../base/index.ts";
import type { Placed, PlacedOutcome, Placement, PlacementFrame, Unit } from "../contracts/index.ts";
import type { Candidate } from "./choose.ts";
import { Health } from "./health.ts";
import type { Lease } from "./lease.ts";
import { BUSY, type Here, type OwnView } from "./own-view.ts";
import type { Questions } from "./questions.ts";

const { answerMs, claimMost, frameMembers } = limits.placement;

export interface HybridParts {
  readonly self: Key;
  readonly view: OwnView;
  readonly questions: Questions;
  readonly lease: Lease;
  /** The last round trip to a member; undefined: none yet. */
  readonly rttMs: (member: Key) => number | undefined;
  readonly send: (to: Key, frame: PlacementFrame) => void;
  /** Those whom this node, which places for all, may be given itself; see Desk. */
  readonly fair: (held: number, able: readonly Candidate[]) => readonly Candidate[];
  /** See QuestionsParts. */
  readonly after: (ms: number, what: () => void) => Disposable;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Grant {
  readonly holder: Key;
  readonly term: number;
}

export class HybridPlacement implements Placement {
  readonly #parts: HybridParts;
  readonly #health: Health;
  /** Unit and member → who has placed it there, and is to hear when it is done. */
  readonly #grants = new Map<string, Grant>();
  /** What is about to be told to be done. */
  #releases: { readonly grant: Grant; readonly members: Key[] } | undefined;

  constructor(parts: HybridParts) {
    this.#parts = parts;
    this.#health = new Health(parts);
  }

  async place(unit: Unit, here: Here, tried: readonly Key[], signal: AbortSignal): Promise<Placed> {
    signal.throwIfAborted();
    const { self, view, questions, lease, rttMs } = this.#parts;
    const considered = view.consider(unit, here, tried);
    if (considered.kind === "here") return considered.placed;
    const { candidates, hereMs } = considered;
    const held = lease.current;
    if (held === undefined) return view.choose(unit, considered, "own-choice");
    const { holder, term } = held;
    if (holder === self) return view.coordinate(unit, { hereMs, candidates: this.#parts.fair(view.away, candidates) });
    // Its answer would come too late, each time: who is as far away is as well as silent, and no worse for it.
    if ((rttMs(holder) ?? 0) >= answerMs) return view.choose(unit, considered, "own-choice");
    if (!this.#health.isWell(holder)) return view.choose(unit, considered, "coordinator-silent");
    const able = view.open(candidates);
    if (able.length === 0) return BUSY;
    const answered = await questions.ask(holder, term, { able, hereMs }, signal);
    if (answered.kind === "silent") this.#silent(holder, term);
    else this.#health.answered(holder);
    if (answered.kind === "stale") lease.silent(holder, term);
    if (answered.kind === "none") return BUSY;
    if (answered.kind !== "placed") return view.choose(unit, considered, "coordinator-silent");
    this.#remember(unit, answered.member, { holder, term });
    return view.give(unit, answered.member, "coordinator", candidates);
  }

  ended(unit: Unit, where: Placed, outcome: PlacedOutcome, tookMs: number, ranMs?: number): void {
    this.#parts.view.ended(unit, where, outcome, tookMs, ranMs);
    if (where.kind !== "member") return;
    const name = nameOf(unit, where.member);
    const grant = this.#grants.get(name);
    if (grant === undefined) return;
    this.#grants.delete(name);
    this.#release(grant, where.member);
  }

  /** To be called at each health check's time. */
  check(): void {
    const { self, lease, send } = this.#parts;
    const held = lease.current;
    if (held === undefined || held.holder === self) return;
    const verdict = this.#health.beat(held.holder);
    if (verdict === "gone") lease.silent(held.holder, held.term);
    else if (verdict === "check") send(held.holder, { kind: "check", term: held.term });
  }

  /** The answer to a check. */
  well(from: Key, term: number): void {
    const held = this.#parts.lease.current;
    if (held?.holder !== from) return;
    if (held.term === term) this.#health.answered(from);
    else if (term < held.term) this.#parts.lease.silent(from, held.term); // By a greater one it will be told of.
  }

  /** It is looked at once whether it is there again, so that a moment's silence costs a moment. */
  #silent(holder: Key, term: number): void {
    this.#health.missed(holder);
    this.#parts.send(holder, { kind: "check", term });
  }

  #remember(unit: Unit, member: Key, grant: Grant): void {
    this.#grants.set(nameOf(unit, member), grant);
    for (const eldest of this.#grants.keys()) {
      if (this.#grants.size <= claimMost) break;
      this.#grants.delete(eldest);
    }
  }

  #release(grant: Grant, member: Key): void {
    const { send, after } = this.#parts;
    const waiting = this.#releases;
    if (waiting?.grant.term === grant.term && waiting.grant.holder === grant.holder && waiting.members.length < frameMembers)
      return void waiting.members.push(member);
    const release = { grant, members: [member] };
    this.#releases = release;
    after(0, () => {
      if (this.#releases === release) this.#releases = undefined;
      send(grant.holder, { kind: "release", term: grant.term, members: release.members });
    });
  }
}

function nameOf({ key }: Unit, member: Key): string {
  return `${key} ${member}`;
}
