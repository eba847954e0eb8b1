import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import type { GossipItem, GossipMessage } from "./gossip-item.ts";
import { GossipMesh } from "./gossip-mesh.ts";

const { beatMs, meshLeast, meshMost, publishMost, testMs, wantAsks, wantMs, wantsOfOne, wantsWaiting } = limits.gossip;
const TOPIC = "news";

interface Sent {
  readonly peer: string;
  readonly item: GossipItem<GossipMessage>;
}

/** A node whose peers are what the test says; `peers` of them want the topic. */
function meshWith(peers: number, options: { lasting?: boolean } = {}): { mesh: GossipMesh<GossipMessage>; sent: Sent[]; names: string[] } {
  const sent: Sent[] = [];
  const mesh = new GossipMesh<GossipMessage>({ self: "m", send: (peer, item) => sent.push({ peer, item }), random: () => 0.5 });
  mesh.join(TOPIC, options.lasting === true);
  // On both sides of this node's key, for tests go either way.
  const names = Array.from({ length: peers }, (_, i) => (i % 2 === 0 ? `a${i}` : `z${i}`));
  for (const name of names) {
    mesh.connected(name);
    mesh.told(name, { kind: "topics", topics: [TOPIC] }, 0);
  }
  mesh.beat(0);
  return { mesh, sent, names };
}

function message(id: string, author = "someone"): GossipMessage {
  return { id, topic: TOPIC, author };
}

function receivers(sent: readonly Sent[], id: string): string[] {
  return sent.flatMap(({ peer, item }) => (item.kind === "message" && item.message.id === id ? [peer] : [])).toSorted();
}

function told(sent: readonly Sent[], kind: GossipItem<GossipMessage>["kind"]): string[] {
  return sent.flatMap(({ peer, item }) => (item.kind === kind ? [peer] : []));
}

test("with few peers all are in the mesh, and a message goes to all but who sent it", () => {
  const { mesh, sent, names } = meshWith(4);
  assert.deepEqual(mesh.meshOf(TOPIC).toSorted(), names.toSorted());
  mesh.arrived("a0", message("1"), [], 10);
  assert.deepEqual(receivers(sent, "1"), ["a2", "z1", "z3"]);
  mesh.arrived("z1", message("1"), [], 11);
  assert.equal(receivers(sent, "1").length, 3, "once");
});

test("with many peers the mesh keeps its bounds, and refuses who comes when it is full", () => {
  const { mesh, sent, names } = meshWith(40);
  const size = mesh.meshOf(TOPIC).length;
  assert.ok(size >= meshLeast && size <= meshMost, String(size));
  for (const name of names) mesh.told(name, { kind: "graft", topic: TOPIC }, 1);
  assert.equal(mesh.meshOf(TOPIC).length, meshMost);
  assert.equal(told(sent, "prune").length, names.length - meshMost);
  mesh.publish(message("1", "m"), 2);
  assert.equal(receivers(sent, "1").length, publishMost, "its own go further than the mesh");
});

test("who passes nothing on is put out, and stays out; who does stays in", () => {
  const { mesh, sent } = meshWith(30);
  const [silent = "", ...honest] = mesh.meshOf(TOPIC);
  let now = 10_000;
  for (let i = 0; i < 60 && mesh.meshOf(TOPIC).includes(silent); i++) {
    const id = `${i}-${i % 16}`;
    mesh.arrived("a20", message(id), [], now);
    for (const peer of honest) mesh.repeated(peer, id, []);
    for (const peer of mesh.meshOf(TOPIC)) if (peer !== silent) mesh.repeated(peer, id, []);
    now += testMs + beatMs;
    mesh.beat(now);
  }
  assert.ok(!mesh.meshOf(TOPIC).includes(silent), "found");
  assert.ok(
    honest.every((peer) => mesh.meshOf(TOPIC).includes(peer)),
    "nobody else is put out",
  );
  sent.length = 0;
  mesh.told(silent, { kind: "graft", topic: TOPIC }, now + 5 * limits.gossip.backoffMs);
  assert.deepEqual(told(sent, "prune"), [silent]);
});

test("to whom its author has given a message it is not passed on, but another's word on that does not count", () => {
  const { mesh, sent } = meshWith(4);
  mesh.arrived("a0", message("1", "a0"), ["z1", "a2"], 10);
  assert.deepEqual(receivers(sent, "1"), ["z3"]);
  mesh.arrived("a0", message("2", "someone"), ["z1", "a2"], 11);
  assert.deepEqual(receivers(sent, "2"), ["a2", "z1", "z3"]);
});

test("who has a message of its author, as this node has, is not judged for keeping it", () => {
  const { mesh, sent } = meshWith(30);
  const inMesh = mesh.meshOf(TOPIC);
  let now = 10_000;
  for (let i = 0; i < 60; i++) {
    const id = `${i}-${i % 16}`;
    mesh.arrived("a20", message(id, "a24"), [], now);
    mesh.repeated("a24", id, inMesh);
    now += testMs + beatMs;
    mesh.beat(now);
  }
  assert.deepEqual(told(sent, "prune"), []);
});

test("who was tested gets the message all the same", () => {
  const { mesh, sent } = meshWith(30);
  const from = mesh.meshOf(TOPIC)[0] ?? "";
  mesh.arrived(from, message("1-0"), [], 10_000);
  const late = mesh.meshOf(TOPIC).filter((peer) => peer !== from && !receivers(sent, "1-0").includes(peer));
  assert.equal(late.length, 1);
  mesh.beat(10_000 + testMs);
  assert.ok(receivers(sent, "1-0").includes(late[0] ?? ""));
});

