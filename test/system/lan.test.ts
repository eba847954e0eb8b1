/**
 * Real daemons on a local network without a way out: how they find each other, and each other again.
 */
import assert from "node:assert/strict";
import { kill } from "node:process";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../src/base/index.ts";
import { TestNode } from "./harness.ts";
import { Lan, type Machine, whyNoLan } from "./lab-lan.ts";

const why = whyNoLan();
const OPTIONS = { timeout: 120_000, ...(why !== undefined && { skip: why }) };

interface Peer {
  readonly name: string;
  readonly state: string;
  readonly address: string;
  readonly path?: string;
}

async function lan(t: TestContext): Promise<Lan> {
  const made = await Lan.make();
  t.after(() => made[Symbol.dispose]());
  return made;
}

async function daemon(t: TestContext, machine: Machine): Promise<TestNode> {
  const node = await TestNode.start(machine.name, {}, machine.within);
  t.after(() => node[Symbol.asyncDispose]());
  return node;
}

async function peers(node: TestNode): Promise<Peer[]> {
  return (await node.control("GET", "/network/peers")).peers as Peer[];
}

async function until(t: TestContext, what: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await what())) await sleep(10, undefined, { signal: t.signal });
}

async function untilConnected(t: TestContext, node: TestNode, at: RegExp): Promise<void> {
  await until(t, async () => (await peers(node)).every(({ state, address }) => state === "connected" && at.test(address)));
}

async function untilLost(t: TestContext, node: TestNode): Promise<void> {
  await until(t, async () => (await peers(node)).every(({ state }) => state !== "connected"));
}

/** The second daemon joins the network of the first. */
async function pair(t: TestContext, first: TestNode, second: TestNode): Promise<void> {
  await first.control("POST", "/network/init", { machine: "first" });
  const { line } = await first.control("POST", "/network/invite", { expiresMs: 3_600_000 });
  const joined = await second.control("POST", "/network/join", { line, machine: "second" });
  assert.equal(joined.machine, "second", JSON.stringify(joined));
  await untilConnected(t, first, /./);
}

function renumber(machine: Machine, before: string, after: string): void {
  machine.run(`ip address del ${before} dev eth0`);
  machine.run(`ip address add ${after} dev eth0`);
}

/** Link-local IPv6 would stay as it is while IPv4 addresses change. */
function withoutIPv6(machine: Machine): void {
  machine.run("ip link set eth0 addrgenmode none");
  machine.run("ip -6 address flush dev eth0");
}

/** Reports how long something took; only the test's own deadline can make it fail. */
async function timed(t: TestContext, what: string, body: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await body();
  t.diagnostic(`${what}: ${Math.round(performance.now() - began)} ms`);
}

