/**
 * Files that hold attestations and summaries, read by themselves: nothing else need be at hand.
 *
 * Knows: DSSE's JSON envelope, and as much of the statement as tells who says what. Does not know: whether the signer is a member of anything.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import { BUILD_TYPES, PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, signerNamed } from "./attestation.ts";
import { ACTION_TYPE } from "./executed-actions.ts";
import { allText, fieldsOf, readSubject, type Subject } from "./fields.ts";
import { isSignedEnvelope } from "./keys.ts";
import { RECEIPT_TYPE } from "./receipts.ts";
import { readSummary, type Summary } from "./summary.ts";

/** What an envelope says, by whom. */
export interface Attested {
  readonly signer: Key;
  readonly network: Digest;
  readonly manifest: Digest;
  readonly action: Digest;
  /** Of its compiler or its programs; "" of an action of a build tool, which says what is installed instead. */
  readonly toolchain: Digest;
  /** What an action of a build tool was made of; nothing where inputs are not named one by one. */
  readonly madeOf: readonly Subject[];
  /** ISO 8601, by the signer's clock */
  readonly startedOn: string;
  readonly finishedOn: string;
  readonly subjects: readonly Subject[];
}

/** What an envelope says was received, and by whom: nobody says that it was executed. */
export interface Received extends Pick<Attested, "signer" | "network" | "manifest" | "action" | "subjects"> {
  /** At which a tool has left it. */
  readonly door: string;
  /** ISO 8601, by the signer's clock */
  readonly receivedOn: string;
}

/** Why an envelope shows nothing. */
export type NotAttested = "too-large" | "not-an-envelope" | "other-payload" | "other-statement" | "signature";

export type EnvelopeRead =
  | { readonly kind: "attested"; readonly attested: Attested }
  | { readonly kind: "received"; readonly received: Received }
  | { readonly kind: "summarized"; readonly summary: Summary }
  | { readonly kind: "refused"; readonly why: NotAttested };

/** Reads an envelope that anybody may have made, and verifies that whom its statement names has signed it. */
export function readEnvelope(text: string): EnvelopeRead {
  if (Buffer.byteLength(text) > limits.envelopeBytes) return refused("too-large");
  const { payloadType, payload, signatures } = fieldsOf(parsed(text));
  const body = bytesOf(payload);
  if (typeof payloadType !== "string" || body === undefined || !Array.isArray(signatures)) return refused("not-an-envelope");
  if (payloadType !== PAYLOAD_TYPE) return refused("other-payload");
  const statement = parsed(body.toString("utf8"));
  const said = readStatement(statement) ?? readReceipt(statement) ?? readSummary(statement);
  if (said === undefined) return refused("other-statement");
  // What DSSE calls the key's id is no part of what is signed: the statement itself names the key.
  const signed = signatures.slice(0, limits.envelopeSignatures).some((one) => {
    const signature = bytesOf(fieldsOf(one).sig);
    return signature !== undefined && isSignedEnvelope(said.signer, payloadType, body, signature);
  });
  if (!signed) return refused("signature");
  if ("door" in said) return { kind: "received", received: said };
  return "levels" in said ? { kind: "summarized", summary: said } : { kind: "attested", attested: said };
}

/** Undefined when it is not one that a node of Cairn makes. */
function readStatement(statement: unknown): Attested | undefined {
  const { _type, subject, predicateType, predicate } = fieldsOf(statement);
  const { buildDefinition, runDetails } = fieldsOf(predicate);
  const { buildType, externalParameters, internalParameters, resolvedDependencies } = fieldsOf(buildDefinition);
  if (_type !== STATEMENT_TYPE || predicateType !== PREDICATE_TYPE || !BUILD_TYPES.has(buildType)) return undefined;
  const { builder, metadata } = fieldsOf(runDetails);
  const { manifest, action } = fieldsOf(externalParameters);
  const { network, toolchain = buildType === ACTION_TYPE ? "" : undefined } = fieldsOf(internalParameters);
  const { startedOn, finishedOn } = fieldsOf(metadata);
  const { id } = fieldsOf(builder);
  const signer = typeof id === "string" ? signerNamed(id) : undefined;
  const subjects = readSubjects(subject);
  const madeOf = readSubjects(resolvedDependencies);
  const all = { network, manifest, action, toolchain, startedOn, finishedOn };
  if (signer === undefined || subjects === undefined || madeOf === undefined || !allText(all)) return undefined;
  return { signer, ...all, madeOf, subjects };
}

/** The same for a receipt. */
function readReceipt(statement: unknown): Received | undefined {
  const { _type, subject, predicateType, predicate } = fieldsOf(statement);
  if (_type !== STATEMENT_TYPE || predicateType !== RECEIPT_TYPE) return undefined;
  const { door, key: manifest, action, network, receiver, receivedOn } = fieldsOf(predicate);
  const { id } = fieldsOf(receiver);
  const signer = typeof id === "string" ? signerNamed(id) : undefined;
  const subjects = readSubjects(subject);
  const all = { network, manifest, action, door, receivedOn };
  return signer === undefined || subjects === undefined || !allText(all) ? undefined : { signer, ...all, subjects };
}

/** Undefined where one is none. */
function readSubjects(subject: unknown): readonly Subject[] | undefined {
  if (!Array.isArray(subject) || subject.length > limits.sharedOutputs) return undefined;
  const subjects = subject.map(readSubject);
  const known = subjects.filter((one) => one !== undefined);
  return known.length === subjects.length ? known : undefined;
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
