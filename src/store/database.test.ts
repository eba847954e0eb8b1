import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { digestOf, silentLog } from "../base/index.ts";
import { movedAside, numberAt, openDatabase } from "./database.ts";
import { SqliteIndex } from "./results.ts";
import { entryOf, type Opened, openStore, resultOf, scratch } from "./store.fixture.ts";

const MANIFEST = digestOf("manifest");

function moved(opened: Opened): string[] {
  return readdirSync(opened.directory).filter((name) => name.startsWith("index.db.bad-"));
}

/** A store with one blob and one entry that leads to it. */
async function filled(): Promise<Opened & { readonly digest: string }> {
  const opened = openStore();
  const digest = await opened.store.write(Buffer.from("stone"));
  SqliteIndex.open(opened).add(MANIFEST, entryOf("a"), resultOf(digest), new Map());
  return Object.assign(opened, { digest });
}

test("the database is its owner's alone", async () => {
  await using opened = await filled();
  for (const suffix of ["", "-wal", "-shm"]) assert.equal(statSync(opened.file + suffix).mode & 0o777, 0o600);
});

test("transactions: all or nothing", async () => {
  await using opened = await filled();
  const { database } = opened;
  const insert = database.statement("INSERT INTO paths (path, crc) VALUES (?, 0)");
  const count = database.statement("SELECT count(*) FROM paths");
  const before = numberAt(count.get(), 0);
  assert.throws(() =>
    database.transaction(() => {
      insert.run("one");
      insert.run("one");
    }),
  );
  assert.equal(numberAt(count.get(), 0), before);
});

test("a defect of ours is not taken for one of the database", async () => {
  await using opened = await filled();
  assert.throws(() => opened.database.attempt("test", 0n, () => BigInt(1.5)), RangeError);
});

// What may lie where the database should be, and whether it is moved aside.
const SPOILED: Record<string, (file: string) => void> = {
  "a database of a newer version": (file) => {
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 1000");
    database.close();
  },
  "not a database": (file) => writeFileSync(file, "no database at all ".repeat(1_000)),
  "a database of somebody else": (file) => {
    rmSync(file);
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE theirs (id)");
    database.close();
  },
  "a directory": (file) => {
    rmSync(file);
    mkdirSync(file);
  },
};

for (const [title, spoil] of Object.entries(SPOILED)) {
  test(`${title} in its place: moved aside, and the blobs are found again`, async () => {
    await using opened = await filled();
    await opened.reopen({}, () => spoil(opened.file));
    const index = SqliteIndex.open(opened);
    assert.deepEqual(index.entries(MANIFEST), []);
    while (await opened.store.tidy(1_000));
    assert.equal(opened.store.facts().blobs, 1);
    index.add(MANIFEST, entryOf("a"), resultOf(opened.digest), new Map());
    assert.equal(index.entries(MANIFEST).length, 1);
    if (title !== "a directory") assert.equal(moved(opened).length, 1);
  });
}

test("only the newest bad database is kept", async () => {
  await using opened = await filled();
  for (let round = 0; round < 3; round++) {
    opened.clock.at += 1_000;
    await opened.reopen({}, () => writeFileSync(opened.file, "no database at all ".repeat(1_000)));
  }
  assert.equal(moved(opened).length, 1);
  assert.deepEqual(
    movedAside(opened.file),
    moved(opened).map((name) => join(opened.directory, name)),
  );
});

test("where the directory is gone, or is none, nothing is said to have been moved aside", () => {
  const directory = scratch();
  writeFileSync(join(directory, "file"), "");
  for (const above of ["gone", "file"]) assert.deepEqual(movedAside(join(directory, above, "index.db")), []);
  rmSync(directory, { recursive: true });
});

test("damage found while running: replaced by an empty one at once", async () => {
  await using opened = await filled();
  const index = SqliteIndex.open(opened);
  opened.database.transaction(() => {
    const insert = opened.database.statement("INSERT INTO paths (path, crc) VALUES (?, 0)");
    for (let row = 0; row < 20_000; row++) insert.run(`some/path/or/other/${row}`);
  });
  await opened.reopen();
  const again = SqliteIndex.open(opened);
  const bytes = readFileSync(opened.file);
  writeFileSync(opened.file, bytes.fill(0x5a, 8_192)); // All but the first pages, behind SQLite's back.
  for (let round = 0; round < 3; round++) {
    again.entries(MANIFEST);
    try {
      again.add(digestOf(`manifest ${round}`), entryOf("b"), resultOf(opened.digest), new Map());
    } catch (error) {
      assert.match(String(error), /index-corrupt/);
    }
  }
  assert.equal(moved(opened).length, 1);
  assert.equal(again.entries(digestOf("manifest 2")).length, 1);
  assert.equal((await opened.store.read(opened.digest)).kind, "hit");
  index[Symbol.dispose]();
});

test("where no file can be made, the index lives in memory", () => {
  const directory = scratch();
  writeFileSync(join(directory, "file"), "");
  const parts = { log: silentLog, now: () => 0 };
  using database = openDatabase(parts, { file: join(directory, "file", "index.db") });
  const index = SqliteIndex.open({ ...parts, database });
  index.add(MANIFEST, entryOf("a"), resultOf(digestOf("blob")), new Map());
  assert.equal(index.entries(MANIFEST).length, 1);
  assert.equal(existsSync(join(directory, "file", "index.db")), false);
  rmSync(directory, { recursive: true });
});
