/**
 * A unit that waits for its turn at one member while another has a free slot: it is placed there, and taken back from the first if that has not begun.
 *
 * The new place is had before the old one is given up, so a unit is nowhere at no time; and it is given back where the unit has begun meanwhile.
 * Knows: when it is worth placing it anew. Does not know: how it is sent, or how it is taken back.
 */
import { type Key, limits } from "../base/index.ts";
import type { Placed, Placement, Row, Slots, Unit, WorkerOutcome } from "../contracts/index.ts";

const { weighAgainMs } = limits.remote;

export type AtMember = Extract<Placed, { kind: "member" }>;

export interface MoveParts {
  readonly placement: Placement & Slots;
  /** See Placement.place. */
  readonly here: () => Parameters<Placement["place"]>[1];
  /** Whether others, which no member has yet, would take a slot that is free. */
  readonly hasWaiting: () => boolean;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface MoveOptions {
  readonly unit: Unit;
  /** Who has it, and who has failed for it. */
  readonly tried: readonly Key[];
  /** Whether it may be moved once more. */
  readonly mayMove: boolean;
  /** Aborted when nobody waits for it any more. */
  readonly gone: AbortSignal;
}

interface Free {
  /** How many units it had been given when it was first seen to have a slot. */
  readonly given: number;
  readonly sinceMs: number;
}

export class Move {
  readonly row: Row;
  readonly #parts: MoveParts;
  readonly #options: MoveOptions;
  readonly #back = new AbortController();
  /** Since when it waits there, as far as is known. */
  #sinceMs: number | undefined;
  /** Other members that have a free slot, since when that is so whenever it is looked at, and what they were given by then. */
  #free: ReadonlyMap<Key, Free> = new Map();
  #isPlacing = false;
  /** A slot that is kept for it. */
  #to: AtMember | undefined;
  #isOver = false;

  constructor(parts: MoveParts, options: MoveOptions) {
    this.#parts = parts;
    this.#options = options;
    this.row = { back: this.#back.signal, waits: (isWaiting) => this.#hear(isWaiting) };
  }

  /**
   * It is not there any more.
   *
   * @param outcome undefined: nobody wants it elsewhere
   * @returns where it goes: it has come back
   */
  ended(outcome: WorkerOutcome | undefined): AtMember | undefined {
    this.#isOver = true;
    const to = this.#to;
    if (outcome?.kind !== "busy") this.#giveBack();
    return outcome?.kind === "busy" ? to : undefined;
  }

  #hear(isWaiting: boolean): void {
    const { hasWaiting, placement } = this.#parts;
    const { mayMove, unit, tried } = this.#options;
    if (!isWaiting) return this.#giveBack(); // It has begun: nothing comes of wanting it back.
    const now = this.#parts.now();
    this.#sinceMs ??= now;
    this.#look(placement.free(unit, tried), now);
    if (!mayMove || this.#isPlacing || this.#back.signal.aborted || this.#free.size === 0) return;
    // A slot that none of those takes who wait here, and hear of it meanwhile, is none for them.
    const isLeft = [...this.#free.values()].some(({ sinceMs }) => now - sinceMs >= weighAgainMs);
    const isNobodys = !hasWaiting() || isLeft;
    if (now - this.#sinceMs >= weighAgainMs && isNobodys) void this.#place();
  }

  /** Who was given something meanwhile had a free slot for a moment only, between two looks. */
  #look(free: ReadonlyMap<Key, number>, now: number): void {
    const known = this.#free;
    const seen = [...free].map(([member, given]): [Key, Free] => {
      const before = known.get(member);
      return [member, before?.given === given ? before : { given, sinceMs: now }];
    });
    this.#free = new Map(seen);
  }

  /** Never rejects. */
  async #place(): Promise<void> {
    const { placement, here } = this.#parts;
    const { unit, tried, gone } = this.#options;
    this.#isPlacing = true;
    try {
      const placed = await placement.place(unit, here(), tried, gone);
      const isFree = placed.kind === "member" && placed.waitMs === undefined;
      if (!isFree || this.#isOver) return placement.ended(unit, placed, "cancelled", 0);
      this.#to = placed;
      this.#back.abort();
    } catch {
      // Nobody waits for it any more.
    } finally {
      this.#isPlacing = false;
    }
  }

  #giveBack(): void {
    if (this.#to !== undefined) this.#parts.placement.ended(this.#options.unit, this.#to, "cancelled", 0);
    this.#to = undefined;
  }
}
