/**
 * The commands as people see them: names, options, help, examples, exit codes.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { settingNames } from "../base/index.ts";
import { attestShow } from "./attest-commands.ts";
import { attestExport } from "./attest-export.ts";
import { attestVerify } from "./attest-verify.ts";
import { addAudit } from "./audit-program.ts";
import { cc, env, launcher, run } from "./build-commands.ts";
import { explain, gc, stats } from "./cache-commands.ts";
import { type CompletedCommand, completionScript, shells } from "./completion.ts";
import { configGet, configList, configPath, configSet } from "./config-commands.ts";
import { connect } from "./connect-command.ts";
import { tools } from "./connect-tools.ts";
import type { Context } from "./context.ts";
import { down, status, up } from "./daemon-commands.ts";
import { doctor } from "./doctor.ts";
import { evidenceShow, evidenceVerify } from "./evidence-commands.ts";
import { addExec } from "./exec-program.ts";
import { harmlessJson } from "./format.ts";
import { type Example, examplesText, firstSteps, styleHelp, welcome } from "./help.ts";
import { addLog } from "./log-program.ts";
import { addNetwork } from "./network-program.ts";
import { pin, pins, unpin } from "./pin-commands.ts";
import { readSize } from "./sizes.ts";
import { addToolchains } from "./toolchain-program.ts";
import { addTrees } from "./tree-program.ts";
import { exitCodes, explainTrouble } from "./troubles.ts";
import { challenge, verify } from "./verify-commands.ts";

const GROUPS = { build: "Build", daemon: "Daemon", cache: "Cache", network: "Network", trust: "Trust", shell: "Shell" } as const;

/**
 * Runs one command line.
 * @param args without the program's own name
 * @returns the exit code
 */
export async function runProgram(context: Context, args: readonly string[], signal: AbortSignal): Promise<number> {
  const result = { code: exitCodes.ok as number };
  const program = buildProgram(context, result, signal);
  if (args.length === 0) {
    context.terminal.out(welcome(program, context.terminal));
    return exitCodes.ok;
  }
  try {
    const words = args[0] === "help" ? args.slice(1) : args;
    await program.parseAsync(isCommand(program, words) ? [...args] : words.filter((word) => word !== "--help" && word !== "-h"), {
      from: "user",
    });
    return result.code;
  } catch (error) {
    // Commander has said what is wrong; help and version arrive here as well.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok;
      if (args.includes("--json")) context.terminal.out(errorJson("usage", error.message.replace(/^error: /, ""), []));
      return exitCodes.usage;
    }
    if (signal.aborted) return typeof signal.reason === "number" ? signal.reason : exitCodes.failed;
    return tell(context, error, args.includes("--json"));
  }
}

/** Whether the words name a command. Asked for help with one that there is not, the parser would explain the one above it. */
function isCommand(program: Command, words: readonly string[]): boolean {
  let command = program;
  for (const word of words) {
    if (command.commands.length === 0 || word.startsWith("-")) return true;
    const part = command.commands.find((one) => one.name() === word);
    if (part === undefined) return false;
    command = part as Command;
  }
  return true;
}

function tell({ terminal }: Context, error: unknown, json: boolean): number {
  const { code, what, advice, exitCode } = explainTrouble(error);
  if (json) terminal.out(errorJson(code, what, advice));
  else terminal.note([`${terminal.paint.bad("cairn:")} ${what}`, ...advice.map((line) => `  ${line}`)].join("\n"));
  return exitCode;
}

function errorJson(code: string, message: string, advice: readonly string[]): string {
  return harmlessJson({ error: { code, message, advice } });
}

