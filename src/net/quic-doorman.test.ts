/**
 * What gets past the doorman of QUIC, with a socket inside that tells what has come; and what strangers without number get of a real node.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket, Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../base/index.ts";
import { makeLibp2p } from "./libp2p.ts";
import { founded, join, seedOf, start, until } from "./network.fixture.ts";
import { Newcomers } from "./newcomers.ts";
import { peerIdOf } from "./peer-id.ts";
import { portOf } from "./ports.ts";
import { chooseQuic } from "./quic-choice.ts";
import { QuicDoorman } from "./quic-doorman.ts";

const OPTIONS = { timeout: 60_000 };
const ON_QUIC = [["/ip4/127.0.0.1/udp/0/quic-v1"]];
const BOTH = [["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]];
const { make, trouble } = await chooseQuic(ON_QUIC);
const INITIAL = 0xc0;
const HANDSHAKE = 0xe0;

/** A packet with a long header of version 1. */
function long(type: number, destination: string, source: string, bytes: number = 1_200): Buffer {
  const [to, from] = [Buffer.from(destination), Buffer.from(source)];
  const header = Buffer.concat([Buffer.of(type, 0, 0, 0, 1, to.length), to, Buffer.of(from.length), from]);
  return Buffer.concat([header, Buffer.alloc(bytes - header.length)]);
}

async function udp(t: TestContext, host: string = "127.0.0.1"): Promise<Socket> {
  const socket = createSocket("udp4").bind(0, host);
  t.after(() => socket.close());
  await once(socket, "listening");
  return socket;
}

interface World {
  /** What has come inside: the first bytes of packets, and from which port. */
  readonly came: { readonly packet: Buffer; readonly port: number }[];
  readonly doorman: QuicDoorman;
  readonly port: number;
  /** Sends back from inside what belongs to a visitor. */
  answer(packet: Buffer, innerPort: number): void;
}

async function world(t: TestContext, refuses: (ip: string) => boolean = () => false): Promise<World> {
  const inside = await udp(t);
  const came: { packet: Buffer; port: number }[] = [];
  inside.on("message", (packet, { port }) => came.push({ packet, port }));
  const parts = { refuses, newcomers: new Newcomers((ip) => ip === "127.0.0.2") };
  const doorman = new QuicDoorman(parts, { family: 4, innerPort: inside.address().port });
  t.after(() => doorman.close());
  const port = await doorman.listen("127.0.0.1", 0);
  return { came, doorman, port, answer: (packet, innerPort) => inside.send(packet, innerPort, "127.0.0.1") };
}

/** Packets are handed over in turn: when one from elsewhere has come inside, those before it have, too, or will not. */
async function settled(t: TestContext, { came, port }: World): Promise<void> {
  const other = await udp(t, "127.0.0.2");
  const name = randomBytes(4).toString("hex");
  other.send(long(INITIAL, name, "x"), port, "127.0.0.1");
  await until(t, () => came.some(({ packet }) => packet.includes(name)));
  came.splice(
    came.findIndex(({ packet }) => packet.includes(name)),
    1,
  );
}

test("only a first packet begins something, and what follows must belong to it", OPTIONS, async (t) => {
  const one = await world(t);
  const visitor = await udp(t);
  const send = (packet: Buffer): void => visitor.send(packet, one.port, "127.0.0.1");
  const otherVersion = long(INITIAL, "destination", "source");
  otherVersion.writeUInt32BE(2, 1);
  for (const packet of [
    Buffer.alloc(0),
    Buffer.of(0xc0),
    Buffer.alloc(1_200),
    randomBytes(1_200).fill(0xff, 0, 1),
    otherVersion,
    long(INITIAL, "destination", "source", 1_199),
    long(INITIAL, "short", "source"),
    long(HANDSHAKE, "destination", "source"),
  ])
    send(packet);
  await settled(t, one);
  assert.equal(one.came.length, 0);

  send(long(INITIAL, "destination", "source"));
  await until(t, () => one.came.length === 1);
  const inner = one.came[0]?.port ?? 0;
  const back = once(visitor, "message");
  one.answer(long(HANDSHAKE, "source", "given-name"), inner);
  await back;
  send(long(HANDSHAKE, "given-name", "source", 100));
  send(long(INITIAL, "destination", "source"));
  send(Buffer.of(0x40, 1, 2, 3));
  send(long(HANDSHAKE, "other-name", "source", 100));
  await until(t, () => one.came.length >= 4);
  await settled(t, one);
  assert.deepEqual(
    one.came.map(({ packet, port }) => [packet[0], port]),
    [INITIAL, HANDSHAKE, INITIAL, 0x40].map((first) => [first, inner]),
  );
});

