import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { homeFrom } from "../base/index.ts";
import { SHARDS } from "../store/index.ts";
import { prepareHome } from "./prepare-home.ts";

test("a new home has all its directories, for its owner alone; of one that is there nothing is made again", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-home-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const home = homeFrom({ CAIRN_HOME: join(directory, "home") }, directory);
  const { hot, blobs } = prepareHome(home);
  for (const sharded of [hot, blobs]) {
    assert.deepEqual(readdirSync(sharded).toSorted(), SHARDS);
    for (const shard of ["", ...SHARDS]) assert.equal(statSync(join(sharded, shard)).mode & 0o777, 0o700);
    rmdirSync(join(sharded, "7f"));
  }
  prepareHome(home);
  for (const sharded of [hot, blobs]) assert.equal(readdirSync(sharded).includes("7f"), false);
});

test("the table of contents is empty and takes no room at first, stays what it is, and is made anew where it is of another size", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-home-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const home = homeFrom({ CAIRN_HOME: join(directory, "home") }, directory);
  const { contents } = prepareHome(home);
  const made = statSync(contents);
  assert.deepEqual([made.size, made.mode & 0o777], [2_048 * 4_096, 0o600]);
  assert.ok(made.blocks * 512 < made.size / 2, `${made.blocks} blocks`);
  prepareHome(home);
  assert.equal(statSync(contents).ino, made.ino);
  writeFileSync(contents, "cut");
  prepareHome(home);
  assert.deepEqual([statSync(contents).size, readFileSync(contents).some((byte) => byte !== 0)], [made.size, false]);
  assert.notEqual(statSync(contents).ino, made.ino, "who has it open goes on with the old one");
  assert.equal(readdirSync(join(contents, "..")).includes("contents.new"), false);
});
