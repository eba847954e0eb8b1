/**
 * A tree in memory, for tests and simulations: what a log on disk is without its files.
 */
import { type Hash, nodeHash, type ReadNode, rootAt } from "./merkle.ts";

export class MemoryTree {
  /** By level, hashes of complete subtrees. */
  readonly #levels: Hash[][] = [[]];

  constructor(leaves: readonly Hash[] = []) {
    this.append(leaves);
  }

  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  /** Of the first entries. */
  leaves(from: number, to: number): Hash[] {
    return (this.#levels[0] ?? []).slice(from, to);
  }

  append(leaves: readonly Hash[]): void {
    for (const leaf of leaves) this.#push(0, leaf);
  }

  readonly read: ReadNode = (level, index) => {
    const node = this.#levels[level]?.[index];
    if (node === undefined) throw new RangeError(`there is no node ${level} ${index}`);
    return node;
  };

  root(size: number = this.size): Hash {
    return rootAt(this.read, size);
  }

  #push(level: number, node: Hash): void {
    const row = (this.#levels[level] ??= []);
    row.push(node);
    const left = row.length % 2 === 0 ? row[row.length - 2] : undefined;
    if (left !== undefined) this.#push(level + 1, nodeHash(left, node));
  }
}
