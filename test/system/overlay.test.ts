/**
 * The overlay among real daemons on loopback: who has moved while another one was away is found by what it had told others, and
 * who has made something by those it has told of it.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { age, type TestNode, temporaryDirectory } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until } from "./network-world.ts";
import { heard, untilOffered } from "./sharing-world.ts";

const NAMES = ["a", "b", "c", "d", "e", "f"];
const TEN_MINUTES = { timeout: 600_000 };

interface PeerRow {
  readonly key: string;
  readonly name: string;
  readonly state: string;
  readonly address: string;
  readonly knownFrom?: readonly string[];
}

async function peer(node: TestNode, name: string): Promise<PeerRow | undefined> {
  return ((await ask(node, "peers")).peers as PeerRow[]).find((row) => row.name === name);
}

/** Where nobody else is given one meanwhile. */
const APART = "127.0.0.77";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, APART, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

test("a machine that moved while another was away, and is away itself now, is known there by the overlay alone", PATIENT, async (t) => {
  const nodes = await Promise.all(NAMES.map((name) => machine(t, `overlay-${name}`)));
  const [first, ...others] = nodes;
  const [moves, away] = others;
  assert.ok(first && moves && away);
  await ask(first, "init", "--machine", "a");
  for (const [at, node] of others.entries()) await ask(node, "join", await invitation(first), "--machine", NAMES[at + 1] ?? "");
  const joined = (node: TestNode): Promise<boolean> => Promise.resolve(node.events("overlay.joined").length > 0);
  for (const node of nodes) await until(t, () => joined(node));
  await until(t, async () => (await peer(away, "b"))?.state === "connected");

  await away.stopDaemon("SIGKILL");
  await moves.stopDaemon("SIGKILL");
  const port = await freePort();
  const moved = { CAIRN_NETWORK_LISTEN: `${APART}:${port}` };
  await moves.startDaemon(moved);
  await until(t, () => joined(moves));
  await moves.stopDaemon("SIGKILL");

  await away.startDaemon();
  await until(t, async () => (await peer(away, "b"))?.knownFrom?.includes("overlay") === true);
  const [found] = away.events("overlay.found");
  assert.ok(Number(found?.questions) >= 1 && Number(found?.hops) >= 1, "others had to be asked");
  assert.ok(
    away.events("peer.address").some(({ source, addresses }) => source === "overlay" && String(addresses).includes(`/tcp/${port}`)),
    "and nobody else had told it",
  );

  await moves.startDaemon(moved);
  await until(t, async () => (await peer(away, "b"))?.state === "connected");
});

test("what a machine has made is told to those responsible; who misses something asks them while it compiles", PATIENT, async (t) => {
  using project = temporaryDirectory("overlay-project");
  const nodes = await Promise.all(["a", "b", "c"].map((name) => machine(t, `directory-${name}`, { CAIRN_SHARING_DIRECTORY: "overlay" })));
  const [first, ...others] = nodes;
  const [second] = others;
  assert.ok(first && second);
  await ask(first, "init", "--machine", "a");
  for (const [at, node] of others.entries()) await ask(node, "join", await invitation(first), "--machine", NAMES[at + 1] ?? "");
  const compile = async (node: TestNode, name: string): Promise<void> => {
    writeFileSync(join(project.path, `${name}.c`), `int ${name}(void) { return 1; }\n`);
    const [ran] = await heard(node, () => node.cc("gcc", ["-c", `${name}.c`, "-o", `${name}.o`], { cwd: project.path }));
    assert.equal(ran.code, 0, ran.stderr);
  };
  await compile(first, "one");
  const overlay = async (node: TestNode): Promise<Record<string, number>> =>
    ((await node.control("GET", "/stats")) as { network: { overlay: Record<string, number> } }).network.overlay;
  for (const node of others) await until(t, async () => Number((await overlay(node)).provided) > 0);

  await compile(second, "two");
  await until(t, () => Promise.resolve(second.events("overlay.asked").length > 0));
  const [asked] = second.events("overlay.asked");
  assert.ok(Number(asked?.wanted) >= 1 && Number(asked?.questions) >= 1, JSON.stringify(asked));
  assert.equal(asked?.peer, null, "nobody has it");
});

test("where not all are linked, what a member has told of is missed once, and then had from that member", TEN_MINUTES, async (t) => {
  using project = temporaryDirectory("overlay-links");
  const names = NAMES.slice(0, 5);
  const env = { CAIRN_SHARING_DIRECTORY: "overlay", CAIRN_SHARING_COPIES: "0", CAIRN_NETWORK_LINKS: "3" };
  const nodes = await Promise.all(names.map((name) => machine(t, `links-${name}`, env)));
  const [maker, ...others] = nodes;
  assert.ok(maker);
  await ask(maker, "init", "--machine", "a");
  for (const [at, node] of others.entries()) await ask(node, "join", await invitation(maker), "--machine", NAMES[at + 1] ?? "");
  await until(t, () => Promise.resolve(maker.events("overlay.joined").length > 0));

  /** @returns what it was: a miss, or a hit of somebody's */
  const compile = async (node: TestNode, unit: string): Promise<Record<string, number>> => {
    const [ran, counts] = await heard(node, () => node.cc("gcc", ["-c", `${unit}.c`, "-o", `${unit}.o`], { cwd: project.path }));
    assert.equal(ran.code, 0, ran.stderr);
    return counts;
  };
  /** What the others have been told, all together. */
  const provided = async (): Promise<number> => {
    const told = await Promise.all(
      others.map(async (node) => {
        const { network } = (await node.control("GET", "/stats")) as { network: { overlay: { provided: number } } };
        return network.overlay.provided;
      }),
    );
    return told.reduce((sum, one) => sum + one, 0);
  };
  const isLinked = async (node: TestNode): Promise<boolean> => (await peer(node, "a"))?.state === "connected";
  const someoneApart = async (): Promise<TestNode | undefined> => {
    for (const node of others) if (!(await isLinked(node))) return node;
    return undefined;
  };

  // Members try others now and then: who is linked with the maker by chance finds nothing out, and it is tried again.
  for (let round = 0; ; round++) {
    const units = [`missed${round}`, `had${round}`] as const;
    for (const unit of units) writeFileSync(join(project.path, `${unit}.c`), `int ${unit}(void) { return ${round}; }\n`);
    await age();
    const before = await provided();
    for (const unit of units) assert.equal((await compile(maker, unit)).miss, 1);
    await until(t, async () => (await provided()) >= before + 2 * units.length);
    const asker = await someoneApart();
    if (asker === undefined) continue;
    const asked = asker.events("overlay.asked").length;
    if ((await compile(asker, units[0])).miss !== 1) continue;
    await until(t, () => Promise.resolve(asker.events("overlay.asked").length > asked));
    const key = (await peer(asker, "a"))?.key;
    if (asker.events("overlay.asked").at(-1)?.peer !== key) continue;
    t.diagnostic(`round ${round}: the maker was called`);
    await untilOffered(t, asker, "a", 2 * (round + 1));
    assert.equal((await compile(asker, units[1])).hit_peer, 1);
    return;
  }
});
