import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { Costs } from "./costs.ts";

const { costsRecent, kindsMost } = limits.placement.measured;

test("usual is what is in the middle of the newest", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 40 }), (all) => {
      const costs = new Costs();
      for (const cost of all) costs.observe("c", cost);
      const usual = costs.usual("c") ?? assert.fail("some have been seen");
      const newest = all.slice(-costsRecent);
      assert.ok(2 * newest.filter((cost) => cost <= usual).length >= newest.length);
      assert.ok(2 * newest.filter((cost) => cost >= usual).length >= newest.length);
    }),
  );
  assert.equal(new Costs().usual("c"), undefined);
});

test("kinds are bounded: those that were seen last are kept", () => {
  const costs = new Costs();
  for (let at = 0; at <= kindsMost; at++) {
    costs.observe("often", 1);
    costs.observe(`kind ${at}`, at);
  }
  assert.deepEqual([costs.usual("often"), costs.usual("kind 0"), costs.usual(`kind ${kindsMost}`)], [1, undefined, kindsMost]);
  assert.equal(costs.save().length, kindsMost);
});

test("nonsense on disk is no trouble", () => {
  const costs = new Costs();
  costs.restore([null, 7, [], [1, 2], ["c", -1, "x", null, Number.NaN, 5]]);
  assert.equal(costs.usual("c"), 5);
});
