/**
 * The command `audit` as people see it.
 */
import type { Command } from "@commander-js/extra-typings";
import { auditFlags } from "./audit-command.ts";
import type { Context } from "./context.ts";
import { type Example, examplesText } from "./help.ts";

export function addAudit(
  add: (name: string, about: string, examples: readonly Example[]) => Command,
  {
    context,
    finish,
    signal,
  }: { readonly context: Context; readonly finish: (code: number | Promise<number>) => Promise<void>; readonly signal: AbortSignal },
): void {
  const examples: readonly Example[] = [
    [
      "cairn audit flags -- make -j8",
      "builds two copies, elsewhere, at another time of day, by somebody else; exit code 1 when they differ",
    ],
    ["cairn audit flags", "make, or what else the directory looks like"],
  ];
  const audit = add("audit", "find out whether a build comes out the same wherever it runs", examples);
  const flags: Command = audit.command("flags");
  flags
    .description("build the project twice in different surroundings, and say what differs, where first, and what helps")
    .argument("[command...]", "the build command and its arguments; as after a fresh checkout")
    .option("--keep", "leave both copies there")
    .option("--tmp <directory>", "where they are made; the system's temporary directory otherwise")
    .option("--json", "as JSON")
    .passThroughOptions()
    .addHelpText("after", examplesText(context.terminal, examples))
    .action((command, options) => finish(auditFlags(context, command, options, signal)));
}
