import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { CairnError, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { SharedResultSchema } from "./generated/share_pb.ts";
import * as codec from "./network.ts";
import { same } from "./same.fixture.ts";
import type { BlobPiece, ShareFrame } from "./share.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const hex = bytes(32).map((value) => Buffer.from(value).toString("hex"));
const path = fc.string({ minLength: 1, maxLength: 60, unit: "binary" }).filter((text) => text.isWellFormed());
const printed = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value).toString("base64"));
const ms = fc.double({ min: 0, max: 1e9, noNaN: true });
const size = fc.nat({ max: limits.blobBytes });
const number = fc.integer({ min: 1, max: 0xffff_ffff });
const shared: fc.Arbitrary<SharedResult> = fc.record({
  manifest: hex,
  entry: fc.record({
    action: hex,
    place: fc.option(hex, { nil: undefined }),
    presumed: fc.boolean(),
    terminal: fc.option(hex, { nil: undefined }),
    inputs: fc.array(fc.record({ path, digest: hex }), { maxLength: 8 }),
    absent: fc.array(path, { maxLength: 8 }),
  }),
  result: fc.record({
    outputs: fc.array(
      fc.record({ path, digest: hex, size, role: fc.constantFrom("object", "written", "depfile"), template: fc.boolean() }),
      { maxLength: 4 },
    ),
    stdout: printed,
    stderr: printed,
    compileMs: ms,
    cpuMs: ms,
  }),
  execution: fc.record({ signer: hex, toolchain: hex, startedAtMs: fc.nat(), endedAtMs: fc.nat({ max: 8_640_000_000_000_000 }) }),
  signature: bytes(64),
});
const piece: fc.Arbitrary<BlobPiece> = fc.oneof(
  fc.record({ index: fc.nat({ max: 255 }), absent: fc.constant<true>(true) }),
  fc.record({ index: fc.nat({ max: 255 }), absent: fc.constant<false>(false), offset: size, bytes: fc.uint8Array() }),
);
const prefixes = fc.uniqueArray(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), { maxLength: 20 }).map((all) => {
  const sorted = BigUint64Array.from(all).toSorted();
  return new Uint8Array(Buffer.from(sorted.buffer, sorted.byteOffset, sorted.byteLength).swap64());
});

/** Without the length in front. */
function decoded(bytes: Uint8Array): ShareFrame {
  assert.equal(Buffer.from(bytes).readUInt32BE(), bytes.length - codec.SHARE_LENGTH_BYTES);
  return codec.decodeShareFrame(bytes.subarray(codec.SHARE_LENGTH_BYTES));
}

const ALONE = { alongBytes: 0, have: [], following: 0 } as const;

test("what was encoded is decoded", () => {
  fc.assert(fc.property(shared, (value) => same(codec.decodeSharedResult(codec.encodeSharedResult(value)), value)));
  fc.assert(
    fc.property(
      number,
      fc.array(shared, { maxLength: 4 }),
      fc.array(bytes(7), { maxLength: 3 }),
      fc.array(hex, { maxLength: 3 }),
      (question, results, along, following) => {
        const encoded = results.map(codec.encodeSharedResult);
        const frame = decoded(codec.encodeResults(question, 5, encoded, true, { along, following }));
        assert.equal(frame.kind, "results");
        const { bytes: took, ...rest } = frame;
        assert.ok(took >= encoded.reduce((sum, { length }) => sum + length, 0));
        same(rest, { kind: "results", question, answered: 5, results, along, following, complete: true });
      },
    ),
  );
  fc.assert(
    fc.property(number, fc.array(piece, { maxLength: 9 }), fc.boolean(), (question, pieces, complete) =>
      same(decoded(codec.encodeBlobs(question, pieces, complete)), { kind: "blobs", question, pieces, complete }),
    ),
  );
  fc.assert(
    fc.property(number, prefixes, prefixes, (sequence, added, removed) => {
      const frame = { kind: "summary", sequence, added, removed } as const;
      same(decoded(codec.encodeSummary(frame)), frame);
    }),
  );
  const wanted = fc.record({ digest: hex, size, from: fc.nat() }).map((one) => ({ ...one, from: one.from % (one.size + 1) }));
  fc.assert(
    fc.property(
      number,
      fc.array(hex, { minLength: 1, maxLength: 64 }),
      fc.array(wanted, { minLength: 1 }),
      (question, manifests, blobs) => {
        for (const what of [
          { kind: "want-results", manifests, alongBytes: 5, have: manifests, following: 3 },
          { kind: "want-blobs", blobs },
          { kind: "cancel" },
        ] as const)
          same(decoded(codec.encodeQuestion(question, what)), { ...what, question });
      },
    ),
  );
});

