/**
 * Copies of what a machine has built lie on others, and outlive it: real daemons on loopback, killed.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../../src/base/index.ts";
import { rendezvousOrder } from "../../src/net/index.ts";
import { age, run, type TestNode, writeFiles } from "./harness.ts";
import { keyOf } from "./lab-machines.ts";
import { ask, connected, invitation, machine, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, hitsIn, UNITS } from "./sharing-world.ts";

const FILES = 20;
const NAMES = ["laptop", "desktop", "ci", "attic", "garage"] as const;

/** Machines by name, all connected with each other. */
async function network(t: TestContext, env: Record<string, string> = {}): Promise<Map<string, TestNode>> {
  const nodes = new Map<string, TestNode>();
  for (const name of NAMES) nodes.set(name, await machine(t, `copies-${name}`, env));
  const [first, ...others] = [...nodes];
  assert.ok(first !== undefined);
  await ask(first[1], "init", "--machine", first[0]);
  for (const [name, node] of others) await ask(node, "join", await invitation(first[1]), "--machine", name);
  if (env.CAIRN_NETWORK_LINKS !== undefined) return nodes;
  for (const [name, node] of nodes) await untilConnected(t, node, ...NAMES.filter((other) => other !== name));
  return nodes;
}

interface Peer {
  readonly name: string;
  readonly sharing: { readonly manifests: number } | null;
}

/** How many results the others say that they have. */
async function offered(node: TestNode): Promise<Map<string, number>> {
  const { peers } = await node.control("GET", "/network/peers");
  return new Map((peers as Peer[]).map(({ name, sharing }) => [name, sharing?.manifests ?? 0]));
}

test("two of those who have a result are killed, and a build elsewhere hits; then others have copies", { timeout: 300_000 }, async (t) => {
  const nodes = await network(t);
  t.diagnostic("all are connected");
  const at = (name: string): TestNode => {
    const node = nodes.get(name);
    assert.ok(node !== undefined);
    return node;
  };
  await age();
  await build(at("laptop"), checkoutOf(at("laptop"), "work"));
  const cid = await pinned(at("laptop"));
  const copies = async (watcher: string): Promise<number> => [...(await offered(at(watcher))).values()].reduce((sum, own) => sum + own, 0);
  // The maker's own, and two or three others' of each: where some have more, others may have less until nothing waits any more.
  await until(t, async () => {
    const { waiting, kept } = await copied(at("laptop"));
    if (waiting > 0 || kept < 2 * UNITS.length) return false;
    const all = await offered(at("garage"));
    const own = (await offered(at("laptop"))).get("garage") ?? 0;
    return own + [...all.values()].reduce((sum, some) => sum + some, 0) >= 3 * UNITS.length;
  });
  await until(t, async () => {
    const { pins } = (await ask(at("laptop"), "pins")) as { pins: { copies: number }[] };
    return (pins[0]?.copies ?? 0) >= 2;
  });
  const holding = [...(await offered(at("garage")))].filter(([name, count]) => count > 0 && name !== "laptop").map(([name]) => name);
  const second = holding[Math.floor(Math.random() * holding.length)] ?? "";
  t.diagnostic(`killed: laptop and ${second}`);
  await Promise.all(["laptop", second].map((name) => at(name).stopDaemon("SIGKILL")));

  const left = NAMES.filter((name) => name !== "laptop" && name !== second);
  const [builder = "", ...others] = left;
  await untilConnected(t, at(builder), ...others);
  const elsewhere = checkoutOf(at(builder), join("else", "where"));
  await age();
  const counts = await build(at(builder), elsewhere);
  assert.deepEqual([counts.miss, hitsIn(counts)], [undefined, UNITS.length], JSON.stringify(counts));
  // Three are left, and each is to have everything.
  t.diagnostic(`built on ${builder}`);
  await until(t, async () => (await copies(builder)) === 2 * UNITS.length);

  // So is what was pinned, and what is kept of it is not evicted.
  await until(t, () => Promise.resolve(left.every((name) => at(name).events("tree-copies.kept").length > 0)));
  for (const name of left) await ask(at(name), "gc", "--all");
  for (const name of others) await at(name).stopDaemon();
  const target = join(dirname(at(builder).home), "got");
  await ask(at(builder), "get", cid, target);
  assert.deepEqual([readFileSync(join(target, "a.txt"), "utf8"), readdirSync(join(target, "many")).length], ["one", FILES]);
});

test("copies are where they belong among all machines, with whomever their maker is linked", { timeout: 600_000 }, async (t) => {
  const nodes = await network(t, { CAIRN_NETWORK_LINKS: "3", CAIRN_SHARING_DIRECTORY: "rendezvous" });
  const keys = new Map<string, string>();
  for (const [name, node] of nodes) keys.set(await keyOf(node), name);
  const maker = nodes.get("laptop");
  assert.ok(maker !== undefined);
  const work = checkoutOf(maker, "work");
  await age();
  await build(maker, work);
  for (const unit of UNITS) {
    const { record } = (await ask(maker, "explain", join(work, `src/${unit}.c`))) as { record: { manifest: string } };
    const candidates = [...keys.keys()].map((key) => ({ key, domain: "home" }));
    const nearest = rendezvousOrder(record.manifest, candidates).slice(0, 3);
    const belongs = nearest.map(({ key }) => keys.get(key) ?? "");
    t.diagnostic(`${unit} belongs to ${belongs.join(", ")}; laptop is linked with ${(await connected(maker)).join(", ")}`);
    const alone = join(work, `${unit}.o`);
    await run("gcc", ["-O1", "-Wall", "-Iinclude", "-c", `src/${unit}.c`, "-o", alone], { cwd: work });
    const blob = digestOf(readFileSync(alone));
    const has = (name: string): boolean => existsSync(join(nodes.get(name)?.home ?? "", "cache/cas", blob.slice(0, 2), blob.slice(2)));
    await until(t, () => Promise.resolve(belongs.every(has)));
  }
});

/** A directory that one machine has pinned. @returns its CID */
async function pinned(node: TestNode): Promise<string> {
  const directory = join(dirname(node.home), "sample");
  writeFiles(directory, { "a.txt": "one", ...Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`many/${i}`, `file ${i}`])) });
  const cid = String((await ask(node, "put", directory)).cid);
  await ask(node, "pin", cid);
  return cid;
}

test("a machine where copies are switched off neither gives nor takes any", { timeout: 120_000 }, async (t) => {
  const [a, b] = await Promise.all([machine(t, "copies-a", { CAIRN_SHARING_COPIES: "0" }), machine(t, "copies-b")]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  await age();
  await Promise.all([build(a, checkoutOf(a, "work"), ["main"]), build(b, checkoutOf(b, "work"), ["shape"])]);
  await until(t, async () => (await copied(b)).offered > 0);
  assert.deepEqual([await copied(a), (await copied(b)).kept], [{ waiting: 0, offered: 0, kept: 0, refused: 0 }, 0]);
});

async function copied(node: TestNode): Promise<{ readonly waiting: number; readonly offered: number; readonly kept: number }> {
  const { network: metrics } = (await node.control("GET", "/stats")) as unknown as {
    network: { copies: Awaited<ReturnType<typeof copied>> };
  };
  return metrics.copies;
}
