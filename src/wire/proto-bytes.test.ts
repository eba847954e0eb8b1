import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtoWriter } from "./proto-bytes.ts";

test("numbers and lengths that cannot be written are refused", () => {
  for (const value of [Number.NaN, -1, -0.5, 1.5, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1])
    assert.throws(() => new ProtoWriter(64).number(1, value), { code: "frame-invalid" }, String(value));
  assert.throws(() => new ProtoWriter(64).hex(1, "ab".repeat(128)), { code: "frame-invalid" });
});

test("the largest are written", () => {
  const largest = new ProtoWriter(1).number(1, Number.MAX_SAFE_INTEGER).number(2, 0).finish();
  assert.equal(largest.toString("hex"), "08ffffffffffffff0f1000");
  assert.equal(new ProtoWriter(1).hex(1, "ab".repeat(127)).finish().toString("hex"), `0a7f${"ab".repeat(127)}`);
});
