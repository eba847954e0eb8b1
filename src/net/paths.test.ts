import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { limits, silentLog } from "../base/index.ts";
import { Membership } from "../trust/index.ts";
import { Circuits, type CircuitsParts } from "./circuits.ts";
import { framesOf } from "./frames.ts";
import { sayHello } from "./handshake.ts";
import { makeLibp2p } from "./libp2p.ts";
import type { Link } from "./link.ts";
import { codec, dialler, founded, join, type Node, parts, seedOf, start, until } from "./network.fixture.ts";
import { Paths, type PathsParts } from "./paths.ts";
import { peerIdOf } from "./peer-id.ts";
import { CIRCUIT, RELAY } from "./relay.ts";

/** Listens nowhere: whoever wants to talk to it must be found, or go through somebody else. */
const NOWHERE = [[]];

function linkOf(node: Node, other: Node): { relays: number; via: string | undefined } | undefined {
  const facts = node.network.peers().find(({ key }) => key === other.members.self);
  return facts?.state === "connected" ? { relays: facts.relays, via: facts.via } : undefined;
}

async function echo(node: Node, protocol: string): Promise<void> {
  await node.network.serve(protocol, 4, ({ stream }) => {
    const frames = framesOf(stream, limits.memberFrameBytes);
    const answer = async (): Promise<void> => {
      for (let bytes = await frames.read(5_000); bytes !== undefined; bytes = await frames.read(5_000)) await frames.write(bytes, 5_000);
    };
    answer().catch(() => undefined);
  });
}

test("two that cannot dial each other are linked through a third", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a, NOWHERE);
  const c = await join(t, 3, a, NOWHERE);
  await until(t, () => b.network.connected(c.members.self) && c.network.connected(b.members.self));
  assert.deepEqual(linkOf(b, c), { relays: 1, via: a.members.self });
  assert.deepEqual(linkOf(c, b), { relays: 1, via: a.members.self });
  assert.ok((await b.network.ping(c.members.self, 5_000)) > 0);

  await echo(c, "/cairn/echo/1");
  const frames = framesOf((await b.network.open(c.members.self, "/cairn/echo/1", 5_000)).stream, limits.memberFrameBytes);
  for (const size of [1, 100_000, limits.memberFrameBytes]) {
    const sent = Buffer.alloc(size, size);
    await frames.write(sent, 5_000);
    assert.ok(sent.equals((await frames.read(5_000)) ?? Buffer.alloc(0)), `${size} bytes there and back`);
  }
  const opened = a.events.filter(({ name }) => name === "relay.opened");
  assert.ok(opened.length >= 1);

  await a.network[Symbol.asyncDispose]();
  await until(t, () => !b.network.connected(c.members.self) && !c.network.connected(b.members.self));
});

test("who comes back is linked again through a third, though that one did not lead to it meanwhile", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a, NOWHERE);
  const c = await join(t, 3, a, NOWHERE);
  await until(t, () => linkOf(b, c) !== undefined && linkOf(c, b) !== undefined);
  await c.network[Symbol.asyncDispose]();
  const inVain = (): unknown[] => b.events.filter(({ name, facts }) => name === "peer.dial-failed" && facts.peer === c.members.self);
  await until(t, () => inVain().length >= 3);
  const membership = new Membership(parts, c.members.network);
  membership.merge(c.members.missing({ epochs: [], pending: [] }));
  const back = await start(t, 3, membership, c.saved, NOWHERE);
  await until(t, () => linkOf(b, back) !== undefined && linkOf(back, b) !== undefined);
  assert.equal(linkOf(b, back)?.via, a.members.self);
});