test(
  "who is refused sends nothing inside, and of all others there are only so many, but none of them keeps out whom one knows",
  OPTIONS,
  async (t) => {
    const refused = new Set<string>();
    const one = await world(t, (ip) => refused.has(ip));
    refused.add("127.0.0.1");
    const first = await udp(t);
    first.send(long(INITIAL, "destination", "source"), one.port, "127.0.0.1");
    await settled(t, one);
    assert.equal(one.came.length, 0);
    refused.clear();
    for (let stranger = 0; stranger <= limits.newcomers; stranger++)
      (await udp(t)).send(long(INITIAL, "destination", "source"), one.port, "127.0.0.1");
    await settled(t, one);
    await until(t, () => one.came.length >= limits.newcomers);
    await settled(t, one);
    assert.equal(one.came.length, limits.newcomers);
  },
);

test("one place has no more attempts than many, and each so many bytes until a connection is made", OPTIONS, async (t) => {
  const one = await world(t);
  const visitor = await udp(t);
  for (let attempt = 0; attempt < 2 * limits.newcomers; attempt++)
    visitor.send(long(INITIAL, `destination-${attempt}`, "source"), one.port, "127.0.0.1");
  await until(t, () => one.came.length >= limits.newcomers);
  await settled(t, one);
  assert.equal(one.came.length, limits.newcomers);

  const bytes = (): number => one.came.reduce((sum, { packet }) => sum + packet.length, 0);
  const most = limits.newcomers * limits.quic.newcomerBytes;
  const flood = async (): Promise<void> => {
    for (let packet = 0; packet < most / 1_000; packet++) {
      visitor.send(Buffer.alloc(1_200, 0x40), one.port, "127.0.0.1");
      if (packet % 16 === 0) await sleep(1); // Sockets hold only so many.
    }
  };
  await flood();
  await settled(t, one);
  assert.ok(bytes() <= most, `${bytes()} bytes`);
  const inner = one.came[0]?.port ?? 0;
  const origin = one.doorman.made(inner);
  assert.deepEqual([origin?.ip, origin?.port], ["127.0.0.1", visitor.address().port]);
  assert.equal(one.doorman.made(9), undefined);
  await flood();
  await until(t, () => bytes() > most);
});

test("one first packet buys a few more of its name and so many bytes, also beside a connection that is made", OPTIONS, async (t) => {
  const one = await world(t);
  const visitor = await udp(t);
  const send = async (packet: Buffer): Promise<void> => {
    for (let again = 0; again < 50; again++) visitor.send(packet, one.port, "127.0.0.1");
    await settled(t, one);
  };
  await send(long(INITIAL, "destination", "source"));
  const firsts = one.came.length;
  assert.ok(firsts > 1 && firsts < 6, `${firsts} packets`);
  const inner = one.came[0]?.port ?? 0;
  assert.ok(one.doorman.made(inner));
  await send(long(INITIAL, "destination", "source"));
  assert.equal(one.came.length, firsts, "none once it is made");

  await send(long(INITIAL, "another-one", "source-2"));
  assert.ok(one.came.length > firsts && one.came.length <= 2 * firsts);
  const back = once(visitor, "message");
  one.answer(long(HANDSHAKE, "source-2", "given-name"), inner);
  await back;
  await send(long(HANDSHAKE, "given-name", "source-2"));
  const bytes = one.came.reduce((sum, { packet }) => sum + packet.length, 0);
  assert.ok(bytes <= 2 * limits.quic.newcomerBytes, `${bytes} bytes`);
  assert.ok(one.came.length > 2 * firsts);
});

