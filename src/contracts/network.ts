/**
 * What the network needs of its neighbours: statements as bytes, who belongs to it, and where members were last seen.
 */
import type { Decision, Digest, Have, Host, JoinRequest, Key, Said, Statement } from "../base/index.ts";

/** A statement as it travels: the bytes that were signed, their author's signature, and the votes that decided it if domains did. */
export interface SignedBytes {
  readonly statement: Uint8Array;
  readonly signature: Uint8Array;
  readonly decision?: Decision;
}

/** Statements as bytes; `wire` has it, `trust` is given it. Decoders throw CairnError `frame-invalid`. */
export interface MembershipCodec {
  encodeStatement(statement: Statement): Uint8Array;
  decodeStatement(bytes: Uint8Array): Statement;
  encodeSigned(signed: SignedBytes): Uint8Array;
  decodeSigned(bytes: Uint8Array): SignedBytes;
  /** What a domain signs when it votes on what follows the epoch `previous`. */
  encodeVoteBody(network: Digest, previous: Digest, said: Said): Uint8Array;
  /** What both keys of a new member sign. */
  encodeJoinRequestBody(request: Pick<JoinRequest, "network" | "invitation" | "identity">): Uint8Array;
}

/** `unknown` may be a member whom this node has not heard of yet, or a stranger. */
export type Standing = "active" | "revoked" | "left" | "unknown";

export type Redeemed = { readonly kind: "admitted" } | { readonly kind: "refused"; readonly reason: string };

/** Who belongs to the network, as this node knows it. The one implementation that acts is daemon/members.ts; tests have their own. */
export interface Roster {
  readonly network: Digest;
  readonly self: Key;
  standing(key: Key): Standing;
  /** Members whose standing is `active`, this node left out. */
  others(): readonly Key[];
  /** Signed statements by which somebody who knows less can tell that this node was admitted. */
  proof(): readonly Uint8Array[];
  /**
   * Takes in statements by which somebody wants to show that it was admitted, if they do; otherwise they leave no trace.
   *
   * @returns whether its standing is `active` now
   */
  convince(key: Key, proof: readonly Uint8Array[]): boolean;
  /** Takes in what another node sent. Anything that does not hold is dropped; nothing throws. */
  take(statements: readonly Uint8Array[]): void;
  /** Digest of all that this node has; equal digests, equal sets. */
  summary(): Digest;
  have(): Have;
  /** What another node misses, in an order in which it can be understood. */
  missing(theirs: Have): readonly Uint8Array[];
  /** Lets somebody in who holds an invitation's secret. */
  redeem(request: JoinRequest): Redeemed;
  /** Calls `listener` after each change with the statements that are new here. */
  onChange(listener: (added: readonly Uint8Array[]) => void): void;
}

/** Addresses of members that survive a restart. */
export interface SavedPeers {
  load(): readonly Host[];
  /** After it returns, a crash does not lose it. */
  save(host: Host): void;
  forget(key: Key): void;
}
