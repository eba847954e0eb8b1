/**
 * Runs a program to its end: no shell, bounded output, a deadline, nothing on its standard input.
 */
import { execFile } from "node:child_process";
import { constants, setPriority } from "node:os";
import { limits } from "../base/index.ts";

export interface ProgramRun {
  /** Undefined when a signal ended it or it could not be started. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** More output ends the program; limits.probeBytes unless set. */
  readonly outputBytes?: number;
  /** Nobody waits: whatever else wants the processor goes first. */
  readonly inBackground?: boolean;
}

/** Never throws: a program that cannot be started has no exit code. */
export async function runProgram(file: string, args: readonly string[], options: ProgramOptions, signal: AbortSignal): Promise<ProgramRun> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      {
        cwd: options.cwd,
        env: options.environment,
        timeout: limits.probeDeadlineMs,
        killSignal: "SIGKILL",
        maxBuffer: options.outputBytes ?? limits.probeBytes,
        signal,
        encoding: "utf8",
      },
      (error, stdout, stderr) => resolve({ exitCode: error === null ? 0 : exitCodeOf(error.code), stdout, stderr }),
    );
    if (options.inBackground === true) yieldToOthers(child.pid);
    child.stdin?.on("error", () => undefined); // It may have ended before reading.
    child.stdin?.end();
  });
}

function yieldToOthers(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
}

function exitCodeOf(code: unknown): number | undefined {
  return typeof code === "number" ? code : undefined;
}
