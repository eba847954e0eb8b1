import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { firstByte, firstDifference } from "./first-difference.ts";

test("of a long line a piece around the place is shown", () => {
  const line = (word: string): Buffer => Buffer.from(`first\n${"é".repeat(500)}${word}${"y".repeat(500)}\n`);
  const found = firstDifference(line("one"), line("two"));
  assert.ok(found !== undefined && "line" in found);
  assert.equal(found.line, 2);
  assert.match(found.before, /^…é{40}oney+…$/);
  assert.match(found.after, /^…é{40}twoy+…$/);
});

test("the first place is found in whatever bytes", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(bytes, bytes, bytes, (begin, one, other) => {
      const [a, b] = [Buffer.concat([begin, one]), Buffer.concat([begin, other])];
      const found = firstDifference(a, b);
      if (a.equals(b)) return assert.equal(found, undefined);
      const at = firstByte(a, b);
      assert.ok(a.subarray(0, at).equals(b.subarray(0, at)) && a[at] !== b[at]);
      if (found !== undefined && "byte" in found) assert.equal(found.byte, at);
      else assert.equal(found?.line, a.subarray(0, at).toString("utf8").split("\n").length);
    }),
  );
});

test("a newline that is missing at the end is told of the one that has none", () => {
  const MISSING = "(no newline at its end)";
  for (const [before, after, expected] of [
    ["one\ntwo\n", "one\ntwo", { line: 2, before: "two", after: `two ${MISSING}` }],
    ["one", "one\ntwo\n", { line: 1, before: `one ${MISSING}`, after: "one" }],
    ["", "\n", { line: 1, before: MISSING, after: "" }],
  ] as const)
    assert.deepEqual(firstDifference(Buffer.from(before), Buffer.from(after)), expected);
});
