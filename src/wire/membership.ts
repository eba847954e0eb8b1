/**
 * Statements of a network as bytes and back: schema/membership.proto, canonical.
 *
 * Knows: lengths and bounds of every field. What decodes here has one encoding only, so its hash names it.
 * Does not know: whether a signature holds, or what a statement does.
 */
import { crc32 } from "node:zlib";
import {
  CairnError,
  type Decision,
  type Genesis,
  type Identity,
  type InvitationLine,
  isName,
  type JoinRequest,
  limits,
  type NetworkPolicy,
  type SharingPolicy,
  type Statement,
  type ToolchainsAccept,
} from "../base/index.ts";
import type { SignedBytes } from "../contracts/index.ts";
import { votesOf } from "./agreement.ts";
import {
  type Decision as DecisionMessage,
  type DecisionSchema,
  type Identity as IdentityMessage,
  IdentitySchema,
  InvitationLineSchema,
  type JoinRequest as JoinRequestMessage,
  JoinRequestSchema,
  type Policy as PolicyMessage,
  type PolicySchema,
  SignedStatementSchema,
  type Statement as StatementMessage,
  StatementSchema,
} from "./generated/membership_pb.ts";
import { bytesOf, decode, encode, hexOf, hostMessages, hosts, type Init, invalid, list, sized } from "./message-fields.ts";

const LINE_PREFIX = "cairn1-";
/** Into networks that versions of before would not understand: they take it for no invitation, and so use none up. */
const NEWER_PREFIX = "cairn2-";
const LINE_HOSTS = 4;
const SECRET_BYTES = 16;
const NONCE_BYTES = 16;
const SIGNATURE_BYTES = 64;
/** Their places are numbers in the schema, less one. */
const SHARING: readonly SharingPolicy[] = ["speculative", "team", "release", "self"];
const TOOLCHAINS: readonly ToolchainsAccept[] = ["network", "domain", "approved"];

export function encodeStatement(statement: Statement): Uint8Array {
  return encode(StatementSchema, {
    network: bytesOf(statement.network),
    author: bytesOf(statement.author),
    sequence: statement.sequence,
    atMs: BigInt(statement.atMs),
    what: whatMessage(statement.what),
  });
}

/** @throws {CairnError} frame-invalid: not a statement, a field out of bounds, or not its canonical encoding */
export function decodeStatement(bytes: Uint8Array): Statement {
  const message = decode(StatementSchema, bytes, limits.epochBytes);
  const what = whatOf(message.what);
  const bare = what.kind === "genesis" || what.kind === "epoch";
  if (bare !== (message.sequence === 0) || message.sequence > limits.operationsPerMember) throw invalid("sequence");
  const network = what.kind === "genesis" ? empty(message.network) : hexOf(message.network, 32);
  return { network, author: hexOf(message.author, 32), sequence: message.sequence, atMs: time(message.atMs), what };
}

export function encodeSigned({ statement, signature, decision }: SignedBytes): Uint8Array {
  return encode(SignedStatementSchema, { statement, signature, ...(decision && { decision: decisionMessage(decision) }) });
}

/** @throws {CairnError} frame-invalid */
export function decodeSigned(bytes: Uint8Array): SignedBytes {
  const { statement, signature, decision } = decode(SignedStatementSchema, bytes, limits.epochBytes);
  return { statement, signature: sized(signature, SIGNATURE_BYTES), ...(decision && { decision: decisionOf(decision) }) };
}

/** What both keys of a new member sign: the request without their signatures. */
export function encodeJoinRequestBody(request: Pick<JoinRequest, "network" | "invitation" | "identity">): Uint8Array {
  return encode(JoinRequestSchema, {
    network: bytesOf(request.network),
    invitation: bytesOf(request.invitation),
    identity: identityMessage(request.identity),
  });
}

/** The line that a person pastes: `cairn1-` or `cairn2-`, and base64url of a message and its CRC-32. */
export function writeInvitationLine(line: InvitationLine): string {
  const body = encode(InvitationLineSchema, {
    network: bytesOf(line.network),
    secret: line.secret,
    hosts: hostMessages(line.hosts.slice(0, LINE_HOSTS)),
  });
  const check = Buffer.alloc(4);
  check.writeUInt32LE(crc32(body));
  return (line.isNewer === true ? NEWER_PREFIX : LINE_PREFIX) + Buffer.concat([body, check]).toString("base64url");
}

