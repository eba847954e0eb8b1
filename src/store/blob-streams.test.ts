import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../base/index.ts";
import type { Range } from "../contracts/index.ts";
import { compressedPath, plainPath } from "./layout.ts";
import { type Opened, openStore } from "./store.fixture.ts";

const LIMIT = 67_108_864;
const BIG = 1_500_000; // Several pieces, so that a file is made while it comes.

/** Bytes in which each place differs from its neighbours. */
function bytesOf(size: number, seed = 7): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0, value = seed; at < size; at++, value = (value * 1_103_515_245 + 12_345) & 0x7fffffff) bytes[at] = value >> 16;
  return bytes;
}

async function* inChunks(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function sent(opened: Opened, digest: string, range: Range | undefined, signal: AbortSignal): Promise<Buffer | undefined> {
  const sending = await opened.store.send(digest, range, signal);
  return sending === undefined ? undefined : all(sending.bytes);
}

function damage(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

const leftovers = (opened: Opened): string[] => readdirSync(join(opened.blobs, "tmp"));

test("what comes in goes out, whole and in parts, whatever its size and however it is cut", async (t) => {
  await using opened = openStore();
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 260_000, max: 1_100_000 })),
      fc.integer({ min: 1, max: 300_000 }),
      fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
      async (size, chunk, [one, other]) => {
        const bytes = bytesOf(size, size + chunk);
        const received = await opened.store.receive(inChunks(bytes, Math.max(chunk, size / 5_000)), {}, LIMIT, t.signal);
        assert.deepEqual(received, { kind: "kept", digest: digestOf(bytes), size });
        const [from, to] = [Math.floor(Math.min(one, other) * size), Math.floor(Math.max(one, other) * size)];
        assert.ok((await sent(opened, digestOf(bytes), undefined, t.signal))?.equals(bytes));
        assert.ok((await sent(opened, digestOf(bytes), { from, length: to - from }, t.signal))?.equals(bytes.subarray(from, to)));
        assert.deepEqual(leftovers(opened), []);
      },
    ),
    { numRuns: 25 },
  );
});

for (const size of [3_000, BIG]) {
  const bytes = bytesOf(size);
  const cases = [
    ["other bytes than expected", { digest: digestOf("something else") }, LIMIT, "other"],
    ["fewer bytes than expected", { size: size + 1 }, LIMIT, "other"],
    ["more bytes than expected", { size: size - 1 }, LIMIT, "other"],
    ["more bytes than may be kept", {}, size - 1, "large"],
  ] as const;
  for (const [title, expected, limitBytes, kind] of cases) {
    test(`${size} bytes: of ${title} nothing is kept`, async (t) => {
      await using opened = openStore();
      const received = await opened.store.receive(inChunks(bytes, 65_536), expected, limitBytes, t.signal);
      assert.deepEqual([received, opened.store.isHere(digestOf(bytes)), leftovers(opened)], [{ kind }, false, []]);
    });
  }

  test(`${size} bytes: of a source that fails, or is not wanted any more, nothing is kept`, async (t) => {
    await using opened = openStore();
    async function* cut(): AsyncGenerator<Buffer> {
      yield* inChunks(bytes, 65_536);
      throw new Error("the connection was lost");
    }
    await assert.rejects(opened.store.receive(cut(), {}, LIMIT, t.signal), /connection was lost/);
    const gone = new AbortController();
    async function* abandoned(): AsyncGenerator<Buffer> {
      yield* inChunks(bytes, 65_536);
      gone.abort(new Error("nobody waits"));
    }
    await assert.rejects(opened.store.receive(abandoned(), {}, LIMIT, gone.signal), /nobody waits/);
    assert.deepEqual([opened.store.isHere(digestOf(bytes)), leftovers(opened)], [false, []]);
  });

  test(`${size} bytes: a damaged blob is never read to its end, and is gone then`, async (t) => {
    for (const range of [undefined, { from: 5, length: 100 }]) {
      for (const spoil of [(path: string) => damage(path, size - 1), (path: string) => damage(path, 1)]) {
        await using opened = openStore();
        const digest = await opened.store.write(bytes);
        const sending = await opened.store.send(digest, range, t.signal);
        spoil(plainPath(opened.blobs, digest));
        let came = 0;
        const reading = async (): Promise<void> => {
          for await (const piece of sending?.bytes ?? []) came += piece.byteLength;
        };
        await assert.rejects(reading(), { code: "blob-absent" });
        assert.ok(came < (range?.length ?? size));
        assert.equal(await opened.store.send(digest, undefined, t.signal), undefined);
      }
    }
  });

  test(`${size} bytes: a blob that was cut short while it is read fails`, async (t) => {
    await using opened = openStore();
    const digest = await opened.store.write(bytes);
    const sending = await opened.store.send(digest, undefined, t.signal);
    chmodSync(plainPath(opened.blobs, digest), 0o600);
    truncateSync(plainPath(opened.blobs, digest), size - 1);
    await assert.rejects(all(sending?.bytes ?? inChunks(bytes, 1)), { code: "blob-absent" });
  });
}

