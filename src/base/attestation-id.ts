/**
 * What attestations are named and ordered by: docs/protocol/attestation-set.md.
 */
import { hash } from "node:crypto";

/**
 * When the result was ready, by its signer's clock, then a digest of what is signed and the signature: 44 lowercase hex digits, ms since the
 * epoch in 12 and 16 bytes of SHA-256 in 32.
 */
export type AttestationId = string;

/** Hex digits of an id that are time; the others are evenly spread. */
export const ID_TIME_DIGITS = 12;
/** Behind every id, as the empty text is before every id. Bounds between them are beginnings of ids. */
export const LAST_BOUND = "g";

/** @param endedAtMs whole, before the year 10000 */
export function attestationId(endedAtMs: number, signed: string, signature: Uint8Array): AttestationId {
  const digest = hash("sha256", Buffer.concat([Buffer.from(signed), signature]), "hex");
  return endedAtMs.toString(16).padStart(ID_TIME_DIGITS, "0") + digest.slice(0, 32);
}
