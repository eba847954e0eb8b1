import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Key, limits, silentLog } from "../base/index.ts";
import { type Network, rendezvousOrder } from "../net/index.ts";
import { RecordMembers } from "./record-members.ts";

const KEYS = Array.from({ length: 12 }, (_, i) => digestOf(`member ${i}`));
const [SELF = "", OTHER = "", LINKED = "", ABSENT = ""] = KEYS;
const { callsAtOnce, callMs, awayMs } = limits.replication;

/** A node that is linked with some of the members, and has heard of others. */
class World {
  readonly linked: Set<Key>;
  readonly heard: Map<Key, "here" | "goodbye"> = new Map();
  readonly called: Key[] = [];
  readonly record: RecordMembers;
  readonly #listeners: Parameters<Network["onPeers"]>[0][] = [];
  nowMs = 0;

  constructor(self: Key, linked: readonly Key[], choosesLinks: boolean) {
    this.linked = new Set(linked);
    this.record = new RecordMembers({
      self,
      others: () => KEYS.filter((key) => key !== self),
      domainOf: () => "home",
      network: {
        connected: (key) => this.linked.has(key),
        call: (key) => void this.called.push(key),
        onPeers: (listener) => void this.#listeners.push(listener),
        choosesLinks,
      },
      heard: (key) => this.heard.get(key),
      log: silentLog,
      now: () => this.nowMs,
    });
  }

  get present(): Key[] {
    return this.record.present().map(({ key }) => key);
  }

  link(key: Key): void {
    this.linked.add(key);
    for (const listener of this.#listeners) listener({ kind: "connected", key });
  }
}

test("nodes with different links come to the same members for each digest", () => {
  const worlds = KEYS.map((self, i) => new World(self, KEYS.slice(0, i % 4), false));
  for (const world of worlds) for (const key of KEYS) if (key !== ABSENT || world.linked.has(key)) world.heard.set(key, "here");
  for (let i = 0; i < 100; i++) {
    const orders = worlds.map(({ record }) => rendezvousOrder(digestOf(`result ${i}`), record.present()).map(({ key }) => key));
    const nearest = new Set(
      orders.map((order) =>
        order
          .filter((key) => key !== ABSENT)
          .slice(0, 3)
          .join(),
      ),
    );
    assert.equal(nearest.size, 1);
  }
});

test("who was not heard of counts where nobody hears of all, until it does not come when it is called", () => {
  const small = new World(SELF, [LINKED], false);
  assert.deepEqual(small.present, [SELF, LINKED]);

  const large = new World(SELF, [LINKED], true);
  large.heard.set(OTHER, "goodbye");
  assert.deepEqual(
    large.present,
    KEYS.filter((key) => key !== OTHER),
  );
  assert.deepEqual(
    [LINKED, ABSENT, OTHER].map((key) => large.record.call(key)),
    [true, false, false],
  );
  assert.deepEqual(large.called, [ABSENT], "one is linked, and one has said goodbye");
  large.nowMs += callMs;
  assert.equal(large.present.includes(ABSENT), false);
  large.record.call(ABSENT);
  assert.deepEqual(large.called, [ABSENT], "it is not called again for a while");
  large.nowMs += awayMs;
  assert.equal(large.present.includes(ABSENT), true);
});

test("a few are called at a time, and who comes is there at once", () => {
  const world = new World(SELF, [], true);
  for (const key of KEYS.slice(1)) world.record.call(key);
  for (const key of KEYS.slice(1)) world.record.call(key);
  assert.equal(world.called.length, callsAtOnce);
  world.link(OTHER);
  for (const key of KEYS.slice(1)) world.record.call(key);
  assert.equal(world.called.length, callsAtOnce + 1);
  world.nowMs += callMs;
  assert.equal(world.present.length, KEYS.length - callsAtOnce);
  world.link(LINKED);
  assert.deepEqual([world.present.includes(LINKED), world.present.length], [true, KEYS.length - callsAtOnce + 1]);
});
