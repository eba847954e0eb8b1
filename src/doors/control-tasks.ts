/**
 * The part of the control door that is about tasks: commands with declared inputs and outputs.
 *
 * Knows: paths, bodies, what a question must look like. Does not know: where the answers come from.
 */

import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { isAbsolute, join, posix } from "node:path";
import { CairnError, limits } from "../base/index.ts";
import type { SandboxWish, TaskFlow, TaskQuestion, TaskReport } from "../flows/index.ts";
import { count, field, text } from "./bodies.ts";
import { followed, type Say } from "./control-trees.ts";

export type TaskControls = Pick<TaskFlow, "plan" | "ask" | "ran">;

const { patterns, outputs: mostOutputs, variables, words, pathBytes } = limits.task;
const WISHES: ReadonlySet<string> = new Set<SandboxWish>(["auto", "always", "never"]);

export function answerTasks(controls: TaskControls, question: string, body: unknown, response: ServerResponse): Promise<void> {
  switch (question) {
    case "POST /task/plan":
      return followed(response, readQuestion(body), (asked, _, signal) => controls.plan(asked, signal));
    case "POST /task/ask":
      return followed(response, readQuestion(body), (asked, _, signal, say) => asking(controls, asked, { response, say }, signal));
    case "POST /task/ran":
      return followed(response, readReport(body), (report, _, signal) => controls.ran(report, signal));
    default:
      throw new CairnError("usage", { why: `there is no ${question}` });
  }
}

interface Listener {
  readonly response: ServerResponse;
  readonly say: Say;
}

/**
 * What a command prints is said as it comes (`{shown, bytes}`); the answer has what is left of it then. While whoever listens is slower than that,
 * it is gathered: a line for each byte would fill this process's memory.
 */
async function asking(controls: TaskControls, question: TaskQuestion, { response, say }: Listener, signal: AbortSignal): Promise<object> {
  const said = { stdout: new Said(), stderr: new Said() };
  const waiting: Record<Stream, Buffer[]> = { stdout: [], stderr: [] };
  const flush = (): void => {
    for (const stream of ["stdout", "stderr"] as const) {
      const bytes = Buffer.concat(waiting[stream].splice(0));
      if (bytes.length === 0) continue;
      said[stream].add(bytes);
      say({ shown: stream, bytes: bytes.toString("base64") });
    }
  };
  const show = (stream: Stream, bytes: Buffer): void => {
    waiting[stream].push(Buffer.from(bytes));
    if (!response.writableNeedDrain) flush();
  };
  response.on("drain", flush);
  const answer = await controls.ask(question, show, signal).catch((error: unknown) => {
    flush(); // There is no answer that has it.
    throw error;
  });
  response.off("drain", flush);
  if (!("stdout" in answer)) return answer;
  const [stdout, stderr] = [said.stdout.leftOf(answer.stdout), said.stderr.leftOf(answer.stderr)];
  const takenBack = [...(stdout.isAnew ? ["stdout"] : []), ...(stderr.isAnew ? ["stderr"] : [])];
  const left = { stdout: stdout.bytes.toString("base64"), stderr: stderr.bytes.toString("base64") };
  return { ...answer, ...left, ...(takenBack.length === 0 ? {} : { takenBack }) };
}

type Stream = "stdout" | "stderr";

