/**
 * The command line of a compile turned into one that asks the preprocessor something, on standard output.
 */
import { readOption } from "./options.ts";
import { expandResponseFiles } from "./response-file.ts";

/**
 * @param question `-M`: the complete list of what is included, where the command's own dependency file leaves out system headers and
 *   neither compiler can write both lists in one run; `-E -P`: the preprocessed source
 * @param argv of a command that `readInvocation` has understood, argv[0] included
 * @param readText as for `readInvocation`
 */
export function preprocessorArgs(
  argv: readonly string[],
  readText: (path: string) => string | undefined,
  question: readonly string[],
): string[] {
  const expansion = expandResponseFiles(argv, readText);
  const expanded = expansion.kind === "expanded" ? expansion.argv : argv;
  const kept: string[] = [];
  for (let at = 1; at < expanded.length; at++) {
    const argument = expanded[at] ?? "";
    const option = argument.startsWith("-") ? readOption(argument, expanded[at + 1]) : undefined;
    const separate = option?.kind === "option" && option.separate ? expanded[++at] : undefined;
    const aside = option?.kind === "option" && (["mode", "output", "dependency"] as const).some((role) => role === option.rule.role);
    // -Wp,-MD,file writes a dependency file, too.
    if (aside || argument.startsWith("-Wp,-M")) continue;
    kept.push(argument);
    if (separate !== undefined) kept.push(separate);
  }
  return [...kept, ...question];
}
