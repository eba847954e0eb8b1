/**
 * Runs an action on this machine as it is: for its user's own work, whose inputs lie where the action names them.
 *
 * Knows: processes and files of this machine; of limits, wall time and what is printed and left behind.
 * Does not know: walls, nor any other limit; nothing keeps the program from what its user may do.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, constants, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants as os, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { systemCode } from "../base/index.ts";
import type { Executor, ExecutorAction, ExecutorOutcome, Files, OutputFile, Usage } from "../contracts/index.ts";
import { checkAction, refused } from "./action-check.ts";

export class LocalExecutor implements Executor {
  readonly #files: Files;

  constructor(parts: { files: Files }) {
    this.#files = parts.files;
  }

  async run(action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
    const refusal = checkAction(action);
    if (refusal !== undefined) return refusal;
    if (action.work !== undefined) return refused("bad_argument", "no directory to work in is made for own work");
    for (const { path, digest } of action.inputs) {
      const state = this.#files.state(path);
      if (state.kind !== "file" || state.digest !== digest) return refused("input_missing", path);
    }
    for (const path of [action.cwd, ...action.directories]) if (!existsSync(path)) return refused("input_missing", path);
    const directory = mkdtempSync(join(tmpdir(), "cairn-run-"));
    try {
      return await runIn(directory, action, signal);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

async function runIn(directory: string, action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
  const { program, arguments: words, environment, cwd, outputs, limits: most } = action;
  signal.throwIfAborted();
  const args = words.map((word) => (typeof word === "string" ? word : join(directory, word.output)));
  const startedAt = performance.now();
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    // A group of its own: what it leaves behind is ended with it.
    child = spawn(program, args, { cwd, env: Object.fromEntries(environment), stdio: ["ignore", "pipe", "pipe"], detached: true });
  } catch (error) {
    if (systemCode(error) === "E2BIG") return refused("too_much", "arguments");
    throw error;
  }
  let end: "wall" | "output" | "aborted" | undefined;
  const stop = (why: typeof end): void => {
    end ??= why;
    endGroup(child.pid);
  };
  const printed = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= most.printedBytes) chunks.push(chunk);
      else stop("output");
    });
    return chunks;
  });
  const timer = setTimeout(() => stop("wall"), most.wallMs);
  const onAbort = (): void => stop("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  const ended = await new Promise<{ exitCode: number } | { trouble: string }>((resolve) => {
    child.once("error", (error) => resolve({ trouble: error.message }));
    child.once("exit", () => endGroup(child.pid));
    child.once("close", (code, name) => resolve({ exitCode: code ?? 128 + (name === null ? 0 : signalNumber(name)) }));
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
  const used: Usage = { wallMs: performance.now() - startedAt, cpuMs: undefined, residentBytes: undefined };
  if (end === "aborted") signal.throwIfAborted();
  if (end === "wall" || end === "output") return { kind: "killed", limit: end, used };
  if ("trouble" in ended) return refused("input_missing", ended.trouble);
  const [stdout = Buffer.alloc(0), stderr = Buffer.alloc(0)] = printed.map((chunks) => Buffer.concat(chunks));
  let left = most.outputBytes;
  const found: OutputFile[] = [];
  const strange: string[] = [];
  for (const name of outputs) {
    const output = readOutput(directory, name, left);
    if (output === "too_large") return { kind: "killed", limit: "output", used };
    if (output === "strange") strange.push(name);
    if (typeof output === "string") continue;
    left -= output.content.length;
    found.push(output);
  }
  return {
    kind: "done",
    exitCode: ended.exitCode,
    stdout,
    stderr,
    outputs: found,
    strange,
    used,
  };
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function signalNumber(name: NodeJS.Signals): number {
  return os.signals[name];
}

/** @param left how many bytes it may have */
function readOutput(directory: string, name: string, left: number): OutputFile | "missing" | "strange" | "too_large" {
  let file: number;
  try {
    file = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return systemCode(error) === "ENOENT" ? "missing" : "strange";
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile() || status.nlink !== 1) return "strange";
    if (status.size > left) return "too_large";
    return { name, content: readFileSync(file), executable: (status.mode & 0o111) !== 0 };
  } finally {
    closeSync(file);
  }
}
