import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { RelayLookups } from "./relay-lookups.ts";

const EVERYBODY = Number.POSITIVE_INFINITY;

/** @returns pauses after so many lookups in vain, each as soon as it is due */
function pausesOf(random: () => number, times: number): number[] {
  let now = 0;
  const lookups = new RelayLookups({ now: () => now, random });
  return Array.from({ length: times }, () => {
    assert.equal(lookups.askableMs("k"), EVERYBODY);
    lookups.missed("k", now);
    const before = now;
    while (lookups.askableMs("k") !== EVERYBODY) now += 100;
    return now - before;
  });
}

test("who has not led anywhere is asked ever more rarely, within limits, and not by all at once", () => {
  const { relayAgainFirstMs, relayAgainMostMs } = limits;
  const longest = pausesOf(() => 0.999_999, 8);
  assert.deepEqual(
    longest.map((ms) => Math.round(ms / 1_000)),
    [15, 30, 60, 120, 240, 300, 300, 300],
  );
  const shortest = pausesOf(() => 0, 8);
  for (const [at, ms] of shortest.entries()) assert.ok(Math.abs(ms - (longest[at] ?? 0) / 2) <= 100);
  assert.equal(shortest[0], relayAgainFirstMs / 2);
  assert.equal(shortest.at(-1), relayAgainMostMs / 2);
});

test("meanwhile those are asked that were not linked when it was in vain, and everybody when something has changed", () => {
  let now = 1_000;
  const lookups = new RelayLookups({ now: () => now, random: () => 0.5 });
  assert.ok(!lookups.has("k"));
  lookups.missed("k", now);
  now += 5_000;
  assert.ok(lookups.has("k"));
  assert.equal(lookups.askableMs("k"), 5_000);
  assert.equal(lookups.askableMs("other"), EVERYBODY);
  lookups.forget("k");
  assert.equal(lookups.askableMs("k"), EVERYBODY);
  for (const key of ["k", "other"]) lookups.missed(key, now);
  lookups.forgetAll();
  for (const key of ["k", "other"]) assert.equal(lookups.askableMs(key), EVERYBODY);
  lookups.missed("k", now);
  now += limits.relayAgainFirstMs;
  assert.equal(lookups.askableMs("k"), EVERYBODY, "it begins with the first pause again");
});
