/**
 * Finds out which option an argument is, and where its value stands.
 *
 * Knows: how options are spelled. Does not know: what they mean for a compile; that is invocation-draft.ts.
 */
import { codeFlags, codePrefixes, codeValues, debugFlags, machineFlags, machineValues, sanitizerFlags } from "./options-flags.ts";
import { joinedRules, type Rule, wholeRules } from "./options-table.ts";

export type Option =
  | {
      readonly kind: "option";
      readonly rule: Rule;
      /** Without its value: `-I`, `-std=`, `-c`. */
      readonly name: string;
      readonly value: string;
      /** The value is the next argument. */
      readonly separate: boolean;
    }
  | { readonly kind: "incomplete" }
  | { readonly kind: "unknown" };

const keep: Rule = { form: "flag", role: "keep" };
const machine: Rule = { form: "flag", role: "machine" };
const warning: Rule = { form: "flag", role: "keep", marks: ["layout"] };
const sanitizer: Rule = { form: "flag", role: "sanitize", marks: ["lines"] };
const debug: Rule = { form: "flag", role: "debug" };

/** Longest name in the table; arguments such as long -D are not tried any further than this. */
const longestName = Math.max(...[...joinedRules.keys()].map((name) => name.length));

/**
 * @param argument begins with `-`
 * @param next the argument after it
 */
export function readOption(argument: string, next: string | undefined): Option {
  const whole = wholeRules.get(argument);
  if (whole !== undefined) {
    if (whole.form === "flag") return { kind: "option", rule: whole, name: argument, value: "", separate: false };
    if (next === undefined) return { kind: "incomplete" };
    return { kind: "option", rule: whole, name: argument, value: next, separate: true };
  }
  for (let length = Math.min(argument.length, longestName); length > 1; length--) {
    const name = argument.slice(0, length);
    const rule = joinedRules.get(name);
    if (rule !== undefined) return { kind: "option", rule, name, value: argument.slice(length), separate: false };
  }
  const rule = patternRule(argument);
  return rule === undefined ? { kind: "unknown" } : { kind: "option", rule, name: argument, value: "", separate: false };
}

/** Large families whose members differ in nothing that matters here. */
function patternRule(argument: string): Rule | undefined {
  if (/^-O([0-9]*|s|g|z|fast)$/.test(argument)) return keep;
  if (/^-Wno-[\w+=-]+$/.test(argument)) return keep;
  if (/^-W[\w+-]*(=.*)?$/.test(argument)) return warning;
  if (/^-g(|[0-3]|gdb[0-3]?|lldb|dwarf(-[2-5])?|mlt|line-tables-only|line-directives-only|split-dwarf|z(=[\w-]+)?)$/.test(argument))
    return debug;
  if (/^-g(no-split-dwarf|split-dwarf=(split|single)|no-record-(gcc-switches|command-line)|src-hash=\w+)$/.test(argument)) return debug;
  const [, letter, no, name = "", value] = /^-([fmg])(no-)?([^=]+)(=.*)?$/.exec(argument) ?? [];
  switch (letter) {
    case "f":
      return codeRule(name, value, no !== undefined);
    case "m":
      if (value === undefined ? machineFlags.has(name) : machineValues.has(name) && no === undefined) return machine;
      return undefined;
    case "g":
      return debugFlags.has(`${name}${value ?? ""}`) ? debug : undefined;
    default:
      return undefined;
  }
}

function codeRule(name: string, value: string | undefined, negated: boolean): Rule | undefined {
  if (name.startsWith("sanitize-")) return sanitizerFlags.has(name.slice("sanitize-".length)) ? sanitizer : undefined;
  if (name.startsWith("analyzer")) return codeFlags.has(name) || codeValues.has(name) ? warning : undefined;
  if (value !== undefined) return codeValues.has(name) && !negated ? keep : undefined;
  if (codeFlags.has(name)) return keep;
  return codePrefixes.some((prefix) => name.startsWith(prefix) && name.length > prefix.length) ? keep : undefined;
}
