import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeDirectories } from "./directories.ts";

test("directories are made for the owner alone, also those above, and may be there", (t) => {
  const top = mkdtempSync(join(tmpdir(), "cairn-directories-"));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  const path = join(top, "a/b/c");
  makeDirectories(path);
  makeDirectories(path);
  makeDirectories(`${path}/`);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(top, "a")).mode & 0o777, 0o700);
  symlinkSync(path, join(top, "link"));
  makeDirectories(join(top, "link"));
});

test("where none can be made there is an error and no waiting", (t) => {
  const top = mkdtempSync(join(tmpdir(), "cairn-directories-"));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  writeFileSync(join(top, "file"), "");
  symlinkSync(join(top, "nowhere"), join(top, "dangling"));
  assert.throws(() => makeDirectories("/proc/cairn/a/b"), { code: "ENOENT" });
  assert.throws(() => makeDirectories(join(top, "file")), { code: "EEXIST" });
  assert.throws(() => makeDirectories(join(top, "file/a/b")), { code: "ENOTDIR" });
  assert.throws(() => makeDirectories(join(top, "dangling")), { code: "ENOENT" });
});
