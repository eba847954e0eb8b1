/**
 * Ed25519 keys as they are kept: 32 secret bytes.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** RFC 8410: what stands before the 32 bytes of a private key in PKCS #8. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
/** The key's bytes are the last of its SubjectPublicKeyInfo. */
const PUBLIC_BYTES = 32;

/** Both halves of a key. */
export interface Ed25519 {
  readonly secret: KeyObject;
  /** 32 bytes */
  readonly publicBytes: Buffer;
}

/** @param seed 32 secret bytes: the private key of RFC 8032 */
export function ed25519FromSeed(seed: Uint8Array): Ed25519 {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  return { secret, publicBytes: createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-PUBLIC_BYTES) };
}
