/**
 * Commit, then reveal: domains that are asked to execute something promise what they have found before any of them tells it.
 *
 * Knows: docs/protocol/rounds.md; what is promised and opened, by whom, and before what. Does not know: how members are asked, how long they
 * have, or how anything is executed.
 */
import { type Digest, digestOf, type Key } from "../base/index.ts";
import type { Attestation, Commitment, Opening, RoundQuestion } from "../contracts/index.ts";
import { verifiedId } from "./attestation.ts";
import { isSigned, type KeyPair } from "./keys.ts";
import { logEntryOf } from "./log-entries.ts";

/** Which round of which network, and of what. */
export type RoundOf = Pick<RoundQuestion, "round" | "action"> & { readonly network: Digest };

/** An opening as whoever does not need the attestation sees it. */
export interface Opened {
  /** SHA-256 of the statement. */
  readonly result: Digest;
  readonly nonce: Digest;
  readonly signature: Uint8Array;
}

/** A commitment and an opening of it that contradict each other. */
export interface FalseOpening extends RoundOf {
  readonly signer: Key;
  readonly commitment: Commitment;
  readonly opened: Opened;
}

/**
 * Promises an attestation of one's own.
 *
 * @param nonce 32 bytes that nobody else can know, hex; never used before
 */
export function commit(
  keys: KeyPair,
  of: RoundOf,
  attestation: Attestation,
  nonce: Digest,
): { readonly commitment: Commitment; readonly opening: Opening } {
  const result = resultOf(of.network, attestation);
  const digest = digestFor(of, keys.publicKey, result, nonce);
  return {
    commitment: { digest, signature: keys.sign("cairn round commitment 1", promised(of, digest)) },
    opening: { nonce, attestation, signature: keys.sign("cairn round opening 1", opened(of, digest, result, nonce)) },
  };
}

/** Whether it shows that its signer has opened what it had not promised: nobody but it can have signed both, and they contradict each other. */
export function isFalseOpening(of: FalseOpening): boolean {
  const { signer, commitment, opened: said } = of;
  return (
    isSigned(signer, "cairn round commitment 1", promised(of, commitment.digest), commitment.signature) &&
    isSigned(signer, "cairn round opening 1", opened(of, commitment.digest, said.result, said.nonce), said.signature) &&
    digestFor(of, signer, said.result, said.nonce) !== commitment.digest
  );
}

/** What came of what somebody sent in a round. */
export type RoundVerdict =
  | { readonly kind: "counts" }
  /** @property false what convicts, where that is what was wrong */
  | { readonly kind: "refused"; readonly why: RoundRefusal; readonly false?: FalseOpening };

export type RoundRefusal = "not-asked" | "late" | "twice" | "signature" | "early" | "not-committed" | "other-action" | "not-promised";

/** One round, as who convened it sees it. */
export class Round {
  readonly #of: RoundOf;
  /** By signer, what it has promised. */
  readonly #asked = new Map<Key, Commitment | undefined>();
  readonly #opened = new Set<Key>();
  #isClosed = false;

  constructor(of: RoundOf) {
    this.#of = of;
  }

  /** Somebody is asked. Nobody is any more once something may have been revealed. */
  ask(signer: Key): boolean {
    if (this.#isClosed || this.#asked.has(signer)) return false;
    this.#asked.set(signer, undefined);
    return true;
  }

  /** From now on what was promised may be told, and nothing more is promised. */
  close(): void {
    this.#isClosed = true;
  }

  /** Signers that have promised something. */
  get committed(): readonly Key[] {
    return [...this.#asked].flatMap(([signer, commitment]) => (commitment === undefined ? [] : [signer]));
  }

  /** Signers that have told what they had promised. */
  get opened(): ReadonlySet<Key> {
    return this.#opened;
  }

  commits(signer: Key, commitment: Commitment): RoundVerdict {
    if (!this.#asked.has(signer)) return refused("not-asked");
    if (this.#isClosed) return refused("late");
    if (this.#asked.get(signer) !== undefined) return refused("twice");
    if (!isSigned(signer, "cairn round commitment 1", promised(this.#of, commitment.digest), commitment.signature))
      return refused("signature");
    this.#asked.set(signer, commitment);
    return { kind: "counts" };
  }

  opens(signer: Key, { nonce, attestation, signature }: Opening): RoundVerdict {
    const of = this.#of;
    if (!this.#isClosed) return refused("early");
    const commitment = this.#asked.get(signer);
    if (commitment === undefined) return refused("not-committed");
    if (this.#opened.has(signer)) return refused("twice");
    if (attestation.action !== of.action || attestation.execution.signer !== signer) return refused("other-action");
    if (verifiedId(of.network, attestation) === undefined) return refused("signature");
    const result = resultOf(of.network, attestation);
    if (!isSigned(signer, "cairn round opening 1", opened(of, commitment.digest, result, nonce), signature)) return refused("signature");
    if (digestFor(of, signer, result, nonce) !== commitment.digest)
      return { kind: "refused", why: "not-promised", false: { ...of, signer, commitment, opened: { result, nonce, signature } } };
    this.#opened.add(signer);
    return { kind: "counts" };
  }
}

function resultOf(network: Digest, attestation: Attestation): Digest {
  return logEntryOf(network, attestation).statement;
}

function digestFor({ network, round, action }: RoundOf, signer: Key, result: Digest, nonce: Digest): Digest {
  return digestOf(Buffer.concat([Buffer.from("cairn commitment 1\0"), fixed(network, round, action, signer, result, nonce)]));
}

function promised({ network, round, action }: RoundOf, digest: Digest): Uint8Array {
  return fixed(network, round, action, digest);
}

function opened({ network, round, action }: RoundOf, digest: Digest, result: Digest, nonce: Digest): Uint8Array {
  return fixed(network, round, action, digest, result, nonce);
}

/** All are of 32 bytes, so no two rows of them are the same bytes. */
function fixed(...digests: readonly Digest[]): Buffer {
  return Buffer.from(digests.join(""), "hex");
}

function refused(why: RoundRefusal): RoundVerdict {
  return { kind: "refused", why };
}
