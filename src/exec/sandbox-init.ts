/**
 * The program that runs first in every sandbox: built from its source by this machine's compiler, and kept, so that a machine without one
 * can still run what others ask for.
 *
 * Knows: sources, where the result is kept. Does not know: what the program does.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Digest, digestOf } from "../base/index.ts";
import { runProgram } from "./run.ts";

const SOURCES = fileURLToPath(new URL("../../sandbox/", import.meta.url));
const DIGITS = 16;

export type Built = { readonly kind: "built"; readonly digest: Digest } | { readonly kind: "failed"; readonly trouble: string };

/**
 * @param output where it is to lie
 * @param keep directory of this user's own, in which it outlives this process; undefined: it does not
 * @throws {Error} of the system; the signal's reason
 */
export async function buildInit(output: string, keep: string | undefined, signal: AbortSignal): Promise<Built> {
  const sources = readdirSync(SOURCES).toSorted();
  const made = digestOf(sources.map((name) => `${name} ${digestOf(readFileSync(join(SOURCES, name)))}`).join("\n"));
  const prefix = `init-${made.slice(0, DIGITS)}-`;
  const kept = keep === undefined ? undefined : takeKept(keep, prefix, output);
  if (kept !== undefined) return { kind: "built", digest: kept };
  const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" };
  const run = await runProgram("/bin/sh", [join(SOURCES, "build.sh"), output], { cwd: "/", environment }, signal);
  signal.throwIfAborted();
  if (run.exitCode !== 0) return { kind: "failed", trouble: run.stderr };
  const digest = digestOf(readFileSync(output));
  if (keep !== undefined) {
    mkdirSync(keep, { recursive: true, mode: 0o700 });
    for (const other of readdirSync(keep)) if (other.startsWith("init-")) rmSync(join(keep, other)); // Of other sources.
    copyFileSync(output, join(keep, "fresh"));
    renameSync(join(keep, "fresh"), join(keep, prefix + digest));
  }
  return { kind: "built", digest };
}

/** Its name says what must be in it: a disk may lie, and half a file may be left. */
function takeKept(keep: string, prefix: string, output: string): Digest | undefined {
  try {
    for (const name of readdirSync(keep)) {
      const digest = name.slice(prefix.length);
      if (!name.startsWith(prefix) || digestOf(readFileSync(join(keep, name))) !== digest) continue;
      copyFileSync(join(keep, name), output);
      return digest;
    }
  } catch {
    return undefined; // There was none yet.
  }
  return undefined;
}
