/**
 * How help looks: a welcome for those who type `cairn` alone, and one style for all other help.
 */
import type { Command } from "@commander-js/extra-typings";
import { fold, foldedTable, indent } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

export function styleHelp(program: Command, terminal: Terminal): void {
  const { paint } = terminal;
  program
    .configureOutput({
      writeOut: (text) => terminal.out(text.replace(/\n$/, "")),
      writeErr: (text) => terminal.note(text.replace(/\n$/, "")),
      outputError: (text, write) => write(`${paint.bad("cairn:")} ${partUnknown(program, text) ?? text.replace(/^error: /, "")}`),
      getOutHelpWidth: () => helpWidth(terminal),
      getErrHelpWidth: () => helpWidth(terminal),
    })
    .configureHelp({
      styleTitle: (text) => paint.bold(text),
      styleCommandText: (text) => paint.bold(text),
      styleOptionText: (text) => text,
      styleSubcommandText: (text) => paint.name(text),
      subcommandTerm: (command) => command.name(),
      showGlobalOptions: false,
    })
    .showHelpAfterError(paint.dim("(--help explains the command)"));
}

/** Commands that do something by themselves take what is no part of theirs for an argument too many. */
function partUnknown(program: Command, text: string): string | undefined {
  const name = /^error: too many arguments for '(\w+)'/.exec(text)?.[1];
  const parts = program.commands.find((command) => command.name() === name)?.commands ?? [];
  return parts.length === 0 ? undefined : `${name} has no such part; there are: ${parts.map((part) => part.name()).join(", ")}\n`;
}

export function helpWidth(terminal: Terminal): number {
  return Math.min(terminal.columns, WIDEST);
}

/** What the examples of a command look like: a command line and why one would type it. */
export type Example = readonly [line: string, why: string];

/** Command lines stay whole, so that they can be copied; why one would type them is folded. */
export function examplesText(terminal: Terminal, examples: readonly Example[]): string {
  const lines = examples.flatMap(([line, why]) => [
    `  ${terminal.paint.name(`$ ${line}`)}`,
    ...(why === "" ? [] : indent(fold(why, helpWidth(terminal) - WHY_INDENT), WHY_INDENT)),
  ]);
  return ["", terminal.paint.bold("Examples:"), ...lines].join("\n");
}

const WHY_INDENT = 6;

export function welcome(program: Command, terminal: Terminal): string {
  const { paint } = terminal;
  const groups = new Map<string, Command[]>();
  for (const command of program.commands as Command[])
    groups.set(command.helpGroup(), [...(groups.get(command.helpGroup()) ?? []), command]);
  const longest = Math.max(...program.commands.map((command) => command.name().length));
  const commands = [...groups].flatMap(([group, members]) => {
    const rows = members.map((command) => [`  ${paint.name(command.name().padEnd(longest))}`, command.description()]);
    return ["", paint.bold(group.replace(/:$/, "")), ...foldedTable(rows, helpWidth(terminal))];
  });
  return [
    `${paint.bold("Cairn")}  compiles what has been compiled before in no time`,
    "",
    paint.bold("In two minutes"),
    ...foldedTable(
      firstSteps.map(([line, why]) => [`  ${paint.name(line)}`, why]),
      helpWidth(terminal),
    ),
    ...commands,
    "",
    paint.dim("cairn <command> --help explains one of them, with examples."),
  ].join("\n");
}

export const firstSteps: readonly Example[] = [
  ["cairn run -- make -j8", "one build, any build tool; run it twice to see the difference"],
  ['eval "$(cairn env)"', "every build of this shell"],
  ["cairn stats", "what that saved"],
];