test("strangers can neither ask a relay nor be reached through one", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a, NOWHERE);
  for (const protocol of [RELAY, CIRCUIT]) {
    const stranger = await dialler(t, seedOf(9), a);
    const spoken = (async (): Promise<Uint8Array | undefined> => {
      const frames = framesOf(await stranger.newStream(protocol), limits.pathFrameBytes);
      await frames.write(codec.encodeRelayFrame({ kind: "reach", target: b.members.self, connect: true }), 1_000);
      return frames.read(1_000);
    })();
    assert.equal(await spoken.catch(() => undefined), undefined);
    await until(t, () => stranger.status !== "open");
  }
  const stranger = "ab".repeat(32);
  for (const [wanted, why] of [
    [stranger, "a key that nobody has"],
    [b.members.self, "itself"],
  ] as const) {
    const frames = framesOf((await b.network.open(a.members.self, RELAY, 5_000)).stream, limits.pathFrameBytes);
    await frames.write(codec.encodeRelayFrame({ kind: "reach", target: wanted, connect: true }), 5_000);
    const answer = codec.decodeRelayFrame((await frames.read(5_000)) ?? Buffer.alloc(0));
    assert.deepEqual(answer, { kind: "refused", reason: "absent" }, why);
  }
  assert.equal(a.events.filter(({ name }) => name === "relay.opened").length, 0);
});

test("one member has so many circuits and no more, and they are free again when they end", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a, NOWHERE);
  const c = await join(t, 3, a, NOWHERE);
  await until(t, () => linkOf(b, c) !== undefined && linkOf(c, b) !== undefined);
  const ask = async (): Promise<[answer: string, stream: Stream]> => {
    const { stream } = await b.network.open(a.members.self, RELAY, 5_000);
    const frames = framesOf(stream, limits.pathFrameBytes);
    await frames.write(codec.encodeRelayFrame({ kind: "reach", target: c.members.self, connect: true }), 5_000);
    const answer = codec.decodeRelayFrame((await frames.read(5_000)) ?? Buffer.alloc(0));
    return [answer.kind === "refused" ? answer.reason : answer.kind, stream];
  };
  const open: Stream[] = [];
  let last = "reached";
  while (last === "reached" && open.length <= limits.circuitsPerMember) {
    const [answer, stream] = await ask();
    last = answer;
    open.push(stream);
  }
  assert.equal(last, "full");
  // Of 256 circuits; the link between the two has one, whichever of them asked for it.
  assert.ok([24, 25].includes(open.length), `${open.length}`);
  for (const stream of open) stream.abort(new Error("enough"));
  let again = "";
  while (again !== "reached") {
    [again] = await ask().catch(() => ["no stream"] as const);
    await sleep(10, undefined, { signal: t.signal });
  }
  assert.ok(a.network.connected(c.members.self));
});

test("a member that calls under another's name does not get in", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const c = await join(t, 3, a, NOWHERE);
  await until(t, () => linkOf(c, b) !== undefined);
  // A relay that lies about who calls: a, whose key speaks to c in the name of somebody else.
  const { stream } = await a.network.open(c.members.self, CIRCUIT, 5_000);
  const frames = framesOf(stream, limits.pathFrameBytes);
  await frames.write(codec.encodeRelayFrame({ kind: "call", from: "cd".repeat(32), relays: 1 }), 5_000);
  await frames.read(5_000).catch(() => undefined);
  stream.abort(new Error("no more"));
  assert.equal(c.events.filter(({ name, facts }) => name === "peer.connected" && facts.relays === 1).length, 0);
});

test("whoever asks where it is seen is told, and listens to what is said", { timeout: 60_000 }, async (t) => {
  const a = await start(t, 1, founded(1));
  await join(t, 2, a);
  const client = await makeLibp2p({ refuses: () => false, isFamiliar: () => false }, { seed: seedOf(2), listen: [] });
  await client.start();
  t.after(() => client.stop());
  const to = multiaddr(`${a.network.addresses[0]}/p2p/${peerIdOf(a.members.self).toString()}`);
  const connection = await client.dial(to);
  assert.deepEqual(await sayHello(connection, codec, { kind: "member", network: a.members.network, proof: [] }), { kind: "welcome" });
  const localPort = client.services.ways.localPort(connection);
  assert.ok(localPort !== undefined);
  const bytes = await framesOf(await connection.newStream("/cairn/whoami/1"), limits.pathFrameBytes).read(5_000);
  assert.equal(codec.decodeSeen(bytes ?? Buffer.alloc(0)), `/ip4/127.0.0.1/tcp/${localPort}`);
});

