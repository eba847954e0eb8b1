/**
 * Two of three who have something are killed, briefly; the long version is a command (losses.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { losses } from "./losses.ts";
import { PATIENT } from "./network-world.ts";

test("of three who have a result two are killed: nothing is gone, no compile fails, and others take their place", PATIENT, async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const { builds, failed, missed, blobs, unavailable, repairedMs } = await losses({ schedules: 1, units: 2, seed });
  t.diagnostic(`repaired after ${repairedMs.join()} ms; ${missed} compiled again`);
  assert.deepEqual([builds, failed, blobs, unavailable], [1, 0, 4, 0]);
});
