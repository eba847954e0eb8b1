/**
 * Runs a program to its end: no shell, bounded output, a deadline, nothing on its standard input.
 */
import { execFile } from "node:child_process";
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
        maxBuffer: limits.probeBytes,
        signal,
        encoding: "utf8",
      },
      (error, stdout, stderr) => resolve({ exitCode: error === null ? 0 : exitCodeOf(error.code), stdout, stderr }),
    );
    child.stdin?.on("error", () => undefined); // It may have ended before reading.
    child.stdin?.end();
  });
}

function exitCodeOf(code: unknown): number | undefined {
  return typeof code === "number" ? code : undefined;
}