/** @returns undefined when the text is no invitation, or not a whole one */
export function readInvitationLine(text: string): InvitationLine | undefined {
  const trimmed = text.trim();
  const prefix = [LINE_PREFIX, NEWER_PREFIX].find((one) => trimmed.startsWith(one));
  if (prefix === undefined || trimmed.length > limits.helloBytes) return undefined;
  const bytes = Buffer.from(trimmed.slice(prefix.length), "base64url");
  if (bytes.length < 4) return undefined;
  const body = bytes.subarray(0, -4);
  if (crc32(body) !== bytes.readUInt32LE(body.length)) return undefined;
  try {
    const message = decode(InvitationLineSchema, body, limits.helloBytes);
    return {
      network: hexOf(message.network, 32),
      secret: sized(message.secret, SECRET_BYTES),
      hosts: hosts(message.hosts, LINE_HOSTS),
      ...(prefix === NEWER_PREFIX && { isNewer: true }),
    };
  } catch (error) {
    if (error instanceof CairnError) return undefined;
    throw error;
  }
}

export function joinRequestMessage(request: JoinRequest): Init<typeof JoinRequestSchema> {
  return {
    network: bytesOf(request.network),
    invitation: bytesOf(request.invitation),
    identity: identityMessage(request.identity),
    byInvitation: request.byInvitation,
    byPeer: request.byPeer,
  };
}

/** @throws {CairnError} frame-invalid */
export function joinRequestOf(message: JoinRequestMessage | undefined): JoinRequest {
  if (message === undefined) throw invalid("request");
  return {
    network: hexOf(message.network, 32),
    invitation: hexOf(message.invitation, 32),
    identity: identityOf(message.identity),
    byInvitation: sized(message.byInvitation, SIGNATURE_BYTES),
    byPeer: sized(message.byPeer, SIGNATURE_BYTES),
  };
}

function whatMessage(what: Statement["what"]): NonNullable<Init<typeof StatementSchema>["what"]> {
  switch (what.kind) {
    case "genesis": {
      const { name, domain, founder, nonce } = what;
      return { case: "genesis", value: { name, domain, founder: identityMessage(founder), nonce, rules: rulesOf(what) } };
    }
    case "domain":
      return { case: "domain", value: { name: what.name } };
    case "invite":
      return { case: "invite", value: { key: bytesOf(what.key), domain: what.domain, expiresAtMs: BigInt(what.expiresAtMs) } };
    case "admit":
      return { case: "admit", value: { request: joinRequestMessage(what.request) } };
    case "revoke":
      return { case: "revoke", value: { member: bytesOf(what.member), withdrawn: what.isWithdrawn === true } };
    case "leave":
      return { case: "leave", value: {} };
    case "policy":
      return { case: "policy", value: policyMessage(what.number, what.policy) };
    case "accept":
      return { case: "accept", value: { statement: bytesOf(what.statement) } };
    case "claim": {
      const { name, owner, after, floor = 0 } = what;
      return { case: "claim", value: { name, owner: bytesOf(owner ?? ""), after: bytesOf(after), floor } };
    }
    case "epoch":
      return { case: "epoch", value: { number: what.number, previous: bytesOf(what.previous), operations: [...what.operations] } };
  }
}

function whatOf(what: StatementMessage["what"]): Statement["what"] {
  switch (what.case) {
    case "genesis": {
      const { name, domain, founder, nonce, rules } = what.value;
      if (rules > 2) throw invalid("rules");
      return {
        kind: "genesis",
        name: named(name),
        domain: named(domain),
        founder: identityOf(founder),
        nonce: sized(nonce, NONCE_BYTES),
        ...(rules >= 1 && { hasTrial: true }),
        ...(rules === 2 && { isUnanimous: true }),
      };
    }
    case "domain":
      return { kind: "domain", name: named(what.value.name) };
    case "invite": {
      const { key, domain, expiresAtMs } = what.value;
      return { kind: "invite", key: hexOf(key, 32), domain: named(domain), expiresAtMs: time(expiresAtMs) };
    }
    case "admit":
      return { kind: "admit", request: joinRequestOf(what.value.request) };
    case "revoke":
      return { kind: "revoke", member: hexOf(what.value.member, 32), ...(what.value.withdrawn && { isWithdrawn: true }) };
    case "leave":
      return { kind: "leave" };
    case "policy":
      return { kind: "policy", ...policyOf(what.value) };
    case "accept":
      return { kind: "accept", statement: hexOf(what.value.statement, 32) };
    case "claim": {
      const { name, owner, after, floor } = what.value;
      return {
        kind: "claim",
        name: named(name),
        owner: owner.length === 0 ? undefined : hexOf(owner, 32),
        after: after.length === 0 ? "" : hexOf(after, 32),
        ...(floor > 0 && { floor }),
      };
    }
    case "epoch": {
      const { number, previous, operations } = what.value;
      if (number < 1 || number > limits.epochs) throw invalid("number");
      return { kind: "epoch", number, previous: hexOf(previous, 32), operations: list(operations, limits.operationsPerEpoch) };
    }
    case undefined:
      throw invalid("kind");
  }
}

