import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, limits } from "../base/index.ts";
import type { Fingerprint } from "../contracts/index.ts";
import { ListedDirectories } from "./listings.ts";

test("a directory is listed in the order of its names' bytes, once for each of its states, and never while it may change", (t) => {
  const path = mkdtempSync(join(tmpdir(), "cairn-listing-"));
  t.after(() => rmSync(path, { recursive: true }));
  const states: (Fingerprint | undefined)[] = [];
  const listings = new ListedDirectories(() => (states.length > 1 ? states.shift() : states[0]));
  const digest = (...now: (Fingerprint | undefined)[]): string | undefined => {
    states.splice(0, states.length, ...now);
    return listings.find(path)?.digest;
  };
  const [one, two, young] = [1, 2, 0].map((word) => ({ fp0: word, fp1: word }));
  assert.equal(digest(one), digestOf(""));
  for (const name of ["b", "é", "a.h", "B", "a"]) writeFileSync(join(path, name), "");
  mkdirSync(join(path, "sub"));
  assert.equal(digest(one), digestOf(""), "by what is told of it, it has not changed");
  assert.equal(digest(two, one), undefined, "it changed while it was read");
  assert.equal(digest(young), undefined);
  assert.equal(digest(undefined), undefined);
  assert.equal(digest(two), digestOf("B\0a\0a.h\0b\0sub\0é\0"));
  assert.deepEqual(listings.find(path)?.names, new Set(["B", "a", "a.h", "b", "sub", "é"]));
});

test("what is no directory has no listing, nor has one that holds too much", (t) => {
  const path = mkdtempSync(join(tmpdir(), "cairn-listing-"));
  t.after(() => rmSync(path, { recursive: true }));
  const listings = (): ListedDirectories => new ListedDirectories(() => ({ fp0: 1, fp1: 1 }));
  for (let i = 0; i < limits.listedNames; i++) writeFileSync(join(path, `${i}`), "");
  assert.equal(listings().find(path)?.names.size, limits.listedNames);
  assert.equal(listings().find(join(path, "1")), undefined);
  writeFileSync(join(path, "more"), "");
  assert.equal(listings().find(path), undefined);
});
