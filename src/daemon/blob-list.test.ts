import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, limits } from "../base/index.ts";
import { readBlobList, writeBlobList } from "./blob-list.ts";

test("a list comes back as it was written", () => {
  const fields = { digest: fc.string().map((text) => digestOf(text)), size: fc.integer({ min: 1, max: limits.blobBytes }) };
  const blob = fc.record(fields, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(blob, { maxLength: 20 }), (blobs) =>
      assert.deepEqual(readBlobList(new Uint8Array(writeBlobList(blobs)), blobs.length), blobs),
    ),
  );
});

const one = { digest: digestOf("one"), size: 1 };
const BROKEN: Readonly<Record<string, Uint8Array>> = {
  "one less than was said": writeBlobList([one]),
  "one more": writeBlobList([one, one, one]),
  "half a row": writeBlobList([one, one]).subarray(0, -1),
  "an empty blob": writeBlobList([one, { ...one, size: 0 }]),
  "more than a blob may have": writeBlobList([one, { ...one, size: limits.blobBytes + 1 }]),
};
for (const [what, bytes] of Object.entries(BROKEN))
  test(`${what} is no list of two`, () => assert.equal(readBlobList(bytes, 2), undefined));