function buildProgram(context: Context, result: { code: number }, signal: AbortSignal): Command {
  const { terminal } = context;
  const program: Command = new Command("cairn");
  styleHelp(program, terminal);
  program
    .description("Compiles what has been compiled before in no time.")
    .version(context.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "explain a command")
    .helpCommand("help [command]", "explain a command")
    .addHelpText("after", examplesText(terminal, firstSteps))
    .enablePositionalOptions()
    .exitOverride();

  const finish = async (code: number | Promise<number>): Promise<void> => {
    result.code = await code;
  };
  const add = (group: keyof typeof GROUPS, name: string, about: string, examples: readonly Example[]): Command => {
    const command: Command = new Command(name);
    command.copyInheritedSettings(program);
    program.addCommand(command.description(about).helpGroup(`${GROUPS[group]}:`));
    return command.addHelpText("after", examplesText(terminal, examples));
  };

  add("build", "run", "run a build with Cairn in front of its compilers", [
    ["cairn run -- make -j8", "compiles through the cache and ends with one line about what it saved"],
    [
      "cairn run -- sh -c 'cmake -B build && cmake --build build'",
      "CMAKE_C_COMPILER_LAUNCHER and CMAKE_CXX_COMPILER_LAUNCHER are set as well",
    ],
  ])
    .argument("<command...>", "the build command and its arguments")
    .option("-q, --quiet", "no closing line")
    .option("--json", "the closing line as JSON, on standard error")
    .passThroughOptions()
    .action((command, options) => finish(run(context, command, options, signal)));

  add("build", "cc", "run one compiler command through the cache", [["cairn cc gcc -c x.c", ""]])
    .argument("<compiler...>", "the compiler and its arguments")
    .option("--json", "errors of Cairn's own as JSON; the compiler's output is the compiler's")
    .passThroughOptions()
    .action((command) => finish(cc(context, command, signal)));

  addExec((name, about, examples) => add("build", name, about, examples), { context, finish, signal });

  add("build", "env", "print the variables that put Cairn in front of the compilers of a shell", [
    ['eval "$(cairn env)"', "in this shell; in ~/.profile for good"],
    ["cairn env --shell fish | source", ""],
  ])
    .addOption(new Option("--shell <shell>", "syntax to print").choices(["sh", "fish"] as const).default("sh" as const))
    .option("--json", "as JSON")
    .action((options) => finish(env(context, options, signal)));

  add("build", "launcher", "print the path of the compiler wrapper, building it if need be", [
    ['cmake -B build -DCMAKE_C_COMPILER_LAUNCHER="$(cairn launcher)" -DCMAKE_CXX_COMPILER_LAUNCHER="$(cairn launcher)"', ""],
    ['make CC="$(cairn launcher) gcc"', ""],
  ])
    .option("--json", "as JSON")
    .action((options) => finish(launcher(context, options, signal)));

  add("build", "connect", "tell a build tool to use the cache of this machine", [
    ["cairn connect bazel", "prints the lines for ~/.bazelrc"],
    ["cairn connect bazel --write", "adds them to the file in this directory"],
    ["cairn connect ccache --write", "adds them to your own file; also turbo, nx, gradle, bazel-http"],
  ])
    .argument("<tool>", tools.map(({ name }) => name).join(", "))
    .option("--write", "add the lines to the tool's file, here or in your home")
    .option("--json", "as JSON")
    .action((tool, options) => finish(connect(context, tool, options, signal)));

  add("daemon", "up", "start the daemon (the first compile does that too)", [
    ["cairn up", "in the background"],
    ["cairn up --install-service", "writes a systemd user unit, for a daemon that is always there"],
  ])
    .option("--foreground", "become the daemon, for a supervisor")
    .option("--install-service", "write a systemd user unit and print how to enable it")
    .option("--json", "as JSON")
    .action((options) => finish(up(context, options, signal)));

  add("daemon", "down", "stop the daemon", [["cairn down", "the next compile starts it again, unless CAIRN_NO_AUTOSTART=1"]])
    .option("--json", "as JSON")
    .action((options) => finish(down(context, options, signal)));

  add("daemon", "status", "tell whether the daemon runs, and how it does", [
    ["cairn status --json", "with its pid and version; exit code 3 when none runs"],
  ])
    .option("--json", "as JSON")
    .action((options) => finish(status(context, options, signal)));

  add("daemon", "doctor", "look at everything Cairn needs and say what is missing", [
    ["cairn doctor", "reads some of the store as well; exit code 1 when something is wrong"],
    ["cairn doctor --store", "reads all of it; what is damaged is removed, and what is pinned is asked of members"],
    ["cairn doctor --network", "only the network: what listens, who is heard, who cannot be reached and why"],
  ])
    .addOption(new Option("--network", "look at the network of this machine instead").conflicts("store"))
    .option("--store", "read the whole store instead, and mend it")
    .option("--json", "as JSON")
    .action((options) => finish(doctor(context, options, signal)));

  add("cache", "stats", "tell what hit, what missed, and what was passed through and why", [
    ["cairn stats", ""],
    ["cairn stats --zero", "shows the counters, then starts them anew"],
  ])
    .option("--zero", "set all counters to zero afterwards")
    .option("--session <id>", "only one cairn run, by its CAIRN_SESSION")
    .option("--json", "as JSON")
    .action((options) => finish(stats(context, options, signal)));

  add("cache", "explain", "tell why the last compile of a file hit or missed", [
    ["cairn explain src/main.c", "which option, header or variable differed"],
    ["cairn explain", "the last compile of all"],
  ])
    .argument("[file]", "a source file")
    .option("--json", "as JSON")
    .action((file, options) => finish(explain(context, file, options, signal)));

  add("cache", "gc", "make the store smaller now", [
    ["cairn gc", "down to its configured size"],
    ["cairn gc --max-size 2GiB", ""],
    ["cairn gc --all", "forgets everything"],
  ])
    .addOption(new Option("--max-size <size>", "bytes, or such as 500MB, 2GiB").argParser(readSize).conflicts("all"))
    .option("--all", "remove every result")
    .option("--json", "as JSON")
    .action((options) => finish(gc(context, options, signal)));

  add("cache", "pin", "keep a result or a blob on this machine, however full it is", [
    ["cairn pin src/main.c", "what its last compile made"],
    ["cairn pin build/main.o", "a file that a compile has written; or the 64 digits of an action or a blob"],
    [
      "cairn pin bafyrei…",
      "what cairn put has printed; what is not here is fetched from members. Three of them keep copies of what is pinned, where there are as many",
    ],
  ])
    .argument("<what...>", "sources, outputs, actions, blobs, CIDs or names")
    .option("--json", "as JSON")
    .action((names, options) => finish(pin(context, names, options, signal)));

  add("cache", "unpin", "let go of what was pinned", [["cairn unpin src/main.c", "members that keep copies let go of them, too"]])
    .argument("<what...>", "as it was pinned, or its 64 digits")
    .option("--json", "as JSON")
    .action((names, options) => finish(unpin(context, names, options, signal)));

  add("cache", "pins", "list what is pinned", [["cairn pins", "exit code 1 when some of it is missing"]])
    .option("--json", "as JSON")
    .action((options) => finish(pins(context, options, signal)));

  addTrees((name, about, examples) => add("cache", name, about, examples), { context, finish, signal });
  addConfig(context, add, finish, signal);
  addNetwork(context, (name, about, examples) => add("network", name, about, examples), finish, signal);
  addToolchains((name, about, examples) => add("network", name, about, examples), { context, finish, signal });
  addVerifying(context, add, finish, signal);
  addAttest(context, add, finish, signal);
  addLog((name, about, examples) => add("trust", name, about, examples), { context, finish, signal });
  addAudit((name, about, examples) => add("trust", name, about, examples), { context, finish, signal });

  add("shell", "completion", "print a completion script", [
    ['eval "$(cairn completion bash)"', "in ~/.bashrc"],
    ["cairn completion fish | source", "in config.fish"],
  ])
    .argument("<shell>", shells.join(", "), readShell)
    .option("--json", "as JSON")
    .action((shell, options) => {
      const script = completionScript(shell, completedCommands(program));
      terminal.out(options.json === true ? JSON.stringify({ shell, script }, null, 2) : script);
    });
  return program;
}

