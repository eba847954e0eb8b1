/**
 * Compilers' and archivers' calls: what each of them writes, and the same call with another question.
 */
import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { limits } from "../base/index.ts";
import { preprocessorArgs } from "../compile/index.ts";
import type { Call } from "./recorder.ts";

/** One of the two builds, as it can be asked once more. */
export interface Side {
  readonly root: string;
  /** By what they write, relative to the root; the last one to do so. */
  readonly calls: ReadonlyMap<string, Call>;
}

export function sideOf(root: string, calls: readonly Call[]): Side {
  return {
    root,
    calls: new Map(
      calls.flatMap((call) => {
        const output = outputOf(call);
        return output === undefined ? [] : [[relative(root, resolve(call.cwd, output)), call] as const];
      }),
    ),
  };
}

/** As the call names it; undefined where it writes nothing that is known. */
function outputOf({ kind, argv }: Call): string | undefined {
  if (kind === "archiver") return argv.slice(1).find((argument) => argument.endsWith(".a"));
  const at = argv.lastIndexOf("-o");
  if (at > 0) return argv[at + 1];
  const joined = argv.findLast((argument) => /^-o./.test(argument));
  if (joined !== undefined) return joined.slice(2);
  const source = argv.findLast((argument) => SOURCE.test(argument));
  if (!argv.includes("-c")) return source === undefined && !argv.some((argument) => /\.(?:o|a)$/.test(argument)) ? undefined : "a.out";
  return source?.replace(/^.*\//, "").replace(/\.\w+$/, ".o");
}

const SOURCE = /\.(?:c|cc|cpp|cxx|c\+\+|C|m|mm|S|s|i|ii)$/;

/** Whether it compiles something itself, and does not only link. */
export function hasSource({ argv }: Call): boolean {
  return argv.some((argument) => SOURCE.test(argument));
}

/** Arguments behind the program, with that root called like the other one. */
export function argumentsAs(argv: readonly string[], root: string, other: string): string[] {
  return argv.slice(1).map((argument) => argument.replaceAll(root, other));
}

export interface Question {
  /** In place of the output, or behind all else. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** What the compiler says on standard output; undefined when it fails. */
export async function ask(call: Call, { args, environment }: Question, signal: AbortSignal): Promise<Buffer | undefined> {
  const [program = ""] = call.argv;
  const all = preprocessorArgs(call.argv, (path) => readText(resolve(call.cwd, path)), args);
  const options = {
    cwd: call.cwd,
    env: { ...call.environment, ...environment },
    timeout: limits.audit.commandMs,
    killSignal: "SIGKILL",
    maxBuffer: limits.audit.comparedBytes,
    signal,
    encoding: "buffer",
  } as const;
  return new Promise((done, failed) => {
    const child = execFile(program, all, options, (error, stdout) => {
      if (signal.aborted) failed(signal.reason as Error);
      else done(error === null ? stdout : undefined);
    });
    child.stdin?.on("error", () => undefined).end();
  });
}

/** What it writes when it is repeated; beside its own output, which stays. */
export async function repeat(call: Call, { args, environment }: Question, signal: AbortSignal): Promise<Buffer | undefined> {
  const output = outputOf(call);
  if (output === undefined) return undefined;
  const aside = `${output}.audit`;
  const mode = call.argv.includes("-c") ? ["-c"] : [];
  try {
    const said = await ask(call, { args: [...mode, "-o", aside, ...args], environment }, signal);
    return said === undefined ? undefined : readFileSync(resolve(call.cwd, aside));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  } finally {
    rmSync(join(resolve(call.cwd, aside)), { force: true });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // The compiler will say so.
  }
}
