import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { Unpacking } from "./unpacking.ts";

async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("frames come out one after the other, however they were cut; what is cut short or no frame fails", async (t) => {
  const unpacking = new Unpacking();
  const unpack = (bytes: Buffer, pieceBytes: number): Promise<Buffer> => all(unpacking.unpack(inPieces(bytes, pieceBytes), t.signal));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(300_000), { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 100 }), async (sizes, cut) => {
      const plain = sizes.map((size, i) => Buffer.alloc(size, `part ${i}`));
      const packed = Buffer.concat(plain.map((part) => zstdCompressSync(part)));
      assert.ok((await unpack(packed, cut)).equals(Buffer.concat(plain)));
      await assert.rejects(unpack(packed.subarray(0, -1), cut));
      await assert.rejects(unpack(Buffer.concat([packed, Buffer.from("no frame")]), cut));
    }),
    { numRuns: 10 },
  );
});

test("so many unpack at once; one that is not wanted any more does not wait", async (t) => {
  const unpacking = new Unpacking();
  const packed = zstdCompressSync("bytes");
  const { promise: rest, resolve: go } = Promise.withResolvers<void>();
  const { promise: full, resolve: isFull } = Promise.withResolvers<void>();
  let begun = 0;
  async function* slow(): AsyncGenerator<Buffer> {
    if (++begun === limits.doors.unpackings) isFull();
    await rest;
    yield packed;
  }
  const running = Array.from({ length: limits.doors.unpackings + 3 }, () => all(unpacking.unpack(slow(), t.signal)));
  const gone = new AbortController();
  const unwanted = all(unpacking.unpack(slow(), gone.signal));
  gone.abort(new Error("nobody waits"));
  await assert.rejects(unwanted, /nobody waits/);
  await full;
  assert.equal(begun, limits.doors.unpackings);
  go();
  for (const bytes of await Promise.all(running)) assert.equal(bytes.toString(), "bytes");
  assert.equal(begun, limits.doors.unpackings + 3);
});
