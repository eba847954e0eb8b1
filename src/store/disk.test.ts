import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { localStoreCompliance, type OpenedLocalStore, storeCompliance } from "../../test/compliance/store.ts";
import { digestOf } from "../base/index.ts";
import { compressedPath, plainPath, temporaryName } from "./layout.ts";
import { SqliteIndex } from "./results.ts";
import { entryOf, type Opened, openStore, resultOf } from "./store.fixture.ts";

/** Bytes that compress well, different for each name. */
const text = (name: string, size = 10_000): Buffer => Buffer.alloc(size, `${name} `);

function overwrite(path: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = change(readFileSync(path));
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

function flipBit(bytes: Buffer, at = bytes.length >> 1): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ 0x10;
  return flipped;
}

function toCompliance(opened: Opened): OpenedLocalStore {
  const damage = (digest: string): void => overwrite(plainPath(opened.blobs, digest), flipBit);
  return { store: opened.store, clean: async () => opened[Symbol.asyncDispose](), damage };
}

/** Compresses everything and tells when nothing is left to do. */
async function tidyAll(opened: Opened): Promise<void> {
  while (await opened.store.tidy(1_000));
}

storeCompliance("DiskStore", async () => toCompliance(openStore()));
localStoreCompliance("DiskStore", async () => toCompliance(openStore()));

test("a blob is a file that its owner alone may read, and nothing stays in tmp", async () => {
  await using opened = openStore();
  const digest = await opened.store.write(Buffer.from("stone"));
  const path = plainPath(opened.blobs, digest);
  assert.equal(statSync(path).mode & 0o777, 0o400);
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(opened.blobs, "tmp")), []);
});

test("cold blobs are compressed, oldest first; plain puts one back", async () => {
  await using opened = openStore();
  const old = await opened.store.write(text("old"));
  opened.clock.at += 60_000;
  const young = await opened.store.write(text("young"));
  await opened.reopen({ rawBytes: 10_000 });
  await tidyAll(opened);
  assert.deepEqual([existsSync(plainPath(opened.blobs, old)), existsSync(compressedPath(opened.blobs, old))], [false, true]);
  assert.equal(existsSync(plainPath(opened.blobs, young)), true);
  assert.deepEqual(await opened.store.read(old), { kind: "hit", bytes: text("old") });
  assert.equal((await opened.store.plain(old))?.size, 10_000);
  assert.deepEqual([existsSync(plainPath(opened.blobs, old)), existsSync(compressedPath(opened.blobs, old))], [true, false]);
  assert.deepEqual(opened.store.facts(), { blobs: 2, storedBytes: 20_000, plainBytes: 20_000, foreignFiles: 0 });
});

test("what does not compress stays plain and is not tried again", async () => {
  await using opened = openStore({ rawBytes: 0 });
  const digest = await opened.store.write(randomBytes(10_000));
  await tidyAll(opened);
  assert.equal(existsSync(plainPath(opened.blobs, digest)), true);
  assert.deepEqual(opened.store.facts(), { blobs: 1, storedBytes: 10_000, plainBytes: 0, foreignFiles: 0 });
});

test("a damaged compressed blob is a miss and is removed", async () => {
  await using opened = openStore({ rawBytes: 0 });
  const digests = [await opened.store.write(text("one")), await opened.store.write(text("two"))];
  await tidyAll(opened);
  for (const digest of digests) overwrite(compressedPath(opened.blobs, digest), flipBit);
  const [one = "", two = ""] = digests;
  assert.deepEqual(await opened.store.read(one), { kind: "miss" });
  assert.equal(await opened.store.plain(two), undefined);
  assert.deepEqual([await opened.store.has(one), await opened.store.has(two)], [false, false]);
  assert.equal(opened.events.filter((event) => event.name === "store.blob-damaged").length, 2);
});

test("no bit flip is ever read as content", async () => {
  await using opened = openStore({ rawBytes: 0 });
  const bytes = text("bits", 300);
  const property = fc.asyncProperty(fc.nat(299), fc.boolean(), async (at, compress) => {
    const digest = await opened.store.write(bytes);
    if (compress) await tidyAll(opened);
    const path = compress ? compressedPath(opened.blobs, digest) : plainPath(opened.blobs, digest);
    overwrite(path, (stored) => flipBit(stored, at % stored.length));
    const read = await opened.store.read(digest);
    // Some bits of a zstd frame say nothing about its content.
    assert.ok(read.kind === "miss" || (compress && read.bytes.equals(bytes)));
    await opened.store.remove(digest);
  });
  await fc.assert(property, { numRuns: 60 });
});

test("plain notices a truncated file, as power failures leave it", async () => {
  await using opened = openStore();
  const digest = await opened.store.write(text("short"));
  chmodSync(plainPath(opened.blobs, digest), 0o600);
  truncateSync(plainPath(opened.blobs, digest), 100);
  assert.equal(await opened.store.plain(digest), undefined);
});

