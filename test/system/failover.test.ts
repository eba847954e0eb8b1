/**
 * A coordinator is killed in the middle of a build, briefly; the long version is a command (failover.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failover } from "./failover.ts";

test("coordinators are killed while a machine builds: every compile ends well, and objects are the compiler's", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const { rounds, units, compared } = await failover({ rounds: 2, seed, silently: false });
  assert.deepEqual([rounds, units], [2, 32]);
  assert.ok(compared > 0);
});
