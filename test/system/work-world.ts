/**
 * A member of this process that has a real daemon compile for it, for system tests of work.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { type Digest, digestOf, type Log, limits } from "../../src/base/index.ts";
import type { Capacity, CompileAction, WorkerOutcome } from "../../src/contracts/index.ts";
import { CapacityTeller } from "../../src/daemon/capacity-teller.ts";
import { NetworkGossip } from "../../src/daemon/network-gossip.ts";
import type { PackCodecs } from "../../src/daemon/toolchain-pack.ts";
import { ToolchainPacker } from "../../src/daemon/toolchain-packer.ts";
import { LocalToolchains } from "../../src/exec/index.ts";
import { ToolchainOffers } from "../../src/net/index.ts";
import { codec, type Node, parts, seedOf, start } from "../../src/net/network.fixture.ts";
import { echo, never, type WorkNode, worker } from "../../src/net/work.fixture.ts";
import { FileTable, openDatabase } from "../../src/store/index.ts";
import { keyPairFromSeed, Membership, makeIdentity, requestToJoin } from "../../src/trust/index.ts";
import { loadNetworkCodec, loadTreeCodec } from "../../src/wire/index.ts";
import { type TestNode, temporaryDirectory } from "./harness.ts";
import { invitation, until } from "./network-world.ts";

const COMPILER = "/usr/bin/gcc";
const PATH = process.env.PATH ?? "/usr/bin:/bin";
const ATTESTATION_SEEDS = 100;
const log: Log = { event: () => undefined };

/** This machine's gcc, as a daemon finds it, and tells others of it. */
export class Compiler implements Disposable {
  readonly #directory = temporaryDirectory("compiler");
  readonly #database = openDatabase({ log, now: Date.now }, { file: join(this.#directory.path, "files.db") });
  readonly #toolchains: LocalToolchains;
  readonly #packer: ToolchainPacker;

