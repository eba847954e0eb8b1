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
