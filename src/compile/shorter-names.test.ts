import assert from "node:assert/strict";
import { test } from "node:test";
import { namedAbsolutely, upwardsNamed } from "./shorter-names.ts";

const gcc = {
  family: "gcc" as const,
  searchArgs: ["-I../i", "-isystem", "../../a", "-idirafter../../b/", "-isystem", "c", "-isystem", "/d/../e"],
};

test("directories that are named upwards", () => {
  assert.deepEqual(upwardsNamed(gcc, new Map([["C_INCLUDE_PATH", "../f:/g"]])), ["../../a", "../../b/", "../f"]);
  assert.deepEqual(upwardsNamed({ ...gcc, family: "clang" }, new Map()), []);
});

test("names that are shorter from the root", () => {
  assert.deepEqual(namedAbsolutely(gcc, new Map(), "/w/x/y"), ["../../a", "../../b/"]);
  assert.deepEqual(namedAbsolutely(gcc, new Map(), "/long/x/y"), []);
});
