import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Generations } from "./generations.ts";

test("what is used stays, what is not used goes", () => {
  const map = new Generations<number, string>(4);
  map.set(0, "kept");
  for (let key = 1; key < 100; key++) {
    map.set(key, "passing");
    assert.equal(map.get(0), "kept");
  }
  assert.equal(map.get(1), undefined);
  assert.equal(map.get(99), "passing");
});

test("never tells anything but the last value set, and always that of the last half of the keys", () => {
  const step = fc.record({ what: fc.constantFrom("set", "get", "delete"), key: fc.nat(12), value: fc.nat() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new Generations<number, number>(8);
      const model = new Map<number, number>();
      for (const { what, key, value } of steps) {
        if (what === "set") {
          map.set(key, value);
          model.set(key, value);
          assert.equal(map.get(key), value);
        } else if (what === "delete") {
          map.delete(key);
          model.delete(key);
        } else assert.ok([undefined, model.get(key)].includes(map.get(key)));
      }
    }),
  );
});

test("entries weigh what they weigh: together no more than was said, but for one that is too heavy alone", () => {
  const half = 10;
  fc.assert(
    fc.property(fc.array(fc.record({ key: fc.nat(12), value: fc.nat(2 * half) })), (steps) => {
      const map = new Generations<number, number>(2 * half, (value) => value);
      const model = new Map<number, number>();
      for (const { key, value } of steps) {
        map.set(key, value);
        model.set(key, value);
        assert.equal(map.get(key), value);
        const held = [...model].filter(([known]) => map.has(known)).map(([, weight]) => weight);
        const sum = held.reduce((total, weight) => total + weight, 0);
        assert.ok(sum <= 2 * Math.max(half, ...held), `${sum}`);
      }
    }),
  );
});
