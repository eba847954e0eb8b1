/**
 * A coordinator is killed in the middle of a build, briefly; the long version is a command (failover.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../src/base/index.ts";
import { failover } from "./failover.ts";

test("coordinators are killed while a machine builds: every compile ends well, and no unit waits long for its place", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const { units, compared, waitedMs } = await failover({ rounds: 2, seed, silently: false });
  assert.equal(units, 20);
  assert.ok(compared > 0);
  // A machine that is busy may wake a timer late, but not by this much.
  assert.ok(Math.max(0, ...waitedMs) < 20 * limits.placement.answerMs, waitedMs.join(" "));
});
