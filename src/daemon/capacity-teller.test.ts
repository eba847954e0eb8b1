import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits } from "../base/index.ts";
import type { Capacity, Gossip, OwnCapacity } from "../contracts/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { CapacityTeller } from "./capacity-teller.ts";

const codec = await loadNetworkCodec();
const { tellLeastMs, tellRefreshMs } = limits.placement;
const SELF = digestOf("self");
const GCC = digestOf("gcc");

test("tells what it does when it changes, all changes of a moment together; nothing before it works for others; and that it stops", (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const told: Omit<Capacity, "member">[] = [];
  const heard: Capacity[] = [];
  let hear: (author: string, content: Uint8Array) => void = () => undefined;
  const gossip: Gossip = {
    publish: (_topic, content) => void told.push(codec.decodeWorkCapacity(content)),
    subscribe: (_topic, _options, listener) => {
      hear = listener;
      return { [Symbol.dispose]: () => undefined };
    },
  };
  let now = 0;
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  let own = {
    slots: 0,
    free: 0,
    queue: 0,
    toolchains: [GCC],
    takesToolchains: false,
    platform: "linux-x86_64",
    targets: ["x86_64-linux-gnu"],
  };
  let changed = (): void => undefined;
  const ownCapacity: OwnCapacity = {
    now: () => own,
    onChange: (listener) => {
      changed = listener;
    },
  };
  const parts = {
    own: ownCapacity,
    gossip,
    codec,
    self: SELF,
    members: () => 2,
    heard: (one: Capacity): void => void heard.push(one),
    now: () => now,
  };
  using teller = new CapacityTeller(parts);
  pass(tellRefreshMs);
  assert.equal(told.length, 0);

  own = { ...own, slots: 4, free: 4, queue: 4 };
  changed();
  pass(0);
  assert.deepEqual(told, [own]);
  for (const free of [3, 2, 1]) {
    own = { ...own, free };
    changed();
  }
  pass(tellLeastMs - 1);
  assert.equal(told.length, 1);
  pass(1);
  assert.deepEqual(told.at(-1), { ...own, free: 1 });
  changed();
  pass(10 * tellLeastMs);
  assert.equal(told.length, 2);
  pass(tellRefreshMs);
  assert.equal(told.length, 3);
  assert.deepEqual(heard.at(-1), { member: SELF, ...own });

  const other = digestOf("other");
  hear(
    other,
    codec.encodeWorkCapacity({ slots: 2, free: 1, queue: 2, toolchains: [], takesToolchains: true, platform: "linux-x86_64", targets: [] }),
  );
  assert.deepEqual(heard.at(-1), {
    member: other,
    slots: 2,
    free: 1,
    queue: 2,
    toolchains: [],
    takesToolchains: true,
    platform: "linux-x86_64",
    targets: [],
  });

  teller.goodbye();
  assert.equal(told.at(-1)?.slots, 0);
  changed();
  pass(tellRefreshMs);
  assert.equal(told.at(-1)?.slots, 0);
});
