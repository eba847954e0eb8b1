/**
 * What a compile did, seen from outside: exit, messages, every file that it left; and how two of them differ.
 *
 * Knows: processes, bytes. Does not know: which compile was Cairn's.
 */
import { spawn } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Checkout, Stranger } from "./fuzz-tree.ts";

export interface Observation {
  readonly end: string;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly files: ReadonlyMap<string, Stranger>;
}

/** What lies at an output's place before the compile. */
export type Before = "nothing" | "older" | "private" | "readOnly" | "hardLinked" | "linked" | "dangling";

export interface Run {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly umask: number;
}

const RUN_DEADLINE_MS = 120_000;

/** Starts a program in a bare environment and waits for its end; never throws for what it does. */
export async function execute(run: Run): Promise<Omit<Observation, "files">> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const mask = process.umask(run.umask);
  const child = spawn(run.program, run.args, {
    cwd: run.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...run.environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_DEADLINE_MS,
  });
  process.umask(mask);
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const end = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(signal ?? String(code)));
  });
  return { end, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
}

/** Runs in a checkout that holds nothing but the tree and what `before` says of the outputs. */
export async function observe(checkout: Checkout, run: Run, before: Before, outputs: readonly string[]): Promise<Observation> {
  checkout.clear();
  if (before !== "nothing") for (const output of outputs) prepare(join(checkout.root, output), before);
  const ended = await execute(run);
  const files = checkout.strangers();
  checkout.clear();
  return { ...ended, files };
}

function prepare(path: string, before: Before): void {
  mkdirSync(dirname(path), { recursive: true });
  if (before === "dangling") {
    symlinkSync(`${path}.target`, path);
    return;
  }
  const file = before === "linked" ? `${path}.target` : path;
  writeFileSync(file, "what was there\n", { mode: 0o644 });
  chmodSync(file, before === "private" ? 0o600 : before === "readOnly" ? 0o444 : 0o644);
  if (before === "hardLinked") linkSync(path, `${path}.witness`);
  if (before === "linked") symlinkSync(`${path}.target`, path);
}

/** How `cached` is not what `plain` is; empty where they are the same. */
export function differences(plain: Observation, cached: Observation): string[] {
  const found: string[] = [];
  if (plain.end !== cached.end) found.push(`ends with ${cached.end} instead of ${plain.end}`);
  for (const stream of ["stdout", "stderr"] as const) {
    if (!plain[stream].equals(cached[stream])) found.push(`${stream} is ${excerpt(cached[stream])} instead of ${excerpt(plain[stream])}`);
  }
  for (const name of new Set([...plain.files.keys(), ...cached.files.keys()])) {
    const [one, other] = [plain.files.get(name), cached.files.get(name)];
    if (one === undefined || other === undefined) found.push(`${name} is ${one === undefined ? "there and should not be" : "missing"}`);
    else found.push(...fileDifferences(name, one, other));
  }
  return found;
}

function fileDifferences(name: string, plain: Stranger, cached: Stranger): string[] {
  if (plain.kind !== cached.kind) return [`${name} is a ${cached.kind} instead of a ${plain.kind}`];
  const found: string[] = [];
  if (plain.mode !== cached.mode) found.push(`${name} has mode ${cached.mode} instead of ${plain.mode}`);
  if (plain.links !== cached.links) found.push(`${name} has ${cached.links} links instead of ${plain.links}`);
  if (!plain.content.equals(cached.content)) {
    const differing = plain.content.findIndex((byte, i) => byte !== cached.content[i]);
    const at = differing === -1 ? plain.content.length : differing;
    const around = (content: Buffer): string => excerpt(content.subarray(Math.max(0, at - 24), at + 40));
    found.push(
      `${name} differs from byte ${at} on (${cached.content.length} instead of ${plain.content.length} bytes): ${around(cached.content)} instead of ${around(plain.content)}`,
    );
  }
  return found;
}

function excerpt(bytes: Buffer): string {
  const text = JSON.stringify(bytes.subarray(0, 400).toString("latin1"));
  return bytes.length > 400 ? `${text}…` : text;
}
