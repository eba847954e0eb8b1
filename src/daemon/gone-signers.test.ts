import assert from "node:assert/strict";
import { test } from "node:test";
import { GoneSigners } from "./gone-signers.ts";

test("whoever is distrusted anew is news, also after it was trusted again in between", () => {
  const gone = new GoneSigners();
  const rows: readonly (readonly [now: readonly string[], isNews: boolean])[] = [
    [[], false],
    [["x"], true],
    [["x"], false],
    [["x", "y"], true],
    [["y"], false],
    [["x", "y"], true],
    [[], false],
    [["x"], true],
  ];
  for (const [at, [now, isNews]] of rows.entries()) assert.equal(gone.isNews(new Set(now)), isNews, `step ${at}`);
});
