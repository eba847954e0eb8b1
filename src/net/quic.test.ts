/**
 * QUIC: members over it, and how connections and streams end. What strangers get: quic-doorman.test.ts.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../base/index.ts";
import { sayHello } from "./handshake.ts";
import { type Node as Libp2pNode, makeLibp2p } from "./libp2p.ts";
import { codec, founded, join, type Node, seedOf, start, until } from "./network.fixture.ts";
import { peerIdOf } from "./peer-id.ts";
import { chooseQuic } from "./quic-choice.ts";

const ON_QUIC = [["/ip4/127.0.0.1/udp/0/quic-v1"]];
const BOTH = [["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]];
const { make, trouble } = await chooseQuic(ON_QUIC);
const OPTIONS = { timeout: 60_000, skip: trouble ?? false };
const PROTOCOL = "/test/1";
const MIB = 1_048_576;

/** Somebody who has libp2p with QUIC, and a key. */
async function speaker(t: TestContext, seed: Uint8Array, listen: readonly string[] = []): Promise<Libp2pNode> {
  const node = await makeLibp2p({ refuses: () => false, isFamiliar: () => false }, { seed, listen, quic: make });
  await node.start();
  t.after(() => node.stop());
  return node;
}

function addressOf(node: Node): string {
  return `${node.network.addresses[0]}/p2p/${peerIdOf(node.members.self).toString()}`;
}

test("a node that listens for QUIC alone is joined, met by a third, and puts out who is revoked", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1), new Map(), ON_QUIC);
  assert.match(a.network.addresses.join(), /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1$/);
  const b = await join(t, 2, a, BOTH);
  const c = await join(t, 3, a, ON_QUIC);
  await until(t, () => b.network.connected(c.members.self) && c.network.connected(b.members.self));
  const link = b.network.peers().find(({ key }) => key === a.members.self);
  assert.equal(link?.state === "connected" && link.address, a.network.addresses[0]);
  assert.deepEqual(b.saved.get(a.members.self)?.addresses, a.network.addresses);
  await b.network.ping(a.members.self, 10_000);

  a.members.issue({ kind: "revoke", member: c.members.self });
  await until(t, () => !a.network.connected(c.members.self) && !b.network.connected(c.members.self));
  const client = await (await speaker(t, seedOf(3))).dial(multiaddr(addressOf(a)));
  const answer = await sayHello(client, codec, { kind: "member", network: a.members.network, proof: [] });
  assert.deepEqual(answer, { kind: "refused", reason: "revoked" });
  await until(t, () => client.status !== "open");
});

test("where both are spoken TCP is taken; a node that speaks no QUIC passes on where others do", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1), new Map(), BOTH);
  const b = await join(t, 2, a);
  const c = await join(t, 3, b, BOTH);
  await until(t, () => c.network.connected(a.members.self));
  const link = c.network.peers().find(({ key }) => key === a.members.self);
  assert.match(link?.state === "connected" ? link.address : "", /\/tcp\/\d+$/);
  assert.deepEqual(b.saved.get(a.members.self)?.addresses, a.network.addresses);
  assert.equal(a.network.addresses.length, 2);
});

test("a stranger who only connects is cut off in time, and reaches no handler", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1), new Map(), ON_QUIC);
  let reached = 0;
  await a.network.serve(PROTOCOL, 9, () => void reached++);
  const stranger = await speaker(t, seedOf(7));
  const silent = await stranger.dial(multiaddr(addressOf(a)));
  await until(t, () => silent.status !== "open");
  const rude = await stranger.dial(multiaddr(addressOf(a)));
  await rude.newStream(PROTOCOL).then(
    (stream) => stream.send(new Uint8Array(9)),
    () => undefined,
  );
  await until(t, () => rude.status !== "open");
  assert.equal(reached, 0);
  const whys = a.events.filter(({ name }) => name === "gate.refused").map(({ facts }) => facts.why);
  assert.ok(whys.includes("too-late"), whys.join());
});

test("nobody else's answer is taken for a member's, and nobody's for one in time", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1), new Map(), ON_QUIC);
  const client = await speaker(t, seedOf(7));
  assert.ok(await client.services.dialler.dial(multiaddr(addressOf(a)), t.signal));
  const impostor = multiaddr(`${a.network.addresses[0]}/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN`);
  await assert.rejects(client.services.dialler.dial(impostor, t.signal), /somebody else/);
  const nobody = multiaddr("/ip4/127.0.0.1/udp/9/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN");
  await assert.rejects(client.services.dialler.dial(nobody, t.signal));
});

