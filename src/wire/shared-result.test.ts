import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { SharedResult } from "../contracts/index.ts";
import { SharedResultSchema } from "./generated/share_pb.ts";
import { same } from "./same.fixture.ts";
import { decodeSharedResult, encodeSharedResult } from "./shared-result.ts";

const RESULT: SharedResult = {
  manifest: "a1".repeat(32),
  entry: { action: "b2".repeat(32), place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
  result: { outputs: [], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 },
  execution: { signer: "c3".repeat(32), toolchain: "d4".repeat(32), startedAtMs: 1, endedAtMs: 2 },
  signature: Buffer.alloc(64, 5),
};
const { entry, execution } = RESULT;
const absent = (path: string): SharedResult => ({ ...RESULT, entry: { ...entry, absent: [path] } });

/** What is put before the fields of RESULT, in hexadecimal digits, and what is read then; undefined: it is refused. */
const ROWS: readonly (readonly [about: string, bytes: string, read: SharedResult | undefined])[] = [
  ["nothing more", "", RESULT],
  ["text", "3a 02 c3a4", absent("ä")],
  ["text that is no UTF-8", "3a 02 c328", undefined],
  ["text that ends within a letter", "3a 01 c3", undefined],
  ["half of a letter of two halves", "3a 03 eda080", undefined],
  ["a zero in two bytes", "3a 02 c080", undefined],
  ["the letter that stands for what is none", "3a 03 efbfbd", absent("\ufffd")],
  ["an input that ends past the result", "32 ff7f 0a 01 78", undefined],
  ["a path that ends past its input", "32 03 0a 02 78", undefined],
  ["an input cut within its last number", "32 02 18 80", undefined],
  ["an input that is empty", "32 00", undefined],
  ["a digest that is too short", "0a 01 ff", undefined],
  ["a digest that is too long", `0a 21 ${"ff".repeat(33)}`, undefined],
  ["a fact that is said twice: the last counts", `0a 20 ${"ff".repeat(32)}`, RESULT],
  ["a field of 4 bytes that is not known", "a506 01020304", RESULT],
  ["a field of 8 bytes that is not known", "a106 0102030405060708", RESULT],
  ["a number that is not known", "a006 ffffffffffffffffff01", RESULT],
  ["a number of 11 bytes", "a006 ffffffffffffffffffff01", undefined],
  ["a group", "a306 a406", undefined],
  ["a group's end", "a406", undefined],
  ["a kind that is none", "a606", undefined],
  ["another kind that is none", "a706", undefined],
  ["a field without a number", "00 01", undefined],
  ["a field's number over its width", "88 80 80 80 10 01", undefined],
  ["a digest that is said as a number", "08 05", RESULT],
  ["a flag that is said as text", "22 01 01", RESULT],
  ["a duration that is said as a number", "58 05", RESULT],
  ["a time that is said as text", "7a 01 05", RESULT],
  ["a length in more bytes than it takes", "3a 8100 78", absent("x")],
  ["a length over 32 bits", "3a 8180808010 78", undefined],
  ["a flag over 32 bits", "20 8080808010", { ...RESULT, entry: { ...entry, presumed: true } }],
  ["a role over 32 bits", `42 2d 0a 01 78 12 20 ${"e5".repeat(32)} 18 05 20 8180808010`, undefined],
  ["a size over 32 bits", `42 2d 0a 01 78 12 20 ${"e5".repeat(32)} 20 01 18 8180808010`, undefined],
  ["a time over what a date holds", "78 ffffffffffffffffff01", undefined],
];

for (const [about, bytes, read] of ROWS)
  test(`of a result that was written otherwise is ${read === undefined ? "refused" : "read"}: ${about}`, () => {
    const written = Buffer.concat([Buffer.from(bytes.replaceAll(" ", ""), "hex"), encodeSharedResult(RESULT)]);
    if (read === undefined) assert.throws(() => decodeSharedResult(written), { code: "frame-invalid" });
    else same(decodeSharedResult(written), read);
  });

test("what ends the result is not read past it, whatever lies behind in memory", () => {
  const behind = Buffer.from(encodeSharedResult(absent("x")));
  for (const ending of ["3a 05 78", "a506 010203", "a106 01", "58 80", "32 05 0a 01 78"]) {
    const end = Buffer.concat([encodeSharedResult(RESULT), Buffer.from(ending.replaceAll(" ", ""), "hex")]);
    const written = Buffer.concat([behind, end, behind]).subarray(behind.length, behind.length + end.length);
    assert.throws(() => decodeSharedResult(written), { code: "frame-invalid" }, ending);
  }
});

test("a large result is written as its schema says, with names of all lengths", () => {
  const names = [1, 127, 128, 1_365, 4_096].flatMap((length) => ["x".repeat(length), "ü".repeat(length / 2), "漢".repeat(length / 3)]);
  const paths = [
    ...names.filter((name) => name !== ""),
    ...Array.from({ length: 8_000 }, (_, i) => `\0P/include/some/where/header-${i}.h`),
  ];
  const inputs = paths.slice(0, 4_000).map((path) => ({ path, digest: "e5".repeat(32) }));
  const large = { ...RESULT, entry: { ...entry, inputs, absent: paths }, execution: { ...execution, endedAtMs: 8_640_000_000_000_000 } };
  const bytes = encodeSharedResult(large);
  assert.ok(bytes.length > 4 * 131_072);
  const message = fromBinary(SharedResultSchema, bytes);
  assert.ok(Buffer.from(bytes).equals(toBinary(SharedResultSchema, message)));
  same(decodeSharedResult(bytes), large);
});

test("a result that is kept holds nothing of what it came in", () => {
  const list = Buffer.concat([Buffer.alloc(100_000), encodeSharedResult(RESULT)]);
  assert.equal(decodeSharedResult(list.subarray(100_000)).signature.buffer.byteLength, 64);
});
