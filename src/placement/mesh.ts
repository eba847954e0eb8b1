/**
 * Mesh: each node decides for itself, by what members have told. When nobody seems to have room, a few are asked.
 *
 * Knows: whom to ask. Does not know: what others send where.
 */
import type { Key } from "../base/index.ts";
import { limits } from "../base/index.ts";
import type { Placed, PlacedOutcome, Placement, Unit } from "../contracts/index.ts";
import type { Candidate } from "./choose.ts";
import type { Here, OwnView } from "./own-view.ts";
import type { Questions } from "./questions.ts";

const { announceMost } = limits.placement;

export interface MeshParts {
  readonly view: OwnView;
  readonly questions: Questions;
}

export class MeshPlacement implements Placement {
  readonly #parts: MeshParts;

  constructor(parts: MeshParts) {
    this.#parts = parts;
  }

  async place(unit: Unit, here: Here, tried: readonly Key[], signal: AbortSignal): Promise<Placed> {
    signal.throwIfAborted();
    const { view } = this.#parts;
    const considered = view.consider(unit, here, tried);
    if (considered.kind === "here") return considered.placed;
    const { candidates, hereMs } = considered;
    const placed = view.choose(unit, considered, "own-choice");
    if (placed.kind === "member") return placed;
    const member = await this.#announce(view.open(candidates).slice(0, announceMost), hereMs, signal);
    return member === undefined ? placed : view.give(unit, member, "claimed", candidates);
  }

  ended(unit: Unit, where: Placed, outcome: PlacedOutcome, tookMs: number, ranMs?: number): void {
    this.#parts.view.ended(unit, where, outcome, tookMs, ranMs);
  }

  /** Tells some members of a unit: the first that has room gets it. */
  async #announce(candidates: readonly Candidate[], hereMs: number, signal: AbortSignal): Promise<Key | undefined> {
    const claims = candidates.map(async (one) => {
      const answered = await this.#parts.questions.ask(one.member, 0, { able: [one], hereMs }, signal);
      return answered.kind === "placed" ? answered.member : Promise.reject(new Error("no room"));
    });
    return Promise.any(claims).catch(() => {
      signal.throwIfAborted();
      return undefined;
    });
  }
}
