/**
 * The simulation in small: what is made gets everywhere, each once, for little more than it takes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateDirectory } from "./directory.ts";

test("attestations reach nodes that are not linked with their makers", async () => {
  const found = await simulateDirectory({ nodes: 30, links: 6, resultsPerSecond: 5, seconds: 60, seed: 1 });
  assert.ok(found.known > 0.9, `${found.known} are known`);
  assert.ok(found.setBytesPerSecond < 5 * 2 * 440, `${found.setBytesPerSecond} bytes a second`);
});
