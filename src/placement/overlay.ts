/**
 * Overlay: the member that is responsible for a unit's key does it, or says who of the next ones does. So whoever wants the same thing asks
 * the same member.
 *
 * Knows: the order of members for a key. Does not know: what else the responsible member has to do; it is asked.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import type { Placed, PlacedOutcome, Placement, Unit } from "../contracts/index.ts";
import { hasRoom, near } from "./choose.ts";
import { BUSY, type Here, type OwnView } from "./own-view.ts";
import type { Questions } from "./questions.ts";

const { responsibleMost } = limits.placement;

export interface OverlayParts {
  readonly self: Key;
  readonly view: OwnView;
  readonly questions: Questions;
  /** Members in the order in which they are responsible for a key, the same for all. */
  readonly responsible: (key: Digest, members: readonly Key[]) => readonly Key[];
}

export class OverlayPlacement implements Placement {
  readonly #parts: OverlayParts;

  constructor(parts: OverlayParts) {
    this.#parts = parts;
  }

  async place(unit: Unit, here: Here, tried: readonly Key[], signal: AbortSignal): Promise<Placed> {
    signal.throwIfAborted();
    const { self, view, questions, responsible } = this.#parts;
    const considered = view.consider(unit, here, tried);
    if (considered.kind === "here") return considered.placed;
    const { hereMs } = considered;
    const known = new Map(near(considered.candidates, hereMs).map((candidate) => [candidate.member, candidate]));
    const [first = self, ...next] = responsible(unit.key, [self, ...known.keys()]);
    const after = next.flatMap((member) => known.get(member) ?? []).filter((one) => hasRoom(one, hereMs));
    const candidates = [...[known.get(first)].filter((one) => one !== undefined), ...after].slice(0, responsibleMost);
    // This machine is responsible, and it has no core for it: one of the next does it.
    if (first === self) return view.choose(unit, { candidates, hereMs }, "responsible");
    const answered = await questions.ask(first, 0, { able: view.open(candidates), hereMs }, signal);
    if (answered.kind === "placed") return view.give(unit, answered.member, "responsible", candidates);
    if (answered.kind === "none") return BUSY;
    // It is away: the next ones are as good.
    return view.choose(unit, { candidates: candidates.filter(({ member }) => member !== first), hereMs }, "own-choice");
  }

  ended(unit: Unit, where: Placed, outcome: PlacedOutcome, tookMs: number, ranMs?: number): void {
    this.#parts.view.ended(unit, where, outcome, tookMs, ranMs);
  }
}
