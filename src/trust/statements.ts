/**
 * Statements whose signatures hold. Whether they may do what they say is for operations.ts.
 *
 * Knows: how a statement is signed and named. Does not know: any network's state.
 */
import {
  CairnError,
  type Decision,
  type Digest,
  digestOf,
  type Identity,
  type JoinRequest,
  limits,
  type Statement,
} from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { invitationKeyPair, isIdentity, isSigned, type KeyPair } from "./keys.ts";

/** A statement whose signatures were checked. */
export interface Checked {
  /** SHA-256 of the statement's canonical bytes; a signature, of which there can be many, does not change it. */
  readonly id: Digest;
  /** Signed, as it travels. */
  readonly bytes: Uint8Array;
  readonly statement: Statement;
  /** Of an epoch that domains agreed on; whether it holds depends on who they are. */
  readonly decision?: Decision;
}

/** Why bytes are no statement that anybody made. */
export type Invalid = "malformed" | "too-large" | "signature" | "inner-signature";

export type CheckedRead = { readonly kind: "checked"; readonly checked: Checked } | { readonly kind: "invalid"; readonly why: Invalid };

/** The id of a signed statement, its signatures not looked at; undefined when the bytes are none. */
export function idOf(codec: MembershipCodec, bytes: Uint8Array): Digest | undefined {
  return attempt(() => digestOf(codec.decodeSigned(bytes).statement));
}

/** Reads a signed statement and checks every signature in it. */
export function readStatement(codec: MembershipCodec, bytes: Uint8Array): CheckedRead {
  const read = attempt(() => {
    const signed = codec.decodeSigned(bytes);
    return { signed, statement: codec.decodeStatement(signed.statement) };
  });
  if (read === undefined) return { kind: "invalid", why: "malformed" };
  const { signed, statement } = read;
  const { decision } = signed;
  if (decision !== undefined && statement.what.kind !== "epoch") return { kind: "invalid", why: "malformed" };
  const most = statement.what.kind === "epoch" ? limits.epochBytes : limits.statementBytes;
  if (bytes.length > most) return { kind: "invalid", why: "too-large" };
  if (!isSigned(statement.author, "cairn statement 1", signed.statement, signed.signature)) return { kind: "invalid", why: "signature" };
  if (!innerHolds(codec, statement)) return { kind: "invalid", why: "inner-signature" };
  return { kind: "checked", checked: { id: digestOf(signed.statement), bytes, statement, ...(decision && { decision }) } };
}

/** The same epoch with the votes that decided it. */
export function withDecision(codec: MembershipCodec, epoch: Uint8Array, decision: Decision): Uint8Array {
  const { statement, signature } = codec.decodeSigned(epoch);
  return codec.encodeSigned({ statement, signature, decision });
}

export function signStatement(codec: MembershipCodec, keys: KeyPair, statement: Omit<Statement, "author">): Checked {
  const whole: Statement = { ...statement, author: keys.publicKey };
  const body = codec.encodeStatement(whole);
  const bytes = codec.encodeSigned({ statement: body, signature: keys.sign("cairn statement 1", body) });
  return { id: digestOf(body), bytes, statement: whole };
}

/** What somebody who was given an invitation's secret sends to be let in. */
export function requestToJoin(
  codec: MembershipCodec,
  keys: KeyPair,
  identity: Identity,
  invitation: { readonly network: Digest; readonly secret: Uint8Array },
): JoinRequest {
  const byInvitation = invitationKeyPair(invitation.secret);
  const request = { network: invitation.network, invitation: byInvitation.publicKey, identity };
  const body = codec.encodeJoinRequestBody(request);
  return {
    ...request,
    byInvitation: byInvitation.sign("cairn join by invitation 1", body),
    byPeer: keys.sign("cairn join by peer 1", body),
  };
}

/** Whether a request was made by who knows the secret, holds both keys, and is about this network. */
export function isJoinRequest(codec: MembershipCodec, request: JoinRequest): boolean {
  const body = codec.encodeJoinRequestBody(request);
  return (
    isIdentity(request.identity) &&
    isSigned(request.invitation, "cairn join by invitation 1", body, request.byInvitation) &&
    isSigned(request.identity.peerKey, "cairn join by peer 1", body, request.byPeer)
  );
}

function innerHolds(codec: MembershipCodec, statement: Statement): boolean {
  const { what } = statement;
  if (what.kind === "genesis") return what.founder.peerKey === statement.author && isIdentity(what.founder);
  if (what.kind === "admit") return what.request.network === statement.network && isJoinRequest(codec, what.request);
  return true;
}

/** Undefined where bytes of a peer make no sense. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CairnError && error.code === "frame-invalid") return undefined;
    throw error;
  }
}
