/**
 * exec: a command with declared inputs and outputs, answered from the cache or run.
 *
 * "Never in the way": where no daemon can be had, the command runs without one and a line says so.
 */
import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CairnError } from "../base/index.ts";
import { type Difference, listIn, numberIn, readDifferences, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { DURATIONS_FILE } from "./durations.ts";
import { type CommandRun, runShown } from "./exec-run.ts";
import { bytes, counted, duration, harmlessJson } from "./format.ts";
import { partOf, readPart, testsMatching } from "./partition-command.ts";
import { ensureDaemon } from "./start-daemon.ts";
import { exitCodes, explainTrouble } from "./troubles.ts";

export interface ExecOptions {
  readonly in?: readonly string[] | undefined;
  readonly out?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly tests?: readonly string[] | undefined;
  readonly partition?: string | undefined;
  readonly durations?: string | undefined;
  readonly root?: string | undefined;
  readonly sandbox: "auto" | "always" | "never";
  readonly network?: true | undefined;
  readonly cacheFailures?: true | undefined;
  readonly force?: true | undefined;
  readonly here?: true | undefined;
  readonly dryRun?: true | undefined;
  readonly quiet?: true | undefined;
  readonly json?: true | undefined;
}

/** A command does not wait longer for a daemon than this. */
const START_DEADLINE_MS = 5_000;

export async function exec(context: Context, command: readonly string[], options: ExecOptions, signal: AbortSignal): Promise<number> {
  const { control, terminal } = context;
  if (options.network === true && options.sandbox === "always")
    throw new CairnError("usage", { why: "there is no network in the sandbox: --network and --sandbox always exclude each other" });
  const tests = testsOf(context, command, options);
  if (tests?.length === 0) return exitCodes.ok;
  const words = tests === undefined ? command : command.flatMap((word) => (word === PLACE ? tests : [word]));
  const question = questionOf(context, words, options, tests);
  const isReady = await ready(context, options, signal);
  if (!isReady) return uncached(context, question);
  if (options.dryRun === true) {
    const plan = await control.follow("/task/plan", question, () => undefined, signal);
    answer(terminal, options.json, plan, () => planLines(plan, words));
    return exitCodes.ok;
  }
  const said = await ask(context, question, signal);
  if (said === undefined) return uncached(context, question);
  return textIn(said, "kind") === "run" ? runHere(context, question, said, options, signal) : answered(context, said, options);
}

/**
 * @returns undefined where the daemon went away meanwhile: nothing that it has begun is in the checkout, so the command can still run here.
 * Not where what was printed cannot be taken back: a file would have it twice
 */
async function ask({ control, terminal }: Context, question: Question, signal: AbortSignal): Promise<unknown> {
  let isPast = false;
  const shown = (told: unknown): void => {
    const stream = show(told);
    isPast ||= stream !== undefined && !process[stream].isTTY;
  };
  try {
    return await control.follow("/task/ask", question, shown, signal);
  } catch (error) {
    // A daemon that is only silent may still run the command.
    const isGone = error instanceof CairnError && error.code === "daemon-absent" && error.facts.why !== "silent";
    if (!isGone || isPast || signal.aborted || question.sandbox === "always") throw error;
    terminal.note("cairn: the daemon has ended; the command begins anew without");
    return undefined;
  }
}

/** What the command prints while it runs in a sandbox. @returns where something was written to */
function show(told: unknown): "stdout" | "stderr" | undefined {
  const stream = field(told, "shown");
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  process[stream].write(Buffer.from(textIn(told, "bytes"), "base64"));
  return stream;
}

type Question = ReturnType<typeof questionOf>;

/** What takes the place of `{}` in a command: the tests of this part. @returns undefined where tests were not asked for */
function testsOf({ cwd, terminal }: Context, command: readonly string[], options: ExecOptions): readonly string[] | undefined {
  const { tests, partition, durations } = options;
  if (tests === undefined) {
    if (partition === undefined) return undefined;
    throw new CairnError("usage", {
      why: "--partition splits what --tests names",
      advice: "cairn exec --tests 'src/**/*.test.ts' --partition 1/4 -- node --test {}",
    });
  }
  if (!command.includes(PLACE))
    throw new CairnError("usage", { why: "the command does not say where the tests go", advice: "-- node --test {}" });
  const found = testsMatching(tests, cwd);
  const own = partOf(found, resolve(cwd, durations ?? DURATIONS_FILE), partition === undefined ? { part: 1, of: 1 } : readPart(partition));
  if (own.tests.length === 0) terminal.note("cairn: this part has no tests");
  return own.tests;
}

const PLACE = "{}";

/** @param tests that are words of it, which it reads whatever is left out of its inputs */
function questionOf({ cwd: at, env }: Context, command: readonly string[], options: ExecOptions, tests: readonly string[] | undefined) {
  const cwd = realpathSync(at);
  const root = options.root === undefined ? projectRoot(cwd) : realpathSync(resolve(at, options.root));
  const environment = Object.fromEntries((options.env ?? []).flatMap((declared) => variable(declared, env)));
  return {
    root,
    cwd,
    command,
    inputs: tests === undefined ? (options.in ?? []) : withoutDurations(options, cwd, root),
    named: tests ?? [],
    outputs: options.out ?? [],
    environment,
    path: env.PATH ?? "/usr/bin:/bin",
    home: env.HOME ?? homedir(),
    sandbox: options.sandbox,
    network: options.network === true,
    cacheFailures: options.cacheFailures === true,
    force: options.force === true,
    here: options.here === true,
    umask: readUmask(),
  };
}

/** How long tests took says which of them are a part's, and nothing of what comes of them: to have learned would make each of them run again. */
function withoutDurations({ in: inputs = [], durations = DURATIONS_FILE }: ExecOptions, cwd: string, root: string): readonly string[] {
  const file = resolve(cwd, durations);
  const isNamed = inputs.some((input) => resolve(cwd, input) === file);
  return isNamed || !file.startsWith(root === "/" ? "/" : `${root}/`) ? inputs : [...inputs, `!${file}`];
}

/** `NAME` as it is set here, where it is; or `NAME=value`. */
function variable(declared: string, env: Context["env"]): (readonly [name: string, value: string])[] {
  const at = declared.indexOf("=");
  const name = at < 0 ? declared : declared.slice(0, at);
  const value = at < 0 ? env[name] : declared.slice(at + 1);
  return value === undefined ? [] : [[name, value]];
}

/** The nearest directory with a repository, or the one where the command was given. */
function projectRoot(cwd: string): string {
  for (let at = cwd; at !== dirname(at); at = dirname(at)) if (existsSync(join(at, ".git"))) return at;
  return cwd;
}

/** It can only be read by setting it. */
function readUmask(): number {
  const umask = process.umask(0o077);
  process.umask(umask);
  return umask;
}

async function ready(context: Context, options: ExecOptions, signal: AbortSignal): Promise<boolean> {
  try {
    await ensureDaemon(context, START_DEADLINE_MS, signal);
    return true;
  } catch (error) {
    if (signal.aborted || options.sandbox === "always" || options.dryRun === true) throw error;
    const { what, advice } = explainTrouble(error);
    context.terminal.note(`cairn: ${what}; going on without${advice.length === 0 ? "" : `\n  ${advice.join("\n  ")}`}`);
    return false;
  }
}

async function uncached(context: Context, { command, cwd, path, home, environment }: Question): Promise<number> {
  const ran = await runShown(command, { cwd, environment: { PATH: path, HOME: home, ...environment } });
  if (ran.trouble !== "") context.terminal.note(`cairn: ${ran.trouble}`);
  return ran.exitCode;
}

/** In the checkout, where it may read what it likes; what comes of it is kept for this machine alone. */
async function runHere(context: Context, question: Question, said: unknown, options: ExecOptions, signal: AbortSignal): Promise<number> {
  const { command, cwd } = question;
  const ran = await runShown(command, { cwd, environment: readVariables(said) });
  if (ran.trouble !== "") context.terminal.note(`cairn: ${ran.trouble}`);
  const kept = await report(context, textIn(said, "job"), ran, signal);
  return close(
    context,
    { ...(said as object), ...(kept as object), how: "executed", exitCode: ran.exitCode, tookMs: ran.endedAtMs - ran.startedAtMs },
    options,
  );
}

async function report({ control }: Context, job: string, ran: CommandRun, signal: AbortSignal): Promise<unknown> {
  if (ran.isCut) return { notKept: "it printed more than is kept", missing: [], left: [] };
  const { exitCode, startedAtMs, endedAtMs } = ran;
  const [stdout, stderr] = [ran.stdout.toString("base64"), ran.stderr.toString("base64")];
  try {
    return await control.follow("/task/ran", { job, exitCode, stdout, stderr, startedAtMs, endedAtMs }, () => undefined, signal);
  } catch (error) {
    return { notKept: signal.aborted ? "it was interrupted" : explainTrouble(error).what, missing: [], left: [] };
  }
}

function answered(context: Context, said: unknown, options: ExecOptions): number {
  let isWrong = false;
  for (const stream of ["stdout", "stderr"] as const) {
    const isTaken = field(said, "takenBack") !== undefined && listIn(said, "takenBack").includes(stream);
    if (isTaken && !process[stream].isTTY) isWrong = true;
    else process[stream].write(Buffer.from(textIn(said, stream), "base64"));
  }
  const exitCode = close(context, said, options);
  if (!isWrong) return exitCode;
  context.terminal.note("cairn: the command took back what it had printed, which was written already; what it printed at the end is not");
  return exitCode === exitCodes.ok ? exitCodes.failed : exitCode;
}

/** One line, or JSON, on standard error: standard output is the command's. */
function close({ terminal }: Context, said: unknown, options: ExecOptions): number {
  const missing = listIn(said, "missing").map(String);
  const exitCode = missing.length > 0 ? exitCodes.failed : numberIn(said, "exitCode");
  for (const output of missing) terminal.note(`cairn: the command went well and has not written ${output}; nothing was kept`);
  if (options.json === true) {
    const { stdout: _, stderr: __, environment: ___, job: ____, kind: _____, takenBack: ______, ...told } = said as Record<string, unknown>;
    terminal.note(harmlessJson({ ...told, exitCode }, 0));
  } else if (options.quiet !== true) terminal.note(`cairn: ${closingLine(said)}`);
  return exitCode;
}

function closingLine(said: unknown): string {
  const tookMs = numberIn(said, "tookMs");
  const from = field(said, "from");
  if (textIn(said, "how") === "hit") {
    const whose = from === undefined || from === null ? "" : `, ${bytes(numberIn(from, "bytes"))} from another machine`;
    return `hit: what took ${duration(tookMs)} once was not run${whose}`;
  }
  const where = field(said, "where");
  const member = textIn(field(said, "placed"), "member");
  const sandbox = member === "" ? "in a sandbox" : `in the sandbox of ${member}`;
  const place = field(where, "sandboxed") === true ? sandbox : `without a sandbox (${textIn(where, "why")})`;
  const notKept = textIn(said, "notKept");
  const [first] = readDifferences(said);
  const why = first === undefined ? "" : `; ${differenceText(first)}`;
  const fate =
    notKept !== ""
      ? `not kept: ${notKept}`
      : field(where, "sandboxed") === true
        ? unsharedText(said)
        : "kept for this machine alone, as it may have read what was not declared";
  const hint =
    field(where, "sandboxed") === true && numberIn(said, "exitCode") !== 0 ? "; it saw only what --in names, and what is installed" : "";
  return `miss: ran ${place} for ${duration(tookMs)}, ${fate}${why}${hint}`;
}

function unsharedText(said: unknown): string {
  const unshared = textIn(said, "unshared");
  return unshared === "" ? "kept" : `kept for this machine alone, as not always the same comes of it (${unshared})`;
}

function differenceText({ kind, name: whole }: Difference): string {
  const name = whole.length > NAME_LENGTH ? `${whole.slice(0, NAME_LENGTH)}…` : whole;
  const how: Readonly<Record<string, string>> = { input: "changed", appeared: "is a new input", missing: "is no input any more" };
  return how[kind] === undefined ? `another ${kind}: ${name}` : `${name} ${how[kind]}`;
}

/** Scripts are words of a command, too. */
const NAME_LENGTH = 60;

function planLines(plan: unknown, command: readonly string[]): string[] {
  const where = field(plan, "where");
  return [
    command.join(" "),
    `  ${field(plan, "isHit") === true ? "would be answered from the cache" : "would run"} ${field(where, "sandboxed") === true ? "(in a sandbox)" : `(without a sandbox: ${textIn(where, "why")})`}`,
    `  key      ${textIn(plan, "key")}`,
    `  inputs   ${counted(numberIn(plan, "inputs"), "file")}`,
    `  programs ${listIn(plan, "programs").map(String).join(", ")}`,
    ...readDifferences(plan).map((one) => `  ${differenceText(one)}`),
    ...inTheWay(field(plan, "inTheWay")),
  ];
}

function inTheWay(told: unknown): string[] {
  const [why, advice] = [textIn(told, "why"), textIn(told, "advice")];
  if (why === "") return [];
  const line = field(told, "isCertain") === true ? `  refused  ${why}` : `  careful  ${why}, unless the command writes it again`;
  return [line, ...(advice === "" ? [] : [`    ${advice}`])];
}

function readVariables(said: unknown): Record<string, string> {
  const given = field(said, "environment");
  return Object.fromEntries(
    Object.entries(typeof given === "object" && given !== null ? given : {}).map(([name, value]) => [name, String(value)]),
  );
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
