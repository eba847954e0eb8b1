/**
 * A network of real daemons on loopback, driven by the real command line: how it forms, whom it keeps out, what it survives.
 */
import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadNetworkCodec } from "../../src/wire/index.ts";
import { TestNode } from "./harness.ts";
import {
  ask,
  cairn,
  connected,
  invitation,
  listening,
  machine,
  members,
  PATIENT,
  type Row,
  three,
  until,
  untilConnected,
} from "./network-world.ts";

test("three machines of one person become one network; keys are their owner's alone", PATIENT, async (t) => {
  const [a, b, c] = await three(t);
  const names = (rows: readonly Row[]): unknown => rows.map(({ name, domain, standing }) => ({ name, domain, standing }));
  const all = ["laptop", "desktop", "ci"].map((name) => ({ name, domain: "home", standing: "active" }));
  for (const node of [a, b, c]) await until(t, async () => !(await members(node)).some(({ provisional }) => provisional));
  for (const node of [a, b, c]) assert.deepEqual(names(await members(node)), all);
  const ping = await ask(c, "ping", "laptop");
  assert.ok(Number(ping.rttMs) > 0);
  assert.match((await cairn(c, "peers")).stdout, /laptop +home +\/ip4\/127\.0\.0\.1\/tcp\/\d+ +direct/);
  assert.match((await cairn(c, "members")).stdout, /ci +home +[0-9a-f]{12} +this machine .* desktop +admin/);
  const status = await ask(a, "status");
  const counts = { members: 3, connected: 2, attestations: 0 };
  assert.deepEqual(status.network, { name: "home", standing: "active", ...counts, isolation: null, waiting: [] });
  assert.equal(statSync(join(a.home, "state/network/identity.json")).mode & 0o777, 0o600);
  assert.equal(statSync(join(a.home, "state/network")).mode & 0o777, 0o700);
});

test("an invitation is good once, and only as it was made", PATIENT, async (t) => {
  const [a, b, c] = await Promise.all([machine(t, "once-a"), machine(t, "once-b"), machine(t, "once-c")]);
  await ask(a, "init");
  const line = await invitation(a);
  await ask(b, "join", line);
  const again = await cairn(c, "join", line);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /was used already\n.*cairn invite/);

  const codec = await loadNetworkCodec();
  const forged = codec.readInvitationLine(line);
  assert.ok(forged);
  const refused = await cairn(c, "join", codec.writeInvitationLine({ ...forged, secret: Buffer.alloc(16, 7) }), "--json");
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /"network-refused"/);
  const cut = await cairn(c, "join", line.slice(0, -3));
  assert.match(cut.stderr, /no invitation, or not a whole one/);
  assert.deepEqual(listening(c.pid), [], "who was refused does not go on listening");
  assert.match((await cairn(c, "members")).stderr, /belongs to no network/);
  assert.match((await cairn(b, "join", line)).stderr, /belongs to the network home already/);
});

test("a domain of its own, and who may make one", PATIENT, async (t) => {
  const [a, b, c] = await Promise.all([machine(t, "dom-a"), machine(t, "dom-b"), machine(t, "dom-c")]);
  await ask(a, "init", "--domain", "platform", "--machine", "a");
  await ask(b, "join", await invitation(a, "--domain", "partner"), "--machine", "b");
  await ask(c, "join", await invitation(b), "--machine", "c");
  assert.deepEqual(
    (await members(c)).map(({ domain }) => domain),
    ["platform", "partner", "partner"],
  );
  const founding = await cairn(b, "invite", "--domain", "third");
  assert.equal(founding.code, 1);
  assert.match(founding.stderr, /only members of the first domain/);
  const foreign = await cairn(a, "invite", "--domain", "partner");
  assert.match(foreign.stderr, /only members of a domain invite into it/);
  assert.match((await cairn(c, "revoke", "a")).stderr, /revoked by the first domain, or by their own/);
  // Nobody but a decides; b's word about its own domain counts at once all the same.
  await ask(b, "revoke", "c");
  await until(t, async () => (await members(a)).some(({ name, standing }) => name === "c" && standing === "revoked"));
});

test("who is revoked is cut off everywhere, and stays out", PATIENT, async (t) => {
  const [a, b, c] = await three(t);
  await ask(a, "revoke", "ci");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop"), untilConnected(t, c)]);
  await until(t, async () => (await members(c)).some(({ self, standing }) => self && standing === "revoked"));
  await c.stopDaemon();
  await c.startDaemon();
  assert.match((await cairn(c, "peers")).stdout, /no member any more: revoked/);
  assert.deepEqual(await connected(c), []);
  assert.match((await cairn(c, "peers")).stdout, /has let go of this machine/);
  assert.match((await cairn(c, "invite")).stderr, /not a member any more/);
  for (const args of [
    ["ping", "laptop"],
    ["forward", "127.0.0.1:0", "laptop:80"],
  ])
    assert.match((await cairn(c, ...args)).stderr, /this machine was revoked/);
  const file = join(a.home, "..", "file");
  writeFileSync(file, "a's");
  const { cid } = await ask(a, "put", file);
  assert.match((await cairn(c, "get", String(cid), join(c.home, "..", "got"))).stderr, /is no member of its network any more/);
  assert.match((await cairn(a, "ping", "ci")).stderr, /was revoked, or has left, already/);
  assert.match((await cairn(a, "revoke", "laptop")).stderr, /cairn leave/);
  await ask(c, "leave");
  await ask(c, "join", await invitation(b), "--machine", "ci");
  assert.ok(
    (await members(c)).some(({ self, name }) => self && name === "ci-2"),
    "with new keys, and so a new name",
  );
});

