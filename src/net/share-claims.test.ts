import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { Claims } from "./share-claims.ts";

const { shareLeftAloneMs: PAUSE_MS } = limits;

function claims(): { readonly rule: Claims; readonly clock: { nowMs: number } } {
  const clock = { nowMs: 5_000 };
  return { rule: new Claims({ now: () => clock.nowMs }), clock };
}

/** Asks until the member is left alone. @returns how many answers that took, `most` when it never came to that */
function untilLeftAlone(rule: Claims, answers: (at: number) => "held" | "vain", most: number): number {
  for (let at = 1; at <= most; at++) {
    if (answers(at) === "held") rule.held("m");
    else if (rule.vain("m")) return at;
  }
  return most;
}

test("whoever misses one of 16 wherever that falls, and ten more at once, is asked on", () => {
  const spread = fc.array(fc.nat(15), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(spread, fc.nat(99), (missesAt, evictedAt) => {
      const { rule } = claims();
      for (const [round, missAt] of missesAt.entries()) {
        for (let at = 0; at < 16; at++) {
          if (at === missAt) assert.equal(rule.vain("m"), false);
          else rule.held("m");
        }
        // What was evicted all at once, before its summary said so.
        if (round === evictedAt % missesAt.length) for (let at = 0; at < 10; at++) assert.equal(rule.vain("m"), false);
      }
      assert.equal(rule.leftAloneMs("m"), 0);
    }),
  );
});

for (const [about, answers, most] of [
  ["all", () => "vain", 17],
  ["every second one", (at) => (at % 2 === 0 ? "vain" : "held"), 40],
  ["every third one", (at) => (at % 3 === 0 ? "vain" : "held"), 90],
  ["all, after it has long been good", (at) => (at <= 10_000 ? "held" : "vain"), 10_070],
] as const satisfies readonly (readonly [string, (at: number) => "held" | "vain", number])[])
  test(`who has not what it says is left alone soon: ${about}`, () => {
    const { rule } = claims();
    const took = untilLeftAlone(rule, answers, 20_000);
    assert.ok(took <= most, `${took} answers`);
    assert.equal(rule.leftAloneMs("m"), PAUSE_MS);
    assert.equal(rule.leftAloneMs("other"), 0);
  });

test("it is left alone longer each time, for a few answers more, and what is open still does not prolong that", () => {
  const { rule, clock } = claims();
  const pauses: number[] = [];
  const took: number[] = [];
  for (let time = 0; time < 9; time++) {
    took.push(untilLeftAlone(rule, () => "vain", 100));
    const pauseMs = rule.leftAloneMs("m");
    pauses.push(pauseMs / PAUSE_MS);
    for (let at = 0; at < 5; at++) assert.equal(rule.vain("m"), false);
    assert.equal(rule.leftAloneMs("m"), pauseMs);
    clock.nowMs += pauseMs;
    assert.equal(rule.leftAloneMs("m"), 0);
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
  assert.ok(took[0] === 17 && took.slice(1).every((answers) => answers <= 12), took.join());
});

test("it is forgiven in time, and at once when it has what it says", () => {
  const { rule, clock } = claims();
  untilLeftAlone(rule, () => "vain", 100);
  clock.nowMs += PAUSE_MS;
  for (let at = 0; at < 64; at++) rule.held("m");
  assert.equal(rule.vain("m"), false);
  clock.nowMs += 24 * 3_600_000;
  assert.equal(
    untilLeftAlone(rule, () => "vain", 100),
    17,
  );
  assert.equal(rule.leftAloneMs("m"), PAUSE_MS, "the first time again");
});

test("of many members no more are remembered than there may be", () => {
  const { rule } = claims();
  untilLeftAlone(rule, () => "vain", 16);
  for (let at = 0; at < limits.members; at++) rule.vain(`other ${at}`);
  assert.equal(
    untilLeftAlone(rule, () => "vain", 16),
    16,
    "it begins anew",
  );
});
