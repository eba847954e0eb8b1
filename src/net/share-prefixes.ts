/**
 * A set of digests by their first 8 bytes: sorted in one array, and what has changed since beside it.
 *
 * Knows: 8 bytes a digest. Does not know: whose digests they are. A digest that is not in the set may seem to be.
 */
import { endianness } from "node:os";
import type { Digest } from "../base/index.ts";

const PREFIX_BYTES = 8;
/** Changes that are kept beside the array; more are merged into it. */
const MOST_CHANGES = 1_024;
const SWAPPED = endianness() === "LE";

/** The first 8 bytes of a digest as a number. */
export type Prefix = bigint;

export function prefixOf(digest: Digest): Prefix {
  return BigInt(`0x${digest.slice(0, 2 * PREFIX_BYTES)}`);
}

export class Prefixes {
  #sorted: BigUint64Array = new BigUint64Array(0);
  /** Whether a prefix is in the set, where the array does not say so. */
  readonly #changes = new Map<Prefix, boolean>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(prefix: Prefix): boolean {
    return this.#changes.get(prefix) ?? this.#isSorted(prefix);
  }

  /** Puts prefixes in, and takes others out. */
  change(added: Iterable<Prefix>, removed: Iterable<Prefix>): void {
    for (const prefix of removed) this.#set(prefix, false);
    for (const prefix of added) this.#set(prefix, true);
    if (this.#changes.size > Math.max(MOST_CHANGES, this.#sorted.length / 8)) this.#merge();
  }

  /** The set in ascending order; not to be changed. */
  sorted(): BigUint64Array {
    this.#merge();
    return this.#sorted;
  }

  #set(prefix: Prefix, present: boolean): void {
    if (this.has(prefix) === present) return;
    this.#size += present ? 1 : -1;
    if (this.#isSorted(prefix) === present) this.#changes.delete(prefix);
    else this.#changes.set(prefix, present);
  }

  #merge(): void {
    if (this.#changes.size === 0) return;
    const kept = this.#sorted.filter((prefix) => this.#changes.get(prefix) !== false);
    const added = [...this.#changes].flatMap(([prefix, present]) => (present ? [prefix] : []));
    const merged = new BigUint64Array(kept.length + added.length);
    merged.set(kept);
    merged.set(added, kept.length);
    this.#sorted = merged.toSorted();
    this.#changes.clear();
  }

  #isSorted(prefix: Prefix): boolean {
    const sorted = this.#sorted;
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const here = sorted[middle] ?? 0n;
      if (here === prefix) return true;
      if (here < prefix) low = middle + 1;
      else high = middle;
    }
    return false;
  }
}

/** Prefixes as they travel. */
export function prefixBytes(prefixes: BigUint64Array): Uint8Array {
  const bytes = Buffer.from(new Uint8Array(prefixes.buffer, prefixes.byteOffset, prefixes.byteLength));
  return SWAPPED ? bytes.swap64() : bytes;
}

/** Prefixes as they have travelled; `bytes` are whole prefixes. */
export function prefixesIn(bytes: Uint8Array): BigUint64Array {
  const copy = new Uint8Array(bytes);
  const buffer = Buffer.from(copy.buffer);
  if (SWAPPED) buffer.swap64();
  return new BigUint64Array(copy.buffer);
}