const RESULT: SharedResult = {
  manifest: "a1".repeat(32),
  entry: { action: "b2".repeat(32), place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
  result: { outputs: [], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 },
  execution: { signer: "c3".repeat(32), toolchain: "d4".repeat(32), startedAtMs: 1, endedAtMs: 2 },
  signature: Buffer.alloc(64),
};
const { entry, result, execution } = RESULT;
const INPUT = { path: "\0P/a.h", digest: "e5".repeat(32) };
const OUTPUT = { path: "\0C/a.o", digest: "e5".repeat(32), size: 5, role: "object", template: false } as const;

test("a result is refused when something of it is out of bounds", () => {
  const rows: [string, SharedResult][] = [
    ["a digest that is too short", { ...RESULT, manifest: "a1" }],
    ["a signature that is too short", { ...RESULT, signature: Buffer.alloc(63) }],
    ["too many inputs", { ...RESULT, entry: { ...entry, inputs: Array.from({ length: limits.sharedInputs + 1 }, () => INPUT) } }],
    ["too many absences", { ...RESULT, entry: { ...entry, absent: Array.from({ length: limits.sharedAbsences + 1 }, () => "x") } }],
    ["too many outputs", { ...RESULT, result: { ...result, outputs: Array.from({ length: limits.sharedOutputs + 1 }, () => OUTPUT) } }],
    ["a path that is too long", { ...RESULT, entry: { ...entry, absent: ["x".repeat(limits.sharedPathBytes + 1)] } }],
    ["a path that is too long in UTF-8", { ...RESULT, entry: { ...entry, absent: ["ü".repeat(limits.sharedPathBytes / 2 + 1)] } }],
    ["a path that is empty", { ...RESULT, entry: { ...entry, absent: [""] } }],
    ["a size that is too large", { ...RESULT, result: { ...result, outputs: [{ ...OUTPUT, size: limits.blobBytes + 1 }] } }],
    ["too much printed", { ...RESULT, result: { ...result, stderr: Buffer.alloc(limits.sharedPrintedBytes + 1).toString("base64") } }],
    ["a duration that is none", { ...RESULT, result: { ...result, cpuMs: Number.NaN } }],
    ["a duration below 0", { ...RESULT, result: { ...result, compileMs: -1 } }],
    ["a time that is no date", { ...RESULT, execution: { ...execution, endedAtMs: 8_640_000_000_000_001 } }],
  ];
  assert.equal(codec.decodeSharedResult(codec.encodeSharedResult(RESULT)).manifest, RESULT.manifest);
  for (const [about, wrong] of rows)
    assert.throws(() => codec.decodeSharedResult(codec.encodeSharedResult(wrong)), { code: "frame-invalid" }, about);
});

test("a frame is refused when something of it is out of bounds", () => {
  const manifest = "a1".repeat(32);
  const blob = { digest: manifest, size: 5, from: 0 };
  const summary = { kind: "summary", sequence: 1, added: new Uint8Array(0), removed: new Uint8Array(0) } as const;
  const zeros = zstdCompressSync(Buffer.alloc(64 * 1_048_576));
  const rows: [string, Uint8Array][] = [
    ["no question", codec.encodeQuestion(0, { kind: "cancel" })],
    [
      "too many manifests",
      codec.encodeQuestion(1, { kind: "want-results", manifests: Array.from({ length: 65 }, () => manifest), ...ALONE }),
    ],
    ["no manifest", codec.encodeQuestion(1, { kind: "want-results", manifests: [], ...ALONE })],
    ["too many blobs", codec.encodeQuestion(1, { kind: "want-blobs", blobs: Array.from({ length: 257 }, () => blob) })],
    ["from behind its end", codec.encodeQuestion(1, { kind: "want-blobs", blobs: [{ ...blob, from: 6 }] })],
    ["a blob without end", codec.encodeQuestion(1, { kind: "want-blobs", blobs: [{ ...blob, size: limits.blobBytes + 1 }] })],
    ["an index without end", codec.encodeBlobs(1, [{ index: 256, absent: true }], false)],
    ["a prefix that is too short", codec.encodeSummary({ ...summary, added: new Uint8Array(7) })],
    ["a prefix twice", codec.encodeSummary({ ...summary, added: new Uint8Array(16) })],
    ["prefixes in disorder", codec.encodeSummary({ ...summary, removed: Buffer.from("00000000000000020000000000000001", "hex") })],
    ["removed from nothing", codec.encodeSummary({ ...summary, sequence: 0, removed: new Uint8Array(8) })],
    ["too large", new Uint8Array(codec.SHARE_LENGTH_BYTES + limits.shareFrameBytes + 1)],
    ["nothing", new Uint8Array(codec.SHARE_LENGTH_BYTES)],
    // Field 4 (results) of field 3 (zstd): 64 MiB of zeros in 2 KiB.
    ["a bomb", framed(Buffer.concat([Buffer.of(0x1a), varint(zeros.length), zeros]))],
    ["what is no zstd", framed(Buffer.of(0x1a, 3, 1, 2, 3))],
    ["both plain and zstd", framed(Buffer.of(0x12, 1, 0, 0x1a, 1, 0))],
  ];
  for (const [about, wrong] of rows)
    assert.throws(() => codec.decodeShareFrame(wrong.subarray(codec.SHARE_LENGTH_BYTES)), { code: "frame-invalid" }, about);
});

test("noise, and frames with a byte changed, are refused or mean something else, and nothing worse", () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(shared, fc.nat(), fc.nat({ max: 255 })).map(([value, at, byte]) => {
      const encoded = Buffer.from(codec.encodeResults(1, 1, [codec.encodeSharedResult(value)], true)).subarray(codec.SHARE_LENGTH_BYTES);
      encoded[at % encoded.length] = byte;
      return encoded;
    }),
  );
  fc.assert(
    fc.property(frame, (noise) => {
      try {
        codec.decodeShareFrame(noise);
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, "frame-invalid");
      }
    }),
    { numRuns: 500 },
  );
});

