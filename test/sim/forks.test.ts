/**
 * The simulation of forks in small.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { STRATEGIES, simulateForks } from "./forks.ts";

for (const strategy of STRATEGIES)
  test(`${strategy}: what two honest witnesses were shown is found in two rounds of gossip, and no honest log is convicted`, async () => {
    const found = await simulateForks({ seeds: 5, seed: 7, strategy });
    assert.ok(found.forked > 0, "else nothing could be found");
    assert.deepEqual([found.unseen, found.honestConvicted], [0, 0], "seed 7");
    assert.ok(found.foundAfter <= 2 && found.convictedAfter <= 2, `seed 7: ${JSON.stringify(found)}`);
  });
