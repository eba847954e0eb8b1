/**
 * kill -9 under load, briefly; the long version is a command (kill.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killAgainAndAgain } from "./kill.ts";

test("15 kills while compiles run: every object is the compiler's, nothing acknowledged is lost", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const { rounds, compared, acknowledged, found } = await killAgainAndAgain({ rounds: 15, seed });
  assert.equal(rounds, 15);
  assert.ok(compared > 0 && found >= acknowledged);
});
