import assert from "node:assert/strict";
import { test } from "node:test";
import { Seldom } from "./seldom.ts";

test("what is wanted often is done at once, and then seldom; nothing that is wanted is left undone", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let done = 0;
  const seldom = new Seldom(() => done++, 5_000);
  for (let i = 0; i < 100; i++) seldom.soon();
  assert.equal(done, 1);
  t.mock.timers.tick(5_000);
  assert.equal(done, 2, "those that came meanwhile, together");
  t.mock.timers.tick(5_000);
  assert.equal(done, 2);
  seldom.soon();
  seldom.soon();
  assert.equal(done, 3);
  seldom[Symbol.dispose]();
  assert.equal(done, 4);
});
