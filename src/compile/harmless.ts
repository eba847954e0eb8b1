/**
 * Whether a compile that somebody else asks for is harmless: an allow-list over the same tables by which command lines are read.
 *
 * A sandbox stands behind this wall. What is refused here is compiled by who asked, so when in doubt it is.
 * Knows: options, variables. Does not know: where outputs lie, what runs.
 */
import type { CompileAction, CompileRefusal } from "../contracts/index.ts";
import { languageNamed, languageOf } from "./invocation-language.ts";
import { type Option, readOption } from "./options.ts";
import { assemblerArgument, backendArgument, frontendArgument } from "./options-nested.ts";
import { linkingRules, type Role } from "./options-table.ts";

export interface Objection {
  readonly reason: CompileRefusal;
  readonly detail: string;
}

type Asked = Pick<CompileAction, "options" | "source" | "environment" | "dependencies">;
type Known = Extract<Option, { kind: "option" }>;

/** @returns undefined when nothing speaks against it */
export function objection(asked: Asked, family: "gcc" | "clang"): Objection | undefined {
  const { options, source, environment, dependencies } = asked;
  // Compilers do this before they look at anything else, wherever the word stands.
  const file = [...options, source, dependencies?.target ?? ""].find((word) => word.startsWith("@"));
  if (file !== undefined) return { reason: "response_file", detail: file };
  if (dependencies?.target.includes("\n") === true) return { reason: "bad_argument", detail: "target" };
  const reader = new Reader();
  for (let at = 0; at < options.length; at++) {
    const word = options[at] ?? "";
    if (!word.startsWith("-") || word === "-") return { reason: "bad_source", detail: word };
    const option = readOption(word, options[at + 1]);
    if (option.kind !== "option") return { reason: "unknown_option", detail: word };
    if (option.separate) at++;
    const reason = reader.judge(option) ?? (mayBeAnOption(option, family) ? "unknown_option" : undefined);
    if (reason !== undefined) return { reason, detail: `${option.name}${option.separate ? " " : ""}${option.value}` };
  }
  if (reader.isAwaiting) return { reason: "nested_option", detail: "-Xclang" };
  return sourceObjection(source, reader.language, family) ?? environmentObjection(environment);
}

/**
 * A value that begins like an option: another compiler than the one that has this option might take it for one, as gcc, which reads
 * `-include-pch -fplugin=x` as `-include` of a file `-pch`, and a plugin.
 */
function mayBeAnOption({ rule, separate, value }: Known, family: "gcc" | "clang"): boolean {
  if (!separate || !value.startsWith("-") || rule.role === "assembler") return false;
  return family !== "clang" || (rule.role !== "frontend" && rule.role !== "backend");
}

/** By role, what is refused; the others are taken or looked at more closely. */
const refusedRoles: Partial<Record<Role, CompileRefusal>> = {
  mode: "mode_option",
  output: "output_option",
  dependency: "output_option",
  profile: "profile",
  coverage: "profile",
  "test-coverage": "profile",
  "stack-usage": "output_option",
  // It spells out the whole command line, which is another one here.
  record: "output_option",
};

class Reader {
  language: string | undefined;
  #awaiting: "text" | "include" | "input" | "backend" | undefined;

  get isAwaiting(): boolean {
    return this.#awaiting !== undefined;
  }

  judge({ rule, name, value }: Known): CompileRefusal | undefined {
    if (linkingRules.has(rule)) return "linker_option";
    const whole = `${name}${value}`;
    const special = specialReason(whole);
    if (special !== undefined) return special;
    switch (rule.role) {
      case "refuse":
        return refusalReason(rule.reason, whole);
      case "language":
        this.language = value;
        return undefined;
      case "machine":
        return whole.endsWith("=native") ? "machine_dependent" : /=(help|\?|list)$/.test(whole) ? "mode_option" : undefined;
      case "debug":
        return whole.startsWith("-gsplit-dwarf") ? "output_option" : undefined;
      case "map":
        return value.split("=").length === 2 ? undefined : "unknown_option"; // Compilers differ about what else means.
      case "preprocessor":
        return value.split(",").every((part) => /^-[DU]./.test(part)) ? undefined : "nested_option";
      case "assembler":
        return assemblerWords(value, name === "-Wa,") ? undefined : "nested_option";
      case "backend":
        return backendArgument(value).kind === "accepted" ? undefined : "nested_option";
      case "frontend":
        return this.#frontend(value);
      default:
        return refusedRoles[rule.role];
    }
  }

  #frontend(value: string): CompileRefusal | undefined {
    const awaited = this.#awaiting;
    this.#awaiting = undefined;
    if (awaited === "backend") return backendArgument(value).kind === "accepted" ? undefined : "nested_option";
    if (awaited !== undefined) return value.startsWith("-") ? "nested_option" : undefined;
    const nested = frontendArgument(value);
    if (nested.kind === "awaits") this.#awaiting = nested.role;
    return nested.kind === "refused" ? "nested_option" : undefined;
  }
}

/** Options that are ordinary where one's own compiler runs. */
function specialReason(whole: string): CompileRefusal | undefined {
  if (/^-f(no-)?(cs-)?(profile|coverage|memory-profile|vpt)/.test(whole)) return "profile";
  if (/^-(fuse-ld|-gcc-toolchain|-gcc-install-dir|-gcc-triple|no-canonical-prefixes)/.test(whole)) return "other_program";
  if (whole.startsWith("-fcrash-diagnostics")) return "output_option";
  return undefined;
}

function refusalReason(reason: string | undefined, whole: string): CompileRefusal {
  if (reason === "plugin") return "plugin";
  if (reason === "configuration_file") return "other_program";
  if (reason === "profile_use") return "profile";
  if (reason === "save_temps" || /^--?dump/.test(whole)) return "output_option";
  return reason === "called_for_information" || reason === "called_for_preprocessing" ? "mode_option" : "unknown_option";
}

function assemblerWords(value: string, list: boolean): boolean {
  const words = list ? value.split(",") : [value];
  return words.every((word, at) => {
    if (list && words[at - 1] === "--defsym") return /^[\w.$]+=\w+$/.test(word);
    return word === "--defsym" ? list && at + 1 < words.length : assemblerArgument(word).kind === "accepted";
  });
}

function sourceObjection(source: string, named: string | undefined, family: "gcc" | "clang"): Objection | undefined {
  const language = named === undefined || named === "none" ? languageOf(source, family) : languageNamed(named);
  const compiled = language !== undefined && language !== "header" && language !== "module";
  return source === "" || source.startsWith("-") || !compiled ? { reason: "bad_source", detail: named ?? source } : undefined;
}

/** The only variables that another machine may set, and what they may say. None can name a file, but for PWD, which is only compared. */
const variables: ReadonlyMap<string, RegExp> = new Map([
  ["LANG", /^[\w.@-]{0,64}$/],
  ["LANGUAGE", /^[\w.@:-]{0,256}$/],
  ["LC_ALL", /^[\w.@-]{0,64}$/],
  ["LC_CTYPE", /^[\w.@-]{0,64}$/],
  ["LC_MESSAGES", /^[\w.@-]{0,64}$/],
  ["GCC_COLORS", /^[\w=:;]{0,1024}$/],
  ["SOURCE_DATE_EPOCH", /^\d{1,12}$/],
  ["PWD", /^\/[^\0\n]{0,4000}$/],
]);

function environmentObjection(environment: ReadonlyMap<string, string>): Objection | undefined {
  for (const [name, value] of environment) if (variables.get(name)?.test(value) !== true) return { reason: "environment", detail: name };
  return undefined;
}
