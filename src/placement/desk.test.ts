import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Key, limits } from "../base/index.ts";
import type { PlacementQuestion } from "../contracts/index.ts";
import { Capacities } from "./capacities.ts";
import { Desk } from "./desk.ts";

const COORDINATOR = "coordinator";
const TOOLCHAIN = "gcc";

interface World {
  readonly desk: Desk;
  readonly clock: { nowMs: number };
  /** Asks for some units. @returns who was named, for each */
  readonly ask: (from: Key, units: number) => (Key | undefined)[];
}

/** From where somebody asks: what units take on the way, and which members it names. */
interface Asker {
  readonly travelMs: number;
  readonly names?: readonly Key[];
}

/** Members that work, with so many slots each, and let so many wait. */
function world(slots: readonly number[], queue = 0, askers: Readonly<Record<Key, Asker>> = {}): World {
  const clock = { nowMs: 1_000 };
  const now = (): number => clock.nowMs;
  const capacities = new Capacities({ rttMs: () => 0, self: COORDINATOR, now });
  const workers = slots.map((_, at) => `worker${at}`);
  for (const [at, member] of workers.entries()) {
    const own = slots[at] ?? 0;
    capacities.told({
      member,
      slots: own,
      free: own,
      queue: Math.max(own, queue),
      toolchains: [TOOLCHAIN],
      takesToolchains: false,
      platform: "linux-x86_64",
      targets: [],
    });
  }
  const question = (from: Key, id: number): PlacementQuestion => {
    const { travelMs = 0, names = workers } = askers[from] ?? {};
    return { id, hereMs: 60_000, able: names.map((member) => ({ member, expectedMs: 100 + travelMs, travelMs })) };
  };
  const desk = new Desk({ self: COORDINATOR, capacities, isLinked: () => true, now });
  const ask: World["ask"] = (from, units) =>
    desk
      .coordinate(
        from,
        1,
        Array.from({ length: units }, (_, id) => question(from, id)),
      )
      .placed.map(({ member }) => member);
  return { desk, clock, ask };
}

const given = (placed: readonly (Key | undefined)[]): Key[] => placed.filter((member) => member !== undefined);

test("who asks alone may have all slots, and as many places in queues", () => {
  const { ask } = world([2, 2]);
  assert.equal(given(ask("a", 100)).length, 8);
  assert.equal(given(ask("a", 1)).length, 0);
});

test("who comes later gets what comes free, until both have the same", () => {
  const { desk, ask } = world([2, 2]);
  const held = given(ask("a", 100));
  assert.deepEqual(given(ask("b", 1)), []);
  for (let turn = 1; turn <= 4; turn++) {
    desk.release("a", held.splice(0, 1));
    assert.deepEqual(given(ask("a", 1)), [], `turn ${turn}`);
    assert.equal(given(ask("b", 1)).length, 1, `turn ${turn}`);
  }
  desk.release("a", held.splice(0, 1));
  assert.equal(given(ask("b", 1)).length, 0);
  assert.equal(given(ask("a", 1)).length, 1);
});

test("who asks alone from afar has a longer row; who comes later from near by gets its part all the same", () => {
  const { desk, ask } = world([4], 16, { far: { travelMs: 200 }, near: { travelMs: 0 } });
  const held = given(ask("far", 100));
  assert.equal(held.length, 16);
  // One ends, the next is asked for, by both.
  const got = new Map<Key, number>();
  for (let turn = 0; turn < 16; turn++) {
    desk.release("far", held.splice(0, 1));
    for (const from of ["far", "near"]) got.set(from, (got.get(from) ?? 0) + given(ask(from, 1)).length);
  }
  assert.deepEqual([got.get("far"), got.get("near")], [4, 4]);
});

test("who has its part and is silent until one of its units is done is not forgotten; who has less is", () => {
  const far = { a: { travelMs: 200 }, b: { travelMs: 200 } };
  const { desk, clock, ask } = world([4], 16, far);
  const held = given(ask("a", 100));
  const got = new Map<Key, number>();
  for (let turn = 0; turn < 16; turn++) {
    clock.nowMs += limits.placement.askingMs + 1;
    desk.release("a", held.splice(0, 1));
    for (const from of ["b", "a"]) got.set(from, (got.get(from) ?? 0) + given(ask(from, 1)).length);
  }
  assert.deepEqual([got.get("a"), got.get("b")], [4, 4]);

  const other = world([4], 16, far);
  assert.equal(given(other.ask("a", 3)).length, 3);
  other.clock.nowMs += limits.placement.askingMs + 1;
  assert.equal(given(other.ask("b", 100)).length, 13, "all that is left");
});

test("nobody has more by saying that its way is long, or by naming a member many times", () => {
  for (const liar of [{ travelMs: 60_000 - 100 - 1 }, { travelMs: 0, names: Array.from({ length: 16 }, () => "worker0") }]) {
    const { desk, ask } = world([4], 48, { liar });
    assert.equal(given(ask("honest", 4)).length, 4);
    assert.equal(given(ask("liar", 100)).length, 4);
    assert.equal(given(ask("honest", 100)).length, 0);
    desk.release("liar", ["worker0"]);
    assert.equal(given(ask("liar", 100)).length, 1);
  }
});

test("who has not asked for a while, or is gone, has no part", () => {
  const { desk, clock, ask } = world([2]);
  assert.equal(given(ask("a", 2)).length, 2);
  assert.equal(given(ask("b", 9)).length, 2);
  clock.nowMs += limits.placement.askingMs + 1;
  assert.equal(given(ask("b", 9)).length, 0);
  desk.lost("a");
  assert.equal(given(ask("b", 9)).length, 2);
});

test("whoever asks how much in whatever order: free slots are given, and places in queues to who has less than its part", () => {
  const asks = fc.array(fc.record({ from: fc.constantFrom("a", "b", "c"), units: fc.integer({ min: 1, max: 12 }) }), { maxLength: 30 });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }), asks, (slots, order) => {
      const { ask } = world(slots);
      const slotsOfAll = slots.reduce((sum, one) => sum + one, 0);
      const places = 2 * slotsOfAll;
      const held = new Map<Key, number>();
      const asked = new Set<Key>();
      let all = 0;
      for (const { from, units } of order) {
        asked.add(from);
        const share = asked.size === 1 ? places : Math.max(1, Math.floor(places / asked.size));
        const before = held.get(from) ?? 0;
        const got = given(ask(from, units)).length;
        // A slot that is free is given to whoever asks; a place in a queue to who has less than its part.
        let expected = 0;
        while (expected < units && (all + expected < slotsOfAll || (before + expected < share && all + expected < places))) expected++;
        assert.equal(got, expected);
        held.set(from, before + got);
        all += got;
      }
    }),
  );
});
