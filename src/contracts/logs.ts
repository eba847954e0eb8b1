/**
 * Logs of attestations as members speak about them.
 */
import type { Digest, Key } from "../base/index.ts";

/** A checkpoint with the signature of whose log it is. */
export interface SignedCheckpoint {
  readonly log: Key;
  readonly size: number;
  readonly root: Digest;
  readonly signature: Uint8Array;
}

/** To a witness: nothing, for which checkpoint it has; or a further one, with the hashes of the entries since. */
export interface LogQuestion {
  readonly head: SignedCheckpoint | undefined;
  readonly leaves: readonly Uint8Array[];
}

export interface LogAnswer {
  /** The last one that the witness has. */
  readonly head: SignedCheckpoint | undefined;
  /** Of what was asked about. */
  readonly cosignature: { readonly timeS: number; readonly signature: Uint8Array } | undefined;
}

/** Two checkpoints that do not go together, and what shows it. */
export interface LogFork {
  readonly older: SignedCheckpoint;
  readonly newer: SignedCheckpoint;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}
