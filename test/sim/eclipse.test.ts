/**
 * The simulation in small: what the policy must do, what it would not do with few links, and that a seed gives the same run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateEclipse } from "./eclipse.ts";
import { isGood, scenarios } from "./eclipse-command.ts";

const SMALL = { restarts: 40, seed: 7 };

test("an honest peer is kept or the alarm raised, wherever the attacker is; with few links neither", () => {
  for (const { name, scenario, must } of scenarios) {
    const found = simulateEclipse({ ...scenario, ...SMALL });
    assert.equal(found.kept + found.alarmed + found.silent, SMALL.restarts);
    assert.equal(isGood(found, SMALL.restarts), must, `${name}, seed ${SMALL.seed}: ${JSON.stringify(found)}`);
  }
});

test("the same seed gives the same run", () => {
  const [first] = scenarios;
  assert.ok(first !== undefined);
  const run = (seed: number): unknown => simulateEclipse({ ...first.scenario, ...SMALL, seed });
  assert.deepEqual(run(1), run(1));
  assert.notDeepEqual(run(1), run(2));
});
