/**
 * Who decides where work is done, among real daemons: one coordinator that all agree on, another when it is killed, and slots that all know of.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestNode } from "./harness.ts";
import { cairn, three, until } from "./network-world.ts";

/** Members find out whether they can work for others when nothing else is to be done. */
const PATIENT = { timeout: 180_000 };

interface Coordinator {
  readonly name: string;
  readonly self: boolean;
  readonly term: number;
}

interface PeersAnswer {
  readonly placement: { readonly pattern: string; readonly coordinator: Coordinator | null };
  readonly peers: readonly { readonly name: string; readonly work: { readonly slots: number; readonly free: number } | null }[];
}

async function peersOf(node: TestNode): Promise<PeersAnswer> {
  return (await node.control("GET", "/network/peers")) as unknown as PeersAnswer;
}

/** The one that all of them name, once they do. */
async function agreed(nodes: readonly TestNode[], unlike = ""): Promise<Coordinator | undefined> {
  const named = await Promise.all(nodes.map(async (node) => (await peersOf(node)).placement.coordinator));
  const [first] = named;
  const isAgreed = first !== null && named.every((one) => one?.name === first?.name && one?.term === first?.term);
  return isAgreed && first?.name !== unlike ? first : undefined;
}

test("all agree who coordinates, and on another one when it is killed; slots of members are known", PATIENT, async (t) => {
  const machines = await three(t);
  const names = ["laptop", "desktop", "ci"];
  await until(t, async () => (await agreed(machines)) !== undefined);
  const first = await agreed(machines);
  await until(t, async () => (await peersOf(machines[0])).peers.every(({ work }) => work !== null && work.free === work.slots));

  const [killed] = machines.filter((_, i) => names[i] === first?.name);
  await killed?.stopDaemon("SIGKILL");
  const left = machines.filter((one) => one !== killed);
  await until(t, async () => (await agreed(left, first?.name)) !== undefined);
  const second = await agreed(left, first?.name);
  assert.ok((second?.term ?? 0) > (first?.term ?? 0), `${second?.term} after ${first?.term}`);
});

test("another pattern is followed without a restart, and people are told; a setting that needs one says so", PATIENT, async (t) => {
  const machines = await three(t);
  const [first] = machines;
  await until(t, async () => (await agreed(machines)) !== undefined);
  const name = (await agreed(machines))?.name ?? "";
  assert.match(
    (await cairn(first, "peers")).stdout,
    name === "laptop" ? /this machine places work for all/ : new RegExp(`${name} places work for all`),
  );

  assert.match((await cairn(first, "config", "set", "placement.pattern", "mesh")).stdout, /in force now/);
  assert.equal((await peersOf(first)).placement.pattern, "mesh");
  assert.match((await cairn(first, "peers")).stdout, /each machine places its own work/);
  assert.equal((await cairn(first, "config", "get", "placement.pattern")).stdout, "mesh\n");
  assert.match((await cairn(first, "config", "set", "sharing.copies", "2")).stdout, /when the daemon starts anew/);
  assert.match((await cairn(first, "config", "set", "work.with", "network")).stdout, /in force now/);
  const lent = async (): Promise<unknown[]> => {
    const { commands, actionsAs } = await first.control("GET", "/work");
    return [commands, actionsAs];
  };
  assert.match((await cairn(first, "config", "set", "work.system", "debian-12")).stdout, /in force now/);
  assert.match((await cairn(first, "config", "set", "work.actions", "on")).stdout, /in force now/);
  assert.deepEqual(await lent(), [true, "debian-12"]);
  assert.match((await cairn(first, "config", "set", "work.actions", "off")).stdout, /in force now/);
  assert.deepEqual(await lent(), [false, null]);
  assert.equal((await cairn(first, "config", "set", "placement.pattern", "none")).code, 2);
  assert.deepEqual(
    first.events("placement.pattern").map(({ pattern }) => pattern),
    ["mesh"],
  );
});
