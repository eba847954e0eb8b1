/**
 * How help looks: a welcome for those who type `cairn` alone, and one style for all other help.
 */
import type { Command } from "@commander-js/extra-typings";
import { table } from "./format.ts";
import type { Paint, Terminal } from "./terminal.ts";

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

export function styleHelp(program: Command, terminal: Terminal): void {
  const { paint } = terminal;
  program
    .configureOutput({
      writeOut: (text) => terminal.out(text.replace(/\n$/, "")),
      writeErr: (text) => terminal.note(text.replace(/\n$/, "")),
      outputError: (text, write) => write(`${paint.bad("cairn:")} ${text.replace(/^error: /, "")}`),
      getOutHelpWidth: () => Math.min(terminal.columns, WIDEST),
      getErrHelpWidth: () => Math.min(terminal.columns, WIDEST),
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

export function welcome(program: Command, paint: Paint): string {
  const groups = new Map<string, [string, string][]>();
  for (const command of program.commands) {
    const group = command.helpGroup();
    groups.set(group, [...(groups.get(group) ?? []), [paint.name(command.name()), command.description()]]);
  }
  const aligned = table([...groups.values()].flat());
  let next = 0;
  const commands = [...groups].flatMap(([group, rows]) => {
    const lines = aligned.slice(next, next + rows.length);
    next += rows.length;
    return ["", paint.bold(group.replace(/:$/, "")), ...lines.map((line) => `  ${line}`)];
  });
  return [
    `${paint.bold("Cairn")}  compiles what has been compiled before in no time`,
    "",
    paint.bold("In two minutes"),
    ...table([
      [`  ${paint.name("cairn run -- make -j8")}`, "one build, any build tool; run it twice to see the difference"],
      [`  ${paint.name('eval "$(cairn env)"')}`, "every build of this shell"],
      [`  ${paint.name("cairn stats")}`, "what that saved"],
    ]),
    ...commands,
    "",
    paint.dim("cairn <command> --help explains one of them, with examples."),
  ].join("\n");
}
