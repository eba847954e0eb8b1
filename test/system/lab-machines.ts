/**
 * Daemons in namespaces that belong to one network.
 *
 * Knows: how machines found, join and are asked. Does not know: what lies between them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkout, type Env, run, TestNode } from "./harness.ts";

/** What a daemon tells of another member. */
export interface PeerView {
  readonly key: string;
  readonly state: string;
  readonly path?: string;
  readonly relays?: number;
}

export class LabMachines implements AsyncDisposable {
  readonly #nodes = new AsyncDisposableStack();

  /** A daemon in a namespace, which founds a network. Namespace and member have one name. */
  async found(namespace: string): Promise<TestNode> {
    const node = await this.#start(namespace);
    await cairn(node, "init", "--machine", namespace);
    return node;
  }

  /** A daemon in a namespace, which joins by an invitation of another. */
  async join(namespace: string, host: TestNode, env: Env = {}): Promise<TestNode> {
    const node = await this.#start(namespace, env);
    const { line } = JSON.parse(await cairn(host, "invite", "--json")) as { line: string };
    await cairn(node, "join", line, "--machine", namespace);
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nodes.disposeAsync();
  }

  async #start(namespace: string, env: Env = {}): Promise<TestNode> {
    return this.#nodes.use(await TestNode.start(`lab-${namespace}`, env, ["ip", "netns", "exec", namespace]));
  }
}

/** The key of a machine, by its own word: those that joined later are news to others. */
export async function keyOf(node: TestNode): Promise<string> {
  const members = (await node.control("GET", "/network/members")).members as { self: boolean; key: string }[];
  const key = members.find(({ self }) => self)?.key;
  assert.ok(key !== undefined);
  return key;
}

/** How one machine is linked with another now; undefined when it is not. */
export async function linkOf(node: TestNode, key: string): Promise<PeerView | undefined> {
  const peers = (await node.control("GET", "/network/peers")).peers as PeerView[];
  return peers.find((peer) => peer.key === key && peer.state === "connected");
}

/** @returns what the command printed. @throws when it fails */
async function cairn(node: TestNode, ...args: string[]): Promise<string> {
  const ran = await run(join(checkout, "bin/cairn"), args, { cwd: checkout, env: node.env });
  assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}
