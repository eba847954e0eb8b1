/**
 * Fingerprints of a source that stay the same when only comments or white space change in a way that a compile cannot tell.
 *
 * The text is hashed with each comment turned into blanks of its own width (tabs kept), so that every token keeps its column;
 * `layout` also leaves out lines with nothing on them. Whatever could be read in two ways has no fingerprint at all.
 *
 * Knows: C, C++ and Objective-C as gcc and clang lex them; comments that compilers read for warnings.
 * Does not know: assembler sources, strict C90 (where `//` is no comment): callers keep those away.
 */
import { type Digest, digestOf } from "../base/index.ts";
import { textOf } from "./scan-text.ts";

export interface TokensOf {
  /** Equal when every token stands on the same line and column. */
  readonly exact: Digest;
  /** Equal when the same lines of tokens follow each other, columns included, whatever lies between the lines. */
  readonly layout: Digest;
}

// Stand for a line break that is no line end of the program: inside a raw string or a kept comment, after a backslash.
const INNER_BREAK = "\x01";
const JOINED_BREAK = "\x02";

/** Control characters, trigraphs, and backslashes with blanks between them and the line's end. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FOREIGN = /[\0-\x08\x0b\r\x0e-\x1f\x7f]|\?\?[=/'()!<>-]|\\[ \t\f]+\n/;
/** Comments that a compiler may read: fall-through marks, lint marks, documentation commands, anything but plain ASCII. */
const SIGNIFICANT = /fall|lint|thr(?:ou|u)|[@\\<]|[^\t\n\f -~]/i;
const OPENING = /\/[/*]|["'\\]/g;
const STRING_REST = /(?:[^"\\\n]|\\[^\n])*"/y;
/** Longer ones are apostrophes in prose that happen to pair up. */
const CHARACTER_REST = /(?:[^'\\\n]|\\[^\n]){1,12}'/y;
const RAW_DELIMITER = /([^()\\\s"]{0,16})\(/y;
const RAW_PREFIX = /(?:^|[^\w$\x80-\xff])(?:u8|[uUL])?R$/;
const NUMBER_BEFORE = /(?:^|[^\w$.'\x80-\xff])\.?[0-9][\w.']*$/;
const IDENTIFIER = /[A-Za-z_$\x80-\xff][\w$\x80-\xff]*/g;
const SPLITS_TOKEN = /[\w$'"/*.\x80-\xff]/;
/** In front of a line's end, or the text's. */
const LAST_BLANK = /[ \t\f](?![^\n])/g;
const NAMES_HEADER = /(?:#|%:)[ \t]*(?:include|import|embed|pragma)|__has_/;

/** @returns undefined when the text leaves any doubt */
export function tokensOf(content: Buffer): TokensOf | undefined {
  const text = textOf(content);
  if (FOREIGN.test(text)) return undefined;
  const lexer = new Lexer(text);
  if (!lexer.run()) return undefined;
  const blanked = lexer.blanked();
  // With a line comment present strict dialects may warn; without an ending newline pedantic ones do.
  const traits = `${lexer.lineComments ? "/" : ""}${text.endsWith("\n") ? "\n" : ""}\0`;
  const exact = withoutTrailingBlanks(blanked);
  const layout = exact.replace(/^\n+/, "").replace(/\n{2,}/g, "\n");
  return {
    exact: digestOf(Buffer.from(traits + exact, "latin1")),
    layout: digestOf(Buffer.from(traits + layout, "latin1")),
  };
}

/** Every identifier outside comments and string literals; undefined when the text leaves any doubt. */
export function identifiersOf(content: Buffer): ReadonlySet<string> | undefined {
  const text = textOf(content);
  if (FOREIGN.test(text)) return undefined;
  const lexer = new Lexer(text);
  return lexer.run() ? new Set(lexer.withoutStrings().match(IDENTIFIER)) : undefined;
}

/** Of each line. An expression for all of a line's blanks would try every one of a long run as the run's start. */
function withoutTrailingBlanks(text: string): string {
  let result = "";
  let from = 0;
  LAST_BLANK.lastIndex = 0;
  while (LAST_BLANK.test(text)) {
    const end = LAST_BLANK.lastIndex;
    let start = end - 1;
    while (start > from && isBlank(text.charCodeAt(start - 1))) start--;
    result += text.slice(from, start);
    from = end;
  }
  return result + text.slice(from);
}

function isBlank(character: number): boolean {
  return character === 0x20 || character === 0x09 || character === 0x0c;
}

/** What replaces a stretch of the text: in the fingerprints, and where identifiers are looked for. */
interface Cut {
  readonly start: number;
  readonly end: number;
  readonly print: string;
  readonly words: string;
}

class Lexer {
  lineComments = false;
  readonly #text: string;
  readonly #cuts: Cut[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** False when the text is not understood beyond doubt. */
  run(): boolean {
    const text = this.#text;
    OPENING.lastIndex = 0;
    while (OPENING.test(text)) {
      const last = text.charAt(OPENING.lastIndex - 1);
      const opening = last === "/" || last === "*" ? `/${last}` : last;
      const end = this.#lex(opening, OPENING.lastIndex - opening.length);
      if (end === -1) return false;
      OPENING.lastIndex = end;
    }
    return true;
  }

  blanked(): string {
    return this.#assembled((cut) => cut.print);
  }

  withoutStrings(): string {
    return this.#assembled((cut) => cut.words);
  }

  #assembled(part: (cut: Cut) => string): string {
    let result = "";
    let from = 0;
    for (const cut of this.#cuts) {
      result += this.#text.slice(from, cut.start) + part(cut);
      from = cut.end;
    }
    return result + this.#text.slice(from);
  }

  /** @returns where lexing goes on, or -1 for a doubt */
  #lex(opening: string, start: number): number {
    if (opening === "\\") return this.#backslash(start);
    const line = this.#text.slice(this.#text.lastIndexOf("\n", start - 1) + 1, start);
    if (this.#insideHeaderName(line, start)) return -1;
    if (opening === "//") return this.#lineComment(start);
    if (opening === "/*") return this.#blockComment(start, line);
    return opening === "'" ? this.#character(start, line) : this.#string(start, line);
  }

  #cut(start: number, end: number, print: string, words = " "): number {
    this.#cuts.push({ start, end, print, words });
    return end;
  }

  #backslash(start: number): number {
    const text = this.#text;
    if (text[start + 1] !== "\n") return start + 1; // A stray backslash, as in some assembler macros.
    const next = text.charAt(start + 2);
    if (SPLITS_TOKEN.test(text.charAt(start - 1)) && !/^[ \t\f\n]?$/.test(next)) return -1;
    return this.#cut(start, start + 2, `\\${JOINED_BREAK}`);
  }

  /** `<a//b.h>` and `"a\"` are names there; elsewhere they would be comments and strings. */
  #insideHeaderName(line: string, start: number): boolean {
    if (line.lastIndexOf("<") <= line.lastIndexOf(">")) return false;
    return NAMES_HEADER.test(line) || this.#continues(start - line.length);
  }

  /** Whether the line that begins at `lineStart` carries on the one before. */
  #continues(lineStart: number): boolean {
    return this.#text[lineStart - 1] === "\n" && this.#text[lineStart - 2] === "\\";
  }

  #lineComment(start: number): number {
    const newline = this.#text.indexOf("\n", start);
    const end = newline === -1 ? this.#text.length : newline;
    const comment = this.#text.slice(start, end);
    if (comment.endsWith("\\")) return -1;
    this.lineComments = true;
    return this.#cut(start, end, SIGNIFICANT.test(comment.slice(2)) ? comment : "");
  }

  #blockComment(start: number, line: string): number {
    const close = this.#text.indexOf("*/", start + 2);
    if (close === -1) return -1;
    const end = close + 2;
    const comment = this.#text.slice(start, end);
    if (comment.includes("\n")) {
      if (comment.includes("\\\n")) return -1;
      // Code on both sides stands on one logical line; blanks and a line break would tear it apart.
      const newline = this.#text.indexOf("\n", end);
      const after = this.#text.slice(end, newline === -1 ? this.#text.length : newline);
      if ((line.trim() !== "" || this.#continues(start - line.length)) && after.trim() !== "") return -1;
    }
    const kept = SIGNIFICANT.test(comment.slice(2, -2)) || comment.slice(2).includes("/*");
    return this.#cut(start, end, kept ? comment.replaceAll("\n", INNER_BREAK) : blanks(comment));
  }

  #character(start: number, line: string): number {
    if (NUMBER_BEFORE.test(line)) return this.#digitSeparator(start);
    CHARACTER_REST.lastIndex = start + 1;
    return CHARACTER_REST.test(this.#text) ? CHARACTER_REST.lastIndex : -1;
  }

  /** Before C23 a separator opens a character literal; where the rest of the line holds nothing to lex, that is all the same. */
  #digitSeparator(start: number): number {
    const newline = this.#text.indexOf("\n", start);
    const rest = this.#text.slice(start, newline === -1 ? this.#text.length : newline);
    const separated = rest.replace(/(?<=[0-9A-Za-z]|^)'(?=[0-9A-Za-z])/g, "");
    return /["'\\]|\/\*/.test(separated) ? -1 : start + 1;
  }

  #string(start: number, line: string): number {
    if (RAW_PREFIX.test(line)) return this.#rawString(start);
    STRING_REST.lastIndex = start + 1;
    if (!STRING_REST.test(this.#text)) return -1;
    const end = STRING_REST.lastIndex;
    const literal = this.#text.slice(start, end);
    // In a header name a backslash does not escape.
    if (literal.includes("\\") && (NAMES_HEADER.test(line) || (this.#continues(start - line.length) && line.trim() === ""))) return -1;
    return this.#cut(start, end, literal);
  }

  #rawString(start: number): number {
    RAW_DELIMITER.lastIndex = start + 1;
    const delimiter = RAW_DELIMITER.exec(this.#text);
    if (delimiter === null) return -1;
    const closing = `)${delimiter[1] ?? ""}"`;
    const close = this.#text.indexOf(closing, RAW_DELIMITER.lastIndex);
    if (close === -1) return -1;
    const end = close + closing.length;
    return this.#cut(start, end, this.#text.slice(start, end).replaceAll("\n", INNER_BREAK));
  }
}

/** The comment's shape without its words, as far as it moves what follows: line breaks, and the width of its last line, with its tabs. */
function blanks(comment: string): string {
  let breaks = 0;
  let last = 0;
  for (let at = comment.indexOf("\n"); at !== -1; at = comment.indexOf("\n", last)) {
    breaks += 1;
    last = at + 1;
  }
  const line = comment.slice(last);
  return "\n".repeat(breaks) + (line.includes("\t") ? line.replace(/[^\t]/g, " ") : " ".repeat(line.length));
}
