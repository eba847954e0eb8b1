/**
 * The first place at which two texts, or two rows of bytes, part ways, and what stands there in either.
 *
 * Does not know: what they are. Lines are as they stand: whoever shows them to people makes them harmless.
 */
import { isUtf8 } from "node:buffer";

export type FirstDifference =
  /** From 1; `before` and `after` are lines, of long ones a piece around the place. */
  | { readonly line: number; readonly before: string; readonly after: string }
  /** From 0; of what is no text. */
  | { readonly byte: number };

/** Of a line. */
const SHOWN_LENGTH = 120;
/** What is shown of a long line begins so far before the place. */
const SHOWN_BEFORE = 40;
const LINE_END = 10;
/** Where that is all that differs, and the lines would look the same. */
const UNENDED = "(no newline at its end)";
/** Compared at once. */
const PIECE_BYTES = 65_536;

/** Undefined: they are the same. */
export function firstDifference(before: Uint8Array, after: Uint8Array): FirstDifference | undefined {
  const [old, now] = [before, after].map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length)) as [Buffer, Buffer];
  if (old.equals(now)) return undefined;
  const at = firstByte(old, now);
  if (![old, now].every(isText)) return { byte: at };
  const begin = at === 0 ? 0 : old.lastIndexOf(LINE_END, at - 1) + 1;
  let line = 1;
  for (let end = old.indexOf(LINE_END); end >= 0 && end < begin; end = old.indexOf(LINE_END, end + 1)) line++;
  const [one, other] = [lineAt(old, begin), lineAt(now, begin)];
  if (one !== other) return { line, ...shown(one, other) };
  const ended = (text: Buffer, { before }: { readonly before: string }): string =>
    text.includes(LINE_END, begin) ? before : `${before} ${UNENDED}`.trimStart();
  const both = shown(one, other);
  return { line, before: ended(old, both), after: ended(now, both) };
}

/** Of the first byte that differs, or the length of the shorter one. They are not the same. */
export function firstByte(one: Buffer, other: Buffer): number {
  const shorter = Math.min(one.length, other.length);
  let at = 0;
  while (at < shorter && one.subarray(at, at + PIECE_BYTES).equals(other.subarray(at, at + PIECE_BYTES))) at += PIECE_BYTES;
  while (at < shorter && one[at] === other[at]) at++;
  return Math.min(at, shorter);
}

function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

function lineAt(text: Buffer, begin: number): string {
  const end = text.indexOf(LINE_END, begin);
  return text.toString("utf8", begin, end < 0 ? text.length : end);
}

function shown(before: string, after: string): { readonly before: string; readonly after: string } {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at++;
  const from = at < SHOWN_LENGTH - SHOWN_BEFORE ? 0 : at - SHOWN_BEFORE;
  const piece = (line: string): string =>
    `${from === 0 ? "" : "…"}${line.slice(from, from + SHOWN_LENGTH)}${line.length > from + SHOWN_LENGTH ? "…" : ""}`;
  return { before: piece(before), after: piece(after) };
}
