import assert from "node:assert/strict";
import { test } from "node:test";
import { benchStore } from "./store.bench.ts";

test("the benchmark runs, and reads what it has stored", async () => {
  const rows = await benchStore(10);
  assert.equal(rows.at(-1)?.value, 10 * 250);
});
