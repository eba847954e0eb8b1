import assert from "node:assert/strict";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import { invitationKeyPair, keyPairFromSeed, Members, Membership, makeIdentity, requestToJoin } from "../trust/index.ts";
import { framesOf } from "./frames.ts";
import { HANDSHAKE, sayHello } from "./handshake.ts";
import { MEMBER } from "./link.ts";
import type { MemberStream } from "./member-stream.ts";
import { codec, dialler, founded, invite, join, type Node, parts, seedOf, start, until } from "./network.fixture.ts";
import type { PeerChange } from "./network.ts";
import { peerIdOf } from "./peer-id.ts";

test("an invitation lets a machine in; a third one meets both; all know the same", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const c = await join(t, 3, a);
  await until(t, () => b.network.connected(c.members.self) && c.network.connected(b.members.self));
  a.members.decide();
  await until(t, () => new Set([a, b, c].map(({ members }) => members.summary())).size === 1);
  assert.deepEqual(c.members.others().toSorted(), [a.members.self, b.members.self].toSorted());
  assert.ok((await c.network.ping(b.members.self, 5_000)) > 0);
  assert.deepEqual(
    a.network.peers().map(({ state }) => state),
    ["connected", "connected"],
  );
  assert.ok(b.saved.has(c.members.self));
});

/** What a node knows of its network, as it would read it after a restart. */
function copy(from: Node): Membership {
  const membership = new Membership(parts, from.members.network);
  membership.merge(from.members.missing({ epochs: [], pending: [] }));
  return membership;
}

test("a member comes back by its saved peers, at another port, after both were away", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const port = multiaddr(a.network.addresses[0] ?? "").getComponents()[1]?.value;
  await b.network[Symbol.asyncDispose]();
  const again = await start(t, 2, copy(b), b.saved);
  await until(t, () => a.network.connected(b.members.self));
  await Promise.all([a, again].map(({ network }) => network[Symbol.asyncDispose]()));
  const later = await start(t, 2, copy(b), b.saved);
  const first = await start(t, 1, copy(a), new Map(), [[`/ip4/127.0.0.1/tcp/${port}`]]);
  await until(t, () => first.network.connected(b.members.self) && later.network.connected(a.members.self));
});

test("a revoked member is cut off, knows why, and does not come back", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const c = await join(t, 3, a);
  await until(t, () => b.network.connected(c.members.self));
  a.members.issue({ kind: "revoke", member: c.members.self });
  await until(t, () => !a.network.connected(c.members.self) && !b.network.connected(c.members.self));
  await until(t, () => c.members.standing(c.members.self) === "revoked");
  assert.ok(a.network.connected(b.members.self));

  const client = await dialler(t, seedOf(3), a);
  const answer = await sayHello(client, codec, { kind: "member", network: a.members.network, proof: [] });
  assert.deepEqual(answer, { kind: "refused", reason: "revoked" });
  await until(t, () => client.status !== "open");
});

test("whatever else a revoked member has open beside its link ends, too", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const held: MemberStream[] = [];
  await a.network.serve("/cairn/hold/1", 1, (stream) => held.push(stream));
  const b = await join(t, 2, a);
  await until(t, () => a.network.connected(b.members.self));
  await b.network.visit({ peerKey: a.members.self, addresses: a.network.addresses }, "/cairn/hold/1", 5_000);
  await until(t, () => held.length === 1);
  a.members.issue({ kind: "revoke", member: b.members.self });
  await until(t, () => held[0]?.connection.status !== "open");
});

test("a visit that came to nothing leaves no connection that is taken for the way to the member", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  await until(t, () => a.network.connected(b.members.self));
  const visited = a.network.visit({ peerKey: b.members.self, addresses: b.network.addresses }, "/cairn/not-served-yet/1", 3_600_000);
  await assert.rejects(visited, /protocol/i);
  await linkAnew(t, a, b);
});

test("connections that a member has left over make room for those that it makes now", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  await b.network[Symbol.asyncDispose]();
  await until(t, () => !a.network.connected(b.members.self));
  const hello = { kind: "member", network: a.members.network, proof: b.members.proof() } as const;
  for (let count = 0; count < 2 * limits.connectionsPerPeer; count++)
    assert.deepEqual(await sayHello(await dialler(t, b.seed, a), codec, hello), { kind: "welcome" }, `connection ${count}`);
});

