/**
 * What members ask each other in the overlay, as bytes and back: schema/overlay.proto.
 *
 * Knows: fields and their bounds. Does not know: whether a signature holds, or who is a member.
 */
import { type Digest, type Host, limits } from "../base/index.ts";
import { MemberAddressesSchema, OverlayAnswerSchema, OverlayQuestionSchema, SignedAddressesSchema } from "./generated/overlay_pb.ts";
import { bytesOf, decode, decodeAny, encode, hexOf, hostMessages, hosts, invalid, list, sized } from "./message-fields.ts";

export interface OverlayQuestion {
  /** Each from {@link encodeSignedAddresses}. */
  readonly speaker: readonly Uint8Array[];
  /** 32 bytes. */
  readonly target: Uint8Array;
}

/** Both each from {@link encodeSignedAddresses}. */
export interface OverlayAnswer {
  readonly speaker: readonly Uint8Array[];
  readonly known: readonly Uint8Array[];
}

/** Where a member says that it can be reached. */
export interface MemberAddresses {
  readonly network: Digest;
  readonly host: Host;
  /** Since 1970, by the member's clock. */
  readonly issuedAtMs: number;
}

const ID_BYTES = 32;
const SIGNATURE_BYTES = 64;
const { answerMost, frameBytes, recordBytes, recordsPerMember } = limits.overlay;

export function encodeOverlayQuestion({ speaker, target }: OverlayQuestion): Uint8Array {
  return encode(OverlayQuestionSchema, { speaker: [...speaker], target });
}

/** @throws {CairnError} frame-invalid */
export function decodeOverlayQuestion(bytes: Uint8Array): OverlayQuestion {
  const { speaker, target } = decodeAny(OverlayQuestionSchema, bytes, frameBytes);
  return { speaker: list(speaker, recordsPerMember), target: sized(target, ID_BYTES) };
}

export function encodeOverlayAnswer({ speaker, known }: OverlayAnswer): Uint8Array {
  return encode(OverlayAnswerSchema, { speaker: [...speaker], known: [...known] });
}

/** @throws {CairnError} frame-invalid */
export function decodeOverlayAnswer(bytes: Uint8Array): OverlayAnswer {
  const { speaker, known } = decodeAny(OverlayAnswerSchema, bytes, frameBytes);
  return { speaker: list(speaker, recordsPerMember), known: list(known, answerMost * recordsPerMember) };
}

/** What a member signs. */
export function encodeMemberAddresses({ network, host, issuedAtMs }: MemberAddresses): Uint8Array {
  const [message] = hostMessages([host]);
  return encode(MemberAddressesSchema, { network: bytesOf(network), ...(message && { host: message }), issuedAtMs: BigInt(issuedAtMs) });
}

export function encodeSignedAddresses(signed: { readonly body: Uint8Array; readonly signature: Uint8Array }): Uint8Array {
  return encode(SignedAddressesSchema, signed);
}

/** @throws {CairnError} frame-invalid */
export function decodeSignedAddresses(bytes: Uint8Array): { body: Uint8Array; signature: Uint8Array; said: MemberAddresses } {
  const { body, signature } = decode(SignedAddressesSchema, bytes, recordBytes);
  const { network, host, issuedAtMs } = decode(MemberAddressesSchema, body, recordBytes);
  const [said] = hosts(host === undefined ? [] : [host], 1);
  if (said === undefined || issuedAtMs > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("addresses");
  return {
    body,
    signature: sized(signature, SIGNATURE_BYTES),
    said: { network: hexOf(network, ID_BYTES), host: said, issuedAtMs: Number(issuedAtMs) },
  };
}
