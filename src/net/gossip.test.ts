import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { type Key, limits } from "../base/index.ts";
import { isSigned } from "../trust/index.ts";
import type { GossipFrame } from "../wire/index.ts";
import { LinkGossip } from "./gossip.ts";
import { codec, founded, join, type Node, start, until } from "./network.fixture.ts";

const TOPIC = "news";
const UNREADABLE = "unreadable";
const NOTHING: GossipFrame = { topics: undefined, messages: [], graft: [], prune: [], have: [], want: [], given: [] };

interface Talker {
  readonly node: Node;
  readonly gossip: LinkGossip;
  readonly heard: { author: Key; text: string }[];
  readonly failed: Key[];
  /** Hands a frame to a peer's link, unchecked. */
  readonly say: (to: Talker, frame: Partial<GossipFrame>) => void;
}

function talker(t: TestContext, node: Node, options: { sequence?: number; lasting?: boolean } = {}): Talker {
  const heard: { author: Key; text: string }[] = [];
  const failed: Key[] = [];
  const { send, end } = node.network.carryGossip((from, frame) => gossip.received(from, frame));
  const gossip: LinkGossip = new LinkGossip(
    {
      roster: node.members,
      codec,
      send,
      end,
      sign: (body) => node.keys.sign("cairn gossip 1", body),
      isSigned: (author, body, signature) => isSigned(author, "cairn gossip 1", body, signature),
      failed: (author) => void failed.push(author),
      now: () => performance.now(),
      random: Math.random,
    },
    { sequence: options.sequence ?? 0 },
  );
  t.after(() => gossip[Symbol.dispose]());
  gossip.subscribe(TOPIC, { lasting: options.lasting === true }, (author, content) => {
    const text = Buffer.from(content).toString();
    if (text === UNREADABLE) throw new Error(text);
    heard.push({ author, text });
  });
  for (const peer of node.network.peers()) if (peer.state === "connected") gossip.connected(peer.key);
  node.network.onPeers(({ kind, key }) => gossip[kind](key));
  return { node, gossip, heard, failed, say: (to, frame) => send(to.node.members.self, { ...NOTHING, ...frame }) };
}

async function three(t: TestContext, lasting = false): Promise<[Talker, Talker, Talker]> {
  const a = await start(t, 1, founded(1));
  const [b, c] = [await join(t, 2, a), await join(t, 3, a)];
  await until(t, () => b.network.connected(c.members.self) && c.network.connected(b.members.self));
  return [talker(t, a, { lasting }), talker(t, b, { lasting }), talker(t, c, { lasting })];
}

/** As its author would send it. */
function signed(by: Talker, sequence: number, text: string, change: Partial<{ author: Key; network: string }> = {}): Uint8Array {
  const { members, keys } = by.node;
  const content = Buffer.from(text);
  const body = codec.encodeGossipBody({ network: members.network, author: members.self, sequence, topic: TOPIC, content, ...change });
  return codec.encodeGossipMessage({ body, signature: keys.sign("cairn gossip 1", body) });
}

function idOf(message: Uint8Array): string {
  return hash("sha256", message).slice(0, 32);
}

test("what a member says reaches all others once, and not itself", { timeout: 60_000 }, async (t) => {
  const [a, b, c] = await three(t);
  await until(t, () => {
    a.gossip.publish(TOPIC, Buffer.from("are you there?"));
    return b.heard.length > 0 && c.heard.length > 0;
  });
  a.gossip.publish(TOPIC, Buffer.from("hello"));
  const greetings = (one: Talker): number => one.heard.filter(({ text }) => text === "hello").length;
  await until(t, () => greetings(b) > 0 && greetings(c) > 0);
  await a.node.network.ping(c.node.members.self, 5_000);
  assert.deepEqual([greetings(a), greetings(b), greetings(c)], [0, 1, 1]);
  assert.ok(b.heard.every(({ author }) => author === a.node.members.self));
  assert.throws(() => a.gossip.publish("elsewhere", Buffer.from("x")), RangeError);
  assert.throws(() => a.gossip.publish(TOPIC, Buffer.alloc(limits.gossip.contentBytes + 1)), RangeError);
});

test("a message reaches members that its author has no link with", { timeout: 60_000 }, async (t) => {
  const [a, b, c] = await three(t);
  // Between a and c no gossip passes: as if they had no link.
  a.gossip.lost(c.node.members.self);
  c.gossip.lost(a.node.members.self);
  await until(t, () => {
    a.gossip.publish(TOPIC, Buffer.from("by way of b"));
    return c.heard.length > 0;
  });
  assert.equal(c.heard[0]?.author, a.node.members.self);
  assert.ok(b.heard.length > 0);
});

