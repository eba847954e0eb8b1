import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { type Key, limits } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import { framesOf, openFrames } from "./frames.ts";
import { makeLibp2p } from "./libp2p.ts";
import { Link, MEMBER } from "./link.ts";
import { Links } from "./links.ts";
import { codec, seedOf, until } from "./network.fixture.ts";
import { keyOf } from "./peer-id.ts";

type Libp2p = Awaited<ReturnType<typeof makeLibp2p>>;

/** One side: links, and what was heard on them. Connections say how many relays they pretend to have by who dials them. */
interface Side {
  readonly key: Key;
  readonly libp2p: Libp2p;
  readonly links: Links;
  readonly heard: number[];
  readonly lost: string[];
  adopt(connection: Connection, frames: ReturnType<typeof framesOf>, relays: number): Link;
}

const NONE = { epochs: [], pending: [] };

async function side(t: TestContext, number: number, relaysInbound: () => number): Promise<Side> {
  const libp2p = await makeLibp2p(
    { refuses: () => false, isFamiliar: () => false },
    { seed: seedOf(number), listen: ["/ip4/127.0.0.1/tcp/0"] },
  );
  const key = keyOf(libp2p.peerId) ?? "";
  const heard: number[] = [];
  const lost: string[] = [];
  const roster: Partial<Roster> = {
    self: key,
    summary: () => "00".repeat(32),
    have: () => NONE,
    missing: () => [],
    take: (statements) => void heard.push(...statements.map((bytes) => Buffer.from(bytes).readUInt32BE())),
  };
  const links = new Links({
    most: 10,
    self: key,
    log: { event: () => undefined },
    connected: () => undefined,
    lost: (_, why) => void lost.push(why),
  });
  const adopt: Side["adopt"] = (connection, frames, relays) => {
    const parts = {
      roster: roster as Roster,
      codec,
      now: () => performance.now(),
      heard: () => undefined,
      gossip: () => undefined,
      doubt: () => undefined,
      watch: (of: Connection, arrived: () => void) => libp2p.services.ways.watch(of, arrived),
    };
    const route = { relays, via: relays > 0 ? "ab".repeat(32) : undefined };
    const link = new Link(parts, keyOf(connection.remotePeer) ?? "", connection, frames, route);
    links.adopt(link);
    return link;
  };
  await libp2p.handle(MEMBER, (stream, connection) => {
    adopt(connection, framesOf(stream, limits.memberFrameBytes), relaysInbound());
  });
  await libp2p.start();
  t.after(() => libp2p.stop());
  return { key, libp2p, links, heard, lost, adopt };
}

async function link(from: Side, to: Side, relays: number): Promise<Link> {
  const connection = await from.libp2p.dial(multiaddr(to.libp2p.getMultiaddrs()[0]?.toString()), { force: true });
  return from.adopt(connection, await openFrames(connection, MEMBER, limits.memberFrameBytes, 5_000), relays);
}

function statement(number: number): Uint8Array {
  const bytes = Buffer.alloc(1_000);
  bytes.writeUInt32BE(number);
  return bytes;
}

for (const dialler of ["the same side", "the other side"])
  test(`from relayed to direct, dialled by ${dialler}: nothing that was said is lost`, { timeout: 60_000 }, async (t) => {
    let relays = 1;
    const [a, b] = await Promise.all([side(t, 1, () => relays), side(t, 2, () => relays)]);
    const before = await link(a, b, 1);
    await until(t, () => b.links.has(a.key));
    relays = 0;
    const change = dialler === "the same side" ? link(a, b, 0) : link(b, a, 0);
    let said = 0;
    while (a.links.get(b.key) === before || said < 2_000) {
      for (let i = 0; i < 50; i++) {
        a.links.get(b.key)?.sendStatements([statement(said)]);
        b.links.get(a.key)?.sendStatements([statement(said)]);
        said += 1;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    const direct = await change;
    await until(t, () => a.heard.length === said && b.heard.length === said);
    assert.deepEqual([new Set(a.heard).size, new Set(b.heard).size], [said, said], "and nothing twice");
    assert.equal(direct.facts.relays, 0);
    assert.deepEqual([a.links.get(b.key)?.facts.relays, b.links.get(a.key)?.facts.relays], [0, 0]);
    await until(t, () => before.connection.status !== "open");
    assert.deepEqual([a.lost, b.lost], [[], []]);
    // A relayed one that comes now is kept in reserve at most, and let go because the direct one answers.
    relays = 1;
    const late = await link(a, b, 1);
    t.diagnostic(`let go: ${await late.ended}`);
    assert.equal(a.links.get(b.key)?.facts.relays, 0);
  });

test("when the direct way dies what waits in reserve takes its place at once", { timeout: 60_000 }, async (t) => {
  let relays = 0;
  const [a, b] = await Promise.all([side(t, 1, () => relays), side(t, 2, () => relays)]);
  const direct = await link(a, b, 0);
  await until(t, () => b.links.has(a.key));
  relays = 1;
  const reserve = await link(a, b, 1);
  direct.end("cut");
  await until(t, () => a.links.get(b.key) === reserve && b.links.get(a.key)?.facts.relays === 1);
  assert.deepEqual([a.lost, b.lost], [[], []]);
});

test("what is under way on a relayed link that a direct one replaces goes on, and its connection ends after it", {
  timeout: 60_000,
}, async (t) => {
  let relays = 1;
  const [a, b] = await Promise.all([side(t, 1, () => relays), side(t, 2, () => relays)]);
  await b.libp2p.handle("/test/echo/1", (stream) => stream.addEventListener("message", ({ data }) => void stream.send(data)));
  const before = await link(a, b, 1);
  await until(t, () => b.links.has(a.key));
  const stream = await before.connection.newStream("/test/echo/1");
  let came = 0;
  stream.addEventListener("message", ({ data }) => {
    came += data.byteLength;
  });
  relays = 0;
  const direct = await link(a, b, 0);
  await until(t, () => a.links.get(b.key) === direct && b.links.get(a.key)?.facts.relays === 0);
  stream.send(new Uint8Array(1_000));
  await until(t, () => came === 1_000);
  assert.ok((await before.ping(5_000)) >= 0, "the way that was replaced is still looked after");
  await stream.close();
  stream.abort(new Error("done"));
  await until(t, () => before.connection.status !== "open");
  assert.deepEqual([a.lost, b.lost], [[], []]);
});

test("of the links that were replaced only the latest are kept, whatever goes over them", { timeout: 60_000 }, async (t) => {
  const [a, b] = await Promise.all([side(t, 1, () => 1), side(t, 2, () => 1)]);
  await b.libp2p.handle("/test/hold/1", () => undefined);
  const ways: Link[] = [];
  for (let i = 0; i < limits.retiredPerPeer + 2; i++) {
    const one = await link(a, b, 1);
    await until(t, () => a.links.get(b.key) === one);
    await one.connection.newStream("/test/hold/1");
    ways.push(one);
  }
  assert.equal(await ways[0]?.ended, "replaced");
  assert.deepEqual(
    ways.slice(1).map(({ connection }) => connection.status),
    ways.slice(1).map(() => "open"),
  );
});
