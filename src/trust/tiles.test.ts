import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openTiles, readBundle, tileAt, tilePath, writeBundle } from "./tiles.ts";

test("paths of tiles are those of the specification", () => {
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), "tile/0/x001/x234/067");
  assert.equal(tilePath({ level: 1, index: 0, width: 17 }), "tile/1/000.p/17");
  assert.equal(tilePath({ level: "entries", index: 1_000, width: 256 }), "tile/entries/x001/000");
});

test("a tree of 70,000 entries has the tiles of the specification's example, and one of 256", () => {
  const shown = (size: number): string[] => openTiles(size).map(tilePath);
  assert.deepEqual(shown(70_000), ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
  assert.deepEqual([tileAt(0, 272, 70_000)?.width, tileAt(0, 273, 70_000)?.width, tileAt(0, 274, 70_000)], [256, 112, undefined]);
  assert.deepEqual([tileAt(1, 0, 70_000)?.width, tileAt("entries", 273, 70_000)?.width], [256, 112]);
  assert.deepEqual(shown(256), ["tile/1/000.p/1"]);
});

test("bundles are read back, and nothing else is one", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 20 }), (entries) => {
      const bytes = writeBundle(entries);
      assert.deepEqual(
        readBundle(bytes, entries.length).map((one) => Uint8Array.from(one)),
        entries,
      );
      for (const wrong of [bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)])])
        assert.throws(() => readBundle(wrong, entries.length), { code: "frame-invalid" });
      assert.throws(() => readBundle(bytes, entries.length + 1), { code: "frame-invalid" });
    }),
  );
});
