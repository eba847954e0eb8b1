/**
 * What a source or header may read besides itself, and what in it changes from one compile to the next, seen from its text alone.
 *
 * Knows: how directives, probes and assembler inclusions are spelled. One too many is harmless, one too few is a wrong result.
 * Does not know: which conditionals hold, where files lie.
 */
import { type Regions, regionsOf } from "./scan-regions.ts";
import { joinedLines, textOf, utf8Of } from "./scan-text.ts";

export interface Include {
  readonly form: "quote" | "angle" | "computed";
  /** #include_next, __has_include_next */
  readonly next: boolean;
  /** As written between the quotes or brackets; of a computed include the macro that names the header, or nothing. */
  readonly name: string;
}

export type TimeMacro = "__DATE__" | "__TIME__" | "__TIMESTAMP__";

export interface SourceScan {
  /** #include, #include_next, #import */
  readonly includes: readonly Include[];
  /** __has_include, __has_include_next, and whatever else an #if hands a header name to. */
  readonly probes: readonly Include[];
  /** #embed, __has_embed */
  readonly embeds: readonly Include[];
  /** #pragma once or #import: gcc leaves a second copy of such a file out of the dependencies. */
  readonly once: boolean;
  /** Time macros outside comments and string literals. */
  readonly timeMacros: readonly TimeMacro[];
  /** Code may learn where its caller stands without any macro at the call: __builtin_LINE, source_location and the like. */
  readonly callerLocation: boolean;
  /** Files named literally by .incbin. */
  readonly incbin: readonly string[];
  /** An .incbin whose file cannot be read off the text. */
  readonly incbinComputed: boolean;
  /** The assembler's own .include. */
  readonly asmInclude: boolean;
  /** A line directive, or the assembler's .file, names the lines behind it by an absolute path, or by what cannot be read off the text. */
  readonly absoluteLines: boolean;
  /** The text could not be understood well enough to rely on the rest. */
  readonly unsure: boolean;
}

const GAP = "(?:[ \\t\\v\\f\\r]|/\\*[^]*?\\*/)*";
const DIRECTIVE = new RegExp(`${GAP}(include_next|include|import|embed|if|elif|pragma|line|\\d+)(?![\\w$])${GAP}`, "y");
const HEADER_NAME = /"([^"\n]*)"|<([^>\n]*)>/y;
const MACRO_NAME = /([A-Za-z_]\w*)[ \t]*(?=[\n\r/]|$)/y;
const CONDITION = /(?:[^\n/]|\/\*[^]*?\*\/|\/)*/y;
/** A header name in parentheses means nothing in a condition unless a macro hands it to __has_include. */
const HANDED_NAME = /([\w$]+)\s*\(\s*(?:"([^"\n]*)"|<([^<>\n]*)>)/g;
const PROBE = new RegExp(`(__has_(?:include_next|include|embed)(?:__)?)(?![\\w$])${GAP}\\(${GAP}`, "g");
const TIME_MACRO = /(?<![\w$])__(?:DATE|TIME|TIMESTAMP)__(?![\w$])/g;
const CALLER_LOCATION = /__builtin_(?:LINE|FILE|FUNCTION|COLUMN|source_location)|source_location/;
const ASSEMBLER = /\.(incbin|include)(?![\w$])[ \t]*/gi;
/** What stands behind `#line` or `#`, but for the number; the compiler's own headers are no checkout's. */
const PLAIN_LINE = /^(?:\d+[ \t]*)?(?:"(?!\/(?!usr\/(?:include|lib)\/))[^"\\]*"[ \t\d]*)?(?:\/[/*].*)?$/;
const ABSOLUTE_LINE = /^"(?:[^"]*\\|\/(?!usr\/(?:include|lib)\/))/;
const ASSEMBLER_LINE = /\.(?:line)?file[ \t]+(?:\d+[ \t]+)?\\?"\/(?!usr\/(?:include|lib)\/)/i;
const ASSEMBLER_NAME = /(\\?")([^"\\\n]*)\1/y;