type Add = (group: keyof typeof GROUPS, name: string, about: string, examples: readonly Example[]) => Command;

function addConfig(context: Context, add: Add, finish: (code: number | Promise<number>) => Promise<void>, signal: AbortSignal): void {
  const config = add("cache", "config", "show and change settings", [
    ["cairn config list", "every setting, its value, and where that comes from"],
    ["cairn config set store.capacity 50GiB", ""],
  ]);
  const part = (name: string, about: string, example: string): Command => {
    const command: Command = config.command(name);
    return command.description(about).addHelpText("after", examplesText(context.terminal, [[example, ""]]));
  };
  part("list", "every setting and where it comes from", "cairn config list")
    .option("--json", "as JSON")
    .action((options) => finish(configList(context, options, signal)));
  part("get", "print one setting", "cairn config get store.capacity")
    .argument("<name>", "such as store.capacity")
    .option("--json", "as JSON")
    .action((name, options) => finish(configGet(context, name, options, signal)));
  part("set", "write one setting into the file", "cairn config set store.capacity 50GiB")
    .argument("<name>", "such as store.capacity")
    .argument("<value>", "such as 50GiB")
    .option("--json", "as JSON")
    .action((name, value, options) => finish(configSet(context, name, value, options, signal)));
  part("path", "print where the file is", '$EDITOR "$(cairn config path)"')
    .option("--json", "as JSON")
    .action((options) => finish(configPath(context, options)));
}

