/**
 * The simulation of copies: 100 schedules in which two of three holders are killed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateCopies } from "./copies.ts";

test("of what had three copies nothing is lost with two of its holders, and others take their place", async () => {
  let struck = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const found = await simulateCopies({ seed, nodes: 5 + (seed % 5), domains: 1 + (seed % 3), rounds: 1 });
    assert.deepEqual([found.unavailable, found.notRepaired], [0, 0], `seed ${seed}: ${JSON.stringify(found)}`);
    struck += found.struck;
  }
  assert.ok(struck > 100, `${struck} results lost two holders at once`);
});

test("so it is when it happens again and again, while there are machines left", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const found = await simulateCopies({ seed, nodes: 12, domains: 2, rounds: 4 });
    assert.deepEqual([found.unavailable, found.notRepaired], [0, 0], `seed ${seed}: ${JSON.stringify(found)}`);
  }
});
