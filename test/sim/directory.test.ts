/**
 * The simulation in small: what is made gets everywhere, each once, for little more than it takes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateDirectory } from "./directory.ts";

test("attestations reach nodes that are not linked with their makers", async () => {
  const found = await simulateDirectory({ nodes: 30, links: 6, resultsPerSecond: 5, seconds: 90, seed: 1 });
  const shares = found.known.map(({ share }) => share);
  assert.ok((shares.at(-1) ?? 0) > 0.9, `${shares.join(", ")} are known`);
  assert.ok(found.setBytesPerSecond < 5 * 2 * 440, `${found.setBytesPerSecond} bytes a second`);
});
