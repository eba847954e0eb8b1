/**
 * Networks of real daemons on loopback for system tests: how they are made, asked and waited for.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Stage } from "../../src/net/network.fixture.ts";
import { checkout, type Env, type Ran, run, TestNode } from "./harness.ts";

const ON_LOOPBACK = { CAIRN_NETWORK_LISTEN: "127.0.0.1:0" };
/** Several daemons start; on a machine that is busy with other things that takes long. */
export const PATIENT = { timeout: 300_000 };

export async function machine(
  t: Pick<Stage, "after">,
  name: string,
  env: Env = {},
  within: Parameters<typeof TestNode.start>[2] = [],
): Promise<TestNode> {
  const node = await TestNode.start(name, { ...ON_LOOPBACK, ...env }, within);
  t.after(() => node[Symbol.asyncDispose]());
  return node;
}

export function cairn(node: TestNode, ...args: string[]): Promise<Ran> {
  return run(join(checkout, "bin/cairn"), args, { cwd: checkout, env: node.env });
}

/** The answer of a command that must succeed. */
export async function ask(node: TestNode, ...args: string[]): Promise<Record<string, unknown>> {
  const ran = await cairn(node, ...args, "--json");
  assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

export interface Row {
  readonly name: string;
  readonly domain: string;
  readonly standing: string;
  readonly connected: boolean;
  readonly provisional: boolean;
  readonly self: boolean;
}

export async function members(node: TestNode): Promise<Row[]> {
  return (await node.control("GET", "/network/members")).members as Row[];
}

/** Names of the members that a node is connected with, in order. */
export async function connected(node: TestNode): Promise<string[]> {
  return (await members(node))
    .filter((row) => row.connected)
    .map(({ name }) => name)
    .toSorted();
}

/** Waits for something that must come true; the test's own timeout is the limit. */
export async function until(t: Pick<Stage, "signal">, what: () => Promise<boolean>): Promise<void> {
  while (!(await what().catch(() => false))) await sleep(25, undefined, { signal: t.signal });
}

export async function untilConnected(t: Stage, node: TestNode, ...names: string[]): Promise<void> {
  await until(t, async () => (await connected(node)).join() === names.toSorted().join());
}

export async function invitation(node: TestNode, ...options: string[]): Promise<string> {
  return String((await ask(node, "invite", ...options)).line);
}

export async function three(t: TestContext): Promise<[TestNode, TestNode, TestNode]> {
  const [a, b, c] = await Promise.all([machine(t, "net-a"), machine(t, "net-b"), machine(t, "net-c")]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await ask(c, "join", await invitation(b), "--machine", "ci");
  await Promise.all([
    untilConnected(t, a, "ci", "desktop"),
    untilConnected(t, b, "ci", "laptop"),
    untilConnected(t, c, "desktop", "laptop"),
  ]);
  return [a, b, c];
}

/** What the kernel calls a TCP socket that listens, and a UDP socket. */
const LISTENING = ["0A", "07"];

/** Addresses that a process listens on, as the kernel tells. */
export function listening(pid: number): string[] {
  const open = new Set<string>();
  for (const handle of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${handle}`))?.[1];
      if (inode !== undefined) open.add(inode);
    } catch {
      // Closed in between.
    }
  }
  const sockets = ["tcp", "tcp6", "udp", "udp6"].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, "utf8").split("\n").slice(1));
  return sockets
    .map((line) => line.trim().split(/\s+/))
    .flatMap((fields) => (open.has(fields[9] ?? "") && LISTENING.includes(fields[3] ?? "") ? [fields[1] ?? ""] : []));
}