  constructor() {
    const files = new FileTable({ database: this.#database, now: Date.now });
    this.#toolchains = new LocalToolchains({ files, log });
    const unused = (): never => assert.fail("nothing is packed");
    const store = { has: unused, copyIn: unused, writeVerified: unused };
    const codecs = async (): Promise<PackCodecs> => ({ messages: await loadNetworkCodec(), trees: await loadTreeCodec() });
    this.#packer = new ToolchainPacker({ toolchains: this.#toolchains, files, store, pins: { hold: unused }, codecs, log });
  }

  /** What it consists of. */
  async digest(): Promise<Digest> {
    const read = await this.#toolchains.identify(COMPILER, new Map([["PATH", PATH]]), never);
    assert.ok(read.kind === "toolchain");
    return read.toolchain.digest;
  }

  /** Answers those who ask a node. */
  async serve({ network }: Node): Promise<void> {
    await ToolchainOffers.start({
      network,
      codec,
      log,
      mayWork: () => true,
      offer: (question, signal) => this.#packer.offer(question, signal),
    });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}

/** A node of this process, invited by a daemon. @param options of `cairn invite` */
export function invited(t: TestContext, by: TestNode, number: number, ...options: string[]): Promise<Node> {
  return invitedWith(t, by, number, () => undefined, ...options);
}

/** The same. @param begin is given the node before it meets anybody */
export async function invitedWith(
  t: TestContext,
  by: TestNode,
  number: number,
  begin: (node: Node) => void,
  ...options: string[]
): Promise<Node> {
  const line = codec.readInvitationLine(await invitation(by, ...options));
  assert.ok(line !== undefined);
  const node = await start(t, number, new Membership(parts, line.network));
  begin(node);
  const identity = makeIdentity(node.keys, keyPairFromSeed(seedOf(ATTESTATION_SEEDS + number)), `member-${number}`);
  const outcome = await node.network.join(line, requestToJoin(codec, node.keys, identity, line), t.signal);
  assert.deepEqual(outcome, { kind: "welcome" });
  await until(t, () => Promise.resolve(node.members.standing(node.members.self) === "active" && node.network.peers().length > 0));
  return node;
}

/** Tells all members that the node works for others. */
export function tellCapacity(t: TestContext, { network, members, keys }: Node, capacity: Omit<Capacity, "member">): void {
  const kept = new Map<string, string>();
  const gossip = new NetworkGossip({
    network,
    members,
    codec,
    keys,
    kept: { setting: (name) => kept.get(name), set: (name, value) => void kept.set(name, value) },
    work: () => ({ jobs: 0, cacheBytes: 0 }),
    log,
  });
  const teller = new CapacityTeller({
    gossip: gossip.gossip,
    codec,
    self: members.self,
    members: () => members.others().length + 1,
    own: { now: () => capacity, onChange: () => undefined },
    heard: () => undefined,
    now: () => performance.now(),
  });
  t.after(() => {
    teller.goodbye();
    gossip[Symbol.dispose]();
  });
}

async function keyOf(node: TestNode): Promise<string> {
  const { members } = await node.control("GET", "/network/members");
  const self = (members as { readonly key: string; readonly self: boolean }[]).find((member) => member.self);
  return self?.key ?? assert.fail("it is a member");
}

/** Somebody who asks, and what was sent of contents. */
export class Requester {
  readonly #work: WorkNode;
  readonly #worker: string;
  readonly #contents = new Map<Digest, Buffer>();
  /** Contents that were asked for. */
  sent = 0;

  static async of(t: TestContext, node: Node, daemon: TestNode, compiler: Compiler): Promise<Requester> {
    await compiler.serve(node);
    return new Requester(await worker(t, node, echo), await keyOf(daemon));
  }

  private constructor(work: WorkNode, key: string) {
    this.#work = work;
    this.#worker = key;
  }

  compile(action: CompileAction, signal: AbortSignal = never): Promise<WorkerOutcome> {
    const content = async (digest: Digest): Promise<Buffer | undefined> => {
      this.sent++;
      return this.#contents.get(digest);
    };
    return this.#work.work.compile(this.#worker, action, content, signal);
  }

  /** `gcc OPTIONS -c SOURCE`, with what it reads. @param cwd absolute */
  action(toolchain: Digest, cwd: string, source: string, options: readonly string[] = ["-O1"]): CompileAction {
    const listed = execFileSync(COMPILER, [...options, "-M", source], { cwd, encoding: "utf8" });
    const paths = listed.replace(/^[^:]*:/, "").split(/[\s\\]+/);
    const inputs = [...new Set(paths.filter((path) => path !== "").map((path) => resolve(cwd, path)))].map((path) => ({
      path,
      digest: this.#hold(readFileSync(path)),
    }));
    return {
      toolchain,
      options,
      source,
      mode: "object",
      dependencies: { headers: "all", target: "out.o", phony: false },
      environment: new Map(),
      cwd,
      inputs,
      directories: ["/usr/include", dirname(resolve(cwd, source))],
      limits: limits.work.most,
    };
  }

  #hold(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.#contents.set(digest, bytes);
    return digest;
  }
}

/** What the compiler alone writes. */
export function plainly(cwd: string, source: string, options: readonly string[] = ["-O1"]): Buffer {
  execFileSync(COMPILER, [...options, "-c", source, "-o", "plain.o"], { cwd });
  return readFileSync(join(cwd, "plain.o"));
}

/** A process: what it is called, its state as proc(5) has it, its parent, its priority. */
interface Process {
  readonly pid: number;
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  readonly nice: number;
}

/** @throws {Error} of the system, where it has ended */
function processOf(pid: number): Process {
  const [, name = "", rest = ""] = /^\d+ \((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
  const [state = "", ...fields] = rest.split(" "); // From the third on: proc(5).
  return { pid, name, state, parent: Number(fields[0]), nice: Number(fields[15]) };
}

/** Of a process that runs: less is more. */
export function priorityOf(pid: number): number {
  return processOf(pid).nice;
}

/** Processes that a process has started, and those that they have, while they have not ended. */
function descendants(pid: number): Process[] {
  const all = new Map<number, Process>();
  for (const one of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      all.set(Number(one), processOf(Number(one)));
    } catch {
      // Ended in between.
    }
  }
  const isOf = ({ parent }: Process): boolean => {
    const next = all.get(parent);
    return parent === pid || (next !== undefined && isOf(next));
  };
  return [...all.values()].filter((one) => one.state !== "Z" && isOf(one));
}

/** @returns whether it was still there */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // Ended in between.
  }
}

/** Processes of a machine that sleep, for what waits for them. */
export function sleepersOf(node: TestNode): number[] {
  return descendants(node.pid).flatMap(({ pid, name }) => (name === "sleep" ? [pid] : []));
}

/** What waits for them goes on. */
export function endSleepers(node: TestNode): void {
  for (const pid of sleepersOf(node)) signalTo(pid, "SIGKILL");
}

export const LEAST_PRIORITY = 19;

/** Others' jobs among what a daemon runs: they have a lower priority than it has; it asks compilers what they are, too. */
export function jobsOf(daemon: number): Process[] {
  const lower = Math.min(LEAST_PRIORITY, priorityOf(daemon) + 5);
  return descendants(daemon).filter(({ nice }) => nice === lower);
}

/** @returns how many compilers that a machine runs for others have got the signal: what one of them has just forked is called like it for a moment */
export function signalCompilers(node: TestNode, signal: NodeJS.Signals): number {
  const compilers = jobsOf(node.pid).filter(({ name }) => /gcc|^x86_64-linux/.test(name));
  const pids = new Set(compilers.map(({ pid }) => pid));
  return compilers.filter(({ pid, parent }) => !pids.has(parent) && signalTo(pid, signal)).length;
}

/**
 * Compiles, each time something else, until one has come as far as is wanted: what had ended before was done by nobody else, or already.
 *
 * @param compile begins the next one
 * @param isThere whether the one that was begun last is as far
 * @returns that one, which has not ended
 */
export async function underWay<T>(
  t: TestContext,
  compile: () => Promise<T>,
  isThere: () => boolean,
): Promise<{ readonly ended: Promise<T> }> {
  for (;;) {
    const ended = compile();
    let hasEnded = false;
    const end = (): void => {
      hasEnded = true;
    };
    void ended.then(end, end);
    await until(t, async () => hasEnded || isThere());
    if (!hasEnded) return { ended };
    await ended; // What has failed is told.
  }
}
