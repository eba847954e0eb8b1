/**
 * toolchains as people see it: options, help, examples.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import type { Command } from "@commander-js/extra-typings";
import { type Example, examplesText } from "./help.ts";
import { approveToolchain, removeToolchain, toolchains } from "./toolchain-commands.ts";
import type { TreeProgramParts } from "./tree-program.ts";

export function addToolchains(
  add: (name: string, about: string, examples: readonly Example[]) => Command,
  { context, finish, signal }: TreeProgramParts,
): void {
  const group = add("toolchains", "list compilers that run here for members, and those that members would like to send", [
    ["cairn toolchains", "this machine's own, fetched ones, and what waits for a word of yours"],
    ["cairn toolchains approve 3f9ac2d01b77", ""],
  ]);
  const part = (name: string, about: string, example: Example): Command => {
    const command: Command = group.command(name);
    return command.description(about).addHelpText("after", examplesText(context.terminal, [example]));
  };
  part("approve", "let one in that members outside of what toolchains.accept says would like to send", [
    "cairn toolchains approve 3f9ac2d01b77",
    "it runs in the sandbox only, like all others",
  ])
    .argument("<digest>", "as listed, six digits at least; or all 64 of one that nobody has wanted yet")
    .option("--network", "for all machines of the network, in its policy: admins may")
    .option("--json", "as JSON")
    .action((digest, options) => finish(approveToolchain(context, digest, options, signal)));
  part("remove", "let go of one that was fetched, and of its approval", [
    "cairn toolchains remove 3f9ac2d01b77",
    "it is fetched again if a job wants it and it may come",
  ])
    .argument("<digest>", "as listed, six digits at least")
    .option("--network", "take back the approval of the network")
    .option("--json", "as JSON")
    .action((digest, options) => finish(removeToolchain(context, digest, options, signal)));
  group.option("--json", "as JSON").action((options) => finish(toolchains(context, options, signal)));
}