/** Reads `content` once. Never fails; at worst it is unsure. */
export function scanSource(content: Buffer): SourceScan {
  const bytes = textOf(content);
  const text = joinedLines(bytes);
  const scan = new Scanner(text);
  scan.directives("#");
  if (text.includes("%:")) scan.directives("%:");
  if (text.includes("??=")) scan.directives("??=");
  if (text.includes("_Pragma")) scan.pragmaOperators();
  if (text.includes("__has_")) scan.probesAnywhere();
  scan.findTimeMacros();
  scan.findAssembler();
  return {
    includes: scan.includes,
    probes: scan.probes,
    embeds: scan.embeds,
    once: scan.once,
    timeMacros: [...scan.timeMacros],
    callerLocation: CALLER_LOCATION.test(text),
    incbin: scan.incbin,
    incbinComputed: scan.incbinComputed,
    asmInclude: scan.asmInclude,
    absoluteLines: scan.absoluteLines || ASSEMBLER_LINE.test(text),
    unsure: scan.unsure || isForeign(bytes) || scan.lexedBadly,
  };
}

/** Trigraph line joins, line ends that gcc and clang see differently, and encodings that are not ASCII at heart. */
function isForeign(bytes: string): boolean {
  if (bytes.includes("??/")) return true;
  if (bytes.includes("\0") || bytes.startsWith("\xff\xfe") || bytes.startsWith("\xfe\xff")) return true;
  return bytes.includes("\r") && /\r(?!\n)/.test(bytes);
}

class Scanner {
  readonly includes: Include[] = [];
  readonly probes: Include[] = [];
  readonly embeds: Include[] = [];
  readonly timeMacros: Set<TimeMacro> = new Set();
  readonly incbin: string[] = [];
  incbinComputed = false;
  asmInclude = false;
  absoluteLines = false;
  once = false;
  unsure = false;
  readonly #text: string;
  #regions: Regions | undefined; // Made when a word is found that may stand in a comment.

  constructor(text: string) {
    this.#text = text;
  }

  get lexedBadly(): boolean {
    return this.#regions?.unterminated === true;
  }

  directives(introducer: string): void {
    const text = this.#text;
    for (let at = text.indexOf(introducer); at !== -1; at = text.indexOf(introducer, at + introducer.length)) {
      if (!startsLine(text, at)) continue;
      DIRECTIVE.lastIndex = at + introducer.length;
      const found = DIRECTIVE.exec(text);
      if (found === null || this.#isComment(at)) continue;
      this.#directive(found[1] ?? "", DIRECTIVE.lastIndex);
    }
  }

  #directive(word: string, rest: number): void {
    if (word === "pragma") {
      this.#pragma(this.#text.slice(rest, rest + 40));
    } else if (word === "if" || word === "elif") {
      this.#condition(rest);
    } else if (/^(?:line|\d+)$/.test(word)) {
      this.#line(word, rest);
    } else {
      if (word === "import") this.once = true;
      const next = word === "include_next";
      const named = this.#nameAt(rest, next) ?? { form: "computed" as const, next, name: this.#macroAt(rest) };
      (word === "embed" ? this.embeds : this.includes).push(named);
    }
  }

