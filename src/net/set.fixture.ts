/**
 * The set of attestations in memory, for tests: what is in it is made up, and says by itself what is wrong with it.
 */
import { type AttestationId, attestationId } from "../base/index.ts";
import type { Admission, AttestationSet, IdRanges } from "../contracts/index.ts";
import { BoundedIds, type IdBounds } from "../store/index.ts";

const NO_SIGNATURE = new Uint8Array(0);

/** One by `signer`, made at `atMs`; the signer `forger` signs nothing that holds, and `stranger` is no member. */
export function made(signer: string, atMs: number, what = ""): Uint8Array {
  return Buffer.from(`${signer} ${atMs} ${what}`);
}

export function idOf(bytes: Uint8Array): AttestationId {
  const text = Buffer.from(bytes).toString();
  return attestationId(Number(text.split(" ")[1]), text, NO_SIGNATURE);
}

export class MemoryAttestations implements AttestationSet {
  readonly #bounded: BoundedIds;
  readonly #bodies = new Map<AttestationId, Uint8Array>();
  readonly #listeners: ((ids: readonly AttestationId[]) => void)[] = [];

  constructor(bounds: IdBounds = { most: 100_000, perSigner: 50_000 }) {
    this.#bounded = new BoundedIds(bounds);
  }

  get ids(): IdRanges {
    return this.#bounded.ids;
  }

  bodies(ids: readonly AttestationId[]): Uint8Array[] {
    return ids.flatMap((id) => this.#bodies.get(id) ?? []);
  }

  all(): AttestationId[] {
    return this.ids.list("", "g");
  }

  onOwn(listener: (ids: readonly AttestationId[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Puts in what this node has made. */
  attest(...attestations: readonly Uint8Array[]): void {
    this.#keep(attestations);
    for (const listener of this.#listeners) listener(attestations.map(idOf));
  }

  admit(attestations: readonly Uint8Array[], done: (admission: Admission) => void): void {
    const of = (signer: string): number => attestations.filter((one) => Buffer.from(one).toString().startsWith(signer)).length;
    const admission = { kept: attestations.length, forged: of("forger "), unwelcome: of("stranger ") };
    if (admission.forged === 0) this.#keep(attestations.filter((one) => !Buffer.from(one).toString().startsWith("stranger ")));
    done(admission);
  }

  #keep(attestations: readonly Uint8Array[]): void {
    for (const bytes of attestations) {
      const id = idOf(bytes);
      this.#bodies.set(id, bytes);
      this.#bounded.add(id, Buffer.from(bytes).toString().split(" ")[0] ?? "");
    }
    for (const id of this.#bounded.trim()) this.#bodies.delete(id);
  }
}