test("eviction: the blob not used for the longest time goes first, and its results with it", async () => {
  await using opened = openStore({ capacityBytes: 25_000 });
  const index = SqliteIndex.open(opened);
  const digests: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const digest = await opened.store.write(text(name));
    index.add(digestOf("manifest"), entryOf(name), resultOf(digest), new Map());
    digests.push(digest);
    opened.clock.at += 60_000;
  }
  const [a = "", b = "", c = ""] = digests;
  assert.equal(opened.store.isPressed, true);
  await opened.store.plain(a);
  await tidyAll(opened);
  assert.deepEqual(await Promise.all([a, b, c].map((digest) => opened.store.has(digest))), [true, false, true]);
  assert.deepEqual(
    index.entries(digestOf("manifest")).map((entry) => entry.action),
    ["c", "a"].map((name) => digestOf(`action ${name}`)),
  );
  assert.equal(index.result(digestOf("action b")), undefined);
});

test("a use of an entry keeps its blobs", async () => {
  await using opened = openStore();
  const used = await opened.store.write(text("used"));
  SqliteIndex.open(opened).add(digestOf("manifest"), entryOf("used"), resultOf(used), new Map());
  opened.clock.at += 60_000;
  const unused = await opened.store.write(text("unused"));
  opened.clock.at += 60_000;
  await opened.reopen({ capacityBytes: 15_000 });
  const index = SqliteIndex.open(opened);
  index.touch(digestOf("manifest"), digestOf("action used"));
  index.flush();
  await tidyAll(opened);
  assert.deepEqual([await opened.store.has(used), await opened.store.has(unused)], [true, false]);
});

test("shrink empties the store", async () => {
  await using opened = openStore();
  for (let index = 0; index < 40; index++) await opened.store.write(text(String(index)));
  await opened.store.shrink(0);
  assert.deepEqual(opened.store.facts(), { blobs: 0, storedBytes: 0, plainBytes: 0, foreignFiles: 0 });
});

test("the janitor adopts unknown blobs and drops rows without a file", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const lost = await opened.store.write(text("lost"));
  index.add(digestOf("manifest"), entryOf("lost"), resultOf(lost), new Map());
  const found = digestOf("found");
  mkdirSync(join(opened.blobs, found.slice(0, 2)), { recursive: true });
  writeFileSync(plainPath(opened.blobs, found), "found");
  await opened.reopen();
  rmSync(plainPath(opened.blobs, lost));
  await tidyAll(opened);
  assert.deepEqual(opened.store.facts(), { blobs: 1, storedBytes: 5, plainBytes: 5, foreignFiles: 0 });
  assert.equal((await opened.store.plain(found))?.size, 5);
  assert.deepEqual(SqliteIndex.open(opened).entries(digestOf("manifest")), []);
});

test("the janitor clears what dead processes left, and leaves alone what is not ours", async () => {
  await using opened = openStore();
  const tmp = join(opened.blobs, "tmp");
  const files = {
    dead: join(tmp, temporaryName(2 ** 30, 1, 1)),
    ancient: join(tmp, temporaryName(process.pid, 1, 2)),
    fresh: join(tmp, temporaryName(process.pid, 1, 3)),
    foreignTemporary: join(tmp, "notes.txt"),
    foreign: join(opened.blobs, "README"),
    foreignBlob: join(opened.blobs, "ab", "cd"),
  };
  mkdirSync(join(opened.blobs, "ab"));
  for (const path of Object.values(files)) {
    writeFileSync(path, "");
    utimesSync(path, opened.clock.at / 1_000, opened.clock.at / 1_000);
  }
  utimesSync(files.ancient, opened.clock.at / 1_000 - 3_601, opened.clock.at / 1_000 - 3_601);
  await tidyAll(opened);
  const left = Object.entries(files).filter(([, path]) => existsSync(path));
  assert.deepEqual(
    left.map(([name]) => name),
    ["fresh", "foreignTemporary", "foreign", "foreignBlob"],
  );
  assert.deepEqual(
    opened.events.map((event) => event.facts.name),
    ["README", "tmp/notes.txt", "ab/cd"],
  );
});

test("where a crash left both forms of a blob, one stays", async () => {
  await using opened = openStore({ rawBytes: 0 });
  const digest = await opened.store.write(text("both"));
  await tidyAll(opened);
  writeFileSync(plainPath(opened.blobs, digest), text("both"));
  await opened.reopen();
  await tidyAll(opened);
  assert.deepEqual([existsSync(plainPath(opened.blobs, digest)), existsSync(compressedPath(opened.blobs, digest))], [true, false]);
  assert.equal((await opened.store.plain(digest))?.size, 10_000);
});

test("blobs that lie for weeks are verified", async () => {
  await using opened = openStore();
  const digest = await opened.store.write(text("rot"));
  await tidyAll(opened);
  overwrite(plainPath(opened.blobs, digest), flipBit);
  opened.clock.at += 15 * 86_400_000;
  for (let step = 0; step < 300 && existsSync(plainPath(opened.blobs, digest)); step++) {
    opened.clock.at += 3_000;
    await opened.store.tidy(0);
  }
  assert.equal(existsSync(plainPath(opened.blobs, digest)), false);
});

