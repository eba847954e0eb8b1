/**
 * Merkle trees as certificate transparency has them: hashes, proofs that an entry is in a tree and that a tree has grown out of another.
 *
 * Knows: RFC 6962, section 2.1; proofs are verified as RFC 9162, sections 2.1.3.2 and 2.1.4.2, has it. Does not know: what an entry is, or
 * where hashes are kept. Sizes are numbers, so nothing here shifts bits.
 */
import { hash } from "node:crypto";

/** SHA-256: 32 bytes. */
export type Hash = Uint8Array;

/**
 * The hash of a complete subtree: that of 2^level entries, from `index` times 2^level on.
 *
 * @throws {CairnError} where it is not kept
 */
export type ReadNode = (level: number, index: number) => Hash;

export const HASH_BYTES = 32;
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

export function leafHash(entry: Uint8Array): Hash {
  return hash("sha256", Buffer.concat([LEAF, entry]), "buffer");
}

export function nodeHash(left: Hash, right: Hash): Hash {
  return hash("sha256", Buffer.concat([NODE, left, right]), "buffer");
}

export function isSameHash(a: Hash, b: Hash): boolean {
  return Buffer.from(a).equals(b);
}

/** @param size entries, 0 or more */
export function rootAt(read: ReadNode, size: number): Hash {
  return size === 0 ? hash("sha256", "", "buffer") : subtree(read, 0, size);
}

/** PATH of RFC 6962, section 2.1.1: from the leaf's sibling up. @param index less than `size` */
export function inclusionProof(read: ReadNode, index: number, size: number): Hash[] {
  const path = (from: number, to: number): Hash[] => {
    if (to - from === 1) return [];
    const middle = from + splitOf(to - from);
    return index < middle ? [...path(from, middle), subtree(read, middle, to)] : [...path(middle, to), subtree(read, from, middle)];
  };
  return path(0, size);
}

/** PROOF of RFC 6962, section 2.1.2: nothing where the trees are the same, or the old one is empty. @param old at most `size` */
export function consistencyProof(read: ReadNode, old: number, size: number): Hash[] {
  const proof = (from: number, to: number, isWhole: boolean): Hash[] => {
    if (old === to) return isWhole ? [] : [subtree(read, from, to)];
    const middle = from + splitOf(to - from);
    return old <= middle
      ? [...proof(from, middle, isWhole), subtree(read, middle, to)]
      : [...proof(middle, to, false), subtree(read, from, middle)];
  };
  return old === 0 ? [] : proof(0, size, true);
}

/** Whether the entry with that hash is the one at `index` of the tree with that root. */
export function isIncluded(leaf: Hash, index: number, size: number, proof: readonly Hash[], root: Hash): boolean {
  if (!areWhole(index, size) || index >= size || !areHashes(leaf, ...proof)) return false;
  const walk = new Walk(index, size - 1);
  let found = leaf;
  for (const sibling of proof) {
    if (walk.isAtTop) return false;
    found = walk.isRight ? nodeHash(sibling, found) : nodeHash(found, sibling);
    walk.up();
  }
  return walk.isAtTop && isSameHash(found, root);
}

/** Whether the tree of `size` entries begins with the one of `old`. Every tree begins with the empty one. */
export function isConsistent(old: number, size: number, proof: readonly Hash[], oldRoot: Hash, root: Hash): boolean {
  if (!areWhole(old, size) || old > size || !areHashes(oldRoot, root, ...proof)) return false;
  if (old === 0 || old === size) return proof.length === 0 && (old === 0 || isSameHash(oldRoot, root));
  // A complete tree is a node of the larger one by itself, and not told again.
  const [first, ...rest] = isPowerOfTwo(old) ? [oldRoot, ...proof] : proof;
  if (first === undefined || proof.length === 0) return false;
  const walk = new Walk(old - 1, size - 1);
  walk.upWhileOdd();
  let [before, after] = [first, first];
  for (const sibling of rest) {
    if (walk.isAtTop) return false;
    if (walk.isRight) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
    } else after = nodeHash(after, sibling);
    walk.up();
  }
  return walk.isAtTop && isSameHash(before, oldRoot) && isSameHash(after, root);
}

/** From one node to the root, beside the right edge of the tree. */
class Walk {
  #node: number;
  #last: number;

  constructor(node: number, last: number) {
    this.#node = node;
    this.#last = last;
  }

  get isAtTop(): boolean {
    return this.#last === 0;
  }

  /** Whether the next sibling is to the left. */
  get isRight(): boolean {
    return this.#node % 2 === 1 || this.#node === this.#last;
  }

  up(): void {
    // The last node has no sibling on levels where it is a left one.
    if (this.#node === this.#last) while (this.#node % 2 === 0 && this.#node !== 0) this.#half();
    this.#half();
  }

  upWhileOdd(): void {
    while (this.#node % 2 === 1) this.#half();
  }

  #half(): void {
    this.#node = Math.floor(this.#node / 2);
    this.#last = Math.floor(this.#last / 2);
  }
}

/** MTH of the entries from `from` to before `to`; `from` is where a subtree of that size can begin. */
function subtree(read: ReadNode, from: number, to: number): Hash {
  const count = to - from;
  if (isPowerOfTwo(count)) return read(Math.log2(count), from / count);
  const middle = from + splitOf(count);
  return nodeHash(subtree(read, from, middle), subtree(read, middle, to));
}

/** The largest power of two below `count`, which is 2 or more. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function isPowerOfTwo(count: number): boolean {
  return count === 1 || splitOf(count) * 2 === count;
}

function areWhole(...sizes: readonly number[]): boolean {
  return sizes.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function areHashes(...hashes: readonly Hash[]): boolean {
  return hashes.every((one) => one.length === HASH_BYTES);
}
