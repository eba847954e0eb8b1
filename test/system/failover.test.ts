/**
 * Coordinators end in the middle of builds, and all machines but one; briefly. The long version is a command (failover.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS, rounds, schedules } from "./failover.ts";
import { whyNoLan } from "./lab-lan.ts";

for (const kind of KINDS) {
  const why = kind === "cut" ? whyNoLan() : undefined;
  test(`coordinators are ${kind} while a machine builds: every compile ends well, and objects are the compiler's`, async (t) => {
    if (why !== undefined) return t.skip(why);
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const found = await rounds({ kind, rounds: kind === "killed" ? 2 : 1, seed });
    assert.equal(found.units, found.rounds * 16);
    assert.ok(found.waitedMs.length + found.elsewhere > 0, "nothing was ever placed");
  });
}

test("all machines but one are killed at random moments: what two of them build ends well all the same", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  assert.equal(await schedules({ schedules: 2, machines: 3, seed }), 64);
});
