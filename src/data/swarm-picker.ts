/**
 * Which chunk to ask a member for next: the one that the fewest have, so that what only one has is soon had by two.
 *
 * Knows: who has which chunk and who was asked for which. Does not know: bytes, streams, time.
 */
import type { ChunkSet } from "./chunk-set.ts";

/** A member that gives chunks. */
export interface PickFrom {
  readonly has: Pick<ChunkSet, "has">;
  /** Chunks that it is asked for. */
  readonly asked: ReadonlySet<number>;
  /** Has given nothing for longer than it should. */
  readonly isSlow: boolean;
}

export class ChunkPicker {
  readonly #missing: number[] = [];
  /** By chunk: how many members have it, and how many are asked for it; a slow one does not count, but none is asked beside two. */
  readonly #having: Uint16Array;
  readonly #asking: Uint16Array;

  /**
   * @param here chunks that are not wanted
   * @param all members that may be asked
   */
  constructor(here: Pick<ChunkSet, "chunks" | "has">, all: readonly PickFrom[]) {
    this.#having = new Uint16Array(here.chunks);
    this.#asking = new Uint16Array(here.chunks);
    for (let chunk = 0; chunk < here.chunks; chunk++) if (!here.has(chunk)) this.#missing.push(chunk);
    for (const { has, asked, isSlow } of all) {
      for (const chunk of this.#missing) if (has.has(chunk)) this.#having[chunk] = (this.#having[chunk] ?? 0) + 1;
      if (!isSlow) for (const chunk of asked) this.#note(chunk);
    }
  }

  /**
   * A chunk that the member has and nobody is asked for, but perhaps a slow one; of several, one that the fewest have. It counts as asked
   * for from now on.
   *
   * @param random from 0 to below 1: nodes that all chose the same of several would have them all from one member
   */
  pick(from: PickFrom, random: () => number): number | undefined {
    let [best, fewest, ties]: [number | undefined, number, number] = [undefined, Number.POSITIVE_INFINITY, 0];
    for (const chunk of this.#missing) {
      const having = this.#having[chunk] ?? 0;
      if (having > fewest || (this.#asking[chunk] ?? 0) > 0 || !from.has.has(chunk) || from.asked.has(chunk)) continue;
      ties = having === fewest ? ties + 1 : 1;
      if (having < fewest || random() * ties < 1) best = chunk;
      fewest = having;
    }
    if (best !== undefined) this.#note(best);
    return best;
  }

  #note(chunk: number): void {
    this.#asking[chunk] = (this.#asking[chunk] ?? 0) + 1;
  }
}
