/**
 * Ed25519: key pairs, and signatures that hold for one purpose only.
 *
 * Knows: what is signed begins with the name of its purpose, so that no signature can be taken for another.
 * Does not know: where secrets are kept.
 */
import { createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import { ed25519FromSeed, Generations, type Identity, type Key, limits } from "../base/index.ts";

/** What a signature is for. The number changes with the meaning. */
export type Purpose =
  | "cairn statement 1"
  | "cairn attestation key 1"
  | "cairn attestation possession 1"
  | "cairn join by invitation 1"
  | "cairn join by peer 1"
  | "cairn gossip 1"
  | "cairn name 1"
  | "cairn agreement 1"
  | "cairn round commitment 1"
  | "cairn round opening 1"
  | "cairn overlay addresses 1";

export interface KeyPair {
  readonly publicKey: Key;
  sign(purpose: Purpose, content: Uint8Array): Uint8Array;
  /**
   * Signs as DSSE does. What is signed then begins with `DSSEv1 `, and no purpose does, so neither kind of signature can be taken for the
   * other, whatever is signed.
   *
   * @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
   */
  signEnvelope(payloadType: string, payload: Uint8Array): Uint8Array;
  /**
   * Signs what a signed note holds, as it is: see notes.ts.
   *
   * @param message begins with `cairn/log/` or `cosignature/v1`, as no purpose and no envelope does (programmer error otherwise)
   */
  signNote(message: string): Uint8Array;
}

/** @param seed 32 secret bytes: the private key of RFC 8032 */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const { secret, publicBytes } = ed25519FromSeed(seed);
  return {
    publicKey: publicBytes.toString("hex"),
    sign: (purpose, content) => sign(null, purposeful(purpose, content), secret),
    signEnvelope: (payloadType, payload) => sign(null, preAuthenticationEncoding(payloadType, payload), secret),
    signNote: (message) => {
      if (!/^(cairn\/log\/|cosignature\/v1\n)/.test(message)) throw new RangeError("that is no message of a note");
      return sign(null, Buffer.from(message), secret);
    },
  };
}

/** The key that follows from the secret of an invitation: who knows the secret can sign with it. */
export function invitationKeyPair(secret: Uint8Array): KeyPair {
  return keyPairFromSeed(hash("sha256", Buffer.concat([Buffer.from("cairn invitation 1\0"), secret]), "buffer"));
}

/** False for anything that does not hold, a malformed key included. */
export function isSigned(key: Key, purpose: Purpose, content: Uint8Array, signature: Uint8Array): boolean {
  return holds(key, purposeful(purpose, content), signature);
}

/** The same for {@link KeyPair.signEnvelope}. */
export function isSignedEnvelope(key: Key, payloadType: string, payload: Uint8Array, signature: Uint8Array): boolean {
  return holds(key, preAuthenticationEncoding(payloadType, payload), signature);
}

/** The same for {@link KeyPair.signNote}, and for notes of others. */
export function isSignedNote(key: Key, message: string, signature: Uint8Array): boolean {
  return holds(key, Buffer.from(message), signature);
}

/** Binds an attestation key to a peer key: each signs the other, so nobody can claim a key that is not theirs. */
export function makeIdentity(peer: KeyPair, attestation: KeyPair, name: string): Identity {
  return {
    peerKey: peer.publicKey,
    attestationKey: attestation.publicKey,
    certificate: peer.sign("cairn attestation key 1", Buffer.from(attestation.publicKey, "hex")),
    possession: attestation.sign("cairn attestation possession 1", Buffer.from(peer.publicKey, "hex")),
    name,
  };
}

export function isIdentity({ peerKey, attestationKey, certificate, possession }: Identity): boolean {
  return (
    peerKey !== attestationKey &&
    isSigned(peerKey, "cairn attestation key 1", Buffer.from(attestationKey, "hex"), certificate) &&
    isSigned(attestationKey, "cairn attestation possession 1", Buffer.from(peerKey, "hex"), possession)
  );
}

function purposeful(purpose: Purpose, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${purpose}\0`), content]);
}

/** DSSE's PAE: protocol.md, "Signature Definition". */
function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

function holds(key: Key, content: Uint8Array, signature: Uint8Array): boolean {
  const publicKey = publicKeyOf(key);
  if (publicKey === undefined || signature.length !== SIGNATURE_BYTES) return false;
  // Keys and signatures are all of one length, so that no two of these are the same bytes.
  const whole = hash("sha256", Buffer.concat([Buffer.from(key, "hex"), signature, content]), "base64");
  if (held.has(whole)) return true;
  if (!verify(null, content, publicKey, signature)) return false;
  held.set(whole, true);
  return true;
}

const SIGNATURE_BYTES = 64;

/**
 * Signatures that were found to hold: what is passed on, judged, kept and judged again is verified once, which costs as much as hashing it
 * fifteen times. Those that do not hold are not remembered, for anybody can make them up.
 */
const held = new Generations<string, true>(limits.signaturesRemembered);

/** Keys that were used lately, as Node's crypto takes them: making one costs as much as a third of a verification. */
const publicKeys = new Generations<Key, KeyObject>(limits.publicKeysRemembered);

/** Undefined for what is no key. */
function publicKeyOf(key: Key): KeyObject | undefined {
  const known = publicKeys.get(key);
  if (known !== undefined) return known;
  try {
    const x = Buffer.from(key, "hex").toString("base64url");
    const made = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    publicKeys.set(key, made);
    return made;
  } catch {
    return undefined; // Not 32 bytes.
  }
}
