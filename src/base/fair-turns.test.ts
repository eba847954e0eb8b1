import assert from "node:assert/strict";
import { test } from "node:test";
import { FairTurns } from "./fair-turns.ts";

/** How often each of those who always wait is served in so many turns. */
function served(turns: FairTurns, waiting: readonly string[], count: number): Record<string, number> {
  const counts: Record<string, number> = Object.fromEntries(waiting.map((key) => [key, 0]));
  for (let turn = 0; turn < count; turn++) {
    const key = turns.next(waiting) ?? "";
    counts[key] = (counts[key] ?? 0) + 1;
    turns.use(key, 1);
  }
  return counts;
}

test("who gives more is served more, and who gives nothing is served, too", () => {
  const turns = new FairTurns();
  turns.earn("giver", 1_000_000);
  const { giver = 0, newcomer = 0 } = served(turns, ["giver", "newcomer"], 1_000);
  assert.ok(giver >= 780 && giver <= 820, `${giver}`);
  assert.equal(giver + newcomer, 1_000);
});

test("those who have given alike are served alike, and who comes late has nothing to catch up", () => {
  const turns = new FairTurns();
  served(turns, ["a"], 1_000);
  const { a = 0, b = 0 } = served(turns, ["a", "b"], 1_000);
  assert.ok(Math.abs(a - b) <= 2, `${a} and ${b}`);
});
