import assert from "node:assert/strict";
import { test } from "node:test";
import { hitBytes, readHitsLog } from "./hits-log.ts";

test("hits are read up to the last whole one", () => {
  const line = Buffer.alloc(hitBytes);
  line.fill(0xab, 0, 32);
  line.writeBigUInt64LE(1_700_000_000_000_000_000n, 32);
  line.writeBigUInt64LE(7n, 40);
  line.writeUInt32LE(450, 48);
  line.writeUInt32LE(1, 52);
  line.writeUInt32LE(900, 56);
  const hit = {
    key: "ab".repeat(32),
    atNs: 1_700_000_000_000_000_000n,
    session: 7n,
    tookUs: 450,
    compileMs: 900,
    deservesRefresh: true,
    passed: undefined,
    root: undefined,
  };
  assert.deepEqual(readHitsLog(Buffer.concat([line, line, line.subarray(0, 20)])), [hit, hit]);
  line.writeUInt32LE(0x102, 52);
  assert.deepEqual(readHitsLog(line), [{ ...hit, deservesRefresh: false, passed: "called_for_preprocessing" }]);
});

test("a hit by a movable record names the checkout behind it, and is left out where that is torn", () => {
  const line = (flags: number, root: string): Buffer => {
    const bytes = Buffer.alloc(hitBytes + Math.ceil(root.length / hitBytes) * hitBytes);
    bytes.fill(0xcd, 0, 32);
    bytes.writeUInt32LE(flags, 52);
    bytes.writeUInt32LE(root.length, 60);
    bytes.write(root, hitBytes);
    return bytes;
  };
  for (const length of [1, 63, 64, 65, 4000]) {
    const root = `/${"r".repeat(length - 1)}`;
    const written = Buffer.concat([line(0, ""), line(4, root), line(1, ""), line(5, root)]);
    const roots = (bytes: Buffer): (string | undefined)[] => readHitsLog(bytes).map((hit) => hit.root);
    assert.deepEqual(roots(written), [undefined, root, undefined, root]);
    assert.deepEqual(roots(written.subarray(0, -1)), [undefined, root, undefined]);
    assert.deepEqual(
      readHitsLog(written).map((hit) => hit.deservesRefresh),
      [false, false, true, true],
    );
  }
});
