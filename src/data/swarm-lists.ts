/**
 * Chunk lists of one blob, and who vouches for each: nothing but the blob's digest proves one, and that comes last.
 *
 * A list by which the blob came out wrong, or which contradicts what several members give, is not used again.
 * Knows: lists and members. Does not know: chunks.
 */
import { type Digest, digestOf, type Key } from "../base/index.ts";
import { type ChunkList, fits } from "./part-file.ts";

/** Members that give other bytes than a list says: with so many it is the list that is wrong. */
const CONTRADICTIONS = 2;

interface Vouched {
  readonly list: ChunkList;
  readonly by: Set<Key>;
  readonly contradictedBy: Set<Key>;
}

export class SwarmLists {
  readonly #size: number;
  readonly #lists = new Map<Digest, Vouched>();
  readonly #wrong = new Set<Digest>();
  #current: Digest | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  get current(): ChunkList | undefined {
    return this.#current === undefined ? undefined : this.#lists.get(this.#current)?.list;
  }

  get currentDigest(): Digest | undefined {
    return this.#current;
  }

  /** Members that vouch for the list in use. */
  get vouching(): readonly Key[] {
    return this.#current === undefined ? [] : [...(this.#lists.get(this.#current)?.by ?? [])];
  }

  /** Members that gave something else than the list in use says. */
  get contradicting(): readonly Key[] {
    return this.#current === undefined ? [] : [...(this.#lists.get(this.#current)?.contradictedBy ?? [])];
  }

  /** How many lists there are that may be right. */
  get count(): number {
    return this.#lists.size;
  }

  /** A member says that this is the list. @returns whether it can be one */
  vouch(key: Key, list: ChunkList): boolean {
    const digest = digestOf(list);
    if (!fits(list, this.#size) || this.#wrong.has(digest)) return false;
    const known = this.#lists.get(digest) ?? { list, by: new Set(), contradictedBy: new Set() };
    known.by.add(key);
    this.#lists.set(digest, known);
    this.#current ??= digest;
    return true;
  }

  /** What a member gave is not as the list in use says. @returns whether that list is to be given up */
  contradict(key: Key): boolean {
    const known = this.#current === undefined ? undefined : this.#lists.get(this.#current);
    if (known === undefined) return false;
    known.contradictedBy.add(key);
    return known.contradictedBy.size >= CONTRADICTIONS && known.contradictedBy.size > known.by.size;
  }

  /** The list in use is wrong; the one for which the most vouch of those that are left is used from now on. */
  giveUp(): void {
    if (this.#current === undefined) return;
    this.#wrong.add(this.#current);
    this.#lists.delete(this.#current);
    const left = [...this.#lists].toSorted(([, a], [, b]) => b.by.size - a.by.size);
    this.#current = left[0]?.[0];
  }
}
