/**
 * Bits that flip in the index: SQLite has no checksums of its own. Whatever they hit, what is read was written, or is gone, and what
 * is stored afterwards is found again.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, silentLog } from "../base/index.ts";
import type { ManifestEntry, SharedResult } from "../contracts/index.ts";
import { openDatabase } from "./database.ts";
import { MemoryStore } from "./memory.ts";
import { SqliteIndex } from "./results.ts";
import { SqliteShelf } from "./shelf.ts";
import { entryOf, resultOf, scratch, signedOf } from "./store.fixture.ts";

const RUNS = Number(process.env.CAIRN_TEST_FLIPS ?? 60);
const ENTRIES = 60;
const parts = { log: silentLog, now: () => 1_800_000_000_000 };

/** Neighbours are alike, so that a row taken for another one looks right in all that is not looked at. */
const written = Array.from({ length: ENTRIES }, (_, at) => {
  const name = `unit${at}`;
  const manifest = digestOf(`manifest ${at % 20}`);
  const inputs = [
    { path: "\0C/same.c", digest: digestOf(`version ${at}`) },
    { path: "\0P/include/common.h", digest: digestOf(`common ${at % 3}`) },
  ];
  const entry: ManifestEntry = entryOf(name, { inputs, absent: [`\0C/${at}.h`, "\0P/other.h"] });
  const tokens = { exact: digestOf(`exact ${at}`), layout: digestOf(`layout ${at}`) };
  return { manifest, entry, result: resultOf(digestOf(`blob ${at}`)), content: digestOf(`version ${at}`), tokens };
});

function withIndex(file: string, body: (index: SqliteIndex, shelf: SqliteShelf) => void): void {
  using database = openDatabase(parts, { file });
  using index = SqliteIndex.open({ ...parts, database });
  using shelf = new SqliteShelf(
    { ...parts, database, index, blobs: new MemoryStore({ capacityBytes: 0 }) },
    { network: digestOf("network") },
  );
  body(index, shelf);
}

function signed({ manifest, entry, result }: (typeof written)[number]): SharedResult {
  return signedOf(manifest, entry, result);
}

function whole(file: string): Buffer {
  withIndex(file, (index, shelf) => {
    for (const { manifest, entry, result, content, tokens } of written) index.add(manifest, entry, result, new Map([[content, tokens]]));
    assert.equal(shelf.put(written.map(signed)), written.length);
  });
  return readFileSync(file); // Closing wrote the log back.
}

function check(index: SqliteIndex, shelf: SqliteShelf): void {
  for (const { manifest, entry, result, content, tokens } of written) {
    const candidates = written.filter((other) => other.manifest === manifest).map((other) => other.entry);
    for (const found of index.entries(manifest)) {
      const same = candidates.find(({ action }) => action === found.action);
      assert.deepEqual(found, same);
    }
    for (const found of shelf.results(manifest)) {
      const same = written.find((other) => other.entry.action === found.entry.action);
      assert.ok(same !== undefined);
      assert.deepEqual(found, signed(same));
    }
    const foundResult = index.result(entry.action);
    if (foundResult !== undefined) assert.deepEqual(foundResult, result);
    const foundTokens = index.tokens(content);
    if (foundTokens !== undefined) assert.deepEqual(foundTokens, tokens);
  }
}

test(`${RUNS} times bits flipped in the index`, () => {
  const directory = scratch();
  try {
    const intact = whole(join(directory, "intact.db"));
    const file = join(directory, "index.db");
    const flips = fc.array(fc.tuple(fc.nat(intact.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(flips, (flipped) => {
        const bytes = Buffer.from(intact);
        for (const [at, bits] of flipped) bytes[at] = (bytes[at] ?? 0) ^ bits;
        for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
        writeFileSync(file, bytes);
        withIndex(file, (index, shelf) => {
          check(index, shelf);
          const [first] = written;
          assert.ok(first !== undefined);
          // One attempt may meet the damage and clear it away.
          const store = (): void => index.add(first.manifest, first.entry, first.result, new Map([[first.content, first.tokens]]));
          try {
            store();
          } catch {
            store();
          }
          check(index, shelf);
          assert.deepEqual(index.result(first.entry.action), first.result);
          assert.ok(index.entries(first.manifest).some(({ action }) => action === first.entry.action));
        });
      }),
      { numRuns: RUNS },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
