/** Hot records and the hits log: what is written can be read, and what is damaged is nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../base/index.ts";
import { type HotRecord, hitBytes, readHitsLog, readHotRecordBlobs, writeHotRecord } from "./hot-record.ts";

const word = fc.nat(0xffffffff);
const path = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const output = fc.record({
  path,
  mode: fc.constantFrom("replace" as const, "overwrite" as const),
  crc32: word,
  size: fc.nat(1000),
  digest: fc.string().map(digestOf),
  content: fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }),
});
const record: fc.Arbitrary<HotRecord> = fc.record({
  key: fc.string().map(digestOf),
  validated: fc.boolean(),
  compileMs: fc.nat(),
  storeDirectory: path,
  inputs: fc.array(fc.record({ path, fp0: word, fp1: word })),
  absences: fc.array(fc.record({ directory: path, fp0: word, fp1: word, names: fc.option(fc.array(path), { nil: undefined }) })),
  outputs: fc.array(output.map((one) => (one.content === undefined ? one : { ...one, size: one.content.length }))),
  stdout: fc.uint8Array(),
  stderr: fc.uint8Array(),
});

test("the blobs of a record are read back, whatever else is in it", () => {
  fc.assert(
    fc.property(record, (one) => {
      const bytes = writeHotRecord(one);
      assert.ok(bytes !== undefined);
      const blobs = one.outputs.filter((out) => out.content === undefined).map((out) => out.digest);
      assert.deepEqual(readHotRecordBlobs(bytes), blobs);
    }),
  );
});

test("a record with any byte changed, or cut short, is no record", () => {
  fc.assert(
    fc.property(record, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, change) => {
      const bytes = Buffer.from(writeHotRecord(one) ?? []);
      assert.equal(readHotRecordBlobs(bytes.subarray(0, at % bytes.length)), undefined);
      const position = at % bytes.length;
      bytes[position] = (bytes[position] ?? 0) ^ change;
      assert.equal(readHotRecordBlobs(bytes), undefined);
    }),
  );
});

test("paths of another length than a record can hold make none", () => {
  const one = {
    key: digestOf("k"),
    validated: false,
    compileMs: 1,
    storeDirectory: "/s",
    absences: [],
    outputs: [],
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
  };
  const inputs = Array.from({ length: 0x10000 }, (_, i) => ({ path: `${i}`, fp0: 1, fp1: 1 }));
  assert.equal(writeHotRecord({ ...one, inputs }), undefined);
  assert.ok(writeHotRecord({ ...one, inputs: inputs.slice(1) }) !== undefined);
});

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
  };
  assert.deepEqual(readHitsLog(Buffer.concat([line, line, line.subarray(0, 20)])), [hit, hit]);
  line.writeUInt32LE(0x102, 52);
  assert.deepEqual(readHitsLog(line), [{ ...hit, deservesRefresh: false, passed: "called_for_preprocessing" }]);
});
