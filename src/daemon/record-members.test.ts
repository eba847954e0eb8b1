import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Key, limits, silentLog } from "../base/index.ts";
import { type Network, rendezvousOrder } from "../net/index.ts";
import { RecordMembers, type RecordMembersParts } from "./record-members.ts";

const KEYS = Array.from({ length: 12 }, (_, i) => digestOf(`member ${i}`));
const [SELF = "", OTHER = "", LINKED = "", ABSENT = ""] = KEYS;
const { callsAtOnce, callMs, awayMs, heardAwayMs } = limits.replication;

/** A node that is linked with some of the members, and has heard of others. */
class World {
  readonly linked: Set<Key>;
  readonly heard: Map<Key, "here" | "goodbye"> = new Map();
  readonly heardAt: Map<Key, number> = new Map();
  isolation: Network["isolation"] = undefined;
  readonly called: Key[] = [];
  readonly record: RecordMembers;
  readonly #listeners: Parameters<Network["onPeers"]>[0][] = [];
  nowMs = 0;

  #heardOf(key: Key): ReturnType<RecordMembersParts["heard"]> {
    const kind = this.heard.get(key);
    return kind === "here" ? { kind, ageMs: this.nowMs - (this.heardAt.get(key) ?? 0) } : kind && { kind };
  }

  constructor(self: Key, linked: readonly Key[], choosesLinks: boolean) {
    this.linked = new Set(linked);
    const isolation = (): Network["isolation"] => this.isolation;
    this.record = new RecordMembers({
      self,
      others: () => KEYS.filter((key) => key !== self),
      domainOf: () => "home",
      network: {
        connected: (key) => this.linked.has(key),
        call: (key) => void this.called.push(key),
        onPeers: (listener) => void this.#listeners.push(listener),
        choosesLinks,
        get isolation() {
          return isolation();
        },
      },
      heard: (key) => this.#heardOf(key),
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

  cut(key: Key): void {
    this.linked.delete(key);
    for (const listener of this.#listeners) listener({ kind: "lost", key });
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
  const last = KEYS.at(-1) ?? "";
  const world = new World(SELF, [last], true);
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

test("a node that is cut off itself calls nobody, and says of nobody that it is away", () => {
  const alone = new World(SELF, [LINKED], true);
  alone.record.call(OTHER);
  alone.cut(LINKED);
  alone.record.call(ABSENT);
  assert.deepEqual(alone.called, [OTHER]);
  alone.nowMs += callMs;
  assert.equal(alone.present.length, KEYS.length, "who was called before may be there");

  const isolated = new World(SELF, [LINKED], true);
  isolated.isolation = "few-domains";
  isolated.record.call(OTHER);
  assert.deepEqual(isolated.called, []);
});

test("who did not come and is heard of since is tried again soon, and ever more rarely", () => {
  const world = new World(SELF, [LINKED], false);
  const hear = (): void => {
    world.heard.set(OTHER, "here");
    world.heardAt.set(OTHER, world.nowMs);
  };
  const failed = (): void => {
    hear();
    assert.equal(world.record.call(OTHER), false);
    world.nowMs += callMs;
    assert.equal(world.present.includes(OTHER), false);
  };
  failed();
  assert.equal(world.called.length, 1);
  world.nowMs += heardAwayMs;
  assert.equal(world.present.includes(OTHER), false, "what it has said before the call tells nothing");
  hear();
  failed();
  assert.equal(world.called.length, 2);
  world.nowMs += heardAwayMs;
  hear();
  assert.equal(world.present.includes(OTHER), false);
  world.nowMs += heardAwayMs;
  hear();
  assert.equal(world.present.includes(OTHER), true);
});