/** What was said of a stream. */
class Said {
  readonly #hash = createHash("sha256");
  #bytes = 0;

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** A command may take back what it printed, as it would in a file: then all of it is said again, and that it is. */
  leftOf(whole: Uint8Array): { readonly bytes: Buffer; readonly isAnew: boolean } {
    const all = Buffer.from(whole.buffer, whole.byteOffset, whole.length);
    const isBegun = createHash("sha256").update(all.subarray(0, this.#bytes)).digest().equals(this.#hash.digest());
    return { bytes: isBegun ? all.subarray(this.#bytes) : all, isAnew: !isBegun };
  }
}

/** @throws {CairnError} usage */
function readQuestion(body: unknown): TaskQuestion {
  const [root, cwd] = [place(body, "root"), place(body, "cwd")];
  if (!`${cwd}/`.startsWith(root === "/" ? "/" : `${root}/`)) throw usage(`${cwd} does not lie in ${root}`);
  const command = texts(body, "command", words);
  if (command.length === 0 || command[0] === "") throw usage("no command was given");
  const sandbox = text(body, "sandbox");
  if (!WISHES.has(sandbox)) throw usage("sandbox is auto, always or never");
  return {
    root,
    cwd,
    command,
    inputs: texts(body, "inputs", patterns),
    named: texts(body, "named", words),
    outputs: readOutputs(root, cwd, texts(body, "outputs", mostOutputs)),
    environment: readEnvironment(field(body, "environment")),
    path: text(body, "path"),
    home: text(body, "home"),
    sandbox: sandbox as SandboxWish,
    network: field(body, "network") === true,
    cacheFailures: field(body, "cacheFailures") === true,
    force: field(body, "force") === true,
    umask: count(body, "umask") & 0o777,
    here: field(body, "here") === true,
  };
}

/** @returns normal paths below the root, none of which lies in another */
function readOutputs(root: string, cwd: string, outputs: readonly string[]): string[] {
  const below = outputs.map((output) => {
    const absolute = isAbsolute(output) ? posix.normalize(output) : join(cwd, output);
    const path = posix.relative(root, absolute).replace(/\/$/, "");
    if (path === ".." || path.startsWith("../"))
      throw usage(
        `the output ${output} lies outside the project ${root}`,
        "--root DIRECTORY   names a directory that all inputs and outputs lie in",
      );
    if (path === "") throw usage(`the output ${output} is the whole project: name what is written in it`);
    if (path === ".git" || path.startsWith(".git/")) throw usage(`the output ${output} lies in the repository itself`);
    if (Buffer.byteLength(path) > pathBytes) throw usage(`the output ${output} has too long a name`);
    return path;
  });
  const inside = below.find((path, i) => below.some((other, at) => at !== i && `${path}/`.startsWith(`${other}/`)));
  if (inside !== undefined) throw usage(`the output ${inside} is named twice, or lies in another`);
  return below;
}

function readEnvironment(given: unknown): ReadonlyMap<string, string> {
  if (typeof given !== "object" || given === null) throw usage("environment is an object");
  const entries = Object.entries(given);
  if (entries.length > variables) throw usage(`at most ${variables} variables`);
  return new Map(
    entries.map(([name, value]: [string, unknown]) => {
      if (!/^\w+$/.test(name) || typeof value !== "string" || value.includes("\0")) throw usage(`${name} is no variable`);
      return [name, value];
    }),
  );
}

function readReport(body: unknown): TaskReport {
  const printed = (name: string): Buffer => {
    const bytes = Buffer.from(text(body, name), "base64");
    if (bytes.length > limits.task.printedBytes) throw new CairnError("limit-exceeded", { what: name, bytes: bytes.length });
    return bytes;
  };
  const exitCode = count(body, "exitCode");
  const [startedAtMs, endedAtMs] = [count(body, "startedAtMs"), count(body, "endedAtMs")];
  if (exitCode > 255 || endedAtMs < startedAtMs) throw usage("that is no report of a run");
  return { job: text(body, "job"), exitCode, stdout: printed("stdout"), stderr: printed("stderr"), startedAtMs, endedAtMs };
}

function texts(body: unknown, name: string, most: number): string[] {
  const list = field(body, name);
  if (!Array.isArray(list) || list.length > most) throw usage(`${name} is a list of at most ${most}`);
  return list.map((one: unknown) => {
    if (typeof one !== "string" || one.includes("\0")) throw usage(`${name} holds something that is not text`);
    return one;
  });
}

/** An absolute path without `.`, `..` or a slash at its end. */
function place(body: unknown, name: string): string {
  const path = text(body, name);
  if (!path.startsWith("/") || path.includes("\0") || posix.normalize(path) !== path || (path !== "/" && path.endsWith("/")))
    throw usage(`${name} is an absolute path`);
  return path;
}

function usage(why: string, advice?: string): CairnError {
  return new CairnError("usage", advice === undefined ? { why } : { why, advice });
}
