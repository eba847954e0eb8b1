/**
 * What every Store promises, whatever it is made of. Each implementation's tests run this suite.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { digestOf } from "../../src/base/index.ts";
import type { LocalStore, Store } from "../../src/contracts/index.ts";

export interface OpenedStore {
  readonly store: Store;
  /** Removes what the store leaves behind; called after the store was disposed of. */
  readonly clean: () => Promise<void>;
}

const ABSENT = digestOf("nobody wrote this");

/** @param open an empty store that holds at least 16 MiB */
export function storeCompliance(name: string, open: () => Promise<OpenedStore>): void {
  const check = (title: string, body: (store: Store) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const { store, clean } = await open();
      try {
        await body(store);
      } finally {
        await store[Symbol.asyncDispose]();
        await clean();
      }
    });
  };

  check("reads what was written, by its SHA-256", async (store) => {
    const digest = await store.write(Buffer.from("a stone"));
    assert.equal(digest, digestOf("a stone"));
    assert.equal(await store.has(digest), true);
    assert.deepEqual(await store.read(digest), { kind: "hit", bytes: Buffer.from("a stone") });
  });

  check("does not have what nobody wrote", async (store) => {
    assert.equal(await store.has(ABSENT), false);
    assert.deepEqual(await store.read(ABSENT), { kind: "miss" });
  });

  check("keeps the empty blob", async (store) => {
    const digest = await store.write(new Uint8Array(0));
    const read = await store.read(digest);
    assert.equal(read.kind === "hit" && read.bytes.length, 0);
  });

  check("keeps a blob of several pieces", async (store) => {
    const bytes = Buffer.alloc(9_000_001, "cairn");
    const read = await store.read(await store.write(bytes));
    assert.ok(read.kind === "hit" && read.bytes.equals(bytes));
  });

  check("takes a copy: neither the writer's nor the reader's changes reach it", async (store) => {
    const bytes = Buffer.from("unchanged");
    const digest = await store.write(bytes);
    bytes.fill(0);
    const first = await store.read(digest);
    if (first.kind === "hit") first.bytes.fill(1);
    assert.deepEqual(await store.read(digest), { kind: "hit", bytes: Buffer.from("unchanged") });
  });

  check("forgets what is removed, and takes it again", async (store) => {
    const digest = await store.write(Buffer.from("twice"));
    await store.remove(digest);
    assert.equal(await store.has(digest), false);
    assert.deepEqual(await store.read(digest), { kind: "miss" });
    await store.remove(digest);
    await store.write(Buffer.from("twice"));
    assert.equal((await store.read(digest)).kind, "hit");
  });

  check("serves many at once", async (store) => {
    const blobs = Array.from({ length: 64 }, (_, index) => Buffer.from(`blob ${index % 16}`));
    const digests = await Promise.all(blobs.map((bytes) => store.write(bytes)));
    const reads = await Promise.all(digests.map((digest) => store.read(digest)));
    assert.deepEqual(
      reads,
      blobs.map((bytes) => ({ kind: "hit", bytes })),
    );
  });

  check("refuses to begin what was aborted", async (store) => {
    const signal = AbortSignal.abort();
    await assert.rejects(store.write(Buffer.from("never"), signal), { name: "AbortError" });
    await assert.rejects(store.read(ABSENT, signal), { name: "AbortError" });
    assert.equal(await store.has(digestOf("never")), false);
  });

  check("behaves as a map from digests to bytes", async (store) => {
    const content = fc.constantFrom("", "a", "b", "c").map((text) => Buffer.from(text.repeat(5_000)));
    const step = fc.record({ what: fc.constantFrom("write", "read", "remove", "has"), content });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const model = new Set<string>();
        for (const text of ["", "a", "b", "c"]) await store.remove(digestOf(text.repeat(5_000)));
        for (const { what, content } of steps) {
          const digest = digestOf(content);
          if (what === "write") model.add(await store.write(content));
          else if (what === "has") assert.equal(await store.has(digest), model.has(digest));
          else if (what === "read")
            assert.deepEqual(await store.read(digest), model.has(digest) ? { kind: "hit", bytes: content } : { kind: "miss" });
          else {
            await store.remove(digest);
            model.delete(digest);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
}

export interface OpenedLocalStore extends OpenedStore {
  readonly store: LocalStore;
  /** Changes the bytes that lie in place of a blob, behind the store's back. */
  readonly damage: (digest: string) => void;
}

/** What every LocalStore promises beyond that. */
export function localStoreCompliance(name: string, open: () => Promise<OpenedLocalStore>): void {
  const check = (title: string, body: (opened: OpenedLocalStore) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const opened = await open();
      try {
        await body(opened);
      } finally {
        await opened.store[Symbol.asyncDispose]();
        await opened.clean();
      }
    });
  };

  check("tells size and CRC-32 of a plain blob", async ({ store }) => {
    const digest = await store.write(Buffer.from("123456789"));
    assert.deepEqual(await store.plain(digest), { size: 9, crc32: 0xcbf43926 }); // The check value of CRC-32/ISO-HDLC.
    assert.equal(await store.plain(ABSENT), undefined);
  });

  check("takes bytes whose digest is known, and finds later that they were others", async ({ store }) => {
    for (const bytes of [Buffer.from("known"), Buffer.alloc(9_000_001, "cairn")]) {
      const digest = digestOf(bytes);
      await store.writeVerified(digest, bytes);
      const read = await store.read(digest);
      assert.ok(read.kind === "hit" && read.bytes.equals(bytes));
      assert.deepEqual(await store.plain(digest), { size: bytes.length, crc32: crc32(bytes) });
    }
    await store.writeVerified(ABSENT, Buffer.from("not that"));
    assert.deepEqual(await store.read(ABSENT), { kind: "miss" });
    assert.equal(await store.has(ABSENT), false);
  });

  check("gives a miss for a damaged blob, and takes it again", async ({ store, damage }) => {
    const digest = await store.write(Buffer.from("sound"));
    damage(digest);
    assert.deepEqual(await store.read(digest), { kind: "miss" });
    assert.equal(await store.has(digest), false);
    assert.equal(await store.plain(digest), undefined);
    await store.write(Buffer.from("sound"));
    assert.equal((await store.read(digest)).kind, "hit");
  });
}
