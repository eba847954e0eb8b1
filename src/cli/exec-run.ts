/**
 * Runs a command in the place where somebody asked for it, shows what it prints as it comes, and keeps that to tell of it.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { limits, systemCode } from "../base/index.ts";

export interface CommandRun {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Whether it printed more than is kept. */
  readonly isCut: boolean;
  /** ms since the epoch */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Why it could not be started; "" where it was. */
  readonly trouble: string;
}

const FORWARDED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** @param environment all that it gets */
export function runShown(
  command: readonly string[],
  place: { readonly cwd: string; readonly environment: Readonly<Record<string, string>> },
): Promise<CommandRun> {
  const [program = "", ...args] = command;
  const startedAtMs = Date.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: place.cwd, env: place.environment, stdio: ["ignore", "pipe", "pipe"] });
    const forward = (signal: NodeJS.Signals): void => {
      // The terminal sends Ctrl-C and Ctrl-\ to the command as well: once is enough.
      const fromTerminal = (signal === "SIGINT" || signal === "SIGQUIT") && isatty(0);
      if (!fromTerminal) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    let isCut = false;
    const kept = (
      [
        [child.stdout, process.stdout],
        [child.stderr, process.stderr],
      ] as const
    ).map(([from, to]) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      // Who reads it slowly, or no more, keeps the command waiting, as without us between.
      for (const event of ["drain", "close"]) to.on(event, () => from.resume());
      from.on("data", (chunk: Buffer) => {
        if (!to.write(chunk) && !to.destroyed) from.pause();
        bytes += chunk.length;
        if (bytes <= limits.task.printedBytes) chunks.push(chunk);
        else isCut = true;
      });
      return chunks;
    });
    let trouble = "";
    const finish = (exitCode: number): void => {
      for (const signal of FORWARDED) process.off(signal, forward);
      const [stdout = Buffer.alloc(0), stderr = Buffer.alloc(0)] = kept.map((chunks) => Buffer.concat(chunks));
      resolve({ exitCode, stdout, stderr, isCut, startedAtMs, endedAtMs: Date.now(), trouble });
    };
    child.once("error", (error) => {
      const missing = systemCode(error) === "ENOENT";
      trouble = missing ? `${program}: no such command` : `${program} cannot be started (${systemCode(error) ?? error.message})`;
      finish(missing ? 127 : 126);
    });
    child.once("close", (code, signal) => finish(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
