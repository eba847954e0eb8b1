/**
 * The words of the domains' agreement on an epoch: votes, certificates, and what is said about them. docs/protocol/agreement.md
 */
import type { Digest } from "./digest.ts";

/**
 * `notarize`: in this view, this value and no other. `nullify`: nothing more is expected of this view. `finalize`: this value is decided, as
 * far as this domain is concerned.
 */
export type VoteKind = "notarize" | "nullify" | "finalize";

/** What a domain says in one view. */
export interface Said {
  readonly kind: VoteKind;
  /** Counted from 1 in each ballot. */
  readonly view: number;
  /** The id of an epoch; empty in a `nullify`. */
  readonly value: Digest;
}

export interface Vote extends Said {
  /** The domain's place in the electorate. */
  readonly domain: number;
  readonly signature: Uint8Array;
}

/** The same, said by a quorum of distinct domains. */
export interface Certificate extends Said {
  readonly votes: readonly Pick<Vote, "domain" | "signature">[];
}

/** What goes with an epoch that domains agreed on: a quorum of them finalized it in this view. Sorted by domain. */
export interface Decision {
  readonly view: number;
  readonly votes: Certificate["votes"];
}

/** What those who speak for domains tell each other about the epoch after `previous`. */
export interface AgreementFrame {
  readonly previous: Digest;
  /** The sender wants certificates from this view on; 0 when it lacks none. */
  readonly from: number;
  readonly votes: readonly Vote[];
  readonly certificates: readonly Certificate[];
  /** Signed epochs. */
  readonly values: readonly Uint8Array[];
  /** Ids of epochs that the sender lacks. */
  readonly wants: readonly Digest[];
}
