/**
 * How source text is held while it is looked at: one character a byte, backslash-newlines joined where that makes no difference.
 *
 * Knows: translation phases 1 and 2 of C and C++. Does not know: tokens, directives.
 */

/** One UTF-16 unit a byte: positions are byte offsets, and V8 searches such strings fastest. */
export function textOf(content: Buffer): string {
  return content.toString("latin1");
}

/** Bytes held by `textOf` as the UTF-8 they are; undefined when they are not UTF-8. */
export function utf8Of(text: string): string | undefined {
  if (!/[\x80-\xff]/.test(text)) return text;
  const decoded = Buffer.from(text, "latin1").toString("utf8");
  return decoded.includes("\ufffd") ? undefined : decoded;
}

/**
 * Logical lines: backslash-newlines (with blanks between, as gcc and clang allow) are taken out.
 * Raw strings are not spared: for those who look for words and directives that makes no difference.
 */
export function joinedLines(text: string): string {
  return text.includes("\\\n") || /\\[ \t\v\f\r]+\n/.test(text) ? text.replace(/\\[ \t\v\f\r]*\n/g, "") : text;
}
