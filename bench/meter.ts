/**
 * Runs a command and says what it took: wall time, and the CPU time of the command, of all its children, and of the daemons that
 * worked for it meanwhile.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import type { Native } from "./native.ts";

export interface Measured {
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Each of `times` runs, one after the other.
 * @throws {Error} with what the command printed, when one of them fails
 */
export async function meter(native: Native, command: Command, times = 1): Promise<Measured[]> {
  const child = spawn(native.meter, [String(times), ...command.argv], {
    cwd: command.cwd,
    env: command.env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const [told, ...printed] = [child.stdio[3] as Readable, child.stdout, child.stderr].map((stream) => collect(stream));
  await new Promise<void>((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
  const lines = told?.text.trim().split("\n") ?? [];
  return lines.map((line) => {
    const [wallNs, cpuUs, status] = line.split(" ").map(Number);
    if (status !== 0 || wallNs === undefined || cpuUs === undefined)
      throw new Error(`${command.argv.join(" ")} ended with wait status ${status}:\n${printed.map(({ text }) => text).join("")}`);
    return { wallMs: wallNs / 1e6, cpuMs: cpuUs / 1e3 };
  });
}

/** The end of what a stream says, as it comes. */
function collect(stream: Readable | null): { text: string } {
  const collected = { text: "" };
  stream?.setEncoding("utf8").on("data", (chunk: string) => {
    collected.text = (collected.text + chunk).slice(-1_000_000);
  });
  return collected;
}

const TICK_MS = 10;

/** CPU time so far of a process, its threads and the children it has waited for, ms; 0 once it is gone. */
export function cpuMsOf(pid: number): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const ownNs = tasks.reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]), 0);
    // The name may hold spaces; behind it, fields 16 and 17 of proc(5) are the children's times.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return ownNs / 1e6 + (Number(fields[13]) + Number(fields[14])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** Resident memory of a process, bytes. */
export function residentBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}
