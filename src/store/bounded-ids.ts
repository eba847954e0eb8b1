/**
 * Which attestations a node keeps when there are too many: of each signer the newest, and of all those that are newest among their signer's.
 *
 * Every replica keeps the same of the same attestations, in whatever order they came, and of what any two have kept together the same as of
 * all that both were told: the rule goes by the place of an attestation among those of its signer, and by nothing that a signer could choose
 * to push out another's. A signer whose clock is ahead pushes out only its own.
 * Knows: ids and signers. Does not know: where attestations are kept.
 */
import { type AttestationId, type Key, LAST_BOUND } from "../base/index.ts";
import type { IdRanges } from "../contracts/index.ts";
import { OrderedIds } from "./ordered-ids.ts";

export interface IdBounds {
  /** Ids that are kept of all signers, and of one. */
  readonly most: number;
  readonly perSigner: number;
}

export class BoundedIds {
  readonly #bounds: IdBounds;
  readonly #all = new OrderedIds();
  readonly #bySigner = new Map<Key, OrderedIds>();

  constructor(bounds: IdBounds) {
    this.#bounds = bounds;
  }

  get ids(): IdRanges {
    return this.#all;
  }

  signers(): Key[] {
    return [...this.#bySigner.keys()];
  }

  /** @returns whether it is new here */
  add(id: AttestationId, signer: Key): boolean {
    if (!this.#all.add(id)) return false;
    const own = this.#bySigner.get(signer) ?? new OrderedIds();
    own.add(id);
    this.#bySigner.set(signer, own);
    return true;
  }

  /** Takes out what is too much. @returns the ids that are gone */
  trim(): AttestationId[] {
    const gone: AttestationId[] = [];
    for (;;) {
      const signer = this.#most();
      const own = signer === undefined ? undefined : this.#bySigner.get(signer);
      if (signer === undefined || own === undefined || (own.size <= this.#bounds.perSigner && this.#all.size <= this.#bounds.most))
        return gone;
      const oldest = own.at(0);
      if (oldest === undefined) return gone;
      this.delete(oldest, signer);
      gone.push(oldest);
    }
  }

  delete(id: AttestationId, signer: Key): void {
    const own = this.#bySigner.get(signer);
    if (own?.delete(id) !== true) return;
    this.#all.delete(id);
    if (own.size === 0) this.#bySigner.delete(signer);
  }

  /** All of one signer, the oldest first. */
  of(signer: Key): AttestationId[] {
    return this.#bySigner.get(signer)?.list("", LAST_BOUND) ?? [];
  }

  /** Who has the most; of equals the greatest key: whoever it is, all must name the same. */
  #most(): Key | undefined {
    let most: Key | undefined;
    let size = 0;
    for (const [key, own] of this.#bySigner) {
      if (own.size < size || (own.size === size && most !== undefined && key < most)) continue;
      [most, size] = [key, own.size];
    }
    return most;
  }
}