test("what cannot be read is its author's, and costs nobody a link who has passed it on", { timeout: 60_000 }, async (t) => {
  const [a, b, c] = await three(t);
  a.gossip.lost(c.node.members.self);
  c.gossip.lost(a.node.members.self);
  await until(t, () => {
    a.gossip.publish(TOPIC, Buffer.from(UNREADABLE));
    return c.failed.length > 0;
  });
  a.gossip.publish(TOPIC, Buffer.from("go on"));
  await until(t, () => c.heard.some(({ text }) => text === "go on"));
  assert.ok([...b.failed, ...c.failed].every((author) => author === a.node.members.self));
  const ends = [a, b, c].flatMap(({ node }) => node.events.filter(({ name }) => name === "peer.disconnected"));
  assert.deepEqual(ends, []);
});

test("nobody can speak for another, or as a stranger, or for another network", { timeout: 60_000 }, async (t) => {
  const [a, b, c] = await three(t);
  const stranger = "ab".repeat(32);
  b.say(a, { messages: [signed(b, 1, "as a stranger", { author: stranger })] });
  await until(t, () => a.gossip.facts.dropped["author-unknown"] === 1);
  const abuses: [about: string, frame: Partial<GossipFrame>][] = [
    ["forged", { messages: [signed(b, 2, "as c", { author: c.node.members.self })] }],
    ["of another network", { messages: [signed(b, 3, "elsewhere", { network: "cd".repeat(32) })] }],
    ["no message", { messages: [Buffer.from("nonsense")] }],
    ["too large", { messages: [signed(b, 4, "x".repeat(limits.gossip.contentBytes + 1))] }],
  ];
  for (const [about, frame] of abuses) {
    const ends = (): number => a.node.events.filter(({ name }) => name === "peer.disconnected").length;
    const before = ends();
    await until(t, () => {
      b.say(a, frame); // Again, for its link may not be back yet.
      return ends() > before;
    });
    t.diagnostic(`${about}: ${a.node.events.findLast(({ name }) => name === "peer.disconnected")?.facts.why}`);
  }
  assert.deepEqual(a.heard, []);
  assert.ok(a.node.network.connected(c.node.members.self), "nobody else suffers");
});

test("what was said before is not news, and talking without end is not passed on", { timeout: 60_000 }, async (t) => {
  const [a, b, c] = await three(t);
  const count = limits.gossip.authorAtOnce + limits.gossip.sequencesPerAuthor;
  const all = Array.from({ length: count }, (_, i) => signed(b, i + 1, String(i)));
  for (let at = 0; at < count; at += limits.gossip.messagesPerFrame)
    b.say(a, { messages: all.slice(at, at + limits.gossip.messagesPerFrame) });
  await until(t, () => (a.gossip.facts.dropped["author-says-too-much"] ?? 0) > 0 && a.heard.length >= limits.gossip.authorAtOnce);
  await b.node.network.ping(a.node.members.self, 5_000);
  assert.ok(a.heard.length < count, `${a.heard.length} of ${count}`);
  const heard = a.heard.length;
  b.say(a, { messages: [signed(b, 1, "the same number again")] });
  await until(t, () => a.gossip.facts.dropped.old === 1);
  assert.equal(a.heard.length, heard);
  assert.ok(a.node.network.connected(b.node.members.self) && c.heard.every(({ author }) => author === b.node.members.self));
});

test("in a lasting topic who comes later hears the last word, and an earlier one is never heard after it", {
  timeout: 60_000,
}, async (t) => {
  const [a, b] = await three(t, true);
  await until(t, () => {
    a.gossip.publish(TOPIC, Buffer.from("first"));
    return b.heard.length > 0;
  });
  a.gossip.publish(TOPIC, Buffer.from("last"));
  await until(t, () => b.heard.some(({ text }) => text === "last"));
  b.say(a, { messages: [signed(b, 7, "seven")] });
  await until(t, () => a.heard.some(({ text }) => text === "seven"));
  b.say(a, { messages: [signed(b, 6, "six")] });
  await until(t, () => a.gossip.facts.dropped.old === 1);

  const d = talker(t, await join(t, 4, b.node), { lasting: true });
  await until(t, () => d.heard.some(({ text }) => text === "last") && d.heard.some(({ text }) => text === "seven"));
  assert.ok(!d.heard.some(({ text }) => text === "first" || text === "six"));
});

test("a peer that asks without end loses its link", { timeout: 60_000 }, async (t) => {
  const [a, b] = await three(t);
  const ids = Array.from({ length: limits.gossip.idsAtOnce }, (_, i) => idOf(Buffer.from(String(i))));
  const refused = (): boolean => a.node.events.some(({ name, facts }) => name === "peer.disconnected" && facts.why === "too much gossip");
  await until(t, () => {
    for (let i = 0; i < 8; i++) b.say(a, { want: ids });
    return refused();
  });
});