test("while a member is looked for through others it is not looked for once more", async () => {
  const searches: PromiseWithResolvers<undefined>[] = [];
  const find = (): Promise<undefined> => {
    searches.push(Promise.withResolvers<undefined>());
    return searches.at(-1)?.promise ?? assert.fail();
  };
  const clock = { now: () => 0, random: () => 0.5 };
  using paths = new Paths({ host: () => undefined, circuits: { find }, ...clock } as unknown as PathsParts);
  const attempts = ["b", "b", "c"].map((key) => assert.rejects(paths.reach(key), /no member relays/));
  assert.equal(searches.length, 2); // One a member.
  for (const { resolve } of searches) resolve(undefined);
  await Promise.all(attempts);
  const later = assert.rejects(paths.reach("b"), /no member relays/);
  searches[2]?.resolve(undefined);
  await later;
  assert.equal(searches.length, 3);
});

/** Members m0 to m5, none of whom relays to whom is looked for, under a clock that passes as is said. */
function searching(): { paths: Paths; passes: (ms: number) => void; links: Link[]; asked: () => number; settle: () => Promise<void> } {
  let [now, streams] = [0, 0];
  const links: Link[] = [];
  const link = (key: string, begunAt: number): Link =>
    ({
      key,
      get facts() {
        return { relays: 0, via: undefined, usualRttMs: 1, direction: "inbound", ageMs: now - begunAt };
      },
    }) as unknown as Link;
  const open = (): Promise<never> => {
    streams++;
    return Promise.reject(new Error("does not relay"));
  };
  const shared = { links: () => links, open, now: () => now, random: () => 0.5, log: silentLog };
  const circuits = new Circuits(shared as unknown as CircuitsParts);
  const paths = new Paths({
    ...shared,
    self: "self",
    circuits,
    host: () => undefined,
    linkWith: (key: string) => links.find((one) => one.key === key),
    missing: () => ["gone"],
    puncher: { learn: () => undefined },
  } as unknown as PathsParts);
  links.push(...Array.from({ length: 6 }, (_, at) => link(`m${at}`, 0)));
  return {
    paths,
    links,
    passes: (ms) => void (now += ms),
    asked: () => streams,
    settle: async () => {
      for (let turns = 0; turns < 20; turns++) await turn();
    },
  };
}

test("members are asked ever more rarely for one to whom nobody relays, however often it is dialled", async () => {
  const { paths, passes, asked } = searching();
  using _ = paths;
  for (let dials = 0; dials < 150; dials++) {
    await assert.rejects(paths.reach("gone"), /no member relays/);
    passes(1_000);
  }
  // At the beginning and 11, 34 and 79 s later.
  assert.equal(asked(), 4 * limits.relaysAsked);
});

test("who is back is found as soon as before: by a new link at once, and by everybody when it is heard of or this machine has moved", async () => {
  const { paths, passes, links, asked, settle } = searching();
  using _ = paths;
  const dialled = async (): Promise<number> => {
    const before = asked();
    await assert.rejects(paths.reach("gone"), /no member relays/);
    return asked() - before;
  };
  for (let dials = 0; dials < 150; dials++) {
    await dialled();
    passes(1_000);
  }
  assert.equal(await dialled(), 0);
  const newcomer = { key: "new", facts: { ...links[0]?.facts, ageMs: 0 } } as unknown as Link;
  links.push(newcomer);
  const before = asked();
  paths.linked(newcomer);
  await settle();
  assert.equal(asked(), before + 1, "the newcomer is asked at once");
  assert.equal(await dialled(), 1, "and whenever it is dialled: its own links come one after the other");
  paths.expect("gone");
  assert.equal(await dialled(), limits.relaysAsked);
  assert.equal(await dialled(), 0);
  paths.disturbed();
  assert.equal(await dialled(), limits.relaysAsked);
});