/** Each has what the one before it has. */
function rulesOf({ hasTrial, isUnanimous }: Pick<Genesis, "hasTrial" | "isUnanimous">): number {
  if (isUnanimous === true) return 2;
  return hasTrial === true ? 1 : 0;
}

function policyMessage(number: number, policy: NetworkPolicy): Init<typeof PolicySchema> {
  const { sharing, quorum, auditOneOf, openInvitations, toolchains, approvedToolchains = [], hasTrial, isUnanimous } = policy;
  return {
    number,
    sharing: 1 + (sharing === undefined ? -1 : SHARING.indexOf(sharing)),
    quorum: quorum ?? 0,
    auditOneOf: auditOneOf ?? 0,
    openInvitations: openInvitations ?? 0,
    toolchains: 1 + (toolchains === undefined ? -1 : TOOLCHAINS.indexOf(toolchains)),
    approvedToolchains: approvedToolchains.map(bytesOf),
    trial: hasTrial === true,
    unanimous: isUnanimous === true,
  };
}

/** @throws {CairnError} frame-invalid */
function policyOf(message: PolicyMessage): { readonly number: number; readonly policy: NetworkPolicy } {
  const { number, quorum, auditOneOf, openInvitations, trial, unanimous } = message;
  const { quorumMost, auditMost } = limits.policy;
  const sharing = SHARING[message.sharing - 1];
  const toolchains = TOOLCHAINS[message.toolchains - 1];
  const isKnown = (message.sharing === 0 || sharing !== undefined) && (message.toolchains === 0 || toolchains !== undefined);
  if (!isKnown || number < 1 || number > limits.policy.changes) throw invalid("policy");
  const approved = list(message.approvedToolchains, limits.policy.toolchains).map((digest) => hexOf(digest, 32));
  if (approved.some((digest, at) => digest <= (approved[at - 1] ?? ""))) throw invalid("policy");
  if (quorum > quorumMost || auditOneOf > auditMost || openInvitations > limits.openInvitations) throw invalid("policy");
  const policy: NetworkPolicy = {
    ...(sharing && { sharing }),
    ...(quorum > 0 && { quorum }),
    ...(auditOneOf > 0 && { auditOneOf }),
    ...(openInvitations > 0 && { openInvitations }),
    ...(toolchains && { toolchains }),
    ...(approved.length > 0 && { approvedToolchains: approved }),
    ...(trial && { hasTrial: true }),
    ...(unanimous && { isUnanimous: true }),
  };
  return { number, policy };
}

function decisionMessage({ view, votes }: Decision): Init<typeof DecisionSchema> {
  return { view, domains: votes.map(({ domain }) => domain), signatures: votes.map(({ signature }) => signature) };
}

/** @throws {CairnError} frame-invalid */
function decisionOf({ view, domains, signatures }: DecisionMessage): Decision {
  if (view < 1 || view > limits.agreement.views) throw invalid("view");
  return { view, votes: votesOf(domains, signatures) };
}

function identityMessage(identity: Identity): Init<typeof IdentitySchema> {
  const { peerKey, attestationKey, certificate, possession, name } = identity;
  return { peerKey: bytesOf(peerKey), attestationKey: bytesOf(attestationKey), certificate, possession, name };
}

function identityOf(message: IdentityMessage | undefined): Identity {
  if (message === undefined) throw invalid("identity");
  return {
    peerKey: hexOf(message.peerKey, 32),
    attestationKey: hexOf(message.attestationKey, 32),
    certificate: sized(message.certificate, SIGNATURE_BYTES),
    possession: sized(message.possession, SIGNATURE_BYTES),
    name: named(message.name),
  };
}

function named(text: string): string {
  if (!isName(text)) throw invalid("name");
  return text;
}

function empty(bytes: Uint8Array): "" {
  if (bytes.length > 0) throw invalid("network");
  return "";
}

function time(ms: bigint): number {
  if (ms > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("time");
  return Number(ms);
}
