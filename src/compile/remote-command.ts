/**
 * A command line turned into what another machine is asked: options without anything about outputs, which are that machine's to name, and
 * the dependency file that is wanted.
 *
 * Knows: what may not be left out without changing a byte of the result. Does not know: what others refuse (harmless.ts).
 */
import type { CompileAction } from "../contracts/index.ts";
import type { Invocation } from "./command.ts";
import { type Option, readOption } from "./options.ts";
import { linkingRules } from "./options-table.ts";
import { expandResponseFiles } from "./response-file.ts";

/** Why a compile is nothing for others, as its command line says. */
export type RemoteObstacle =
  | "mode" // Nothing is written: -fsyntax-only.
  | "outputs" // It writes more than one file besides the dependency file.
  | "language_option" // -x behind the source, which says nothing about it.
  | "target" // The dependency file's target cannot be handed on as it is: several, or characters that make reads otherwise.
  | "working_directory"; // It is known by another name, which goes into debugging information.

export type RemoteCommand =
  | {
      readonly kind: "command";
      readonly asked: Pick<CompileAction, "options" | "source" | "mode" | "dependencies">;
    }
  | { readonly kind: "local"; readonly reason: RemoteObstacle; readonly detail: string };

/** Where nobody wants a dependency file, it is asked for all the same: it tells what was read. */
const ownTarget = "x";

/** What make reads as it stands. */
const PLAIN = /^[\w./+,@%=~^-]+$/;

/**
 * @param argv of the command that is `invocation`, argv[0] included
 * @param readText as for `readInvocation`
 * @param hasHeaders whether a preprocessor runs
 */
export function remoteCommand(
  argv: readonly string[],
  invocation: Invocation,
  readText: (path: string) => string | undefined,
  hasHeaders: boolean,
): RemoteCommand {
  const { mode, outputs, source } = invocation;
  if (mode === "syntax") return { kind: "local", reason: "mode", detail: "-fsyntax-only" };
  const extra = outputs.find(({ path, role }) => role !== "depfile" && path !== invocation.output);
  if (extra !== undefined) return { kind: "local", reason: "outputs", detail: extra.path };
  const words = sort(argv, invocation.family, readText);
  if (words.late !== undefined) return { kind: "local", reason: "language_option", detail: words.late };
  const dependencies = hasHeaders ? dependenciesOf(invocation, words) : undefined;
  if (dependencies !== undefined && "reason" in dependencies) return { kind: "local", ...dependencies };
  return { kind: "command", asked: { options: words.options, source, mode, dependencies } };
}

interface Words {
  readonly options: readonly string[];
  /** -MT and -MQ, in order. */
  readonly targets: readonly { readonly name: string; readonly value: string }[];
  readonly phony: boolean;
  readonly handed: boolean;
  readonly output: string | undefined;
  /** An -x behind the source. */
  readonly late: string | undefined;
}

type Known = Extract<Option, { kind: "option" }>;

function sort(argv: readonly string[], family: "gcc" | "clang", readText: (path: string) => string | undefined): Words {
  const expansion = expandResponseFiles(argv, readText);
  const expanded = expansion.kind === "expanded" ? expansion.argv : argv;
  const options: string[] = [];
  const targets: { name: string; value: string }[] = [];
  const seen = {
    phony: false,
    handed: false,
    source: false,
    output: undefined as string | undefined,
    late: undefined as string | undefined,
  };
  for (let at = 1; at < expanded.length; at++) {
    const word = expanded[at] ?? "";
    const option = word.startsWith("-") ? readOption(word, expanded[at + 1]) : undefined;
    if (option?.kind !== "option") {
      seen.source = true; // `readInvocation` has found exactly one word that is no option.
      continue;
    }
    if (option.separate) at++;
    if (option.rule.role === "language" && seen.source) seen.late = word;
    if (option.rule.role === "output") seen.output = option.value;
    else if (option.name === "-MT" || option.name === "-MQ") targets.push({ name: option.name, value: option.value });
    else if (option.name === "-MP") seen.phony = true;
    else if (word.startsWith("-Wp,-M")) seen.handed = true;
    else if (!isLeftOut(option, family)) options.push(word, ...(option.separate ? [option.value] : []));
  }
  return { options, targets, ...seen };
}

/** The rest of what is about outputs; and what gcc hands to the linker, which does not run. (clang warns of it, so it must see it.) */
function isLeftOut({ rule, name }: Known, family: "gcc" | "clang"): boolean {
  if (rule.role === "mode" || rule.role === "dependency" || rule.role === "drop") return true;
  return family === "gcc" && linkingRules.has(rule) && /^-(?:L|l|Wl,)$/.test(name);
}

function dependenciesOf(
  { depfile, family, source }: Invocation,
  { targets, phony, handed, output }: Words,
): NonNullable<CompileAction["dependencies"]> | { readonly reason: "target"; readonly detail: string } {
  if (depfile === undefined) return { headers: "all", target: ownTarget, phony: false };
  const [first, second] = targets;
  if (second !== undefined) return { reason: "target", detail: second.value };
  // gcc's preprocessor, when -Wp, hands it the option, does not know of -o.
  const named = handed && family === "gcc" ? undefined : output;
  const target = first?.value ?? named ?? `${source.slice(source.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "")}.o`;
  // A compiler quotes what it was not told to take as it is.
  if (first?.name !== "-MT" && !PLAIN.test(target)) return { reason: "target", detail: target };
  return { headers: depfile.headers, target, phony };
}
