/**
 * The simulation in small: that the protocol does what it must, and that a seed gives the same run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateGossip } from "./gossip.ts";

const SMALL = { nodes: 300, links: 30, messages: 5, seed: 1 };

test("a message reaches all; the same seed gives the same run", () => {
  const settings = { ...SMALL, silent: 0, before: 0 };
  const found = simulateGossip(settings);
  assert.ok(Math.max(...found.hops) <= 4, found.hops.join());
  assert.deepEqual(simulateGossip(settings), found);
  assert.notDeepEqual(simulateGossip({ ...settings, seed: 2 }), found);
});

test("with a third of silent droppers it reaches all honest ones, and the silent are put out of their meshes", () => {
  for (const seed of [1, 2, 3]) {
    const { hops, silentInMesh } = simulateGossip({ ...SMALL, silent: 0.33, before: 60, seed });
    assert.ok(Math.max(...hops) <= 5, `seed ${seed}: ${hops.join()}`);
    assert.ok(silentInMesh.last < silentInMesh.first / 2, `seed ${seed}: ${JSON.stringify(silentInMesh)}`);
  }
});
