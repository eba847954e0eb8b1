/**
 * The simulation of one member with very many machines in small.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateSybil } from "./sybil.ts";

test("200 machines that one member has let in have its one word, and are drawn like one", async () => {
  const found = await simulateSybil({ fakes: 200, draws: 300 });
  assert.equal(found.admitted, 200);
  assert.ok(found.shareOfMachines > 0.9);
  assert.deepEqual([found.extraVotes, found.believed, found.isHonestUsed, found.extraVoices], [0, 0, true, 0]);
  // Who is drawn follows from the actions, which are the same each time.
  const ratio = found.drawn / found.drawnOfOthers;
  assert.ok(ratio > 0.8 && ratio < 1.2, `${ratio}`);
});
