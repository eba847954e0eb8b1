/**
 * Names of content: SHA-256 as 64 lowercase hexadecimal digits.
 */
import { hash, subtle } from "node:crypto";

/** SHA-256 of some bytes, 64 lowercase hex digits. */
export type Digest = string;

/** SHA-256 of `content`; strings are hashed as UTF-8. */
export function digestOf(content: Uint8Array | string): Digest {
  return hash("sha256", content, "hex");
}

/** Less than this is hashed sooner than handed over. */
const ASIDE_FROM_BYTES = 8_192;

/** The same, of much, by another thread: this one goes on. The bytes must not change meanwhile. */
export async function digestAside(content: Uint8Array): Promise<Digest> {
  if (content.length < ASIDE_FROM_BYTES) return digestOf(content);
  return Buffer.from(await subtle.digest("SHA-256", content as Uint8Array<ArrayBuffer>)).toString("hex");
}
