/**
 * The simulation in small: that members are found in few questions, by domain where somebody lies, and that a seed gives the same run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateKademlia } from "./kademlia.ts";

const SMALL = { nodes: 150, domains: 10, silent: 0, liars: 0, lookups: 60, seed: 1 };

test("every member is found, in at most half of log2 n questions one after the other; the same seed gives the same run", () => {
  const found = simulateKademlia(SMALL);
  assert.equal(found.failed, 0);
  assert.ok(Math.max(...found.hops) <= Math.log2(SMALL.nodes) / 2, found.hops.join());
  assert.deepEqual(simulateKademlia(SMALL), found);
  assert.notDeepEqual(simulateKademlia({ ...SMALL, seed: 2 }), found);
});

test("with a third of the nodes silent every other member is found", () => {
  for (const seed of [1, 2, 3]) {
    const { failed, hops } = simulateKademlia({ ...SMALL, silent: 0.33, seed });
    assert.equal(failed, 0, `seed ${seed}`);
    assert.ok(Math.max(...hops) <= Math.log2(SMALL.nodes), `seed ${seed}: ${hops.join()}`);
  }
});

test("machines of one domain around a member do not hide it; they would if domains were not heeded", () => {
  const surrounded = { ...SMALL, liars: 40, lookups: 5, seed: 1 };
  assert.equal(simulateKademlia(surrounded).failed, 0);
  assert.ok(simulateKademlia({ ...surrounded, domains: 1 }).failed > 0);
});