test("machines that all have other addresses than before find each other: IPv4, no default route", OPTIONS, async (t) => {
  const net = await lan(t);
  const [a, b] = [await net.machine("a", "192.168.7.1/24"), await net.machine("b", "192.168.7.2/24")];
  for (const machine of [a, b]) withoutIPv6(machine);
  const [first, second] = [await daemon(t, a), await daemon(t, b)];
  assert.equal(b.run("ip route show default"), "");
  await pair(t, first, second);
  await Promise.all([first.stopDaemon(), second.stopDaemon()]);
  renumber(a, "192.168.7.1/24", "192.168.7.11/24");
  renumber(b, "192.168.7.2/24", "192.168.7.12/24");
  await first.startDaemon();
  await until(t, () => first.events("mdns.opened").length > 0);
  await timed(t, "from starting the second daemon until the first is connected with it", async () => {
    await second.startDaemon();
    await untilConnected(t, first, /^\/ip4\/192\.168\.7\.12\//);
  });
  assert.ok(first.events("peer.address").some(({ source, addresses }) => source === "mdns" && addresses === "/ip4/192.168.7.12/tcp/4711"));

  await timed(t, "from another address while running until connected again", async () => {
    renumber(b, "192.168.7.12/24", "192.168.7.32/24");
    await untilConnected(t, first, /^\/ip4\/192\.168\.7\.32\//);
  });
  assert.match(String(second.events("network.changed").at(-1)?.come), /192\.168\.7\.32/);
});

test("with nothing but link-local IPv6 they find each other as well", OPTIONS, async (t) => {
  const net = await lan(t);
  const [a, b] = [await net.machine("a", "fd00:7::1/64"), await net.machine("b", "fd00:7::2/64")];
  const [first, second] = [await daemon(t, a), await daemon(t, b)];
  await pair(t, first, second);
  await untilConnected(t, second, /^\/ip6\/fd00:7::1\//);
  for (const [machine, address] of [[a, "fd00:7::1/64"] as const, [b, "fd00:7::2/64"] as const])
    machine.run(`ip address del ${address} dev eth0`);
  await untilConnected(t, first, /fe80:/);
  await untilConnected(t, second, /fe80:/);
});

test("a direction that is blocked for a while; a cable that is pulled and put back; a machine that slept", OPTIONS, async (t) => {
  const net = await lan(t);
  const [a, b] = [await net.machine("a", "192.168.7.1/24"), await net.machine("b", "192.168.7.2/24")];
  const [first, second] = [await daemon(t, a), await daemon(t, b)];
  for (const machine of [a, b]) withoutIPv6(machine);
  await pair(t, first, second);

  // The second one's packets arrive; the first one's do not.
  const rules = "ip saddr 192.168.7.1 drop;";
  b.run("nft -f -", `table inet deaf { chain in { type filter hook input priority 0; ${rules} }; }\n`);
  await timed(t, "from being deaf until known to be", () => untilLost(t, second));
  await untilLost(t, first);
  b.run("nft delete table inet deaf");
  await timed(t, "from hearing again until connected", () => untilConnected(t, second, /./));
  await untilConnected(t, first, /./);

  b.plug(false);
  await timed(t, "from pulling the cable until its machine knows", () => untilLost(t, second));
  b.plug(true);
  await timed(t, "from putting it back until connected", () => untilConnected(t, second, /./));

  kill(second.pid, "SIGSTOP");
  await sleep(limits.sleptMs + 2 * limits.interfaceLookMs, undefined, { signal: t.signal });
  renumber(a, "192.168.7.1/24", "192.168.7.21/24");
  kill(second.pid, "SIGCONT");
  await timed(t, "from waking until connected with a machine that has moved meanwhile", () => untilConnected(t, second, /192\.168\.7\.21/));
  assert.ok(second.events("network.slept").length > 0);
});

test("one hears another, which does not hear it: they meet through a third, nobody is alarmed, then directly", OPTIONS, async (t) => {
  const net = await lan(t);
  const machines: Machine[] = [];
  for (const last of [1, 2, 3]) machines.push(await net.machine(`m${last}`, `192.168.7.${last}/24`));
  for (const machine of machines) withoutIPv6(machine);
  const nodes = await Promise.all(machines.map((machine) => daemon(t, machine)));
  const [first, second, third] = nodes as [TestNode, TestNode, TestNode];
  await pair(t, first, second);
  const { line } = await first.control("POST", "/network/invite", { expiresMs: 3_600_000 });
  await third.control("POST", "/network/join", { line, machine: "third" });
  const way = async (from: TestNode, to: string): Promise<string | undefined> => (await peers(from)).find(({ name }) => name === to)?.path;
  const untilWay = (path: string): Promise<void> =>
    until(t, async () => (await way(second, "third")) === path && (await way(third, "second")) === path);
  await untilWay("direct");

  // The second one does not get what the third one sends; the third one gets everything.
  machines[1]?.run("nft -f -", "table inet deaf { chain in { type filter hook input priority 0; ip saddr 192.168.7.3 drop; }; }\n");
  await timed(t, "from being deaf to one until linked with it through the other", () => untilWay("relayed"));
  for (const node of nodes) {
    const { isolation } = await node.control("GET", "/network/peers");
    assert.equal(isolation, null);
    assert.deepEqual(
      (await peers(node)).map(({ state }) => state),
      ["connected", "connected"],
    );
  }
  machines[1]?.run("nft delete table inet deaf");
  await timed(t, "from hearing again until linked directly", () => untilWay("direct"));
});

test("an invitation whose addresses have become others' is redeemed where its host is heard", OPTIONS, async (t) => {
  const net = await lan(t);
  const [a, b] = [await net.machine("a", "192.168.7.1/24"), await net.machine("b", "192.168.7.2/24")];
  for (const machine of [a, b]) withoutIPv6(machine);
  const [first, second] = [await daemon(t, a), await daemon(t, b)];
  await first.control("POST", "/network/init", { machine: "first" });
  const { line } = await first.control("POST", "/network/invite", { expiresMs: 3_600_000 });
  renumber(a, "192.168.7.1/24", "192.168.7.11/24");
  await until(t, () => first.events("network.changed").length > 0);
  b.run("ip address add 192.168.7.1/24 dev eth0"); // Refused there at once; silence would take longer.
  await timed(t, "from pasting the line until a member", async () => {
    const joined = await second.control("POST", "/network/join", { line, machine: "second" });
    assert.equal(joined.machine, "second", JSON.stringify(joined));
  });
  await untilConnected(t, second, /^\/ip4\/192\.168\.7\.11\//);
});

test("a machine of another network on the same wire learns nothing and is not dialled", OPTIONS, async (t) => {
  const net = await lan(t);
  const [a, b] = [await net.machine("a", "192.168.7.1/24"), await net.machine("b", "192.168.7.2/24")];
  const [first, stranger] = [await daemon(t, a), await daemon(t, b)];
  for (const node of [first, stranger]) await node.control("POST", "/network/init", {});
  await sleep(3 * limits.mdnsFirstMs, undefined, { signal: t.signal });
  for (const node of [first, stranger]) {
    assert.deepEqual(node.events("peer.address"), []);
    assert.deepEqual(node.events("gate.refused"), [], "nobody even tried");
  }
});

test("an address at which nobody comes through is not told, and the doctor says so; nor is the data plane's port", OPTIONS, async (t) => {
  const net = await lan(t);
  const [a, b] = [await net.machine("a", "20.0.0.1/24"), await net.machine("b", "20.0.0.2/24")];
  for (const machine of [a, b]) withoutIPv6(machine);
  const shut = "tcp dport { 4711, 4712 } ct state new drop;";
  b.run("nft -f -", `table inet shut { chain in { type filter hook input priority 0; ${shut} }; }\n`);
  const [first, second] = [await daemon(t, a), await daemon(t, b)];
  await pair(t, first, second);
  await first.control("POST", "/network/measure", { member: "second", bytes: 1_000 });
  await until(t, () => first.events("address.reached").length > 0 && second.events("address.unreached").length >= limits.probesInVain);
  await until(t, async () => ((await second.control("GET", "/network/peers")).addresses as string[]).length === 0);
  const checks = (await second.control("GET", "/network/doctor")) as unknown as { check: string; ok: boolean; detail: string }[];
  const reach = checks.find(({ check }) => check === "reachability");
  assert.deepEqual([reach?.ok, /20\.0\.0\.2\/tcp\/4711/.test(reach?.detail ?? "")], [false, true], JSON.stringify(checks));
  const { path } = await first.control("POST", "/network/measure", { member: "second", bytes: 1_000 });
  assert.equal(path, "libp2p");
});