test("an inspection reads everything, and removes what is damaged or gone, with the results that name it", async (t) => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const blobs = await Promise.all(Array.from({ length: 60 }, (_, i) => opened.store.write(text(`blob ${i}`))));
  const [flipped = "", gone = ""] = blobs;
  index.add(digestOf("manifest"), entryOf("flipped"), resultOf(flipped), new Map());
  overwrite(plainPath(opened.blobs, flipped), flipBit);
  rmSync(plainPath(opened.blobs, gone));
  let told = 0;
  const all = await opened.store.inspect({}, () => told++, t.signal);
  assert.deepEqual(all, { blobs: 60, bytes: 600_000, ofBlobs: 60, ofBytes: 600_000, damaged: 2 });
  assert.equal(told, 60);
  assert.deepEqual(index.entries(digestOf("manifest")), []);
  assert.equal(opened.store.facts().blobs, 58);
  assert.equal(opened.store.damagedBlobs, 1, "the other one was only gone");
  assert.equal((await opened.store.inspect({ blobBytes: 10 }, () => undefined, t.signal)).blobs, 0);
  assert.equal((await opened.store.inspect({ deadlineMs: 0 }, () => undefined, t.signal)).blobs, 0);
  assert.equal(opened.store.damagedBlobs, 1, "an inspection that reads less than all proves nothing");
  assert.equal((await opened.store.inspect({}, () => undefined, t.signal)).damaged, 0);
  assert.equal(opened.store.damagedBlobs, 0);
  await assert.rejects(
    opened.store.inspect({}, () => undefined, AbortSignal.abort(new Error("stopped"))),
    /stopped/,
  );
});

test("what was begun and is not gone on with can be dropped", async () => {
  await using opened = openStore();
  const path = (name: string): string => join(opened.blobs, "tmp", name);
  const ages: [name: string, ageMs: number, stays: boolean][] = [
    [`part-${digestOf("old")}`, 120_000, false],
    [`part-${digestOf("growing")}`, 1_000, true],
    [temporaryName(2 ** 30, 1, 1), 0, false],
    [temporaryName(process.pid, 1, 1), 120_000, true],
    ["notes.txt", 120_000, true],
  ];
  await tidyAll(opened);
  for (const [name, ageMs] of ages) {
    writeFileSync(path(name), randomBytes(8_192));
    utimesSync(path(name), (opened.clock.at - ageMs) / 1_000, (opened.clock.at - ageMs) / 1_000);
  }
  const freed = opened.store.dropUnfinished();
  assert.ok(freed >= 16_384, String(freed));
  assert.deepEqual(
    ages.map(([name]) => existsSync(path(name))),
    ages.map(([, , stays]) => stays),
  );
});

test("an unwritable directory makes writes fail, and nothing else", async () => {
  await using opened = openStore();
  const kept = await opened.store.write(Buffer.from("kept"));
  const digest = digestOf("refused");
  rmSync(join(opened.blobs, "tmp"), { recursive: true });
  writeFileSync(join(opened.blobs, "tmp"), ""); // Tests may run as root, whom permissions do not stop.
  await assert.rejects(opened.store.write(Buffer.from("refused")), {
    code: "home-unwritable",
    facts: { path: opened.blobs, system: "ENOTDIR" },
  });
  await assert.rejects(opened.store.write(Buffer.from("refused")), { code: "home-unwritable" });
  assert.equal(opened.events.filter((event) => event.name === "store.unwritable").length, 1);
  assert.equal(await opened.store.has(digest), false);
  assert.equal((await opened.store.read(kept)).kind, "hit");
  await tidyAll(opened);
});

test("a file is copied in; a link is not followed, and a pipe not waited for", async (t) => {
  await using opened = openStore();
  const at = (name: string): string => join(opened.blobs, "..", name);
  writeFileSync(at("file"), text("a"));
  assert.equal((await opened.store.copyIn(at("file"), t.signal)).digest, digestOf(text("a")));
  symlinkSync("file", at("link"));
  await assert.rejects(opened.store.copyIn(at("link"), t.signal), { code: "ELOOP" });
  execFileSync("mkfifo", [at("pipe")]);
  const writer = openSync(at("pipe"), constants.O_RDWR); // Without it, whoever waits would wait for ever.
  await assert.rejects(opened.store.copyIn(at("pipe"), t.signal), { code: "usage" });
  closeSync(writer);
  await assert.rejects(opened.store.copyIn(at("pipe"), t.signal), { code: "usage" });
});

test("a file in the place of the directory: everything is a miss", async () => {
  await using opened = openStore();
  rmSync(opened.blobs, { recursive: true });
  writeFileSync(opened.blobs, "");
  await opened.reopen();
  await assert.rejects(opened.store.write(Buffer.from("refused")), { code: "home-unwritable" });
  assert.deepEqual(await opened.store.read(digestOf("refused")), { kind: "miss" });
  await tidyAll(opened);
});
