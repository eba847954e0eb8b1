/**
 * run, cc, env, launcher: compilers with Cairn in front of them.
 *
 * "Never in the way": where Cairn itself cannot be set up, the command runs without it and one line says so.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import { delimiter } from "node:path";
import { isatty } from "node:tty";
import { CairnError, type Environment, shellWord, systemCode } from "../base/index.ts";
import { readCounters, readGivers, readLabourers, type Summary, summarize } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { count, counted, duration, harmlessJson, share } from "./format.ts";
import { type Launcher, layLauncher } from "./launcher.ts";
import { ensureDaemon } from "./start-daemon.ts";
import { exitCodes, explainTrouble } from "./troubles.ts";

/** A build does not wait longer for a daemon than this; the first compiles then run without one. */
const START_DEADLINE_MS = 2_000;
const FORWARDED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

export interface RunOptions {
  readonly quiet?: true | undefined;
  readonly json?: true | undefined;
}

export async function run(context: Context, command: readonly string[], options: RunOptions, signal: AbortSignal): Promise<number> {
  const { control, terminal } = context;
  const session = randomBytes(8).toString("hex");
  const ready = await prepare(context, signal);
  const env = ready === undefined ? context.env : { ...context.env, ...buildVariables(context.env, ready), CAIRN_SESSION: session };
  const code = await runCommand(context, command, env);
  if (ready?.answers !== true || options.quiet === true) return code;
  try {
    const raw = await control.get("/stats", { session });
    const [counters, givers, workers] = [readCounters(raw), readGivers(raw), readLabourers(raw)];
    terminal.note(
      options.json === true
        ? harmlessJson({ session, exitCode: code, counters, givers, workers }, 0)
        : `cairn: ${closingLine(summarize(counters), whom(givers), whom(workers))}`,
    );
  } catch (error) {
    terminal.note(`cairn: ${explainTrouble(error).what}; what was not cached yet was simply compiled`);
  }
  return code;
}

export async function cc(context: Context, command: readonly string[], signal: AbortSignal): Promise<number> {
  const ready = await prepare(context, signal);
  return await runCommand(context, ready === undefined ? command : [ready.path, ...command], context.env);
}

interface Prepared extends Launcher {
  /** Whether a daemon answers. */
  readonly answers: boolean;
}

/** Wrapper and daemon, as far as they can be had: a build never fails because of them. */
async function prepare(context: Context, signal: AbortSignal): Promise<Prepared | undefined> {
  let launcher: Launcher | undefined;
  try {
    launcher = await layLauncher({ ...context, binDir: context.home.binDir }, signal);
    await ensureDaemon(context, START_DEADLINE_MS, signal);
    return { ...launcher, answers: true };
  } catch (error) {
    if (signal.aborted) throw error;
    const { what, advice } = explainTrouble(error);
    context.terminal.note(`cairn: ${what}; going on without${advice.length === 0 ? "" : `\n  ${advice.join("\n  ")}`}`);
  }
  return launcher && { ...launcher, answers: false };
}

/** What a build gets: the compilers' names first on PATH, and CMake's launchers for those it calls by their full paths. */
function buildVariables(env: Environment, launcher: Pick<Launcher, "path" | "compilersDir">): Record<string, string> {
  const path = (env.PATH ?? "").split(delimiter).filter((directory) => directory !== launcher.compilersDir);
  return {
    PATH: [launcher.compilersDir, ...path].join(delimiter),
    CMAKE_C_COMPILER_LAUNCHER: launcher.path,
    CMAKE_CXX_COMPILER_LAUNCHER: launcher.path,
  };
}

/** @returns the command's exit code, 128 + n when signal n ended it, 127 or 126 when it could not be started */
function runCommand({ terminal, cwd }: Context, command: readonly string[], env: Environment): Promise<number> {
  const [program, ...args] = command;
  if (program === undefined) throw new CairnError("usage", { why: "no command was given" });
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: "inherit" });
    const forward = (signal: NodeJS.Signals): void => {
      // The terminal sends Ctrl-C and Ctrl-\ to the command as well: once is enough.
      const fromTerminal = (signal === "SIGINT" || signal === "SIGQUIT") && isatty(0);
      if (!fromTerminal) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const finish = (code: number): void => {
      for (const signal of FORWARDED) process.off(signal, forward);
      resolve(code);
    };
    child.once("error", (error) => {
      const missing = systemCode(error) === "ENOENT";
      terminal.note(
        `cairn: ${missing ? `${program}: no such command` : `${program} cannot be started (${systemCode(error) ?? error.message})`}`,
      );
      finish(missing ? 127 : 126);
    });
    child.once("exit", (code, signal) => finish(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/**
 * 130 compiles: 112 hits (86 %), 100 here and 12 from laptop, 4 misses, 12 compiled by desktop, 2 passed through; saved 1 m 12 s of compile time
 *
 * @param givers who had results, as it is said
 * @param workers who compiled
 */
function closingLine(found: Summary, givers: string, workers: string): string {
  if (found.total === 0) return "no compiler was called; one that is called by its whole path is not seen";
  const parts = [
    `${counted(found.hits, "hit")} (${share(found.hits, found.total)})`,
    ...(found.hitsByPeers === 0 ? [] : [`${count(found.hits - found.hitsByPeers)} here and ${count(found.hitsByPeers)} from ${givers}`]),
    counted(found.misses, "miss", "misses"),
    ...(found.elsewhere === 0 ? [] : [`${count(found.elsewhere)} compiled by ${workers}`]),
    ...(found.passed === 0 ? [] : [`${count(found.passed)} passed through`]),
    ...(found.failed === 0 ? [] : [`${count(found.failed)} failed`]),
  ];
  const saved = found.savedMs < 1 ? "" : `; saved ${duration(found.savedMs)} of compile time`;
  const unstored = found.notStored.find(([reason]) => reason === "storing_failed")?.[1] ?? 0;
  const trouble = unstored === 0 ? "" : `; ${count(unstored)} could not be stored (cairn doctor)`;
  return `${counted(found.total, "compile")}: ${parts.join(", ")}${saved}${trouble}`;
}

function whom([first, ...others]: readonly { readonly name: string }[]): string {
  if (first === undefined) return "other machines";
  return others.length === 0 ? first.name : counted(1 + others.length, "machine");
}

export async function env(
  context: Context,
  options: { readonly shell: "sh" | "fish"; readonly json?: true | undefined },
  signal: AbortSignal,
): Promise<number> {
  const launcher = await layLauncher({ ...context, binDir: context.home.binDir }, signal);
  const variables = buildVariables(context.env, launcher);
  answer(context.terminal, options.json, variables, () =>
    Object.entries(variables).map(([name, value]) =>
      options.shell === "fish" ? fishLine(name, value) : `export ${name}=${shellWord(value)}`,
    ),
  );
  return exitCodes.ok;
}

/** In fish PATH is a list. */
function fishLine(name: string, value: string): string {
  const words = name === "PATH" ? value.split(delimiter) : [value];
  return `set -gx ${name} ${words.map((word) => `'${word.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`).join(" ")}`;
}

export async function launcher(context: Context, options: { readonly json?: true | undefined }, signal: AbortSignal): Promise<number> {
  const laid = await layLauncher({ ...context, binDir: context.home.binDir }, signal);
  answer(context.terminal, options.json, laid, () => [laid.path]);
  return exitCodes.ok;
}
