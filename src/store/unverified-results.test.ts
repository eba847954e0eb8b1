import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { openStore } from "./store.fixture.ts";
import { UnverifiedResults } from "./unverified-results.ts";

test("which results are unverified is known after a restart", async () => {
  await using opened = openStore();
  const [one, other] = [digestOf("one"), digestOf("other")];
  const marks = new UnverifiedResults(opened);
  assert.deepEqual([marks.add(one), marks.add(other), marks.add(one)], [true, true, true]);
  marks.delete(other);
  await opened.reopen();
  assert.deepEqual(new UnverifiedResults(opened).actions(), [one]);
});
