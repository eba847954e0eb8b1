/**
 * Edits of source text: those that change what is compiled, and those that only look as if they did.
 *
 * Knows: text. Does not know: files, compilers.
 */
import type { Chance, Weighted } from "./fuzz-random.ts";

export interface Edit {
  readonly name: string;
  /** @returns undefined when the text offers no place for it */
  apply(text: string, chance: Chance): string | undefined;
}

const COMMENTS = [
  "/* plain */",
  "/* two\n   lines */",
  '/* it\'s "quoted" */',
  "/* fall through */",
  "/* FALLTHRU */",
  "// line",
  "// line with /* inside",
  "// don't",
  "/* a /* b */",
  "/* grün ✓ */",
  "/** @brief doc */",
  "/*\t tab */",
  "// trailing \\",
  "/* __DATE__ __TIME__ */",
  '/* #include "nothing.h" */',
  "/* .incbin x */",
  "/**/",
  "//",
];

const CODE = [
  "static int fuzz_%(int a) { return a + %; }",
  "extern int fuzz_ext_%;",
  "enum { FUZZ_% = % };",
  "typedef int fuzz_type_%;",
  "struct fuzz_struct_% { int a[% + 1]; };",
];

const USES = [
  "static int fuzz_line_% = __LINE__;",
  "static const char *fuzz_file_% = __FILE__;",
  "static int fuzz_length_% = sizeof(__FILE__);",
  "static const char *fuzz_base_% = __BASE_FILE__;",
  "static int fuzz_count_% = __COUNTER__;",
  'static const char *fuzz_date_% = __DATE__ " " __TIME__;',
  'static const char *fuzz_text_% = "a /* b */ // c";',
  "static int fuzz_unused_%(void) { int unused; return %; }",
  "static int fuzz_switch_%(int a) { switch (a) { case 1: a++; /* fall through */\ncase 2: a++; } return a; }",
  "static int fuzz_indent_%(int a) {\n  if (a)\n    a++;\n    a++;\n  return a; }",
  "#line %00\nstatic int fuzz_moved_% = __LINE__;",
  "static const char *fuzz_func_%(void) { return __func__; }",
  "static const char *fuzz_pretty_%(struct { int a; } *p) { return __PRETTY_FUNCTION__; }",
  'asm(".section .rodata.fuzz%\\n.ascii \\"x\\"\\n.previous");',
  '#define FUZZ_M_%(x) #x /* in a macro */ "y"\nstatic const char *fuzz_m_% = FUZZ_M_%(a  b);',
  "#pragma GCC diagnostic push\n#pragma GCC diagnostic pop",
];

export const edits: readonly Weighted<Edit>[] = [
  [10, { name: "add a comment line", apply: (text, chance) => insertLine(text, chance, chance.pick(COMMENTS)) }],
  [8, { name: "add a comment behind a line", apply: (text, chance) => onLine(text, chance, (line) => `${line} ${chance.pick(COMMENTS)}`) }],
  [
    4,
    {
      name: "add a comment before a line",
      apply: (text, chance) => onLine(text, chance, (line) => `${chance.pick(COMMENTS.slice(0, 5))} ${line}`),
    },
  ],
  [8, { name: "add blank lines", apply: (text, chance) => insertLine(text, chance, "\n".repeat(chance.below(3))) }],
  [
    5,
    {
      name: "add blanks behind a line",
      apply: (text, chance) => onLine(text, chance, (line) => `${line}${chance.pick([" ", "\t", "   \t"])}`),
    },
  ],
  [5, { name: "indent a line", apply: (text, chance) => onLine(text, chance, (line) => `${chance.pick([" ", "\t", "    "])}${line}`) }],
  [3, { name: "unindent a line", apply: (text, chance) => onLine(text, chance, (line) => line.replace(/^[ \t]/, "")) }],
  [2, { name: "tabs for blanks", apply: (text) => text.replaceAll("    ", "\t") }],
  [2, { name: "CRLF line ends", apply: (text) => (text.includes("\r") ? text.replaceAll("\r\n", "\n") : text.replaceAll("\n", "\r\n")) }],
  [3, { name: "no newline at the end", apply: (text) => (text.endsWith("\n") ? text.slice(0, -1) : `${text}\n`) }],
  [4, { name: "change a word of a comment", apply: inComment }],
  [3, { name: "remove a comment", apply: (text) => changed(text, text.replace(/\/\*[^*]*\*\/|\/\/.*$/m, "")) }],
  [6, { name: "change a number", apply: (text, chance) => atMatch(text, chance, /\b\d+\b/g, (number) => String(Number(number) ^ 1)) }],
  [
    5,
    {
      name: "change a string",
      apply: (text, chance) => atMatch(text, chance, /"[\w ]{2,}"/g, (literal) => `"${literal.slice(2, -1)}${literal[1]}"`),
    },
  ],
  [6, { name: "add code", apply: (text, chance) => insertAtTop(text, chance, chance.pick(CODE)) }],
  [9, { name: "add code that tells its place", apply: (text, chance) => insertAtTop(text, chance, chance.pick(USES)) }],
  [5, { name: "remove what was added", apply: removeAdded }],
  [2, { name: "remove a line", apply: (text, chance) => onLine(text, chance, () => undefined) }],
  [2, { name: "two blanks for one", apply: (text, chance) => atMatch(text, chance, /\S \S/g, (found) => found.replace(" ", "  ")) }],
  [2, { name: "break a line", apply: (text, chance) => atMatch(text, chance, /[;{] /g, (found) => `${found.trim()}\n`) }],
  [1, { name: "join lines by a backslash", apply: (text, chance) => atMatch(text, chance, /; /g, () => "; \\\n") }],
];

function changed(before: string, after: string): string | undefined {
  return before === after ? undefined : after;
}

function insertLine(text: string, chance: Chance, line: string): string {
  const lines = text.split("\n");
  lines.splice(chance.below(lines.length), 0, line);
  return lines.join("\n");
}

/** Behind the last directive, or at the very end: where a declaration may stand. */
function insertAtTop(text: string, chance: Chance, template: string): string {
  const code = template.replaceAll("%", String(chance.below(100_000)));
  return text.endsWith("\n") || text === "" ? `${text}${code}\n` : `${text}\n${code}\n`;
}

function removeAdded(text: string): string | undefined {
  return changed(text, text.replace(/^.*fuzz_.*$\n?/m, ""));
}

function onLine(text: string, chance: Chance, change: (line: string) => string | undefined): string | undefined {
  const lines = text.split("\n");
  const at = chance.below(lines.length);
  const line = change(lines[at] ?? "");
  if (line === undefined) lines.splice(at, 1);
  else lines[at] = line;
  return changed(text, lines.join("\n"));
}

function atMatch(text: string, chance: Chance, pattern: RegExp, change: (found: string) => string): string | undefined {
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return undefined;
  const match = chance.pick(matches);
  return changed(text, text.slice(0, match.index) + change(match[0]) + text.slice(match.index + match[0].length));
}

function inComment(text: string, chance: Chance): string | undefined {
  return atMatch(text, chance, /(?<=\/[*/][^"'\n]*)\b[a-z]{3,}\b/g, (word) =>
    chance.pick([word.toUpperCase(), "changed", `${word}s`, "fallthrough"]),
  );
}
