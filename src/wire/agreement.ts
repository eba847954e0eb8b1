/**
 * Votes of domains as bytes and back: schema/agreement.proto.
 *
 * Knows: fields and their bounds. Does not know: who may vote, or whether a signature holds.
 */
import { type AgreementFrame, type Certificate, type Digest, limits, type Said, type Vote, type VoteKind } from "../base/index.ts";
import {
  AgreementFrameSchema,
  VoteBodySchema,
  type VoteCertificate as VoteCertificateMessage,
  type VoteCertificateSchema,
  type Vote as VoteMessage,
  type VoteSchema,
} from "./generated/agreement_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list, sized } from "./message-fields.ts";

const { certificatesPerFrame, frameBytes, valuesPerFrame, views, votesPerFrame } = limits.agreement;
const SIGNATURE_BYTES = 64;
const DIGEST_BYTES = 32;
/** Of each view there may be one to go on with and one to pass it by, and one decision. */
const CERTIFICATES_MOST = 2 * certificatesPerFrame + 1;
const KINDS: Readonly<Record<VoteKind, number>> = { notarize: 1, nullify: 2, finalize: 3 };

/** What a domain signs. */
export function encodeVoteBody(network: Digest, previous: Digest, { kind, view, value }: Said): Uint8Array {
  return encode(VoteBodySchema, { network: bytesOf(network), previous: bytesOf(previous), kind: KINDS[kind], view, value: bytesOf(value) });
}

export function encodeAgreementFrame({ previous, from, votes, certificates, values, wants }: AgreementFrame): Uint8Array {
  return encode(AgreementFrameSchema, {
    previous: bytesOf(previous),
    from,
    votes: votes.slice(0, votesPerFrame).map(voteMessage),
    certificates: certificates.slice(0, CERTIFICATES_MOST).map(certificateMessage),
    values: values.slice(0, valuesPerFrame),
    wants: wants.slice(0, valuesPerFrame).map(bytesOf),
  });
}

/** @throws {CairnError} frame-invalid */
export function decodeAgreementFrame(bytes: Uint8Array): AgreementFrame {
  const { previous, from, votes, certificates, values, wants } = decodeAny(AgreementFrameSchema, bytes, frameBytes);
  if (from > views) throw invalid("view");
  return {
    previous: hexOf(previous, DIGEST_BYTES),
    from,
    votes: list(votes, votesPerFrame).map(voteOf),
    certificates: list(certificates, CERTIFICATES_MOST).map(certificateOf),
    values: list(values, valuesPerFrame),
    wants: list(wants, valuesPerFrame).map((one) => hexOf(one, DIGEST_BYTES)),
  };
}

/** Votes that travel as two lists, sorted by domain. @throws {CairnError} frame-invalid */
export function votesOf(domains: readonly number[], signatures: readonly Uint8Array[]): Certificate["votes"] {
  if (domains.length !== signatures.length) throw invalid("votes");
  const votes = list(domains, limits.domains).map((domain, i) => ({
    domain,
    signature: sized(signatures[i] ?? new Uint8Array(), SIGNATURE_BYTES),
  }));
  if (votes.some(({ domain }, i) => domain >= limits.domains || (i > 0 && domain <= (domains[i - 1] ?? 0)))) throw invalid("domains");
  return votes;
}

function voteMessage({ kind, view, value, domain, signature }: Vote): Init<typeof VoteSchema> {
  return { kind: KINDS[kind], view, value: bytesOf(value), domain, signature };
}

function voteOf({ kind, view, value, domain, signature }: VoteMessage): Vote {
  if (domain >= limits.domains) throw invalid("domain");
  return { ...saidOf(kind, view, value), domain, signature: sized(signature, SIGNATURE_BYTES) };
}

function certificateMessage({ kind, view, value, votes }: Certificate): Init<typeof VoteCertificateSchema> {
  const [domains, signatures] = [votes.map(({ domain }) => domain), votes.map(({ signature }) => signature)];
  return { kind: KINDS[kind], view, value: bytesOf(value), domains, signatures };
}

function certificateOf({ kind, view, value, domains, signatures }: VoteCertificateMessage): Certificate {
  return { ...saidOf(kind, view, value), votes: votesOf(domains, signatures) };
}

function saidOf(code: number, view: number, bytes: Uint8Array): Said {
  const kind = (["notarize", "nullify", "finalize"] as const).find((one) => KINDS[one] === code);
  if (kind === undefined || view < 1 || view > views) throw invalid("vote");
  return { kind, view, value: kind === "nullify" ? "" : hexOf(bytes, DIGEST_BYTES) };
}
