/**
 * The complete subtrees that the first entries of a log make: all that is needed to go on with it, and its root.
 *
 * Knows: Merkle trees. Does not know: where a log lies.
 */
import { type Hash, nodeHash, type ReadNode } from "./merkle.ts";

/** Levels that a tree can have at all, sizes being whole numbers. */
const LEVELS = 53;

export class CompactRange {
  /** The largest subtree first. */
  readonly #nodes: Hash[];
  #size: number;

  /** @param size entries, all of whose nodes can be read */
  constructor(read: ReadNode, size: number) {
    this.#size = size;
    this.#nodes = [];
    for (let level = LEVELS - 1; level >= 0; level--) {
      const nodes = Math.floor(size / 2 ** level);
      if (nodes % 2 === 1) this.#nodes.push(read(level, nodes - 1));
    }
  }

  get size(): number {
    return this.#size;
  }

  push(leaf: Hash): void {
    let node = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#nodes.pop();
      if (left === undefined) throw new RangeError(`${this.#size} entries make more subtrees`);
      node = nodeHash(left, node);
    }
    this.#nodes.push(node);
    this.#size += 1;
  }

  /** Undefined where there are no entries. */
  root(): Hash | undefined {
    return this.#nodes.reduceRight<Hash | undefined>((right, left) => (right === undefined ? left : nodeHash(left, right)), undefined);
  }
}