/** A connection, and streams of it as both ends see them. */
async function pair(t: TestContext): Promise<{ client: Connection; open: () => Promise<{ near: Stream; far: Stream }> }> {
  const server = await speaker(t, seedOf(1), ON_QUIC[0]);
  const came: Stream[] = [];
  await server.handle(PROTOCOL, (stream) => void came.push(stream), { maxInboundStreams: limits.streamsPerPeer });
  const client = await (await speaker(t, seedOf(2))).dial(server.getMultiaddrs());
  const open = async (): Promise<{ near: Stream; far: Stream }> => {
    const near = await client.newStream(PROTOCOL, { maxOutboundStreams: limits.streamsPerPeer });
    await until(t, () => came.length > 0);
    return { near, far: came.shift() as Stream };
  };
  return { client, open };
}

for (const how of ["is paused", "has no reader yet"])
  test(`a stream that ${how} makes the sender wait, and nothing of it is lost; others go on`, OPTIONS, async (t) => {
    const { open } = await pair(t);
    const { near, far } = await open();
    let read = 0;
    const begin = (): void =>
      far.addEventListener("message", ({ data }) => {
        read += data.byteLength;
      });
    if (how === "is paused") {
      begin();
      far.pause();
    }
    const piece = new Uint8Array(limits.quic.pieceBytes);
    let sent = 0;
    for (let again = 0; again < 20; again++) {
      while (!near.writableNeedsDrain) {
        near.send(piece);
        sent += piece.length;
        assert.ok(sent < 32 * MIB, "it goes on for ever");
      }
      await sleep(5); // What is on its way.
    }
    assert.equal(read, 0);
    assert.ok(far.readBufferLength <= limits.quic.streamBytes + limits.quic.pieceBytes, `${far.readBufferLength} bytes wait`);
    const other = await open();
    other.far.addEventListener("message", ({ data }) => void other.far.send(data));
    let echoed = 0;
    other.near.addEventListener("message", ({ data }) => {
      echoed += data.byteLength;
    });
    other.near.send(piece);
    await until(t, () => echoed === piece.length);
    if (how === "is paused") far.resume();
    else begin();
    await until(t, () => read === sent);
  });

test("who puts in more each time that a stream says it has drained fills no buffer", OPTIONS, async (t) => {
  const { open } = await pair(t);
  const { near, far } = await open();
  let read = 0;
  far.addEventListener("message", ({ data }) => {
    read += data.byteLength;
  });
  const frame = new Uint8Array(limits.memberFrameBytes);
  const most = 2 * limits.memberQueueBytes;
  let sent = 0;
  const more = (): void => {
    if (sent >= most) return;
    near.send(frame);
    sent += frame.length;
    assert.ok(near.writeBufferLength <= frame.length, `${near.writeBufferLength} bytes wait`);
  };
  near.addEventListener("drain", more);
  more();
  await until(t, () => read === most);
});

test("a close lets what was sent arrive, of a stream and of its connection", OPTIONS, async (t) => {
  const { client, open } = await pair(t);
  const { near, far } = await open();
  const sent = randomBytes(MIB);
  const read: Uint8Array[] = [];
  far.addEventListener("message", ({ data }) => read.push(data.subarray()));
  near.send(sent);
  await near.close({ signal: t.signal });
  await client.close({ signal: t.signal });
  await until(t, () => far.status !== "open");
  assert.ok(sent.equals(Buffer.concat(read)));
});

test("streams end for both sides however they end, and leave nothing behind", OPTIONS, async (t) => {
  const { client, open } = await pair(t);
  for (let round = 0; round < 2 * limits.streamsPerPeer; round++) {
    const { near, far } = await open();
    const isOver = (): boolean => near.status !== "open" && far.status !== "open";
    if (round % 3 === 0) near.abort(new Error("enough"));
    else if (round % 3 === 1) far.abort(new Error("enough"));
    else await Promise.all([near, far].map((stream) => stream.close({ signal: t.signal })));
    await until(t, isOver);
  }
  assert.equal(client.streams.length, 0);
});

test("an abort ends this side of a connection at once, and the other one by the next sign of life at the latest", OPTIONS, async (t) => {
  const { client, open } = await pair(t);
  const { near, far } = await open();
  far.pause();
  while (!near.writableNeedsDrain) near.send(new Uint8Array(limits.quic.pieceBytes));
  client.abort(new Error("over"));
  assert.equal(client.status, "aborted");
  await until(t, () => far.status !== "open");
});
