/** Hot records: what is written can be read, and what is damaged is nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, ROOT_MARK } from "../base/index.ts";
import { ByteReader } from "./bytes.ts";
import {
  type HotRecord,
  type MovableRecord,
  readHotRecordBlobs,
  readMovableOrigin,
  writeHotRecord,
  writeMovableRecord,
} from "./hot-record.ts";

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

const portable = fc
  .tuple(fc.constantFrom("", ROOT_MARK, `${ROOT_MARK}/`, "/"), path)
  .map(([mark, name]) => mark + name.replaceAll("\0", ""));
const digest = fc.string().map(digestOf);
const names = fc.array(portable);
const style = fc.record({ family: fc.constantFrom("gcc" as const, "clang" as const), spaced: fc.boolean() });
const movable: fc.Arbitrary<MovableRecord> = fc
  .record({
    inputs: fc.array(fc.oneof(fc.record({ path: portable, fp0: word, fp1: word }), fc.record({ path: portable, digest }))),
    absences: fc.array(
      fc.oneof(
        fc.record({ directory: portable, fp0: word, fp1: word, names: fc.option(fc.array(path), { nil: undefined }) }),
        fc.record({ directory: portable, digest: fc.option(digest, { nil: undefined }), names: fc.array(path) }),
      ),
    ),
    outputs: fc.array(
      fc.oneof(
        fc.tuple(portable, output).map(([at, one]) => ({ ...one, path: at, size: one.content?.length ?? one.size })),
        fc.record({ path: portable, rule: fc.record({ style, targets: names, dependencies: names, phony: names }) }),
      ),
    ),
    namesRoot: fc.boolean(),
    root: path,
    source: path,
    action: digest,
  })
  .chain((own) => record.map((one) => ({ ...one, ...own })));

test("of a movable record its blobs are read back, and where and of what it was made, whatever else is in it", () => {
  fc.assert(
    fc.property(movable, (one) => {
      const bytes = writeMovableRecord(one);
      assert.ok(bytes !== undefined);
      const blobs = one.outputs.flatMap((out) => ("rule" in out || out.content !== undefined ? [] : [out.digest]));
      assert.deepEqual(readHotRecordBlobs(bytes), blobs);
      assert.deepEqual(readMovableOrigin(bytes), { root: one.root, source: one.source, action: one.action });
      assert.equal(readMovableOrigin(bytes.subarray(0, -1)), undefined);
    }),
  );
});

test("no other record says where it was made", () => {
  fc.assert(fc.property(record, (one) => assert.equal(readMovableOrigin(Buffer.from(writeHotRecord(one) ?? [])), undefined)));
});

const SMALL: MovableRecord = {
  key: digestOf("key"),
  compileMs: 7,
  storeDirectory: "/store",
  inputs: [
    { path: `${ROOT_MARK}/inc/a.h`, digest: digestOf("a.h") },
    { path: "/usr/include/stdio.h", fp0: 1, fp1: 2 },
  ],
  absences: [
    { directory: ROOT_MARK, digest: undefined, names: ["b.h"] },
    { directory: "/usr", fp0: 3, fp1: 4, names: undefined },
  ],
  outputs: [
    { path: "a.o", mode: "replace", crc32: 5, size: 6, digest: digestOf("a.o"), content: undefined },
    {
      path: `${ROOT_MARK}/a.d`,
      rule: { style: { family: "clang", spaced: true }, targets: ["a.o"], dependencies: ["a.c", `${ROOT_MARK}/inc/a.h`], phony: [] },
    },
  ],
  stdout: Buffer.from("out"),
  stderr: Buffer.alloc(0),
  namesRoot: false,
  root: "/w",
  source: "/w/a.c",
  action: digestOf("action"),
};

test("a movable record is laid out as is written down", () => {
  const reader = new ByteReader(writeMovableRecord(SMALL) ?? Buffer.alloc(0), 48);
  const text = (): string => reader.bytes(reader.u16()).toString("utf8");
  const hex = (): string => reader.bytes(32).toString("hex");
  const input = (): unknown[] => {
    const [directory, length, kind] = [reader.u16(), reader.u16(), reader.u8()];
    const kept = kind === 1 ? hex() : [reader.u32(), reader.u32()];
    return [directory, kind, kept, reader.bytes(length).toString("utf8")];
  };
  const output = (): unknown[] => {
    const [kind, mode, length, crc, size, sha] = [reader.u8(), reader.u8(), reader.u16(), reader.u32(), Number(reader.u64()), hex()];
    return [kind, mode, crc, size, sha, reader.bytes(length).toString("utf8")];
  };
  assert.deepEqual([reader.u32(), reader.u32()], [2, 7], "flags and time");
  assert.deepEqual([reader.u16(), reader.u16(), reader.u16(), reader.u16()], [2, 2, 2, 4], "counts");
  assert.deepEqual([text(), text(), text(), text(), text()], ["/store", "\0/inc", "/usr/include", "\0", "/usr"]);
  assert.deepEqual(input(), [0, 1, digestOf("a.h"), "a.h"]);
  assert.deepEqual(input(), [1, 0, [1, 2], "stdio.h"]);
  assert.deepEqual([reader.u16(), reader.u16(), reader.u8(), hex(), text()], [2, 1, 1, "0".repeat(64), "b.h"]);
  assert.deepEqual([reader.u16(), reader.u16(), reader.u8(), reader.u32(), reader.u32()], [3, 0xffff, 0, 3, 4]);
  assert.deepEqual(output(), [0, 0, 5, 6, digestOf("a.o"), "a.o"]);
  const rule = ["\x01\x01", "\x01\0\x02\0\0\0", "\x03\0a.o", "\x03\0a.c", "\x09\0\0/inc/a.h"].join("");
  assert.deepEqual(output(), [2, 1, 0, rule.length, "0".repeat(64), "\0/a.d"]);
  assert.equal(reader.bytes(rule.length).toString("latin1"), rule);
  assert.deepEqual(
    [reader.block().toString(), reader.block().toString(), text(), text(), text()],
    ["out", "", "/w", "/w/a.c", digestOf("action")],
  );
  reader.end();
});

test("behind a record whose messages name the root is told how often they do", () => {
  const named = { namesRoot: true, stdout: Buffer.from("\0/a.c\0"), stderr: Buffer.from("\0") };
  const plain = { ...named, namesRoot: false };
  const [with2, without] = [named, plain].map((printed) => writeMovableRecord({ ...SMALL, ...printed }));
  assert.ok(with2 !== undefined && without !== undefined);
  assert.deepEqual([with2.readUInt32LE(48), without.readUInt32LE(48)], [6, 2], "flags");
  const counts = Buffer.alloc(8);
  counts.writeUInt32LE(2);
  counts.writeUInt32LE(1, 4);
  assert.deepEqual(with2.subarray(52), Buffer.concat([without.subarray(52), counts]));
});

test("a root is marked nowhere but at the beginning", () => {
  const cases: readonly Partial<MovableRecord>[] = [
    { inputs: [{ path: "/usr/\0/a.h", fp0: 1, fp1: 1 }] },
    { inputs: [{ path: "\0/\0", digest: digestOf("") }] },
    { absences: [{ directory: "a\0", digest: undefined, names: [] }] },
    { outputs: SMALL.outputs.map((one) => ({ ...one, path: "x\0" })) },
    { outputs: [{ path: "a.d", rule: { style: { family: "gcc", spaced: false }, targets: ["a.o"], dependencies: ["b\0"], phony: [] } }] },
  ];
  for (const one of cases) assert.equal(writeMovableRecord({ ...SMALL, ...one }), undefined, JSON.stringify(one));
});
