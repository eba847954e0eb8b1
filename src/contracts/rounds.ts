/**
 * Rounds in which members commit to what they have found before any of them tells it: docs/protocol/rounds.md.
 */
import type { Digest } from "../base/index.ts";
import type { Attestation } from "./attestation-set.ts";

/** Which round, and about what. */
export interface RoundQuestion {
  /** 32 random bytes of who asks, hex. */
  readonly round: Digest;
  readonly manifest: Digest;
  readonly action: Digest;
}

/** A promise of what was found, which tells nothing of it. */
export interface Commitment {
  readonly digest: Digest;
  readonly signature: Uint8Array;
}

/** What was promised. */
export interface Opening {
  /** 32 random bytes, hex. */
  readonly nonce: Digest;
  readonly attestation: Attestation;
  readonly signature: Uint8Array;
}

/** Why a member takes no part in a round. */
export type RoundDecline = "not-disputed" | "unable" | "busy" | "spoken";

export type RoundFrame =
  | ({ readonly kind: "ask" } & RoundQuestion)
  /** @property attestation what it said, where it has spoken already */
  | { readonly kind: "declined"; readonly why: RoundDecline; readonly attestation: Attestation | undefined }
  | ({ readonly kind: "commitment" } & Commitment)
  | { readonly kind: "reveal" }
  | ({ readonly kind: "opening" } & Opening);
