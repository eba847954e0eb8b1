/**
 * The simulation in small: one decision whatever liars do; and, with more liars than is assumed, the check that would see two.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadNetworkCodec } from "../../src/wire/index.ts";
import { realKeys, simulateAgreement, tokens } from "./agreement.ts";

const HARD = { domains: 20, hostile: 6, lossPercent: 30, crashes: false };

test("honest domains decide one thing, and the same, while six of twenty lie and a third of all frames is lost", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const found = simulateAgreement({ ...HARD, seed, crashes: seed % 3 === 0 }, tokens());
    assert.deepEqual(
      { decided: found.decided, wrong: found.wrong, accused: found.honestExposed },
      { decided: 1, wrong: 0, accused: 0 },
      `seed ${seed}`,
    );
    assert.notEqual(found.tookMs, undefined, `seed ${seed}`);
  }
});

test("the same with real keys and frames as bytes, in networks of all sizes", async () => {
  const codec = await loadNetworkCodec();
  for (const [domains, hostile] of [
    [4, 1],
    [5, 1],
    [7, 2],
  ] as const)
    for (let seed = 1; seed <= 4; seed++) {
      const settings = { ...HARD, domains, hostile, seed };
      const found = simulateAgreement(settings, realKeys(codec, settings));
      assert.deepEqual(
        { decided: found.decided, wrong: found.wrong, accused: found.honestExposed },
        { decided: 1, wrong: 0, accused: 0 },
        `${domains} domains, seed ${seed}`,
      );
    }
});

test("two things are decided when half of the domains lie, and the simulation sees it", () => {
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1);
  const beyond = { ...HARD, domains: 4, hostile: 2, way: "equivocate" } as const;
  assert.ok(seeds.some((seed) => simulateAgreement({ ...beyond, seed }, tokens()).decided > 1));
});
