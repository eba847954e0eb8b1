/**
 * Names of content: SHA-256 as 64 lowercase hexadecimal digits.
 */
import { hash } from "node:crypto";

/** SHA-256 of some bytes, 64 lowercase hex digits. */
export type Digest = string;

/** SHA-256 of `content`; strings are hashed as UTF-8. */
export function digestOf(content: Uint8Array | string): Digest {
  return hash("sha256", content, "hex");
}
