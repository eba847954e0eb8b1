import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Allowance } from "./allowance.ts";

const LIMITS = { burst: 10, perSecond: 2 };

test("what is taken comes back, up to what there was; what is not there is not taken", () => {
  const allowance = new Allowance(LIMITS, 0);
  assert.ok(allowance.take(10, 0));
  assert.ok(!allowance.take(1, 499));
  assert.ok(allowance.take(1, 500));
  assert.equal(allowance.left(60_000), 10);
});

test("what was used already is spent although there was less", () => {
  const allowance = new Allowance(LIMITS, 0);
  allowance.spend(14, 0);
  assert.equal(allowance.left(0), -4);
  assert.ok(!allowance.take(1, 2_000));
  assert.ok(allowance.take(1, 2_500));
});

test("nobody gets more than the burst and what has come since", () => {
  const asked = fc.array(fc.tuple(fc.double({ min: 0, max: 20, noNaN: true }), fc.integer({ min: 0, max: 5_000 })));
  fc.assert(
    fc.property(asked, (asks) => {
      const allowance = new Allowance(LIMITS, 0);
      let [now, taken] = [0, 0];
      for (const [amount, after] of asks) {
        now += after;
        if (allowance.take(amount, now)) taken += amount;
      }
      assert.ok(taken <= LIMITS.burst + (now / 1_000) * LIMITS.perSecond + 1e-6);
    }),
  );
});
