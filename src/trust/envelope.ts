/**
 * Attestations as files that tools for DSSE and in-toto read, and such files read by themselves: nothing else need be at hand.
 *
 * Knows: DSSE's JSON envelope, and as much of the statement as tells who says what. Does not know: whether the signer is a member of anything.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { BUILD_TYPE, claimOf, PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, signerNamed, statementOf } from "./attestation.ts";
import { isSignedEnvelope } from "./keys.ts";

/** https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
export interface Envelope {
  /** Base64 */
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

export interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

/** What an envelope says, by whom. */
export interface Attested {
  readonly signer: Key;
  readonly network: Digest;
  readonly manifest: Digest;
  readonly action: Digest;
  readonly toolchain: Digest;
  /** ISO 8601, by the signer's clock */
  readonly startedOn: string;
  readonly finishedOn: string;
  readonly subjects: readonly Subject[];
}

/** Why an envelope shows nothing. */
export type NotAttested = "too-large" | "not-an-envelope" | "other-payload" | "other-statement" | "signature";

export type EnvelopeRead =
  | { readonly kind: "attested"; readonly attested: Attested }
  | { readonly kind: "refused"; readonly why: NotAttested };

/** The envelope of a signed result. To be asked only of what is attested. */
export function envelopeOf(network: Digest, shared: SharedResult): Envelope {
  return {
    payload: Buffer.from(statementOf(network, claimOf(shared))).toString("base64"),
    payloadType: PAYLOAD_TYPE,
    signatures: [{ keyid: shared.execution.signer, sig: Buffer.from(shared.signature).toString("base64") }],
  };
}

/** Reads an envelope that anybody may have made, and verifies that whom its statement names has signed it. */
export function readEnvelope(text: string): EnvelopeRead {
  if (Buffer.byteLength(text) > limits.envelopeBytes) return refused("too-large");
  const envelope = parsed(text);
  const { payloadType, payload, signatures } = fieldsOf(envelope);
  const body = bytesOf(payload);
  if (typeof payloadType !== "string" || body === undefined || !Array.isArray(signatures)) return refused("not-an-envelope");
  if (payloadType !== PAYLOAD_TYPE) return refused("other-payload");
  const attested = readStatement(parsed(body.toString("utf8")));
  if (attested === undefined) return refused("other-statement");
  // What DSSE calls the key's id is no part of what is signed: the statement itself names the key.
  const signed = signatures.slice(0, limits.envelopeSignatures).some((one) => {
    const signature = bytesOf(fieldsOf(one).sig);
    return signature !== undefined && isSignedEnvelope(attested.signer, payloadType, body, signature);
  });
  return signed ? { kind: "attested", attested } : refused("signature");
}

/** Undefined when it is not one that a node of Cairn makes. */
function readStatement(statement: unknown): Attested | undefined {
  const { _type, subject, predicateType, predicate } = fieldsOf(statement);
  const { buildDefinition, runDetails } = fieldsOf(predicate);
  const { buildType, externalParameters, internalParameters } = fieldsOf(buildDefinition);
  if (_type !== STATEMENT_TYPE || predicateType !== PREDICATE_TYPE || buildType !== BUILD_TYPE) return undefined;
  const { builder, metadata } = fieldsOf(runDetails);
  const { manifest, action } = fieldsOf(externalParameters);
  const { network, toolchain } = fieldsOf(internalParameters);
  const { startedOn, finishedOn } = fieldsOf(metadata);
  const { id } = fieldsOf(builder);
  const signer = typeof id === "string" ? signerNamed(id) : undefined;
  const subjects = Array.isArray(subject) && subject.length <= limits.sharedOutputs ? subject.map(readSubject) : [undefined];
  const all = { network, manifest, action, toolchain, startedOn, finishedOn };
  if (signer === undefined || !allText(all)) return undefined;
  const known = subjects.filter((one) => one !== undefined);
  return known.length === subjects.length ? { signer, ...all, subjects: known } : undefined;
}

function readSubject(subject: unknown): Subject | undefined {
  const { name, digest } = fieldsOf(subject);
  const { sha256 } = fieldsOf(digest);
  return typeof name === "string" && typeof sha256 === "string" ? { name, digest: sha256 } : undefined;
}

function allText<K extends string>(fields: Record<K, unknown>): fields is Record<K, string> {
  return Object.values(fields).every((one) => typeof one === "string");
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Undefined for what is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Both alphabets of base64 are good: DSSE, protocol.md. */
function bytesOf(value: unknown): Buffer | undefined {
  return typeof value === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value) ? Buffer.from(value, "base64") : undefined;
}

function refused(why: NotAttested): EnvelopeRead {
  return { kind: "refused", why };
}