test("a killed daemon comes back by itself; so does a network of which everybody was killed", PATIENT, async (t) => {
  const [a, b, c] = await three(t);
  await b.stopDaemon("SIGKILL");
  await untilConnected(t, a, "ci");
  await b.startDaemon();
  await Promise.all([untilConnected(t, a, "ci", "desktop"), untilConnected(t, b, "ci", "laptop")]);
  await Promise.all([a, b, c].map((node) => node.stopDaemon("SIGKILL")));
  await Promise.all([a, b, c].map((node) => node.startDaemon()));
  await Promise.all([
    untilConnected(t, a, "ci", "desktop"),
    untilConnected(t, b, "ci", "laptop"),
    untilConnected(t, c, "desktop", "laptop"),
  ]);
});

test("members tell what their machines can do; a goodbye and a kill are known at once", PATIENT, async (t) => {
  const [a, b, c] = await three(t);
  const presence = async (of: string): Promise<Record<string, unknown> | null> =>
    ((await members(a)).find(({ name }) => name === of) as unknown as { presence: Record<string, unknown> | null }).presence;
  await until(t, async () => (await presence("desktop")) !== null && (await presence("ci")) !== null);
  const { version, platform, cores } = (await presence("desktop")) ?? {};
  const own = (await presence("laptop")) ?? {};
  assert.deepEqual(
    { version, platform, cores },
    { version: own.version, platform: `${process.platform}-${process.arch}`, cores: own.cores },
  );
  assert.match((await cairn(a, "members")).stdout, /desktop +home +[0-9a-f]{12} +connected +\d+ +\d+\.\d +[\d.]+ [KMG]iB +0 +0 B +laptop/);
  await c.stopDaemon();
  await until(t, async () => (await presence("ci"))?.goodbye === true);
  assert.match((await cairn(a, "members")).stdout, /ci .* went down/);
  await b.stopDaemon("SIGKILL");
  await until(t, async () => (await presence("desktop")) === null);
  assert.match((await cairn(a, "members")).stdout, /desktop .* not connected/);
  type Metrics = Record<"events" | "gossip", Record<string, number>> & { bytesIn: number; reasons: Record<string, Record<string, number>> };
  const { network } = (await a.control("GET", "/stats")) as { network: Metrics };
  assert.equal(new Set(a.events("peer.disconnected").map(({ peer }) => peer)).size, 2);
  assert.ok(Number(network.events["peer.disconnected"]) >= 2, JSON.stringify(network));
  assert.ok(network.bytesIn > 0 && Number(network.gossip.received) >= 3 && network.reasons["peer.disconnected"] !== undefined);
  await Promise.all([b.startDaemon(), c.startDaemon()]);
  await until(t, async () => Number((await presence("ci"))?.cores) > 0 && Number((await presence("desktop"))?.cores) > 0);
});

test("in no network there is no network socket; after leaving there is none again", PATIENT, async (t) => {
  const a = await machine(t, "alone");
  assert.deepEqual(listening(a.pid), []);
  for (const args of [["invite"], ["members"], ["peers"], ["ping", "x"], ["revoke", "x"], ["leave"]]) {
    const ran = await cairn(a, ...args);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /belongs to no network\n {2}cairn init/);
  }
  await ask(a, "init");
  assert.equal(listening(a.pid).length, 1);
  assert.match((await cairn(a, "init")).stderr, /already/);
  await ask(a, "leave");
  assert.deepEqual(listening(a.pid), []);
  assert.deepEqual(
    readdirSync(join(a.home, "state")).filter((name) => name.startsWith("network")),
    [],
  );
});

test("an address that this machine does not have: said plainly, and the network can still be left", PATIENT, async (t) => {
  const node = await TestNode.start("net-address", { CAIRN_NETWORK_LISTEN: "192.0.2.1:4711" });
  t.after(() => node[Symbol.asyncDispose]());
  for (const args of [["init"], ["members"], ["leave"]]) {
    const ran = await cairn(node, ...args);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /no address can be listened on \(\/ip4\/192\.0\.2\.1\/tcp\/4711\).*\n.*network\.listen/);
  }
  await ask(node, "leave", "--force");
  assert.match((await cairn(node, "members")).stderr, /belongs to no network/);
});

test("the only one who can decide does not leave others behind by mistake", PATIENT, async (t) => {
  const [a, b] = await Promise.all([machine(t, "last-a"), machine(t, "last-b")]);
  await ask(a, "init", "--machine", "a");
  await ask(b, "join", await invitation(a, "--domain", "other"), "--machine", "b");
  assert.match((await cairn(a, "leave")).stderr, /nobody else could decide/);
  await ask(a, "leave", "--force");
  await until(t, async () => (await members(b)).some(({ name, standing }) => name === "a" && standing === "left"));
});
