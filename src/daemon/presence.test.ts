import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import type { Gossip } from "../contracts/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { PresenceBoard, presenceTopic } from "./presence.ts";

const codec = await loadNetworkCodec();
const { leastMs, membersPerGroup, refreshMs, staleMs } = limits.presence;
const SELF = "00".repeat(32);
const OTHER = "11".repeat(32);

test("tells what has changed, not more often than it may, and sometimes that nothing has; goodbye is the last word", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const told: { topic: string; content: Uint8Array }[] = [];
  let hear: (author: string, content: Uint8Array) => void = () => undefined;
  const gossip: Gossip = {
    publish: (topic, content) => void told.push({ topic, content }),
    subscribe: (_topic, _options, listener) => {
      hear = listener;
      return { [Symbol.dispose]: () => undefined };
    },
  };
  let [now, jobs, members] = [0, 0, 2];
  const pass = (ms: number): void => {
    for (const end = now + ms; now < end; ) {
      now += leastMs;
      t.mock.timers.tick(leastMs);
    }
  };
  // Load and memory are this machine's own, and may change while the test runs: only the jobs are looked at.
  const jobsTold = (): number[] =>
    told.map(({ content }) => {
      const presence = codec.decodePresence(content);
      return presence.kind === "here" ? presence.capacity.jobs : -1;
    });
  const parts = { gossip, codec, self: SELF, members: () => members, work: () => ({ jobs, cacheBytes: 0 }), now: () => now };
  using board = new PresenceBoard(parts);
  assert.deepEqual(jobsTold(), [0]);
  jobs = 1;
  jobs = 2;
  pass(leastMs);
  assert.deepEqual(jobsTold(), [0, 2]);
  const before = told.length;
  pass(refreshMs);
  assert.ok(told.length > before);

  const here = told[0]?.content ?? Buffer.of();
  hear(OTHER, here);
  assert.equal(board.of(OTHER)?.kind, "here");
  board.lost(OTHER);
  assert.equal(board.of(OTHER), undefined);
  board.connected(OTHER);
  assert.equal(board.of(OTHER)?.kind, "here");
  hear(OTHER, codec.encodePresence({ kind: "goodbye" }));
  board.lost(OTHER);
  assert.equal(board.of(OTHER)?.kind, "goodbye");
  board.connected(OTHER);
  assert.equal(board.of(OTHER), undefined);
  hear(OTHER, here);
  pass(staleMs + leastMs);
  assert.equal(board.of(OTHER), undefined);

  const topic = told[0]?.topic;
  members = 3 * membersPerGroup;
  board.regroup();
  assert.notEqual(told.at(-1)?.topic, topic);
  board.goodbye();
  jobs = 3;
  pass(refreshMs);
  assert.equal(jobsTold().at(-1), -1);
});

test("a large network is parted into groups of about the same size, a small one is not", () => {
  const keys = Array.from({ length: 1_000 }, (_, i) => Buffer.from(String(i)).toString("hex").padStart(8, "5").slice(-8).padEnd(64, "0"));
  assert.equal(new Set(keys.map((key) => presenceTopic(key, membersPerGroup))).size, 1);
  const sizes = Map.groupBy(keys, (key) => presenceTopic(key, keys.length));
  assert.equal(sizes.size, 4);
});
