/**
 * Coordinators end in the middle of builds, and all machines but one; briefly. The long version is a command (failover.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS, rounds, schedules } from "./failover.ts";
import { whyNoLan } from "./lab-lan.ts";

/** When who goes: what a run of this has found, the next one finds again. Others are the command's. */
const SEED = 20_407;
/** Far beyond what a busy machine takes. */
const PATIENT = { timeout: 300_000 };

/** Each with a cable of its own, where there can be such. */
const WHY_NOT_CABLED = whyNoLan();
const CABLED = WHY_NOT_CABLED === undefined;

for (const kind of KINDS) {
  const why = kind === "cut" ? WHY_NOT_CABLED : undefined;
  test(`coordinators are ${kind} while a machine builds: every compile ends well, and objects are the compiler's`, PATIENT, async (t) => {
    if (why !== undefined) return t.skip(why);
    const found = await rounds({ kind, cabled: CABLED && kind !== "stopped", rounds: kind === "killed" ? 2 : 1, seed: SEED });
    assert.equal(found.units, found.rounds * 16);
    assert.ok(found.waitedMs.length + found.elsewhere > 0, "nothing was ever placed");
  });
}

test("all machines but one are killed at random moments: what two of them build ends well all the same", PATIENT, async () => {
  const compiled = new Map<number, number>();
  for await (const one of schedules({ schedules: 2, from: 1, cabled: CABLED, machines: 3, seed: SEED }))
    compiled.set(one.schedule, one.compiled);
  assert.deepEqual(
    [...compiled],
    [
      [1, 32],
      [2, 32],
    ],
  );
});
