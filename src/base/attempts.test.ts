import assert from "node:assert/strict";
import { test } from "node:test";
import { Attempts } from "./attempts.ts";

test("a place over its share takes nothing of what others have", () => {
  const attempts = new Attempts({ now: () => 0 }, { perPlace: 2, perMinute: 5 });
  const refused = Array.from({ length: 100 }, () => attempts.tooMany("greedy")).filter(Boolean).length;
  assert.deepEqual([refused, attempts.tooMany("a"), attempts.tooMany("b"), attempts.tooMany("c")], [98, false, false, false]);
  assert.equal(attempts.tooMany("d"), true, "all together have had five");
});

test("places that belong together have a part, and one over its share takes nothing of theirs", () => {
  const attempts = new Attempts({ now: () => 0 }, { perPlace: 2, perGroup: 3, perMinute: 5 });
  for (let times = 0; times < 10; times++) attempts.tooMany("a", "x");
  assert.deepEqual([attempts.tooMany("b", "x"), attempts.tooMany("c", "x"), attempts.tooMany("d", "x")], [false, true, true]);
  assert.deepEqual([attempts.tooMany("x", "y"), attempts.tooMany("f", "y"), attempts.tooMany("g", "y")], [false, false, true]);
});

test("a minute later all is forgotten, and what is taken back does not count", () => {
  let now = 0;
  const attempts = new Attempts({ now: () => now }, { perPlace: 1, perMinute: 1 });
  assert.deepEqual([attempts.tooMany("a"), attempts.tooMany("a")], [false, true]);
  now = 60_000;
  assert.equal(attempts.tooMany("a"), false);
  attempts.takeBack("a");
  assert.deepEqual([attempts.tooMany("a"), attempts.tooMany("b")], [false, true]);
});
