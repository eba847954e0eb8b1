/**
 * A machine all of whose cores have something to do, for system tests of compiles that others do.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, invitation, machine, until, untilConnected } from "./network-world.ts";

/** So much that a member is worth asking even where whatever else this machine does makes the way to it slow. */
const COMPILES_A_CORE = 8;
/** gcc and g++, each by two names. */
const COMPILERS = 4;

/**
 * Lines of C that take some time: what is quickly done is not sent, the less so where the way is slow and it is known what another of its kind took.
 */
export const COSTLY: string = Array.from({ length: 1_000 }, (_, i) => `int f${i}(int a) { return a * ${i} + (a % ${i + 1}); }\n`).join("");

/** Two machines of one person: one that builds, with others beside it that compile for it. */
export async function helped(t: TestContext, helpers: number): Promise<[builder: TestNode, ...helpers: TestNode[]]> {
  const names = Array.from({ length: helpers }, (_, at) => `helper${at}`);
  const [builder, ...nodes] = await Promise.all([
    machine(t, "builder"),
    ...names.map((name) => machine(t, name, { CAIRN_LOG_LEVEL: "debug" })),
  ]);
  await ask(builder, "init", "--machine", "builder");
  for (const [at, node] of nodes.entries()) await ask(node, "join", await invitation(builder), "--machine", names[at] ?? "");
  await untilConnected(t, builder, ...names);
  await until(t, async () => {
    const { peers } = (await builder.control("GET", "/network/peers")) as { peers: { work: { toolchains: number } | null }[] };
    return peers.filter(({ work }) => (work?.toolchains ?? 0) >= COMPILERS).length === helpers;
  });
  return [builder, ...nodes];
}

/** Lets who waits for the writer of a pipe read nothing, and go on. Without a reader nothing happens. */
export function endPipe(path: string): void {
  closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
}

/** Compiles that a daemon knows to run. */
async function runningAt(node: TestNode): Promise<number> {
  const { jobs } = (await node.control("GET", "/status")) as { jobs: { running: number } };
  return jobs.running;
}

/** Whether the client has become the compiler, without the daemon. */
function isCompiler({ pid }: ChildProcess): boolean {
  try {
    return /gcc/.test(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return false; // It has ended.
  }
}

/**
 * Gives every core of a machine compiles that do not end: they wait for the writer of a pipe. They are for this machine's processor, so that no
 * member is asked to do them.
 *
 * @returns lets them end
 */
export async function occupy(t: TestContext, node: TestNode): Promise<() => Promise<void>> {
  const place = temporaryDirectory("occupied"); // It outlives the node's own.
  const directory = place.path;
  const running: ChildProcess[] = [];
  const pipes: string[] = [];
  const compiles = COMPILES_A_CORE * availableParallelism();
  const release = async (): Promise<void> => {
    const waiting = running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = waiting.map((child) => once(child, "exit"));
    for (const pipe of pipes.splice(0)) endPipe(pipe);
    await Promise.all(ended);
    place[Symbol.dispose]();
  };
  t.after(release);
  for (let at = 0; at < compiles; at++) {
    writeFiles(directory, { [`wait${at}.c`]: `#include "pipe${at}.h"\n` });
    const pipe = join(directory, `pipe${at}.h`);
    execFileSync("mkfifo", [pipe]);
    pipes.push(pipe);
    const options = { cwd: directory, env: { ...process.env, ...node.env }, stdio: "ignore" } as const;
    // One after the other: of many at once most may not wait for the word of a daemon that has just started.
    const before = await runningAt(node);
    const child = spawn(node.client, ["gcc", "-march=native", "-c", `wait${at}.c`, "-o", `wait${at}.o`], options);
    running.push(child);
    await until(t, async () => isCompiler(child) || (await runningAt(node)) > before);
  }
  await until(t, async () => {
    // All have been counted, so that none is among what a test counts next. Some may not have waited for the daemon's word.
    const alone = running.filter(isCompiler).length;
    return alone < compiles / 2 && (await runningAt(node)) + alone >= compiles;
  });
  return release;
}