test("claiming to have a message passes no test", () => {
  const { mesh } = meshWith(30);
  const inMesh = mesh.meshOf(TOPIC);
  let now = 10_000;
  for (let i = 0; i < 40; i++) {
    const id = `${i}-${i % 16}`;
    mesh.arrived("a20", message(id), [], now);
    for (const peer of inMesh) mesh.told(peer, { kind: "have", ids: [id] }, now);
    now += testMs + beatMs;
    mesh.beat(now);
  }
  assert.ok(inMesh.some((peer) => !mesh.meshOf(TOPIC).includes(peer)));
});

test("a message that was missed is asked for once, and is had", () => {
  const { mesh, sent } = meshWith(3);
  mesh.told("a0", { kind: "have", ids: ["x", "y"] }, 5);
  mesh.told("z1", { kind: "have", ids: ["x", "y"] }, 6);
  assert.deepEqual(told(sent, "want"), ["a0"]);
  mesh.arrived("a0", message("x"), [], 7);
  mesh.told("z1", { kind: "want", ids: ["x", "unknown"] }, 8);
  assert.ok(receivers(sent, "x").includes("z1"));
});

test("who comes late hears each author's last word in a lasting topic, and nothing that was taken back", () => {
  const { mesh, sent } = meshWith(2, { lasting: true });
  mesh.arrived("a0", message("old", "x"), [], 1);
  mesh.arrived("a0", message("new", "x"), [], 2);
  mesh.arrived("a0", message("gone", "y"), [], 3);
  mesh.forgetAuthor("y");
  for (let now = 0; now < 1_000_000; now += 100_000) mesh.beat(now);
  mesh.connected("late");
  mesh.told("late", { kind: "topics", topics: [TOPIC] }, 1_000_000);
  const ids = sent.flatMap(({ peer, item }) => (peer === "late" && item.kind === "have" ? item.ids : []));
  assert.deepEqual(ids, ["new"]);
  mesh.told("late", { kind: "want", ids: ["old", "new"] }, 1_000_001);
  assert.deepEqual(receivers(sent, "old").includes("late"), false);
  assert.ok(receivers(sent, "new").includes("late"));
});

test("what it remembers is bounded", () => {
  const { mesh } = meshWith(1);
  for (let i = 0; i < 2 * limits.gossip.seenMost; i++) mesh.arrived("a0", message(String(i)), [], 1);
  mesh.beat(2);
  assert.equal(mesh.knows("0"), false);
  assert.ok(mesh.knows(String(2 * limits.gossip.seenMost - 1)));
});

const asked = (sent: readonly Sent[]): string[] =>
  sent.flatMap(({ peer, item }) => (item.kind === "want" ? [`${peer} ${item.ids.join()}`] : []));

test("what does not come of who was asked for it is asked of the others that have it, each once", () => {
  const { mesh, sent } = meshWith(3, { lasting: true });
  for (const peer of ["a0", "z1", "a2"]) mesh.told(peer, { kind: "have", ids: ["1", "2"] }, 0);
  assert.deepEqual(asked(sent), ["a0 1,2"]);
  mesh.arrived("a0", message("1"), [], 1);
  mesh.lost("a0", 2); // Its link has been replaced by another: what was on its way is gone.
  assert.deepEqual(asked(sent), ["a0 1,2", "a2 2"]);
  mesh.beat(2 + wantMs - 1);
  assert.equal(asked(sent).length, 2);
  mesh.beat(2 + wantMs);
  mesh.beat(2 + 2 * wantMs);
  assert.deepEqual(asked(sent).slice(2), ["z1 2"]);
  mesh.told("z1", { kind: "have", ids: ["2"] }, 3 + 2 * wantMs); // Nobody is left: from now on it is news again.
  assert.deepEqual(asked(sent).slice(3), ["z1 2"]);
});

test("two that tell of the same invented message again and again are asked for it once each, and it is forgotten", () => {
  const { mesh, sent } = meshWith(2);
  for (let round = 0; round < 2; round++) {
    const now = round * wantMs;
    for (const peer of ["a0", "z1"]) mesh.told(peer, { kind: "have", ids: ["invented"] }, now);
    mesh.beat(now + wantMs);
  }
  assert.deepEqual(asked(sent), ["a0 invented", "z1 invented"]);
  mesh.told("a0", { kind: "have", ids: ["invented"] }, 2 * wantMs);
  assert.equal(asked(sent).length, 3); // It was forgotten, so that it is news.
});

test("what a few did not give is not asked of everybody", () => {
  const { mesh, sent, names } = meshWith(10);
  for (const peer of names) mesh.told(peer, { kind: "have", ids: ["invented"] }, 0);
  for (let now = wantMs; now < 20 * wantMs; now += wantMs) mesh.beat(now);
  assert.equal(asked(sent).length, wantAsks);
  assert.equal(new Set(asked(sent)).size, wantAsks);
});

test("whoever tells of how many messages that there are not, what others tell of is asked for", () => {
  const { mesh, sent } = meshWith(2);
  const invent = (round: number): void => {
    const ids = Array.from({ length: wantsOfOne }, (_, at) => `invented ${round} ${at}`);
    mesh.told("a0", { kind: "have", ids }, 0);
  };
  for (let round = 0; round < wantsWaiting / wantsOfOne + 1; round++) invent(round);
  mesh.told("z1", { kind: "have", ids: ["true"] }, 0);
  assert.deepEqual(asked(sent).at(-1), "z1 true");
  const ids = (): number => sent.reduce((sum, { item }) => sum + (item.kind === "want" ? item.ids.length : 0), 0);
  assert.equal(ids(), wantsOfOne + 1);
  mesh.beat(wantMs); // What was not given is no more, and there is room again.
  invent(0);
  assert.equal(ids(), 2 * wantsOfOne + 1);
});
