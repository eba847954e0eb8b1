/**
 * One run of bubblewrap: the command line that makes the walls, and what comes back over its standard output.
 *
 * Knows: bubblewrap's options, processes. Does not know: what runs inside, what a report means.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { limits, systemCode } from "../base/index.ts";
import type { MemoryLedger } from "./memory-ledger.ts";
import { MemoryWatch } from "./sandbox-memory.ts";
import { devices, places } from "./sandbox-plan.ts";

/** Who runs jobs where the daemon is root: root's files must not be those of the sandbox' own user. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

export interface SandboxRun {
  /** Becomes "/", read-only. */
  readonly root: string;
  /** Directories of this machine that are read-only there, too. */
  readonly mounts: readonly string[];
  /** Of each of the two places where something may be written. */
  readonly writableBytes: number;
  readonly environment: ReadonlyMap<string, string>;
  /** Takes from what comes what is no part of the report. */
  readonly sift?: (chunk: Buffer) => Buffer;
  /** For the first process. */
  readonly words: readonly string[];
  /** More of a report ends the run. */
  readonly reportBytes: number;
  readonly wallMs: number;
  /** What all processes may hold in memory together. */
  readonly memoryBytes: number;
  /** Whether memory that belongs to no process is refused. */
  readonly isStrict: boolean;
  /** Where it is counted with others' jobs, which also are what the kernel ends first when memory runs out; undefined for own work. */
  readonly together?: MemoryLedger | undefined;
}

export type RunEnd =
  /** Everything that ran is dead; `trouble` is what bubblewrap or the first process complained of. */
  | {
      readonly kind: "ended";
      readonly code: number | undefined;
      readonly report: Buffer;
      readonly trouble: string;
      /** The most threads, of all processes, that were seen at once. */
      readonly threads: number;
    }
  | { readonly kind: "overdue" }
  | { readonly kind: "memory" }
  /** It was the youngest of jobs that held too much together. */
  | { readonly kind: "crowded" }
  | { readonly kind: "excess" };

export interface BubblewrapOptions {
  /** Path of bwrap. */
  readonly program: string;
  /** Files with the filter of system calls. */
  readonly filter: string;
  readonly strictFilter: string;
  readonly runAs: RunAs | undefined;
}

/** The user and group that a job sees itself as. */
const INSIDE = "1000";
/** Where the child finds the filter. */
const FILTER_FD = 3;

/**
 * Every option is a wall; docs/execution.md says which attack each is for.
 * The environment goes by words and not by bubblewrap's own: LD_PRELOAD there would be obeyed outside.
 */
function walls({ root, mounts, writableBytes, environment }: SandboxRun): string[] {
  const size = String(writableBytes);
  return [
    ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try"],
    ["--disable-userns", "--uid", INSIDE, "--gid", INSIDE, "--hostname", "cairn", "--cap-drop", "ALL"],
    ["--die-with-parent", "--new-session", "--as-pid-1", "--seccomp", String(FILTER_FD)],
    ["--ro-bind", root, "/"],
    mounts.flatMap((path) => ["--ro-bind", path, path]),
    devices.flatMap((device) => ["--dev-bind", device, device]),
    [places.out, places.scratch].flatMap((place) => ["--perms", "0755", "--size", size, "--tmpfs", place]),
    ["--clearenv"],
    [...environment].flatMap(([name, value]) => ["--setenv", name, value]),
    ["--chdir", "/", "--", places.init],
  ].flat();
}

/** @throws the signal's reason once everything that ran is dead */
export async function runBubblewrap(options: BubblewrapOptions, run: SandboxRun, signal: AbortSignal): Promise<RunEnd> {
  signal.throwIfAborted();
  let child: ChildProcess;
  try {
    child = start(options, run);
  } catch (error) {
    // No descriptor is left, or the command line is longer than this machine takes.
    return { kind: "ended", code: undefined, report: Buffer.alloc(0), trouble: systemCode(error) ?? String(error), threads: 0 };
  }
  let end: "overdue" | "excess" | "memory" | "crowded" | "aborted" | undefined;
  let unheard: NodeJS.Timeout | undefined;
  const stop = (why: typeof end): void => {
    if (end !== undefined) return;
    end = why;
    // When its input ends, the first process ends everything else, tells what that had printed until then, and ends. Bubblewrap is not killed in
    // the middle of making one: it binds the first process to itself as the last thing it does, and what it had begun before would go on without it.
    child.stdin?.destroy();
    // A machine that swaps cannot wait for long: a first process that bubblewrap has not bound to itself yet still sees its input closed.
    const isOfMemory = why === "memory" || why === "crowded";
    unheard = setTimeout(() => child.kill("SIGKILL"), isOfMemory ? limits.sandbox.memory.unheardMs : limits.sandbox.unheardMs);
  };
  child.stdin?.on("error", () => undefined); // Nothing is ever written.
  const report = collect(child.stdout, run.reportBytes, () => stop("excess"), run.sift);
  const trouble = collect(child.stderr, limits.sandbox.troubleBytes, () => undefined);
  const timer = setTimeout(() => stop("overdue"), run.wallMs);
  using place = run.together?.enter(() => stop("crowded"));
  using watch = new MemoryWatch(child.pid ?? 0, { mostBytes: run.memoryBytes, place }, () => stop("memory"));
  const onAbort = (): void => stop("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  const code = await new Promise<number | undefined>((resolve) => {
    let failed = false;
    child.once("error", () => {
      failed = true;
      if (child.pid === undefined) resolve(undefined);
    });
    // Closed, and not only exited: the report's other end is held by the first process until it is dead.
    child.once("close", (exitCode) => resolve(failed ? undefined : (exitCode ?? undefined)));
  });
  clearTimeout(timer);
  clearTimeout(unheard);
  signal.removeEventListener("abort", onAbort);
  if (end === "aborted") signal.throwIfAborted();
  if (end !== undefined && end !== "aborted") return { kind: end };
  return {
    kind: "ended",
    code,
    report: Buffer.concat(report),
    trouble: Buffer.concat(trouble).toString("utf8").trim(),
    threads: watch.threads,
  };
}

/**
 * Says of itself that it is the first to end when memory runs out, and becomes what follows: whatever that starts inherits it. An ordinary user may
 * raise this, and nothing inside can: there is no /proc. Where it is not to be had, everything goes on without.
 */
const ENDED_FIRST = ["-c", 'echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@"', "sh"];

const SHELL = "/bin/sh";

/** @throws {Error} of the system */
function start({ program, filter, strictFilter, runAs }: BubblewrapOptions, run: SandboxRun): ChildProcess {
  const filterFile = openSync(run.isStrict ? strictFilter : filter, "r"); // One each: bubblewrap reads it to its end.
  try {
    const words = [...walls(run), ...run.words];
    const [file, given] = run.together === undefined ? [program, words] : [SHELL, [...ENDED_FIRST, program, ...words]];
    return spawn(file, given, {
      cwd: "/",
      env: {},
      stdio: ["pipe", "pipe", "pipe", filterFile],
      ...runAs,
    });
  } finally {
    closeSync(filterFile);
  }
}

/** Chunks up to `most` bytes together. */
function collect(
  stream: NodeJS.ReadableStream | null,
  most: number,
  onExcess: () => void,
  sift: (chunk: Buffer) => Buffer = (chunk) => chunk,
): Buffer[] {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on("data", (came: Buffer) => {
    const chunk = sift(came);
    size += chunk.length;
    if (size <= most) chunks.push(chunk);
    else onExcess();
  });
  return chunks;
}
