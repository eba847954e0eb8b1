/**
 * The simulation in small: both halves know everything afterwards, for little more than what was missing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulatePartition } from "./partition.ts";

test("a network of two halves heals, with much in common or nothing", async () => {
  for (const [seed, common] of [
    [1, 0],
    [2, 500],
  ] as const) {
    const found = await simulatePartition({ nodes: 6, common, writes: 150, seed });
    assert.ok(found.sentBytes < 1.5 * found.missingBytes, `seed ${seed}: ${found.sentBytes} of ${found.missingBytes} bytes`);
  }
});
