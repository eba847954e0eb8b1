import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeContentsTable } from "./contents-table.ts";

test("the table of contents is empty and takes no room at first, stays what it is, and is made anew where it is of another size", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-contents-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const contents = join(directory, "contents");
  makeContentsTable(contents);
  const made = statSync(contents);
  assert.deepEqual([made.size, made.mode & 0o777], [2_048 * 4_096, 0o600]);
  assert.ok(made.blocks * 512 < made.size / 2, `${made.blocks} blocks`);
  makeContentsTable(contents);
  assert.equal(statSync(contents).ino, made.ino);
  writeFileSync(contents, "cut");
  makeContentsTable(contents);
  assert.deepEqual([statSync(contents).size, readFileSync(contents).some((byte) => byte !== 0)], [made.size, false]);
  assert.notEqual(statSync(contents).ino, made.ino, "who has it open goes on with the old one");
  assert.deepEqual(readdirSync(directory), ["contents"]);
});
