/**
 * Ids of attestations in order, and what those of any range add up to: in blocks, each with its sum.
 *
 * Knows: ids. Does not know: what they name, or who compares sums.
 */
import { type AttestationId, ID_TIME_DIGITS } from "../base/index.ts";
import type { IdRanges, RangeSum } from "../contracts/index.ts";

/** Ids of a block; one that grows larger is parted. */
const MOST = 64;
/** Digests are added up as so many numbers of 32 bits, each for itself. */
const LANES = 4;
const LANE_DIGITS = 8;

interface Block {
  ids: AttestationId[];
  sum: Uint32Array;
}

export class OrderedIds implements IdRanges {
  #blocks: Block[] = [{ ids: [], sum: new Uint32Array(LANES) }];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: AttestationId): boolean {
    const { ids } = this.#blockOf(id).block;
    return ids[lowerBound(ids, id)] === id;
  }

  /** @returns whether it is new */
  add(id: AttestationId): boolean {
    const { block, at } = this.#blockOf(id);
    const place = lowerBound(block.ids, id);
    if (block.ids[place] === id) return false;
    block.ids.splice(place, 0, id);
    accumulate(block.sum, id, 1);
    this.#size++;
    if (block.ids.length > MOST) {
      const upper = block.ids.splice(MOST / 2);
      this.#blocks.splice(at, 1, blockOf(block.ids), blockOf(upper));
    }
    return true;
  }

  /** @returns whether it was there */
  delete(id: AttestationId): boolean {
    const { block, at } = this.#blockOf(id);
    const place = lowerBound(block.ids, id);
    if (block.ids[place] !== id) return false;
    block.ids.splice(place, 1);
    accumulate(block.sum, id, -1);
    this.#size--;
    if (block.ids.length === 0 && this.#blocks.length > 1) this.#blocks.splice(at, 1);
    return true;
  }

  sumOf(from: AttestationId, to: AttestationId): RangeSum {
    const sum = new Uint32Array(LANES);
    let count = 0;
    for (const { block, begin, end } of this.#parts(from, to)) {
      count += end - begin;
      if (begin === 0 && end === block.ids.length)
        for (let lane = 0; lane < LANES; lane++) sum[lane] = (sum[lane] ?? 0) + (block.sum[lane] ?? 0);
      else for (const id of block.ids.slice(begin, end)) accumulate(sum, id, 1);
    }
    return { count, sum: Array.from(sum, (lane) => lane.toString(16).padStart(LANE_DIGITS, "0")).join("") };
  }

  list(from: AttestationId, to: AttestationId): AttestationId[] {
    return [...this.#parts(from, to)].flatMap(({ block, begin, end }) => block.ids.slice(begin, end));
  }

  rank(bound: AttestationId): number {
    const { block, at } = this.#blockOf(bound);
    let before = lowerBound(block.ids, bound);
    for (let i = 0; i < at; i++) before += this.#blocks[i]?.ids.length ?? 0;
    return before;
  }

  at(rank: number): AttestationId | undefined {
    let left = rank;
    for (const { ids } of this.#blocks) {
      if (left < ids.length) return ids[left];
      left -= ids.length;
    }
    return undefined;
  }

  /** The block in which a bound lies: the last one that does not begin behind it. */
  #blockOf(bound: AttestationId): { readonly block: Block; readonly at: number } {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#blocks[middle]?.ids[0] ?? "") <= bound) low = middle;
      else high = middle - 1;
    }
    const block = this.#blocks[low];
    if (block === undefined) throw new RangeError("there is always a block");
    return { block, at: low };
  }

  *#parts(from: AttestationId, to: AttestationId): Generator<{ readonly block: Block; readonly begin: number; readonly end: number }> {
    for (let at = this.#blockOf(from).at; at < this.#blocks.length; at++) {
      const block = this.#blocks[at];
      if (block === undefined || (block.ids[0] ?? to) >= to) return;
      const [begin, end] = [lowerBound(block.ids, from), lowerBound(block.ids, to)];
      if (begin < end) yield { block, begin, end };
    }
  }
}

function blockOf(ids: AttestationId[]): Block {
  const sum = new Uint32Array(LANES);
  for (const id of ids) accumulate(sum, id, 1);
  return { ids, sum };
}

/** The part of an id that is time adds nothing: it is in the digest. */
function accumulate(sum: Uint32Array, id: AttestationId, sign: 1 | -1): void {
  for (let lane = 0; lane < LANES; lane++) {
    const at = ID_TIME_DIGITS + lane * LANE_DIGITS;
    sum[lane] = (sum[lane] ?? 0) + sign * Number.parseInt(id.slice(at, at + LANE_DIGITS), 16);
  }
}

/** Where in an ascending list the first id is that does not lie before a bound. */
function lowerBound(ids: readonly AttestationId[], bound: AttestationId): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? "") < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
