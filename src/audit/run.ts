/**
 * Runs a build in its surroundings, to its end or until somebody has enough of it.
 */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { type Environment, limits } from "../base/index.ts";
import { withoutGit } from "./copies.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Ran {
  /** 128 + n after signal n, or 127 where it could not be started. */
  readonly exitCode: number;
  /** The end of what it printed. */
  readonly printed: string;
}

/**
 * @param below where it begins, below the surroundings' root
 * @param variables what is set besides the surroundings'; PATH is put in front of the user's
 * @throws the signal's reason, when nothing of the build runs any more
 */
export async function runBuild(
  { root, umask, variables }: Surroundings,
  below: string,
  command: readonly string[],
  { PATH = "", ...more }: Readonly<Record<string, string>>,
  environment: Environment,
  signal: AbortSignal,
): Promise<Ran> {
  const cwd = join(root, below);
  const env = { ...withoutGit(environment), ...variables, ...more, PATH: `${PATH}:${environment.PATH ?? ""}`, PWD: cwd };
  // A group of its own, so that nothing that it has started outlives it.
  const child = spawn("/bin/sh", ["-c", 'umask "$1"; shift; exec "$@"', "sh", umask, ...command], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(`${root}.log`).on("error", () => undefined);
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      log.write(chunk);
      printed = (printed + chunk.toString("utf8")).slice(-limits.audit.printedChars);
    });
  const end = (how: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, how);
    } catch {
      // It has ended.
    }
  };
  let hardly: NodeJS.Timeout | undefined;
  const stop = (): void => {
    end("SIGTERM");
    hardly = setTimeout(() => end("SIGKILL"), limits.audit.patienceMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const exitCode = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(127));
    child.once("close", (code, killed) => resolve(code ?? (killed === null ? 1 : 128)));
  });
  clearTimeout(hardly);
  signal.removeEventListener("abort", stop);
  end("SIGKILL"); // What it has left running in the background writes nothing more.
  log.end();
  signal.throwIfAborted();
  return { exitCode, printed };
}
