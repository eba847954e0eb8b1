/**
 * The simulation of poison in small: what is assumed holds, and what is beyond does not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COPIERS, simulateCopying } from "./copying.ts";
import { STRATEGIES, simulatePoison, simulateSlander, tolerated } from "./poison.ts";

const SMALL = { attempts: 8, uses: 3, seed: 7 };

for (const policy of ["team", "release"] as const)
  for (const strategy of STRATEGIES)
    test(`${policy}, ${strategy}: no poison is used while ${tolerated(policy)} of the domains are hostile`, () => {
      const found = simulatePoison({ ...SMALL, policy, strategy, hostileDomains: tolerated(policy) });
      assert.deepEqual([found.attempts, found.accepted], [SMALL.attempts, 0], `seed ${SMALL.seed}`);
    });

test("one hostile domain more than is assumed, and poison is used: else the above could not fail", () => {
  const found = simulatePoison({ ...SMALL, policy: "team", strategy: "colluding", hostileDomains: tolerated("team") + 1 });
  assert.ok(found.accepted > 0);
});

test("what is used ten times is executed twice", () => {
  const found = simulatePoison({ ...SMALL, policy: "team", strategy: "always", hostileDomains: 0, attempts: 5, uses: 10 });
  assert.ok(found.executions / found.uses <= 0.25, `${found.executions} of ${found.uses}`);
});

test("slander convicts nobody who is honest, and those who slander", () => {
  const found = simulateSlander({ accusations: 60, seed: 7 });
  assert.equal(found.honestConvicted, 0, "seed 7");
  assert.ok(found.hostileConvicted > 0);
});

for (const copier of COPIERS)
  test(`in a round, ${copier}: who executes nothing gains nothing by what others reveal`, () => {
    const found = simulateCopying({ copier, hasRounds: true, attempts: 30, seed: 7 });
    assert.equal(found.honestDiscredited, 0, "seed 7");
    // Who guesses can be right, and is believed no more where it is not.
    if (copier === "guessing") assert.ok(found.wrong > 0 && found.discredited === found.wrong);
    else assert.deepEqual([found.counted, found.discredited], [0, 0], "seed 7");
  });

test("without rounds every copier counts: else the above could not fail", () => {
  const found = simulateCopying({ copier: "waiting", hasRounds: false, attempts: 10, seed: 7 });
  assert.ok(found.copied > 0);
  assert.equal(found.counted, found.copied);
});