test("results that name the same paths travel in little", () => {
  const absent = Array.from({ length: 500 }, (_, i) => `\0P/include/some/where/header-${i}.h`);
  const results = Array.from({ length: 10 }, () => codec.encodeSharedResult({ ...RESULT, entry: { ...entry, absent } }));
  const plain = results.reduce((sum, { length }) => sum + length, 0);
  assert.ok(codec.encodeResults(1, 10, results, true).length < plain / 20);
});

function varint(value: number): Buffer {
  return value < 128 ? Buffer.of(value) : Buffer.concat([Buffer.of((value & 127) | 128), varint(value >>> 7)]);
}

/** A frame that answers question 1 with such a body of `Results`. */
function framed(results: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(codec.SHARE_LENGTH_BYTES), Buffer.of(0x08, 1, 0x22), varint(results.length), results]);
}

test("a result is written by hand as its schema says, and read as its schema reads it", () => {
  const property = fc.property(shared, (value) => {
    const bytes = codec.encodeSharedResult(value);
    const message = fromBinary(SharedResultSchema, bytes);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(toBinary(SharedResultSchema, message)));
    const inputs = message.inputs.map(({ path, digest }) => ({ path, digest: Buffer.from(digest).toString("hex") }));
    same({ inputs, absent: message.absent }, { inputs: value.entry.inputs, absent: value.entry.absent });
    // What a later version adds is passed over.
    const later = Buffer.concat([Buffer.from([0xa0, 0x06, 0x96, 0x01, 0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0xaa, 0x06, 2, 9, 9]), bytes]);
    same(codec.decodeSharedResult(later), value);
  });
  fc.assert(property);
});

test("bytes that are cut short, or any others, are no result, and nothing else happens", () => {
  const property = fc.property(shared, fc.nat(), fc.nat({ max: 255 }), (value, where, byte) => {
    const bytes = codec.encodeSharedResult(value);
    const cut = bytes.subarray(0, where % bytes.length);
    assert.throws(() => codec.decodeSharedResult(cut), { code: "frame-invalid" });
    const changed = Buffer.from(bytes);
    changed[where % bytes.length] = byte;
    try {
      codec.decodeSharedResult(changed);
    } catch (error) {
      assert.ok(error instanceof CairnError && error.code === "frame-invalid", String(error));
    }
  });
  fc.assert(property);
});
