/**
 * The simulation of placement, small: what `npm run sim -- placement` prints, held against what must be.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killAllButOne, PLACE_MOST_MS, spread, strikeCoordinators } from "./placement.ts";

const SEED = 20_261_121;

test("coordinators are killed while all build: nobody waits long for a place, no build fails, all soon name another one", async () => {
  const { strikes, waitedMs, takeoverMs, builds, failedBuilds } = await strikeCoordinators({ seed: SEED, rounds: 2, silently: false });
  assert.ok(strikes >= 8 && builds >= 6, `seed ${SEED}: ${strikes} strikes, ${builds} builds`);
  assert.ok(Math.max(...waitedMs) <= PLACE_MOST_MS, `seed ${SEED}: ${waitedMs.join(" ")} ms`);
  assert.ok(Math.max(...waitedMs) > 0, "somebody asked");
  assert.ok(Math.max(...takeoverMs) < 5_000, `seed ${SEED}: ${takeoverMs.join(" ")} ms`);
  assert.equal(failedBuilds, 0, `seed ${SEED}`);
});

test("coordinators fall silent: nobody waits longer than one question may take, and no build fails", async () => {
  const { waitedMs, failedBuilds } = await strikeCoordinators({ seed: SEED, rounds: 1, silently: true });
  assert.ok(Math.max(...waitedMs) <= PLACE_MOST_MS, `seed ${SEED}: ${waitedMs.join(" ")} ms`);
  assert.equal(failedBuilds, 0, `seed ${SEED}`);
});

test("the same where domains agree on epochs, and one is decided before each strike", async () => {
  for (const silently of [false, true]) {
    const { waitedMs, takeoverMs, failedBuilds } = await strikeCoordinators({ seed: SEED, rounds: 1, silently, isAgreed: true });
    assert.ok(Math.max(...waitedMs) <= PLACE_MOST_MS, `seed ${SEED}: ${waitedMs.join(" ")} ms`);
    assert.ok(silently || Math.max(...takeoverMs) < 5_000, `seed ${SEED}: ${takeoverMs.join(" ")} ms`);
    assert.equal(failedBuilds, 0, `seed ${SEED}`);
  }
});

for (const pattern of ["hybrid", "mesh", "overlay"] as const) {
  test(`${pattern}: all but one of 20 nodes are killed at random moments: its build ends with every unit done`, async () => {
    const { failedBuilds, again } = await killAllButOne({ seed: SEED, schedules: 3, nodes: 20, pattern });
    assert.equal(failedBuilds, 0, `seed ${SEED}`);
    assert.ok(again > 0, `seed ${SEED}: nothing was on a machine that died`);
  });

  test(`${pattern}: work is spread over equal machines, and over unequal ones by what they do`, async () => {
    for (const slowness of [
      [1, 1, 1, 1],
      [1, 1, 2, 4],
    ]) {
      const { overIdeal } = await spread({ seed: SEED, pattern, slowness, builders: 2 });
      assert.ok(overIdeal >= 1 && overIdeal < 1.6, `seed ${SEED}: ${overIdeal.toFixed(2)} times the ideal over ${slowness.join()}`);
    }
  });
}