  #pragma(pragma: string): void {
    if (/^once(?![\w$])/.test(pragma)) this.once = true;
    // Compares the age of two files: nothing that content can answer for. Reads a precompiled header that no dependency file names.
    if (/^GCC\s+(?:dependency|pch_preprocess)/.test(pragma)) this.unsure = true;
  }

  /** What follows a number alone may as well be a comment of assembler. */
  #line(word: string, rest: number): void {
    const end = this.#text.indexOf("\n", rest);
    const line = this.#text.slice(rest, end === -1 ? undefined : end).trim();
    if (word === "line" ? !PLAIN_LINE.test(line) : ABSOLUTE_LINE.test(line)) this.absoluteLines = true;
  }

  /** `_Pragma("once")` */
  pragmaOperators(): void {
    for (const [, pragma = ""] of this.#text.matchAll(/_Pragma\s*\(\s*L?"([^"]{1,40})/g)) this.#pragma(pragma);
    // The text may also be made by a macro.
    if (/GCC\s+dependency/.test(this.#text)) this.unsure = true;
  }

  #condition(rest: number): void {
    CONDITION.lastIndex = rest;
    const condition = CONDITION.exec(this.#text)?.[0] ?? "";
    if (!condition.includes("(")) return;
    for (const [, macro = "", quoted, angled] of condition.matchAll(HANDED_NAME)) {
      if (macro.startsWith("__has_")) continue; // Found by probesAnywhere.
      const name = utf8Of(quoted ?? angled ?? "");
      if (name === undefined) this.unsure = true;
      else this.probes.push({ form: quoted === undefined ? "angle" : "quote", next: /next/i.test(macro), name });
    }
  }

  probesAnywhere(): void {
    for (const found of this.#text.matchAll(PROBE)) {
      const word = found[1] ?? "";
      const next = word.startsWith("__has_include_next");
      const named = this.#nameAt(found.index + found[0].length, next);
      // What a macro's parameter stands for is found where the macro is used.
      if (named === undefined && (this.#isDefinition(found.index) || this.#isComment(found.index))) continue;
      const probes = word.startsWith("__has_embed") ? this.embeds : this.probes;
      probes.push(named ?? { form: "computed", next, name: "" });
    }
  }

  /** The header name that begins at `position`, or undefined when none does. */
  #nameAt(position: number, next: boolean): Include | undefined {
    HEADER_NAME.lastIndex = position;
    const found = HEADER_NAME.exec(this.#text);
    if (found === null) return undefined;
    const name = utf8Of(found[1] ?? found[2] ?? "");
    // clang turns backslashes into slashes when it names such a file as a dependency.
    // A comment opener inside the name would have misled the search for comments.
    if (name === undefined || name.includes("\\") || name.includes("/*")) this.unsure = true;
    return { form: found[1] === undefined ? "angle" : "quote", next, name: name ?? "" };
  }

  /** "" unless nothing but one word stands there. */
  #macroAt(position: number): string {
    MACRO_NAME.lastIndex = position;
    return MACRO_NAME.exec(this.#text)?.[1] ?? "";
  }

  findTimeMacros(): void {
    if (!this.#text.includes("__DATE__") && !this.#text.includes("__TIME")) return;
    for (const found of this.#text.matchAll(TIME_MACRO)) {
      // A raw string of C++ is code where the language has none.
      const kind = this.#lexed().at(found.index);
      if (kind === "code" || kind === "raw" || this.lexedBadly) this.timeMacros.add(found[0] as TimeMacro);
    }
  }

  findAssembler(): void {
    const text = this.#text;
    for (const found of text.matchAll(ASSEMBLER)) {
      ASSEMBLER_NAME.lastIndex = found.index + found[0].length;
      const quote = /^\\*"/.test(text.slice(ASSEMBLER_NAME.lastIndex, ASSEMBLER_NAME.lastIndex + 8));
      if (!quote && (isMember(text, found.index) || this.#isComment(found.index))) continue;
      if (found[1]?.toLowerCase() === "include") {
        if (quote || opensLine(text, found.index, ASSEMBLER_NAME.lastIndex)) this.asmInclude = true;
        continue;
      }
      const name = utf8Of(ASSEMBLER_NAME.exec(text)?.[2] ?? "");
      if (name === undefined || name === "") this.incbinComputed = true;
      else this.incbin.push(name);
    }
  }

  /** Whether `position` lies in a block comment, beyond doubt. A line comment cannot hide a directive: that begins its line. */
  #isComment(position: number): boolean {
    const open = this.#text.lastIndexOf("/*", position);
    if (open === -1 || this.#text.lastIndexOf("*/", position) > open) return false;
    return this.#lexed().at(position) === "comment" && !this.lexedBadly;
  }

  #isDefinition(position: number): boolean {
    const line = this.#text.slice(this.#text.lastIndexOf("\n", position) + 1, position);
    return /^\s*(?:#|%:|\?\?=)\s*define\b/.test(line);
  }

  #lexed(): Regions {
    this.#regions ??= regionsOf(this.#text);
    return this.#regions;
  }
}

/** Only blanks, or a comment, between the start of the line and `position`. */
function startsLine(text: string, position: number): boolean {
  let before = position - 1;
  while (before >= 0 && (text[before] === " " || text[before] === "\t" || text[before] === "\f" || text[before] === "\v")) before--;
  if (before < 0 || text[before] === "\n" || text[before] === "\r") return true;
  if (text[before] === "/") return text[before - 1] === "*";
  return before === 2 && text.startsWith("\xef\xbb\xbf");
}

/** `x.incbin` and the like: a member of C, not a directive in the text of an assembler line that ended in `\n`. */
function isMember(text: string, dot: number): boolean {
  return /[\w$)\]>]/.test(text.charAt(dot - 1)) && text.charAt(dot - 2) !== "\\";
}

/** `.include NAME` alone on its line, as in an assembler source whose names come from macros. */
function opensLine(text: string, dot: number, rest: number): boolean {
  return /(?:^|\n)[ \t]*$/.test(text.slice(Math.max(0, dot - 64), dot)) && /[A-Za-z_<\\]/.test(text.charAt(rest));
}
