import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldContents } from "./held-contents.ts";

test("what is lacking is all at first, less with what comes, and of other contents what they do not share", () => {
  const held = new HeldContents(100);
  const unit = new Map([
    ["a", 1],
    ["b", 10],
    ["c", 100],
  ]);
  assert.equal(held.lackedBytes(unit), 111);
  held.add("b");
  assert.equal(held.lackedBytes(unit), 101);
  for (const digest of ["a", "c", "x"]) held.add(digest);
  assert.equal(held.lackedBytes(unit), 0);
  assert.equal(
    held.lackedBytes(
      new Map([
        ["a", 1],
        ["d", 1_000],
      ]),
    ),
    1_000,
  );
});

test("whoever asks again, all contents are looked at once, and then those that were lacking, when something has come", () => {
  const held = new HeldContents(10_000);
  let looks = 0;
  class Counted extends Map<string, number> {
    override *[Symbol.iterator](): MapIterator<[string, number]> {
      looks++;
      yield* super[Symbol.iterator]();
    }
  }
  const unit = new Counted(Array.from({ length: 500 }, (_, at) => [`${at}`, 1]));
  for (let at = 0; at < 400; at++) {
    held.add(`${at}`);
    assert.equal(held.lackedBytes(unit), 499 - at);
    assert.equal(held.lackedBytes(unit), 499 - at);
  }
  assert.equal(looks, 1);
});

test("of more than it may remember the eldest count as lacking again", () => {
  const held = new HeldContents(4);
  for (const digest of ["a", "b", "c", "d", "e"]) held.add(digest);
  assert.equal(
    held.lackedBytes(
      new Map([
        ["a", 1],
        ["e", 2],
      ]),
    ),
    1,
  );
});
