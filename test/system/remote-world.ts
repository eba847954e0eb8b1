/**
 * A machine all of whose cores have something to do, for system tests of compiles that others do.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, invitation, machine, until, untilConnected } from "./network-world.ts";

/** gcc and g++, each by two names. */
const COMPILERS = 4;

/**
 * Two machines of one person: one that builds, with others beside it that compile for it.
 *
 * @param alone what the builder does before it is in a network
 */
export async function helped(
  t: TestContext,
  helpers: number,
  alone: (builder: TestNode) => Promise<unknown> = () => Promise.resolve(),
): Promise<[builder: TestNode, ...helpers: TestNode[]]> {
  const names = Array.from({ length: helpers }, (_, at) => `helper${at}`);
  const [builder, ...nodes] = await Promise.all([
    machine(t, "builder"),
    ...names.map((name) => machine(t, name, { CAIRN_LOG_LEVEL: "debug" })),
  ]);
  await alone(builder);
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

/**
 * Gives every core of a machine a compile that does not end: it waits for the writer of a pipe.
 *
 * @param times so many for each core: with eight even a small unit is worth sending, however slow the others seem; to be called before there are any
 * @returns lets them end
 */
export async function occupy(t: TestContext, node: TestNode, times = 1): Promise<() => Promise<void>> {
  const count = times * availableParallelism();
  const place = temporaryDirectory("occupied"); // It outlives the node's own.
  const directory = place.path;
  const running: ChildProcess[] = [];
  const pipes: string[] = [];
  for (let core = 0; core < count; core++) {
    writeFiles(directory, { [`wait${core}.c`]: `#include "pipe${core}.h"\n` });
    const pipe = join(directory, `pipe${core}.h`);
    execFileSync("mkfifo", [pipe]);
    pipes.push(pipe);
    const options = { cwd: directory, env: { ...process.env, ...node.env }, stdio: "ignore" } as const;
    running.push(spawn(node.client, ["gcc", "-c", `wait${core}.c`, "-o", `wait${core}.o`], options));
  }
  const release = async (): Promise<void> => {
    const waiting = running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = waiting.map((child) => once(child, "exit"));
    for (const pipe of pipes.splice(0)) endPipe(pipe);
    await Promise.all(ended);
    place[Symbol.dispose]();
  };
  t.after(release);
  await until(t, async () => {
    const { jobs } = (await node.control("GET", "/status")) as { jobs: { running: number } };
    return jobs.running === count;
  });
  return release;
}
