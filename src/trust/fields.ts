/**
 * Fields of statements that somebody else has written, as narrow types.
 *
 * Knows: what every in-toto statement has. Does not know: what a predicate says.
 */
import type { Digest } from "../base/index.ts";

/** An artifact that a statement is about. */
export interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

/** No fields where it is no object. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Undefined for what has no name or no SHA-256. */
export function readSubject(subject: unknown): Subject | undefined {
  const { name, digest } = fieldsOf(subject);
  const { sha256 } = fieldsOf(digest);
  return typeof name === "string" && typeof sha256 === "string" ? { name, digest: sha256 } : undefined;
}

export function allText<K extends string>(fields: Record<K, unknown>): fields is Record<K, string> {
  return Object.values(fields).every((one) => typeof one === "string");
}
