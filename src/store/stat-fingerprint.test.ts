import assert from "node:assert/strict";
import { test } from "node:test";
import { murmur3, statFingerprint } from "./stat-fingerprint.ts";

test("MurmurHash3 x86_32 of whole words, published vectors", () => {
  const words = (text: string): Uint32Array => new Uint32Array(Uint8Array.from(Buffer.from(text)).buffer);
  assert.equal(murmur3(words(""), 0), 0);
  assert.equal(murmur3(words(""), 1), 0x514e28b7);
  assert.equal(murmur3(words("aaaa"), 0x9747b28c), 0x5a97808a);
  assert.equal(murmur3(words("test"), 0x9747b28c), 0x704b81dc);
});

// Computed by an independent implementation of docs/protocol/hot-record.md; the compiler wrapper must agree with them.
const VECTORS: readonly (readonly [ino: bigint, size: bigint, mtimeNs: bigint, ctimeNs: bigint, fp0: number, fp1: number])[] = [
  [0n, 0n, 0n, 0n, 0xdc656af2, 0x789f9150],
  [1n, 2n, 3n, 4n, 0x05f479d0, 0xcff049d7],
  [123_456n, 31_526n, 1_777_320_873_000_000_000n, 1_777_320_873_123_456_789n, 0x75669f3d, 0xf0d56867],
  [2n ** 64n - 1n, 2n ** 40n + 7n, -1n, 1_800_000_000_000_000_001n, 0xe7c365ff, 0x263b00d2],
];

test("stat fingerprints, times before the epoch included", () => {
  for (const [ino, size, mtimeNs, ctimeNs, fp0, fp1] of VECTORS)
    assert.deepEqual(statFingerprint(ino, size, mtimeNs, ctimeNs), { fp0, fp1 });
});
