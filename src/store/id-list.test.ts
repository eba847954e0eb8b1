import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeIds, encodeIds } from "./id-list.ts";

test("any list of ids comes back as it was", () => {
  fc.assert(fc.property(fc.array(fc.nat(2 ** 31 - 1)), (ids) => assert.deepEqual(decodeIds(encodeIds(ids)), ids)));
});

test("ids that follow each other take a byte each", () => {
  const ids = Array.from({ length: 250 }, (_, index) => 1_000 + index);
  assert.equal(encodeIds(ids).length, 251);
});
