/**
 * Turns a compiler command line into an invocation, or names the reason why it is passed through to the compiler.
 *
 * Knows: gcc's and clang's command lines. Pure: the only look at the world are the response files that it is given.
 * Does not know: what the compiler is made of, where headers are found, what the sources contain.
 */
import type { Passed, Reading } from "./command.ts";
import { Draft, type Verdict } from "./invocation-draft.ts";
import { finish } from "./invocation-finish.ts";
import { languageOf } from "./invocation-language.ts";
import { readOption } from "./options.ts";
import type { PassReason } from "./pass-reasons.ts";
import { expandResponseFiles } from "./response-file.ts";

export interface Command {
  /** argv[0] included: as `g++` or `clang++` it decides about the language. */
  readonly argv: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  readonly family: "gcc" | "clang";
}

/**
 * @param portable a portable spelling of an absolute path. It must be textual and reversible: replace a leading place of the checkout,
 *   leave the rest as it is (`//` and `..` included), because the spelling reaches messages and debugging information
 * @param readText a response file, named relative to the working directory; undefined when it cannot be read
 */
export function readInvocation(
  command: Command,
  portable: (path: string) => string,
  readText: (path: string) => string | undefined,
): Reading {
  const variable = tellingVariables.find((name) => command.environment.has(name));
  if (variable !== undefined) return { kind: "pass", reason: "environment", detail: variable };
  const expansion = expandResponseFiles(command.argv, readText);
  if (expansion.kind === "refused") return { kind: "pass", reason: "response_file", detail: expansion.detail };

  const draft = new Draft(command.family, driverOf(command.argv[0] ?? ""), portable);
  for (let at = 1; at < expansion.argv.length; at++) {
    const argument = expansion.argv[at] ?? "";
    if (argument === "-") return { kind: "pass", reason: "source_on_stdin" };
    let verdict: Verdict;
    if (argument.startsWith("-")) {
      const option = readOption(argument, expansion.argv[at + 1]);
      if (option.kind === "unknown") return { kind: "pass", reason: "unsupported_option", detail: argument };
      if (option.kind === "incomplete") return { kind: "pass", reason: "bad_arguments", detail: argument };
      if (option.separate) at++;
      verdict = draft.option(option);
    } else {
      verdict = draft.input(argument);
    }
    if (verdict !== undefined) return { kind: "pass", ...verdict };
  }
  return finish(draft, expansion.files);
}

/** Variables that make a compiler write more, print more, or read other arguments, whatever their value. */
export const tellingVariables: readonly string[] = [
  "DEPENDENCIES_OUTPUT",
  "SUNPRO_DEPENDENCIES",
  "GCC_COMPARE_DEBUG",
  "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
  "CCC_OVERRIDE_OPTIONS",
  "CC_PRINT_OPTIONS",
  "CC_PRINT_HEADERS",
  "CC_LOG_DIAGNOSTICS",
  "CC_PRINT_PROC_STAT",
  "CC_PRINT_INTERNAL_STAT",
  "FORCE_CLANG_DIAGNOSTICS_CRASH",
  "RC_DEBUG_OPTIONS",
];

/** `g++`, `x86_64-linux-gnu-g++-12`, `clang++-19`, `c++`: drivers that take .c files for C++. */
function driverOf(program: string): "c" | "c++" {
  return /(^|[/-])(g|c|clang)\+\+(-[\d.]+)?$/.test(program) ? "c++" : "c";
}

/**
 * A cheap first look that needs to know nothing about the compiler: commands that are never cached, whatever the program is.
 * Response files are not opened; a command that has one may still be passed by `readInvocation`.
 *
 * @param argv argv[0] included
 * @returns undefined when the command deserves a closer look
 */
export function passAtOnce(argv: readonly string[]): Passed | undefined {
  let compiles = false;
  let named = false;
  let header: string | undefined;
  for (const argument of argv.slice(1)) {
    const reason = telling.get(argument);
    if (reason !== undefined) return { kind: "pass", reason, detail: argument };
    if (argument === "-c" || argument === "-S" || argument === "-fsyntax-only" || argument.startsWith("@")) compiles = true;
    if (argument.startsWith("-")) continue;
    named = true;
    if (languageOf(argument, "gcc") === "header") header = argument;
  }
  if (!named) return { kind: "pass", reason: "no_input_file" };
  if (compiles) return undefined;
  return header === undefined
    ? { kind: "pass", reason: "called_for_link" }
    : { kind: "pass", reason: "precompiled_header_creation", detail: header };
}

const telling: ReadonlyMap<string, PassReason> = new Map<string, PassReason>([
  ["-", "source_on_stdin"],
  ["-E", "called_for_preprocessing"],
  ["-M", "called_for_preprocessing"],
  ["-MM", "called_for_preprocessing"],
  ["-v", "called_for_information"],
  ["-###", "called_for_information"],
  ["--version", "called_for_information"],
  ["--help", "called_for_information"],
]);
