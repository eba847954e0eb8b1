/**
 * Names of content: SHA-256 as 64 lowercase hexadecimal digits.
 */
import { hash, subtle } from "node:crypto";

/** SHA-256 of some bytes, 64 lowercase hex digits. */
export type Digest = string;

/** Digits of a digest or of a key that people are shown where it is one of many. */
const SHOWN_DIGITS = 12;

/** The beginning of a digest or of a key: enough to tell it from others. */
export function brief(name: Digest): string {
  return name.slice(0, SHOWN_DIGITS);
}

/** A text with that in the place of each whole digest. */
export function withBriefDigests(text: string): string {
  return text.replace(/\b[0-9a-f]{64}\b/g, brief);
}

/** Whether it is one, or a key: 64 lowercase hex digits. */
export function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

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
