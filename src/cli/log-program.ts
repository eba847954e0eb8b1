/**
 * log as people see it: options, help, examples.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import type { Command } from "@commander-js/extra-typings";
import { type Example, examplesText } from "./help.ts";
import { logCheck, logProve, logShow } from "./log-commands.ts";
import type { TreeProgramParts } from "./tree-program.ts";

export function addLog(
  add: (name: string, about: string, examples: readonly Example[]) => Command,
  { context, finish, signal }: TreeProgramParts,
): void {
  const log = add("log", "the log of what this machine has signed, and who has witnessed it", [
    ["cairn log", "how many attestations, the last checkpoint, its witnesses"],
    ["cairn log prove src/main.c -o main.tlog-proof", "a file that shows anybody that it is in the log"],
    ["cairn log check main.tlog-proof", "needs no daemon"],
  ])
    .option("--json", "as JSON")
    .action((options) => finish(logShow(context, options, signal)));
  log
    .command("prove")
    .description("prove that what this machine signed about a compile is in its log")
    .argument("<what>", "a source file, or an action")
    .option("-o, --output <file>", "write the proof to a file")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examplesText(context.terminal, [["cairn log prove src/main.c -o main.tlog-proof", "C2SP's format, with the attestation in it"]]),
    )
    .action((what, options) => finish(logProve(context, what, options, signal)));
  log
    .command("check")
    .description("check such a proof, without a daemon")
    .argument("<file>", "what cairn log prove has written")
    .option("--json", "as JSON")
    .addHelpText("after", examplesText(context.terminal, [["cairn log check main.tlog-proof", "exit code 1 where it proves nothing"]]))
    .action((file, options) => finish(logCheck(context, file, options, signal)));
}
