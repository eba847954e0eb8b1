import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { DiskStore } from "./disk.ts";
import { type Pin, Pins } from "./pins.ts";
import { SqliteIndex } from "./results.ts";
import { entryOf, type Opened, openStore, resultOf } from "./store.fixture.ts";

function open(opened: Opened): { pins: Pins; file: string } {
  const file = join(opened.directory, "pins.json");
  return { pins: Pins.open(opened, { file }), file };
}

function pinOf(root: string, ...blobs: string[]): Pin {
  return { root, kind: blobs[0] === root ? "blob" : "result", name: "p", blobs, atMs: 1 };
}

test("pinned blobs are never evicted, also when nothing else is left to evict", async () => {
  await using opened = openStore();
  const { pins } = open(opened);
  const store = DiskStore.open(
    { ...opened, isPinned: (digest) => pins.holdsBlob(digest) },
    { directory: opened.blobs, capacityBytes: 40_000, rawBytes: 40_000_000 },
  );
  const pinned: string[] = [];
  for (let i = 0; i < 40; i++) {
    opened.clock.at += 120_000;
    const digest = await store.write(randomBytes(1_000));
    if (i < 20) pinned.push(digest);
  }
  for (const digest of pinned) pins.add(pinOf(digest, digest));
  opened.clock.at += 120_000;
  // The oldest are all pinned.
  await store.shrink(25_000);
  assert.deepEqual([store.facts().blobs, await every(pinned, store)], [25, true]);
  await store.shrink(0);
  assert.deepEqual([store.facts().blobs, await every(pinned, store)], [20, true]);
  pins.remove(pinned[0] ?? "");
  opened.clock.at += 120_000;
  await store.shrink(0);
  assert.deepEqual([store.facts().blobs, await store.has(pinned[0] ?? "")], [19, false]);
});

test("a pinned result is not dropped when there are too many", async () => {
  await using opened = openStore();
  const { pins } = open(opened);
  const index = SqliteIndex.open({ ...opened, isPinned: (action) => pins.holdsResult(action) }, { entriesMax: 50 });
  pins.add(pinOf(entryOf("f3").action, digestOf("blob")));
  for (let at = 0; at < 80; at++) index.add(digestOf(`m${at}`), entryOf(`f${at}`), resultOf(digestOf("blob")), new Map());
  while (index.tidy(1_000));
  assert.deepEqual(
    ["f2", "f3", "f4"].map((name) => index.result(entryOf(name).action) !== undefined),
    [false, true, false],
  );
  assert.equal(index.entries(digestOf("m3")).length, 1);
});

test("pins outlive the process, and a damaged file is put aside", async () => {
  await using opened = openStore();
  const { pins, file } = open(opened);
  const [one, other] = [pinOf(digestOf("action"), digestOf("a"), digestOf("b")), pinOf(digestOf("c"), digestOf("c"))];
  pins.add(one);
  pins.add(other);
  const again = Pins.open(opened, { file });
  assert.deepEqual(again.list(), [one, other]);
  assert.ok(again.remove(other.root) && !again.remove(other.root));
  assert.deepEqual([again.holdsBlob(digestOf("b")), again.holdsBlob(digestOf("c"))], [true, false]);
  const damaged = readFileSync(file, "utf8").slice(0, -10);
  writeFileSync(file, damaged);
  assert.deepEqual(Pins.open(opened, { file }).list(), []);
  assert.ok(existsSync(`${file}.damaged`));
  assert.equal(opened.events.at(-1)?.name, "pins.damaged");
});

async function every(digests: readonly string[], store: DiskStore): Promise<boolean> {
  return (await Promise.all(digests.map((digest) => store.has(digest)))).every(Boolean);
}

test("what several work with is held until the last of them is done", async () => {
  await using opened = openStore();
  const { pins } = open(opened);
  const blob = digestOf("blob");
  const [first, second] = [pins.hold(), pins.hold()];
  for (const hold of [first, first, second]) hold.blobs.add(blob);
  const held: boolean[] = [];
  for (const hold of [first, first, second]) {
    hold[Symbol.dispose]();
    held.push(pins.holdsBlob(blob));
  }
  first.blobs.add(blob); // Too late.
  assert.deepEqual([held, pins.holdsBlob(blob)], [[true, true, false], false]);
});
