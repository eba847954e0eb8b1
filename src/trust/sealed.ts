/**
 * Statements as files that tools for DSSE and in-toto read.
 *
 * Knows: DSSE's JSON envelope. Does not know: how such a file is read; see envelope.ts.
 */
import type { Digest, Key } from "../base/index.ts";
import type { Attestation, SharedResult } from "../contracts/index.ts";
import { claimOf, PAYLOAD_TYPE, statementOf } from "./attestation.ts";
import type { KeyPair } from "./keys.ts";

/** https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
export interface Envelope {
  /** Base64 */
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** The envelope of a signed result. To be asked only of what is attested. */
export function envelopeOf(network: Digest, shared: SharedResult): Envelope {
  return attestationEnvelope(network, { ...claimOf(shared), signature: shared.signature });
}

/** The same, of what everybody may know of it. To be asked only of what is attested. */
export function attestationEnvelope(network: Digest, attestation: Attestation): Envelope {
  return envelope(Buffer.from(statementOf(network, attestation)), attestation.execution.signer, attestation.signature);
}

/** Signs a statement, and puts it into an envelope. */
export function sealed(keys: KeyPair, statement: string): Envelope {
  const payload = Buffer.from(statement);
  return envelope(payload, keys.publicKey, keys.signEnvelope(PAYLOAD_TYPE, payload));
}

/** An envelope as a line of a file, its end included: what the digest of an attestation is taken of. */
export function envelopeLine(one: Envelope): string {
  return `${JSON.stringify(one)}\n`;
}

function envelope(payload: Buffer, keyid: Key, signature: Uint8Array): Envelope {
  return {
    payload: payload.toString("base64"),
    payloadType: PAYLOAD_TYPE,
    signatures: [{ keyid, sig: Buffer.from(signature).toString("base64") }],
  };
}
