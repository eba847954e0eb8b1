/**
 * The set of attestations: who says to have executed what, of all members. It only grows, but for its bounds; merging two copies is set union.
 */
import type { AttestationId, Digest, Key } from "../base/index.ts";
import type { ManifestInput, ResultOutput } from "./results.ts";
import type { Execution } from "./sharing.ts";

/** A signed result without its inputs, of which the signed statement names only the digest. */
export interface Attestation {
  readonly manifest: Digest;
  readonly action: Digest;
  /** SHA-256 of the text of the manifest's entry. */
  readonly entry: Digest;
  readonly outputs: readonly ResultOutput[];
  /** SHA-256 of what the compiler printed. */
  readonly stdout: Digest;
  readonly stderr: Digest;
  readonly compileMs: number;
  readonly cpuMs: number;
  readonly execution: Execution;
  /** What an action of a build tool was made of: its statement names that. Of other results the entry covers it. */
  readonly dependencies?: readonly ManifestInput[];
  /** Ed25519, by `execution.signer`. */
  readonly signature: Uint8Array;
}

/** An attestation as it is kept, and as it travels. */
export interface KnownAttestation {
  readonly id: AttestationId;
  readonly signer: Key;
  readonly manifest: Digest;
  readonly action: Digest;
  readonly bytes: Uint8Array;
}

/** How many ids there are in a range, and their digests added up: equal sums, equal sets. */
export interface RangeSum {
  readonly count: number;
  /** 32 hex digits */
  readonly sum: string;
}

/**
 * Ids in order. A range goes from a bound to the next, the first included. A bound is the beginning of an id, so the empty one lies before
 * all; LAST_BOUND lies behind all.
 */
export interface IdRanges {
  readonly size: number;
  has(id: AttestationId): boolean;
  sumOf(from: AttestationId, to: AttestationId): RangeSum;
  list(from: AttestationId, to: AttestationId): AttestationId[];
  /** How many ids lie before a bound. */
  rank(bound: AttestationId): number;
  /** The id that has so many before it; undefined behind the last. */
  at(rank: number): AttestationId | undefined;
}

/** What became of attestations that came from elsewhere. */
export interface Admission {
  readonly kept: number;
  /** Those whose signature does not hold: who passes them on has not looked at them. */
  readonly forged: number;
  /** Of signers that this node does not know as active members: who passes them on may know more, or less. */
  readonly unwelcome: number;
}

/** A node's copy of the set. */
export interface AttestationSet {
  readonly ids: IdRanges;
  /** As far as they are here. */
  bodies(ids: readonly AttestationId[]): Uint8Array[];
  /** Verifies what came from elsewhere and keeps what holds; `done` is told when that is over, at once or later. What is no attestation is forged. */
  admit(attestations: readonly Uint8Array[], done: (admission: Admission) => void): void;
  /** Calls `listener` with what this node has attested itself. */
  onOwn(listener: (ids: readonly AttestationId[]) => void): void;
}