function addVerifying(context: Context, add: Add, finish: (code: number | Promise<number>) => Promise<void>, signal: AbortSignal): void {
  add("trust", "verify", "execute a compile or a command once more here, and compare", [
    ["cairn verify src/main.c", "its last compile; exit code 1 when something else comes of it, and then it is taken back"],
    ["cairn verify dist", "what cairn exec has made: which file differs, and where first"],
    [
      "cairn verify .",
      "a build: of each source below that directory the last compile, and commands of cairn exec; if their files are still the same",
    ],
    ["cairn verify", "the last of all"],
  ])
    .argument("[result]", "a source, an output of cairn exec, a directory of sources, or the 64 digits of an action")
    .option("--json", "as JSON")
    .action((name, options) => finish(verify(context, name, options, signal)));

  add("trust", "challenge", "have members of other domains execute a compile once more, too", [
    ["cairn challenge src/main.c", "names the first stage that differs; sources leave this machine only where work.with is network"],
    ["cairn challenge dist", "commands go to machines of the own domain that have the same installed, where work.actions is on"],
  ])
    .argument("<result>", "a source, an output of cairn exec, a directory of sources, or the 64 digits of an action")
    .option("--json", "as JSON")
    .action((name, options) => finish(challenge(context, name, options, signal)));

  const evidence = add("trust", "evidence", "show and check what members were found to have signed that is not so", [
    ["cairn evidence show", "who was convicted on this machine, and who stands alone"],
    ["cairn evidence verify laptop.json", "needs no daemon"],
  ]);
  evidence
    .command("show")
    .description("who was convicted, and by what")
    .argument("[who]", "a machine, or the beginning of an attestation key")
    .option("-o, --output <file>", "write the evidence to a file")
    .option("--json", "as JSON")
    .addHelpText("after", examplesText(context.terminal, [["cairn evidence show laptop --output laptop.json", "for others to check"]]))
    .action((who, options) => finish(evidenceShow(context, who, options, signal)));
  evidence
    .command("verify")
    .description("check evidence, without a daemon")
    .argument("<file>", "what cairn evidence show --output has written")
    .option("--json", "as JSON")
    .addHelpText("after", examplesText(context.terminal, [["cairn evidence verify laptop.json", "exit code 1 where it shows nothing"]]))
    .action((file, options) => finish(evidenceVerify(context, file, options)));
}

function addAttest(context: Context, add: Add, finish: (code: number | Promise<number>) => Promise<void>, signal: AbortSignal): void {
  const attest = add("trust", "attest", "tell, export and check who has executed a compile", [
    ["cairn attest show src/main.c", "who signed its last compile"],
    ["cairn attest verify main.json --subject main.o=build/main.o", "needs no daemon"],
  ]);
  const part = (name: string, about: string, ...examples: readonly Example[]): Command => {
    const command: Command = attest.command(name);
    return command.description(about).addHelpText("after", examplesText(context.terminal, examples));
  };
  part("show", "who signed a compile, and what the signature covers", ["cairn attest show build/main.o", "or the source, or an action"])
    .argument("<file>", "a source, an output, or the 64 digits of an action")
    .option("--json", "as JSON")
    .action((file, options) => finish(attestShow(context, file, options, signal)));
  part(
    "export",
    "write attestations as the DSSE envelopes that in-toto tools read, one in a line",
    ["cairn attest export src/main.c --output main.json", ""],
    [
      "cairn attest export --summary build/*.o --output build.intoto.jsonl",
      "this machine's word that other domains made the same of it, too",
    ],
  )
    .argument("<file...>", "sources, outputs, or the 64 digits of an action")
    .option("--output <path>", "a file; otherwise it is printed")
    .option("--summary", "who reproduced it (SLSA_BUILD_REPRODUCED), signed by this machine; exit code 1 where too few domains have")
    .option("--inputs", "with --summary: behind each the attestations that it rests on")
    .option("--json", "as JSON")
    .action((file, options) => finish(attestExport(context, file, options, signal)));
  part("verify", "check envelopes: signature, statement, and files that they are about", [
    "cairn attest verify main.json --subject main.o=build/main.o",
    "exit code 1 when one does not hold, or its signer is no active member",
  ])
    .argument("<envelope...>", "files that cairn attest export wrote")
    .option("--subject <name=path>", "a file that must be this output; may be repeated", (pair: string, others: string[] | undefined) => [
      ...(others ?? []),
      pair,
    ])
    .option("--json", "as JSON")
    .action((files, options) => finish(attestVerify(context, files, options, signal)));
}

function readShell(text: string): (typeof shells)[number] {
  const shell = shells.find((name) => name === text);
  if (shell === undefined) throw new InvalidArgumentError(`It is one of ${shells.join(", ")}.`);
  return shell;
}

/** What may stand behind a command besides its subcommands. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  completion: shells,
  config: settingNames,
  connect: tools.map(({ name }) => name),
};

function completedCommands(program: Command): CompletedCommand[] {
  const commandLines = ["run", "cc", "exec"];
  const files = ["explain", "pin", "unpin", "put", "get", "partition", "name", "verify", "challenge", "evidence", "attest", "log"];
  const rest = (name: string): CompletedCommand["rest"] =>
    commandLines.includes(name) ? "command" : files.includes(name) ? "files" : "nothing";
  return program.commands.map((command) => ({
    name: command.name(),
    about: command.description(),
    options: [...command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long])), "--help"],
    words: [...command.commands.map((part) => part.name()), ...(WORDS[command.name()] ?? [])],
    rest: rest(command.name()),
  }));
}
