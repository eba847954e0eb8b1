/**
 * Members that compile for each other in tests: desks in memory, actions of a few inputs, members that lie.
 */
import type { TestContext } from "node:test";
import { type Digest, digestOf, type Facts, limits } from "../base/index.ts";
import type { BringContents, CompileAction, FrameChannel, GeneralAction, WorkDesk } from "../contracts/index.ts";
import type { WorkFrame } from "../wire/index.ts";
import { codec, type Node } from "./network.fixture.ts";
import { channelOf } from "./share-channel.ts";
import { WORK, Work } from "./work.ts";

export const never: AbortSignal = new AbortController().signal;

/** Inputs of an action, by digest. */
export class Inputs {
  readonly #known = new Map<Digest, Uint8Array>();

  constructor(...contents: readonly (string | Uint8Array)[]) {
    for (const content of contents) this.#known.set(digestOf(content), Buffer.from(content));
  }

  get digests(): Digest[] {
    return [...this.#known.keys()];
  }

  of = async (digest: Digest): Promise<Uint8Array | undefined> => this.#known.get(digest);

  action(more: Partial<CompileAction> = {}): CompileAction {
    return {
      toolchain: "ab".repeat(32),
      options: ["-O2", "-Iinclude"],
      source: "a.c",
      mode: "object",
      dependencies: { headers: "all", target: "a.o", phony: false },
      environment: new Map([["LANG", "C"]]),
      cwd: "/project",
      inputs: this.digests.map((digest, i) => ({ path: `/project/${i}.h`, digest })),
      directories: ["/project/include"],
      limits: limits.work.most,
      ...more,
    };
  }
}

/** A general action over some inputs. */
export function generalAction(inputs: Inputs, more: Partial<GeneralAction> = {}): GeneralAction {
  return {
    system: "ef".repeat(32),
    program: "/usr/bin/env",
    arguments: ["sh", "-c", "cat a > b"],
    environment: new Map([["PATH", "/usr/bin"]]),
    cwd: "/inputs/sub",
    inputs: inputs.digests.map((digest, i) => ({ path: `/inputs/sub/${i}`, digest, executable: i % 2 === 1 })),
    directories: ["/inputs/empty"],
    work: { root: "/inputs", outputs: ["sub/b", "out"], links: [{ path: "/inputs/link", target: "sub/0" }] },
    limits: limits.work.mostGeneral,
    ...more,
  };
}

export interface WorkNode {
  readonly node: Node;
  readonly key: string;
  readonly work: Work;
}

/** A desk that has nothing, and answers with what it was given. */
export const echo: WorkDesk = {
  async compile(_from, action, bring, signal) {
    const given = await broughtOf(action, bring, signal);
    if (typeof given === "string") return { kind: "refused", reason: "input_missing", detail: given };
    return { ...DONE, outputs: [{ name: "object", content: given, executable: false }] };
  },
  async act(_from, action, bring, signal) {
    const given = await broughtOf(action, bring, signal);
    if (typeof given === "string") return { kind: "refused", reason: "input_missing", detail: given };
    return { ...DONE, outputs: [], left: [{ kind: "file", path: action.work.outputs[0] ?? "", content: given, executable: true }] };
  },
};

const DONE = {
  kind: "done",
  exitCode: 0,
  stdout: Buffer.from("out"),
  stderr: Buffer.from("err"),
  used: { wallMs: 1, cpuMs: 2, residentBytes: 3 },
  queuedMs: 4,
} as const;

/** All contents of an action in one, or the digest of one that is gone. */
async function broughtOf(
  { inputs }: Pick<CompileAction | GeneralAction, "inputs">,
  bring: BringContents,
  signal: AbortSignal,
): Promise<Buffer | Digest> {
  const parts: Uint8Array[] = [];
  const wanted = [...new Set(inputs.map(({ digest }) => digest))];
  const [absent] = wanted.length === 0 ? [] : await bring(wanted, (_digest, bytes) => void parts.push(bytes), signal);
  return absent ?? Buffer.concat(parts);
}

/** @param now what the node takes for the time, by which members are allowed to ask for more */
export async function worker(t: TestContext, node: Node, desk: WorkDesk = echo, now = (): number => performance.now()): Promise<WorkNode> {
  const log = { event: (_level: string, name: string, facts: Facts = {}) => void node.events.push({ name, facts }) };
  const work = await Work.start({ network: node.network, desk, codec, log, now });
  t.after(() => work[Symbol.dispose]());
  return { node, key: node.members.self, work };
}

/** A channel by which a member asks another whatever it likes. @returns with reasons for which it has ended */
export async function hostileAsker(
  node: Node,
  to: string,
  heard: (frame: WorkFrame) => void = () => undefined,
): Promise<{ channel: FrameChannel; ends: string[] }> {
  const channel = channelOf(await node.network.open(to, WORK, limits.helloDeadlineMs));
  const ends: string[] = [];
  listen(channel, heard, ends);
  return { channel, ends };
}

/** A member that answers whatever it likes. */
export async function hostileWorker(node: Node, heard: (frame: WorkFrame, channel: FrameChannel) => void): Promise<void> {
  await node.network.serve(WORK, 2, (stream) => {
    const channel = channelOf(stream);
    listen(channel, (frame) => heard(frame, channel), []);
  });
}

function listen(channel: FrameChannel, heard: (frame: WorkFrame) => void, ends: string[]): void {
  channel.listen({
    frame: (bytes) => heard(codec.decodeWorkFrame(bytes)),
    drained: () => undefined,
    broken: () => undefined,
    ended: (why) => void ends.push(why),
  });
}