test("who cannot be given a socket is forgotten, and may come again", OPTIONS, async (t) => {
  const one = await world(t);
  const visitor = await udp(t);
  const bind = t.mock.method(Socket.prototype, "bind", function fail(this: Socket) {
    process.nextTick(() => this.emit("error", new Error("too many open files")));
    return this;
  });
  visitor.send(long(INITIAL, "destination", "source"), one.port, "127.0.0.1");
  await until(t, () => bind.mock.callCount() === 1);
  bind.mock.restore();
  await settled(t, one);
  assert.equal(one.came.length, 0);
  visitor.send(long(INITIAL, "destination", "source"), one.port, "127.0.0.1");
  await until(t, () => one.came.length === 1);
});

test("an attempt has its time; then nothing of it passes, and its place is free when it is forgotten inside", OPTIONS, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const newcomers = new Newcomers(() => false);
  const inside = await udp(t);
  let came = 0;
  inside.on("message", () => came++);
  const doorman = new QuicDoorman({ refuses: () => false, newcomers }, { family: 4, innerPort: inside.address().port });
  t.after(() => doorman.close());
  const port = await doorman.listen("127.0.0.1", 0);
  const visitor = await udp(t);
  const free = (): boolean => {
    using places = new DisposableStack();
    for (let place = 0; place < limits.newcomers; place++) {
      const one = newcomers.admit("127.0.0.1");
      if (one === undefined) return false;
      places.use(one);
    }
    return true;
  };
  const begun = once(inside, "message");
  visitor.send(long(INITIAL, "destination", "source"), port, "127.0.0.1");
  await begun;
  assert.ok(!free());
  t.mock.timers.tick(limits.helloDeadlineMs);
  visitor.send(long(INITIAL, "destination", "source", 1_100), port, "127.0.0.1");
  visitor.send(Buffer.alloc(100, 0x40), port, "127.0.0.1");
  const other = await udp(t, "127.0.0.2");
  const next = once(inside, "message");
  other.send(long(INITIAL, "destination", "source"), port, "127.0.0.1");
  await next;
  assert.equal(came, 2, "only the other one's");
  assert.ok(!free(), "inside it may still be waited for");
  t.mock.timers.tick(limits.quic.idleMs);
  doorman.close();
  assert.ok(free());
});

test("strangers without number reach no handler, and keep no member out", { ...OPTIONS, skip: trouble ?? false }, async (t) => {
  const a = await start(t, 1, founded(1), new Map(), BOTH);
  const b = await join(t, 2, a, BOTH);
  let reached = 0;
  await a.network.serve("/test/1", 9, () => void reached++);
  const quic = a.network.addresses.find((address) => portOf(address)?.speaks === "quic") ?? "";
  // First packets as somebody really sends them.
  const sink = await udp(t);
  const stranger = await makeLibp2p({ refuses: () => false, isFamiliar: () => false }, { seed: seedOf(7), listen: [], quic: make });
  await stranger.start();
  t.after(() => stranger.stop());
  const nowhere = multiaddr(`/ip4/127.0.0.1/udp/${sink.address().port}/quic-v1/p2p/${peerIdOf(a.members.self).toString()}`);
  const packets: Buffer[] = [];
  sink.on("message", (packet) => packets.push(packet));
  while (packets.length < 2 * limits.unprovenPerAddress)
    await stranger.services.dialler.dial(nowhere, AbortSignal.timeout(10)).catch(() => undefined);
  const visitor = await udp(t);
  let answered = 0;
  visitor.on("message", () => answered++);
  for (let attempt = 0; attempt < 1_000; attempt++) {
    visitor.send(packets[attempt % packets.length] ?? "", portOf(quic)?.port ?? 0, "127.0.0.1");
    if (attempt % 16 === 0) await sleep(1);
  }
  await b.network.ping(a.members.self, 10_000);
  assert.ok(a.network.connected(b.members.self));
  assert.equal(reached, 0);
  // Each handshake is answered with a few packets, again while nothing comes back.
  assert.ok(answered > 0 && answered < 20 * limits.unprovenPerAddress, `${answered} packets`);
  const refused = a.events.filter(({ name, facts }) => name === "gate.refused" && facts.why === "too-many-attempts");
  assert.ok(refused.length > 0);
});