/** Ends the link of two and waits for the next. */
async function linkAnew(t: TestContext, a: Node, b: Node): Promise<void> {
  const lost = [a, b].map(
    ({ network }) =>
      new Promise<void>((resolve) => {
        network.onPeers(({ kind }) => kind === "lost" && resolve());
      }),
  );
  a.network.carryGossip(() => undefined).end(b.members.self, "to see it come back");
  await Promise.all(lost);
  await until(t, () => a.network.connected(b.members.self) && b.network.connected(a.members.self));
}

test("who was let in elsewhere brings the proof along", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const stale = new Membership(parts, a.members.network);
  stale.merge(a.members.missing({ epochs: [], pending: [] }));
  const c = await join(t, 3, a);
  await a.network[Symbol.asyncDispose]();
  await b.network[Symbol.asyncDispose]();
  const returned = await start(t, 2, stale);
  assert.equal(returned.members.standing(c.members.self), "unknown");
  const answer = await sayHello(await dialler(t, c.seed, returned), codec, {
    kind: "member",
    network: c.members.network,
    proof: c.members.proof(),
  });
  assert.deepEqual(answer, { kind: "welcome" });
  assert.equal(returned.members.standing(c.members.self), "active");
});

test("members open streams to each other; nobody else reaches what serves them", { timeout: 60_000 }, async (t) => {
  const protocol = "/cairn/echo/1";
  const a = await start(t, 1, founded(1));
  const changes: PeerChange[] = [];
  a.network.onPeers((change) => changes.push(change));
  const served: string[] = [];
  await a.network.serve(protocol, 4, ({ key, stream }: MemberStream) => {
    served.push(key);
    const frames = framesOf(stream, 1_000);
    void frames.read(5_000).then((bytes) => bytes && frames.write(bytes, 5_000));
  });
  const b = await join(t, 2, a);
  const frames = framesOf((await b.network.open(a.members.self, protocol, 5_000)).stream, 1_000);
  await frames.write(Buffer.from("hello"), 5_000);
  assert.equal(Buffer.from((await frames.read(5_000)) ?? []).toString(), "hello");
  await assert.rejects(b.network.open("ab".repeat(32), protocol, 5_000), { code: "peer-absent" });
  const stranger = await dialler(t, seedOf(9), a);
  await stranger.newStream(protocol).catch(() => undefined); // Refused before or after it is open, as the race goes.
  await until(t, () => stranger.status !== "open");
  assert.deepEqual(served, [b.members.self]);
  await b.network[Symbol.asyncDispose]();
  await until(t, () => changes.length === 2);
  assert.deepEqual(changes, [
    { kind: "connected", key: b.members.self },
    { kind: "lost", key: b.members.self },
  ]);
});

test("a stranger gets one answer and nothing else", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const { network } = a.members;
  const stranger = seedOf(9);
  const keys = keyPairFromSeed(stranger);
  const request = requestToJoin(codec, keys, makeIdentity(keys, keyPairFromSeed(seedOf(109)), "x"), { network, secret: Buffer.alloc(16) });
  const open = invitationKeyPair(invite(a, 5).secret).publicKey;
  const others = { ...request, identity: { ...request.identity, peerKey: a.members.self } };
  const rows: [Parameters<typeof sayHello>[2], reason: string][] = [
    [{ kind: "member", network, proof: [] }, "stranger"],
    [{ kind: "member", network: "ab".repeat(32), proof: [] }, "other-network"],
    [{ kind: "join", network, request }, "invitation-unknown"],
    [{ kind: "join", network, request: others }, "stranger"],
    [{ kind: "join", network, request: { ...request, invitation: open, byInvitation: Buffer.alloc(64) } }, "stranger"],
  ];
  for (const [hello, reason] of rows) {
    const connection = await dialler(t, stranger, a);
    assert.deepEqual(await sayHello(connection, codec, hello), { kind: "refused", reason });
    await until(t, () => connection.status !== "open");
  }
  for (const protocol of [MEMBER, "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0"]) {
    const connection = await dialler(t, stranger, a);
    await assert.rejects(async () => {
      const frames = framesOf(await connection.newStream(protocol), 1_000);
      await frames.write(codec.encodeMemberFrame({ kind: "have", have: { epochs: [], pending: [] } }), 1_000);
      const answer = await frames.read(4_000);
      if (answer === undefined) throw new Error("closed");
    }, protocol);
  }
  assert.deepEqual(a.network.peers(), []);
  assert.equal(
    a.events.some(({ name }) => name === "peer.connected"),
    false,
  );
});

