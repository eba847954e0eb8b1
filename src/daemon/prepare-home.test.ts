import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { homeFrom } from "../base/index.ts";
import { SHARDS } from "../store/index.ts";
import { prepareHome } from "./prepare-home.ts";

test("a relative home is refused, and nothing is made", () => {
  assert.throws(() => prepareHome(homeFrom({ CAIRN_HOME: "cairn-nowhere" }, "/nowhere")), { code: "usage" });
  assert.equal(existsSync("cairn-nowhere"), false);
});

test("a new home has all its directories, for its owner alone; of one that is there nothing is made again", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-home-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const home = homeFrom({ CAIRN_HOME: join(directory, "home") }, directory);
  const { hot, blobs, contents } = prepareHome(home);
  assert.equal(existsSync(contents), false, "made when there is something for every checkout");
  for (const sharded of [hot, blobs]) {
    assert.deepEqual(readdirSync(sharded).toSorted(), SHARDS);
    for (const shard of ["", ...SHARDS]) assert.equal(statSync(join(sharded, shard)).mode & 0o777, 0o700);
    rmdirSync(join(sharded, "7f"));
  }
  prepareHome(home);
  for (const sharded of [hot, blobs]) assert.equal(readdirSync(sharded).includes("7f"), false);
});
