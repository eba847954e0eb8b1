import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contentRange, readRange } from "./http-ranges.ts";

test("a part of ten bytes, as it may be asked for", () => {
  const rows: [header: string | undefined, part: string][] = [
    [undefined, "all"],
    ["bytes=0-", "bytes 0-9/10"],
    ["bytes=0-0", "bytes 0-0/10"],
    ["bytes=3-5", "bytes 3-5/10"],
    ["Bytes=3-500", "bytes 3-9/10"],
    ["bytes=9-", "bytes 9-9/10"],
    ["bytes=-4", "bytes 6-9/10"],
    ["bytes=-400", "bytes 0-9/10"],
    ["bytes=10-", "bytes */10"],
    ["bytes=999999999999999-", "bytes */10"],
    ["bytes=-0", "bytes */10"],
    ["bytes=5-3", "all"],
    ["bytes=-", "all"],
    ["bytes=0-1,3-4", "all"],
    ["bytes=1000000000000000-", "all"],
    ["bytes= 0-1", "all"],
    ["lines=0-1", "all"],
    ["bytes=a-b", "all"],
    ["", "all"],
  ];
  for (const [header, told] of rows) {
    const asked = readRange(header, 10);
    assert.equal(asked.kind === "all" ? "all" : contentRange(asked.kind === "part" ? asked.range : undefined, 10), told, header);
  }
});

test("a part is never empty, and never outside of the whole", () => {
  const place = fc.oneof(fc.constant(""), fc.nat(40).map(String));
  fc.assert(
    fc.property(place, place, fc.nat(30), (first, last, size) => {
      const asked = readRange(`bytes=${first}-${last}`, size);
      if (asked.kind !== "part") return;
      const { from, length } = asked.range;
      assert.ok(from >= 0 && length > 0 && from + length <= size);
    }),
  );
});
