/**
 * Starts a daemon for a home, detached, and waits until it answers.
 *
 * Knows: processes, the daemon's log. Does not know: what a daemon does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { CairnError, type Environment, type Home, limits, makeDirectories, systemCode } from "../base/index.ts";
import { readStatus, type Status } from "./answers.ts";
import { type Control, errorFrom } from "./control.ts";
import { fullDisk } from "./full-disk.ts";

export interface DaemonParts {
  readonly home: Home;
  readonly control: Control;
  readonly env: Environment;
  /** Directory of the package or checkout. */
  readonly root: string;
}

export type Started = { readonly kind: "running" | "started"; readonly status: Status };

/** For a command that a person typed: starting takes far below a second, but a machine that swaps may need longer. */
export const startDeadlineMs = 15_000;
const POLL_MS = 10;

/**
 * Young objects in 2 MiB instead of 16, and old ones collected before garbage doubles the heap: half the memory under load, for a tenth
 * more of the daemon's own processor time.
 */
export const daemonFlags: readonly string[] = [
  "--max-semi-space-size=2",
  "--heap-growing-percent=30",
  // Most functions of a short build are not worth their optimization, which took an eighth of the daemon's time.
  "--invocation-count-for-maglev=2000",
  "--invocation-count-for-turbofan=20000",
];

/** One pool of memory for all of Node's threads, which are idle by turns, instead of one for each. */
export const daemonVariables: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "1" };

export function daemonEntry(root: string): string {
  return join(root, "bin", "daemon.js");
}

/** What a daemon inherits: nothing that belongs to one build; what is set by somebody who knows better stays. */
export function daemonEnvironment(env: Environment): Record<string, string> {
  const { CAIRN_SESSION: _session, CAIRN_DEPTH: _depth, CAIRN_DISABLE: _disable, MAKEFLAGS: _flags, ...rest } = env;
  return {
    ...daemonVariables,
    ...Object.fromEntries(Object.entries(rest).filter((entry): entry is [string, string] => entry[1] !== undefined)),
  };
}

/** The daemon's status, or undefined when none answers. */
export async function askStatus(control: Control, signal?: AbortSignal, deadlineMs?: number): Promise<Status | undefined> {
  try {
    return readStatus(await control.get("/status", {}, signal, deadlineMs));
  } catch (error) {
    if (error instanceof CairnError && error.code === "daemon-absent" && error.facts.why !== "silent") return undefined;
    throw error;
  }
}

/**
 * Finds the daemon of this home or starts one.
 * @param deadlineMs how long a new daemon may take until it answers
 * @throws {CairnError} daemon-failed, or what the daemon itself says is wrong (config-invalid, home-unwritable, …)
 */
export async function ensureDaemon(parts: DaemonParts, deadlineMs: number, signal: AbortSignal): Promise<Started> {
  const running = await askStatus(parts.control, signal, deadlineMs);
  if (running !== undefined) return { kind: "running", status: running };

  const log = openLog(parts.home);
  const child = spawn(process.execPath, [...daemonFlags, daemonEntry(parts.root)], {
    cwd: "/", // No file system stays busy because of a daemon.
    detached: true,
    stdio: ["ignore", log.handle, log.handle],
    env: daemonEnvironment(parts.env),
  });
  closeSync(log.handle);
  child.unref();
  const status = await untilAnswering(parts.control, child, deadlineMs, signal);
  if (status !== undefined) return { kind: status.pid === child.pid ? "started" : "running", status };
  const { stateDir, cacheDir, runDir } = parts.home;
  throw saidInLog(log.path, log.offset) ?? fullDisk(stateDir, cacheDir, runDir) ?? new CairnError("daemon-failed", { log: log.path });
}

async function untilAnswering(control: Control, child: ChildProcess, deadlineMs: number, signal: AbortSignal): Promise<Status | undefined> {
  let ended = false;
  child.once("exit", () => {
    ended = true;
  });
  child.once("error", () => {
    ended = true;
  });
  const deadline = AbortSignal.timeout(deadlineMs);
  for (;;) {
    // A daemon that ended at once may have found another one: so ask once more after its end.
    const last = ended || deadline.aborted;
    const status = await askStatus(control, signal);
    if (status !== undefined || last) return status;
    await pause(POLL_MS, undefined, { signal });
  }
}

function openLog(home: Home): { path: string; handle: number; offset: number } {
  const path = home.daemonLog;
  try {
    makeDirectories(home.stateDir);
    let handle = openSync(path, "a", 0o600);
    if (fstatSync(handle).size > limits.logBytes) {
      closeSync(handle);
      renameSync(path, `${path}.1`);
      handle = openSync(path, "a", 0o600);
    }
    return { path, handle, offset: fstatSync(handle).size };
  } catch (error) {
    throw new CairnError("home-unwritable", { path: home.stateDir, system: systemCode(error) ?? "" }, error);
  }
}

/** The error that a daemon wrote before it ended: the last line of JSON with a code, or its last words. */
function saidInLog(path: string, offset: number): CairnError | undefined {
  const lines = readFileSync(path)
    .subarray(offset)
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  for (const line of lines.toReversed()) {
    const error = line.startsWith("{") ? errorFrom(parsed(line)) : undefined;
    if (error !== undefined) return error;
  }
  const why = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
  return why === undefined ? undefined : new CairnError("daemon-failed", { log: path, why: why.trim().slice(0, 300) });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