test("who says nothing, too much or nonsense is cut off in time", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const silent = await dialler(t, seedOf(9), a);
  const loud = await dialler(t, seedOf(10), a);
  const stream = await loud.newStream(HANDSHAKE);
  stream.send(Buffer.alloc(100_000, 0xff));
  await until(t, () => loud.status !== "open");
  const babbling = await dialler(t, seedOf(11), a);
  const frames = framesOf(await babbling.newStream(HANDSHAKE), limits.helloBytes);
  await frames.write(Buffer.from("nonsense"), 1_000);
  const answer = await frames.read(4_000);
  assert.deepEqual(codec.decodeHelloAnswer(answer ?? Buffer.alloc(0)), { kind: "refused", reason: "malformed" });
  await until(t, () => silent.status !== "open" && babbling.status !== "open");
});

test("a member that breaks the protocol loses its link, and nobody else does", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const c = await join(t, 3, a);
  await c.network[Symbol.asyncDispose]();
  const have = codec.encodeMemberFrame({ kind: "have", have: { epochs: [], pending: [] } });
  const abuses: [about: string, abuse: (stream: Stream) => void][] = [
    ["garbage", (stream) => stream.send(Buffer.from("\u0008nonsense"))],
    ["a frame that is too large", (stream) => stream.send(Buffer.from([0xff, 0xff, 0xff, 0x7f]))],
    [
      "asking without ever reading",
      (stream) => {
        stream.pause();
        for (let i = 0; i < 20_000; i++) stream.send(Buffer.concat([Buffer.of(have.length), have]));
      },
    ],
  ];
  for (const [about, abuse] of abuses) {
    const connection = await dialler(t, c.seed, a);
    assert.deepEqual(await sayHello(connection, codec, { kind: "member", network: a.members.network, proof: [] }), { kind: "welcome" });
    const stream = await connection.newStream(MEMBER);
    await until(t, () => a.network.connected(c.members.self));
    abuse(stream);
    await until(t, () => !a.network.connected(c.members.self));
    t.diagnostic(`${about}: ${a.events.findLast(({ name }) => name === "peer.disconnected")?.facts.why}`);
  }
  assert.ok(a.network.connected(b.members.self));
});

/** Knocks once and goes away; @returns whether anything was answered */
async function knock(port: number, localAddress: string): Promise<boolean> {
  const socket = net.connect({ port, host: "127.0.0.1", localAddress });
  let isAnswered = false;
  socket.on("error", () => undefined).on("data", () => (isAnswered = true));
  socket.end("\x13/multistream/1.0.0\n");
  await new Promise((resolve) => socket.once("close", resolve));
  return isAnswered;
}

test("strangers are refused without a word when there are many, and keep no member out that was there before", {
  timeout: 60_000,
}, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const port = Number(/\/tcp\/(\d+)/.exec(a.network.addresses[0] ?? "")?.[1]);
  let answered = 0;
  for (let i = 0; i < limits.unprovenPerMinute + 100; i++) answered += (await knock(port, `127.9.${i % 20}.1`)) ? 1 : 0;
  assert.ok(answered > 0 && answered <= limits.unprovenPerMinute, `${answered} were answered`);
  assert.equal(await knock(port, "127.9.99.1"), false, "somebody new");
  await until(t, () => a.events.some(({ name, facts }) => name === "gate.refused" && facts.why === "too-many-attempts"));
  await b.network[Symbol.asyncDispose]();
  await until(t, () => !a.network.connected(b.members.self));
  await start(t, 2, copy(b), b.saved);
  await until(t, () => a.network.connected(b.members.self));
});

test("a node that finds no address free says so", async (t) => {
  const a = await start(t, 1, founded(1));
  await assert.rejects(start(t, 2, founded(2), new Map(), [[a.network.addresses[0] ?? ""]]), { code: "network-unavailable" });
});

test("the key of a member and libp2p's name for it are one", async () => {
  const seed = seedOf(7);
  const pair = await generateKeyPairFromSeed("Ed25519", seed);
  assert.equal(Buffer.from(pair.publicKey.raw).toString("hex"), keyPairFromSeed(seed).publicKey);
  assert.equal(peerIdOf(keyPairFromSeed(seed).publicKey).toString(), pair.publicKey.toString());
});

/** The contract that net relies on: what has not changed is not told. */
test("a roster is silent about what it knows", () => {
  const membership = founded(1);
  const roster: Roster = new Members({ ...parts, membership, keys: keyPairFromSeed(seedOf(1)), now: Date.now });
  let changes = 0;
  roster.onChange(() => void (changes += 1));
  roster.take(membership.statements().map(({ bytes }) => bytes));
  assert.equal(changes, 0);
});
