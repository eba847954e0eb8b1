/**
 * What members ask each other in the overlay, as bytes and back: schema/overlay.proto.
 *
 * Knows: fields and their bounds. Does not know: whether a signature holds, or who is a member.
 */
import { type Digest, type Host, type Key, limits } from "../base/index.ts";
import { MemberAddressesSchema, OverlayAnswerSchema, OverlayQuestionSchema, SignedAddressesSchema } from "./generated/overlay_pb.ts";
import { bytesOf, decode, decodeAny, encode, hexOf, hostMessages, hosts, invalid, list, sized } from "./message-fields.ts";

export interface OverlayQuestion {
  /** Each from {@link encodeSignedAddresses}. */
  readonly speaker: readonly Uint8Array[];
  /** 32 bytes; undefined where nobody is looked for. */
  readonly target: Uint8Array | undefined;
  /** Prefixes of manifests, 8 bytes each: those of which results are wanted, and those of which the speaker has some. */
  readonly wanted: Uint8Array;
  readonly provided: Uint8Array;
}

export interface OverlayAnswer {
  /** Both each from {@link encodeSignedAddresses}. */
  readonly speaker: readonly Uint8Array[];
  readonly known: readonly Uint8Array[];
  readonly providers: readonly OverlayProvider[];
}

/** A member, and the prefixes of what it has of what was wanted. */
export interface OverlayProvider {
  readonly key: Key;
  readonly manifests: Uint8Array;
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
const PREFIX_BYTES = 8;
const { answerMost, frameBytes, providedAtOnce, providersAtOnce, recordBytes, recordsPerMember, wantedAtOnce } = limits.overlay;

export function encodeOverlayQuestion({ speaker, target, wanted, provided }: OverlayQuestion): Uint8Array {
  return encode(OverlayQuestionSchema, { speaker: [...speaker], ...(target && { target }), wanted, provided });
}

/** @throws {CairnError} frame-invalid */
export function decodeOverlayQuestion(bytes: Uint8Array): OverlayQuestion {
  const { speaker, target, wanted, provided } = decodeAny(OverlayQuestionSchema, bytes, frameBytes);
  return {
    speaker: list(speaker, recordsPerMember),
    target: target.length === 0 ? undefined : sized(target, ID_BYTES),
    wanted: prefixes(wanted, wantedAtOnce),
    provided: prefixes(provided, providedAtOnce),
  };
}

export function encodeOverlayAnswer({ speaker, known, providers }: OverlayAnswer): Uint8Array {
  const members = providers.map(({ key, manifests }) => ({ member: bytesOf(key), manifests }));
  return encode(OverlayAnswerSchema, { speaker: [...speaker], known: [...known], providers: members });
}

/** @throws {CairnError} frame-invalid */
export function decodeOverlayAnswer(bytes: Uint8Array): OverlayAnswer {
  const { speaker, known, providers } = decodeAny(OverlayAnswerSchema, bytes, frameBytes);
  return {
    speaker: list(speaker, recordsPerMember),
    known: list(known, answerMost * recordsPerMember),
    providers: list(providers, providersAtOnce).map(({ member, manifests }) => ({
      key: hexOf(member, ID_BYTES),
      manifests: prefixes(manifests, wantedAtOnce),
    })),
  };
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

function prefixes(bytes: Uint8Array, most: number): Uint8Array {
  if (bytes.length % PREFIX_BYTES !== 0 || bytes.length > most * PREFIX_BYTES) throw invalid("prefixes");
  return bytes;
}
