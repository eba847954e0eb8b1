/**
 * What two machines say to each other as bytes and back: schema/member-link.proto.
 *
 * Knows: frames and their bounds. Does not know: who may say what, and when.
 */
import { type Digest, type Have, type Host, type JoinRequest, limits } from "../base/index.ts";
import { HelloAnswerSchema, HelloSchema, MemberFrameSchema } from "./generated/member-link_pb.ts";
import { type GossipFrame, gossipFrameMessage, gossipFrameOf } from "./gossip.ts";
import { joinRequestMessage, joinRequestOf } from "./membership.ts";
import { bytesOf, decode, encode, hexOf, hostMessages, hosts, invalid, list } from "./message-fields.ts";

export type Hello =
  | { readonly kind: "member"; readonly network: Digest; readonly proof: readonly Uint8Array[] }
  | { readonly kind: "join"; readonly network: Digest; readonly request: JoinRequest };

export type HelloAnswer = { readonly kind: "welcome" } | { readonly kind: "refused"; readonly reason: string };

export type MemberFrame =
  | { readonly kind: "have"; readonly have: Have }
  | { readonly kind: "statements"; readonly statements: readonly Uint8Array[] }
  | { readonly kind: "ping"; readonly nonce: number; readonly summary: Digest }
  | { readonly kind: "pong"; readonly nonce: number }
  | { readonly kind: "addresses"; readonly hosts: readonly Host[] }
  | { readonly kind: "gossip"; readonly gossip: GossipFrame };

const REASON_CHARACTERS = 64;
const LOCATOR_IDS = 64;
const PENDING_IDS = 8_192;
const STATEMENTS = 8_192;
/** Statements in a proof. */
const PROOF_STATEMENTS = 32;

export function encodeHello(hello: Hello): Uint8Array {
  const network = bytesOf(hello.network);
  return hello.kind === "member"
    ? encode(HelloSchema, { network, why: { case: "member", value: { proof: [...hello.proof] } } })
    : encode(HelloSchema, { network, why: { case: "join", value: joinRequestMessage(hello.request) } });
}

/** @throws {CairnError} frame-invalid */
export function decodeHello(bytes: Uint8Array): Hello {
  const { network, why } = decode(HelloSchema, bytes, limits.helloBytes);
  switch (why.case) {
    case "member":
      return { kind: "member", network: hexOf(network, 32), proof: list(why.value.proof, PROOF_STATEMENTS) };
    case "join":
      return { kind: "join", network: hexOf(network, 32), request: joinRequestOf(why.value) };
    case undefined:
      throw invalid("hello");
  }
}

export function encodeHelloAnswer(answer: HelloAnswer): Uint8Array {
  return answer.kind === "welcome"
    ? encode(HelloAnswerSchema, { what: { case: "welcome", value: {} } })
    : encode(HelloAnswerSchema, { what: { case: "refused", value: { reason: answer.reason } } });
}

/** @throws {CairnError} frame-invalid */
export function decodeHelloAnswer(bytes: Uint8Array): HelloAnswer {
  const { what } = decode(HelloAnswerSchema, bytes, limits.helloBytes);
  switch (what.case) {
    case "welcome":
      return { kind: "welcome" };
    case "refused":
      if (what.value.reason.length > REASON_CHARACTERS) throw invalid("reason");
      return { kind: "refused", reason: what.value.reason };
    case undefined:
      throw invalid("answer");
  }
}

export function encodeMemberFrame(frame: MemberFrame): Uint8Array {
  switch (frame.kind) {
    case "have": {
      const value = { epochs: frame.have.epochs.map(bytesOf), pending: frame.have.pending.slice(0, PENDING_IDS).map(bytesOf) };
      return encode(MemberFrameSchema, { what: { case: "have", value } });
    }
    case "statements":
      return encode(MemberFrameSchema, { what: { case: "statements", value: { statements: [...frame.statements] } } });
    case "ping":
      return encode(MemberFrameSchema, { what: { case: "ping", value: { nonce: frame.nonce, summary: bytesOf(frame.summary) } } });
    case "pong":
      return encode(MemberFrameSchema, { what: { case: "pong", value: { nonce: frame.nonce } } });
    case "addresses":
      return encode(MemberFrameSchema, { what: { case: "addresses", value: { hosts: hostMessages(frame.hosts) } } });
    case "gossip":
      return encode(MemberFrameSchema, { what: { case: "gossip", value: gossipFrameMessage(frame.gossip) } });
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeMemberFrame(bytes: Uint8Array): MemberFrame {
  const { what } = decode(MemberFrameSchema, bytes, limits.memberFrameBytes);
  const ids = (all: readonly Uint8Array[], most: number): Digest[] => list(all, most).map((id) => hexOf(id, 32));
  switch (what.case) {
    case "have":
      return { kind: "have", have: { epochs: ids(what.value.epochs, LOCATOR_IDS), pending: ids(what.value.pending, PENDING_IDS) } };
    case "statements":
      return { kind: "statements", statements: list(what.value.statements, STATEMENTS) };
    case "ping":
      return { kind: "ping", nonce: what.value.nonce, summary: hexOf(what.value.summary, 32) };
    case "pong":
      return { kind: "pong", nonce: what.value.nonce };
    case "addresses":
      return { kind: "addresses", hosts: hosts(what.value.hosts, limits.peers + 1) };
    case "gossip":
      return { kind: "gossip", gossip: gossipFrameOf(what.value) };
    case undefined:
      throw invalid("frame");
  }
}
