/**
 * A source with all that it includes as one text that compiles to what the source compiles to: the preprocessor follows directives, and macros and
 * comments stay as they are written, so that lines, columns and what warnings look at are those of the source.
 *
 * Knows: how gcc and clang are asked for that text, and where it would not stand for the source. Does not know: who compiles it.
 */
import type { CompileAction } from "../contracts/index.ts";
import type { Invocation } from "./command.ts";

export type IncludedText =
  | {
      readonly kind: "text";
      readonly text: Buffer;
      /** Files that were entered, as the compiler names them. */
      readonly entered: readonly string[];
    }
  | { readonly kind: "none"; readonly why: string };

/** Of before, gcc takes raw strings for what they are not; clang leaves conditions in the text that ask which headers there are. */
const LEAST_VERSION = { gcc: 11, clang: 15 } as const;

/** What depends on more than tokens and lines, or is read when directives are followed and once more when the text is compiled. */
const TELLING =
  /__COUNTER__|__INCLUDE_LEVEL__|pch_preprocess|\.incbin|__has_embed|^[ \t]*(?:#|%:)[ \t]*(?:embed|assert|unassert)\b|\?\?[=/'()!<>-]/m;

/** The same of gcc: pragmas on which macros depend, and names that it spells otherwise where it defines macros. */
const TELLING_GCC = new RegExp(
  `${TELLING.source}|push_macro|pop_macro|GCC[ \\t]+(?:poison|target|optimize|push_options|pop_options|reset_options)|^#define .*\\\\[uU][\\da-fA-F]`,
  "m",
);

/** Options that tell of macros, or are about characters before there are tokens; and with clang whatever names files: text has no checksum. */
const TELLING_OPTION =
  /^-(?:g(?:gdb)?3|f(?:no-)?debug-macro|finput-charset=.*|-?traditional-cpp|-?trigraphs|ftrigraphs|ftrack-macro-expansion.*)$/;
const TELLING_CLANG = new RegExp(`${TELLING_OPTION.source}|^-g(?!0$|gdb0$|no-).*$`);

/** gcc's own macros, which who compiles the text has as well. */
const COMMAND_LINE = /^# [01] "<command-line>"$/m;
const ENTERED = /^# \d+ "([^"\n]*)" 1(?: |$)/gm;

/** What speaks against it before anybody has asked the preprocessor, for people. */
export function textObstacle(invocation: Invocation, toolchain: { readonly version: string }): string | undefined {
  const { family, language, keyArgs } = invocation;
  if (language !== "c" && language !== "c++") return language;
  if (Number.parseInt(toolchain.version, 10) < LEAST_VERSION[family]) return `${family} ${toolchain.version}`;
  if (invocation.forcedIncludes.length > 0) return "-include"; // It would be included once more.
  if (invocation.contentInfo) return "a checksum of the source"; // clang -g: of the text it would be another one.
  if (invocation.hidesPaths) return "link-time byte code, coverage or the like";
  const telling = family === "gcc" ? TELLING_OPTION : TELLING_CLANG;
  return keyArgs.find((arg) => telling.test(arg));
}

/** Behind the options of the compile. @param dependencies the dependency file that is wanted; where it is written is said by who runs it */
export function textArgs(family: "gcc" | "clang", { headers, target, phony }: NonNullable<CompileAction["dependencies"]>): string[] {
  const ask = family === "gcc" ? "-fdirectives-only" : "-frewrite-includes";
  return ["-E", ask, headers === "all" ? "-MD" : "-MMD", "-MT", target, ...(phony ? ["-MP"] : [])];
}

/** What is compiled of that which the preprocessor has written. */
export function readIncludedText(written: Buffer, family: "gcc" | "clang"): IncludedText {
  const all = written.toString("latin1");
  const start = family === "gcc" ? COMMAND_LINE.exec(all)?.index : 0;
  if (start === undefined) return { kind: "none", why: "no beginning" };
  const text = all.slice(start);
  const [telling] = (family === "gcc" ? TELLING_GCC : TELLING).exec(text) ?? [];
  if (telling !== undefined) return { kind: "none", why: telling.trim() };
  const entered = [...text.matchAll(ENTERED)].flatMap(([, name = ""]) => (name.startsWith("<") ? [] : [name]));
  const odd = entered.find((name) => name.includes("\\"));
  if (odd !== undefined) return { kind: "none", why: odd };
  return { kind: "text", text: Buffer.from(text, "latin1"), entered: [...new Set(entered)] };
}
