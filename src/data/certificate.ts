/**
 * The certificate of this node on the data plane: X.509, self-signed, and its key is the node's peer key.
 *
 * It holds nothing but the key, and is the same for each connection: 1970 to 9999, so that no clock makes it invalid. What makes it good is
 * that its key is the one of an active member; TLS proves that the other side has the key. See docs/decisions/0014-data-plane.md.
 * Knows: DER (RFC 5280, RFC 8410). Does not know: who is a member.
 */
import { sign, type X509Certificate } from "node:crypto";
import { ed25519FromSeed, type Key } from "../base/index.ts";

/** PEM, as node:tls wants it. */
export interface TlsIdentity {
  readonly key: string;
  readonly cert: string;
}

const ED25519 = sequence(Buffer.from("06032b6570", "hex")); // AlgorithmIdentifier
/** SubjectPublicKeyInfo up to the 32 bytes of the key. */
const SPKI = Buffer.from("302a300506032b6570032100", "hex");
const NAME = sequence(tagged(0x31, sequence(Buffer.from("0603550403", "hex"), tagged(0x0c, Buffer.from("cairn"))))); // CN=cairn
const EVER = sequence(tagged(0x17, Buffer.from("700101000000Z")), tagged(0x18, Buffer.from("99991231235959Z")));

/** @param seed the peer key's 32 secret bytes */
export function tlsIdentity(seed: Uint8Array): TlsIdentity {
  const { secret, publicBytes } = ed25519FromSeed(seed);
  const serial = Buffer.from("020101", "hex");
  const signed = sequence(serial, ED25519, NAME, EVER, NAME, Buffer.concat([SPKI, publicBytes]));
  const signature = tagged(0x03, Buffer.from([0]), sign(null, signed, secret));
  const base64 = sequence(signed, ED25519, signature)
    .toString("base64")
    .replace(/(.{64})/g, "$1\n");
  return {
    key: secret.export({ format: "pem", type: "pkcs8" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

/** The key of a certificate; undefined for other kinds of keys, which no member has. */
export function certifiedKey(certificate: X509Certificate | undefined): Key | undefined {
  if (certificate?.publicKey.asymmetricKeyType !== "ed25519") return undefined;
  const spki = certificate.publicKey.export({ format: "der", type: "spki" });
  return spki.subarray(SPKI.length).toString("hex");
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(0x30, ...parts);
}

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  // The shortest form, as DER wants it; nothing here reaches 64 KiB.
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
