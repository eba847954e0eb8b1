import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, limits } from "../base/index.ts";
import { type BlobPiece, loadNetworkCodec } from "../wire/index.ts";
import { BlobHasher } from "./blob-hasher.ts";

const codec = await loadNetworkCodec();
const PIECE = limits.sharePieceBytes;
const NOISE = randomBytes(3 * PIECE);

function frameOf(question: number, pieces: readonly BlobPiece[]): Uint8Array {
  return codec.encodeBlobs(question, pieces, false).subarray(codec.SHARE_LENGTH_BYTES);
}

/** The frames in which a blob travels, from its first byte on. */
function framesOf(question: number, index: number, blob: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let offset = 0; offset < blob.length; offset += PIECE)
    frames.push(frameOf(question, [{ index, absent: false, offset, bytes: blob.subarray(offset, offset + PIECE) }]));
  return frames;
}

test("what comes in pieces is hashed when the last has come, and nothing else is said to be whole", () => {
  const blob = fc.record({ question: fc.integer({ min: 1, max: 2 ** 32 - 1 }), size: fc.nat({ max: NOISE.length }), skip: fc.boolean() });
  fc.assert(
    fc.property(fc.array(blob, { maxLength: 4 }), (blobs) => {
      const hasher = new BlobHasher(codec);
      for (const { question, size, skip } of blobs) {
        const bytes = NOISE.subarray(0, size);
        const frames = framesOf(question, 1, bytes).slice(skip ? 1 : 0);
        const told = frames.map((frame) => hasher.digests(frame)?.[0]);
        const isKnown = frames.length > 0 && !skip && size % PIECE !== 0;
        assert.deepEqual(told, [
          ...frames.slice(1).map(() => undefined),
          ...(frames.length > 0 ? [isKnown ? digestOf(bytes) : undefined] : []),
        ]);
      }
    }),
    { numRuns: 40 },
  );
});

test("small ones are hashed one by one; a piece that does not go on ends what was under way", () => {
  const hasher = new BlobHasher(codec);
  const small = ["one", "two"].map((text, index) => ({ index, absent: false as const, offset: 0, bytes: Buffer.from(text) }));
  assert.deepEqual(hasher.digests(frameOf(7, [...small, { index: 2, absent: true }])), [digestOf("one"), digestOf("two"), undefined]);
  const [first = NOISE, , last = NOISE] = framesOf(9, 0, NOISE.subarray(0, 2 * PIECE + 5));
  assert.deepEqual([hasher.digests(first), hasher.digests(last)], [[undefined], [undefined]]);
});

test("frames of other kinds, and rubbish, are left to who understands them", () => {
  const hasher = new BlobHasher(codec);
  const others = [
    codec.encodeQuestion(300, { kind: "want-blobs", blobs: [{ digest: digestOf("x"), size: 1, from: 0 }] }),
    codec.encodeResults(5, 1, [], true),
    codec.encodeSummary({ kind: "summary", sequence: 0, added: new Uint8Array(), removed: new Uint8Array() }),
  ];
  for (const frame of others) assert.equal(hasher.digests(frame.subarray(codec.SHARE_LENGTH_BYTES)), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (rubbish) => void hasher.digests(rubbish)));
});
