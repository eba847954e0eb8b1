/** Hashing of blobs that come in parts: here and in another thread it is the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { digestOf } from "../base/index.ts";
import { type Hashing, HashThread } from "./hashing.ts";

const LARGE = 2 ** 21;
const PART = 100_000;

function bytesOf(size: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * seed) >> 7));
}

/** Gives a blob in parts whose memory goes back and forth. @returns whether one memory served them all */
async function give(hashing: Hashing, bytes: Buffer): Promise<boolean> {
  let memory = new ArrayBuffer(PART);
  for (let at = 0; at < bytes.length; at += PART) {
    const part = bytes.subarray(at, at + PART);
    new Uint8Array(memory).set(part);
    memory = await hashing.part(memory, part.length);
  }
  return memory.byteLength === PART;
}

test("parts of several blobs that come at once do not mix, wherever they are hashed", async () => {
  await using hashes = new HashThread({ log: { event: () => undefined } });
  const sizes = [0, 5, PART, 250_000, 999_999];
  const both = sizes.flatMap((size, at) => [0, LARGE].map((announced) => ({ bytes: bytesOf(size, at + 3), announced })));
  await Promise.all(
    both.map(async ({ bytes, announced }) => {
      using hashing = hashes.begin(announced);
      assert.ok(await give(hashing, bytes));
      assert.deepEqual(await hashing.end(), { digest: digestOf(bytes), crc32: crc32(bytes) });
    }),
  );
});

test("what the thread has begun fails when it ends; the next blob has another thread", async () => {
  const events: string[] = [];
  const hashes = new HashThread({ log: { event: (_level, name) => events.push(name) } });
  {
    using hashing = hashes.begin(LARGE);
    await give(hashing, bytesOf(PART, 3));
    const late = hashing.end();
    const ending = hashes[Symbol.asyncDispose]();
    // It may still have answered the first of these, and not the second.
    const [, after] = await Promise.allSettled([late, ending.then(() => hashing.part(new ArrayBuffer(PART), 1))]);
    assert.equal(after.status, "rejected");
  }
  using again = hashes.begin(LARGE);
  await give(again, bytesOf(PART, 5));
  assert.equal((await again.end()).digest, digestOf(bytesOf(PART, 5)));
  await hashes[Symbol.asyncDispose]();
  assert.deepEqual(events, ["store.hash-thread-started", "store.hash-thread-started"]);
});
