/**
 * What becomes of lies beyond what is assumed, in small.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateExtinction } from "./extinction.ts";

const SMALL = { uses: 10, seed: 7 };

test("liars of all domains lose their word with those who executed what they lied about, and nobody honest is convicted", async () => {
  const found = await simulateExtinction({ ...SMALL, policy: "team", voices: 10, habit: "always", actions: 12, machinesEach: 3 });
  assert.ok(found.poisons > 0, "else there is nothing to find out");
  assert.equal(found.honestConvicted, 0, "seed 7");
  assert.ok(Math.max(...found.usesEach) <= 10, found.usesEach.join());
  assert.ok(found.open < found.usesEach.length, "some are safe");
});