test("of small chunks the bytes are kept, and not the chunks", async (t) => {
  await using opened = openStore();
  const bytes = bytesOf(300_000);
  // One buffer for all of them: whoever kept it would find the last chunk everywhere.
  async function* tiny(): AsyncGenerator<Buffer> {
    const chunk = Buffer.alloc(3);
    for (let at = 0; at < bytes.length; at += 3) {
      bytes.copy(chunk, 0, at, at + 3);
      yield chunk;
    }
  }
  const received = await opened.store.receive(tiny(), {}, LIMIT, t.signal);
  assert.deepEqual(received, { kind: "kept", digest: digestOf(bytes), size: bytes.length });
});

test("a compressed blob goes out as it came in", async (t) => {
  await using opened = openStore({ rawBytes: 0 });
  const bytes = Buffer.alloc(BIG, "cairn ");
  const digest = await opened.store.write(bytes);
  while (await opened.store.tidy(1_000));
  assert.equal(existsSync(compressedPath(opened.blobs, digest)), true);
  assert.ok((await sent(opened, digest, undefined, t.signal))?.equals(bytes));
});

test("a blob that goes while it is sent still comes", async (t) => {
  await using opened = openStore();
  const bytes = bytesOf(BIG);
  const digest = await opened.store.write(bytes);
  const sending = await opened.store.send(digest, undefined, t.signal);
  await opened.store.remove(digest);
  assert.ok(sending !== undefined && (await all(sending.bytes)).equals(bytes));
  await sending[Symbol.asyncDispose]();
  assert.equal(await opened.store.send(digest, undefined, t.signal), undefined);
});

test("a blob that is not here is not sent; one that is here already is kept as it is", async (t) => {
  await using opened = openStore();
  assert.equal(await opened.store.send(digestOf("nobody"), undefined, t.signal), undefined);
  const bytes = bytesOf(BIG);
  for (let times = 0; times < 2; times++) await opened.store.receive(inChunks(bytes, 65_536), { size: BIG }, LIMIT, t.signal);
  assert.equal(opened.store.facts().blobs, 1);
});

test("a store that may not be written refuses, and says why", async (t) => {
  await using opened = openStore();
  writeFileSync(`${opened.blobs}/00`, ""); // A file where a directory has to be.
  const shards = new Set<string>();
  for (let seed = 1; !shards.has("00"); seed++) {
    const bytes = bytesOf(300_000, seed);
    shards.add(digestOf(bytes).slice(0, 2));
    if (!shards.has("00")) continue;
    await assert.rejects(opened.store.receive(inChunks(bytes, 65_536), {}, LIMIT, t.signal), { code: "home-unwritable" });
    assert.deepEqual(leftovers(opened), []);
  }
});
