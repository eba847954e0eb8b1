/**
 * Crashes and full disks, with real processes.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CairnError, digestOf, type Facts, silentLog } from "../base/index.ts";
import { openDatabase } from "./database.ts";
import { DiskStore } from "./disk.ts";
import { SqliteIndex } from "./results.ts";
import { SqliteShelf } from "./shelf.ts";
import { entryOf, resultOf, scratch } from "./store.fixture.ts";

const KILLS = 20;
const WRITER = join(import.meta.dirname, "crash.fixture.ts");
const LINE = 65;

/** Starts a writer, kills it after it has acknowledged `count` writes, and gives what it acknowledged. */
function killedWriter(directory: string, round: number, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, directory, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.length >= count * LINE) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => resolve(said.split("\n").filter((line) => line.length === LINE - 1)));
  });
}

test(`${KILLS} kills in the middle of writing: nothing acknowledged is lost, nothing is damaged`, async (t) => {
  const directory = scratch();
  t.after(() => rmSync(directory, { recursive: true }));
  const acknowledged: string[] = [];
  for (let round = 0; round < KILLS; round++) acknowledged.push(...(await killedWriter(directory, round, 1 + ((round * 7) % 40))));

  const events: { name: string; facts: Facts }[] = [];
  const parts = {
    log: { event: (_: string, name: string, facts: Facts = {}) => void events.push({ name, facts }) },
    now: () => Date.now(),
  };
  using database = openDatabase(parts, { file: join(directory, "index.db") });
  await using store = DiskStore.open(
    { ...parts, database },
    { directory: join(directory, "blobs"), capacityBytes: 2 ** 30, rawBytes: 2 ** 30 },
  );
  const index = SqliteIndex.open({ ...parts, database });
  const shelf = new SqliteShelf({ ...parts, database, index, blobs: store }, { network: digestOf("network") });
  const verify = async (): Promise<void> => {
    for (const digest of acknowledged) {
      assert.equal((await store.read(digest)).kind, "hit", digest);
      assert.equal(index.entries(digestOf(`manifest ${digest}`)).length, 1);
      assert.equal(shelf.results(digestOf(`manifest ${digest}`)).length, 1);
    }
  };
  await verify();
  while (await store.tidy(1_000));
  await verify();
  assert.ok(acknowledged.length >= KILLS);
  assert.deepEqual(readdirSync(join(directory, "blobs", "tmp")), []);
  assert.deepEqual(
    events.filter((event) => event.name !== "index.failed" && event.name !== "store.evicted"),
    [],
  );
});

/** Mounts a small file system at `path`, where the environment allows that. */
function mountSmall(path: string, kib: number): boolean {
  mkdirSync(path);
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", path], { stdio: "ignore" }).status === 0;
}

// Of which size it is decides whether it is the index or a blob that finds no room, and whether a little is left.
for (const kib of [1_004, 1_012, 1_024, 1_032])
  test(`a full disk of ${kib} KiB: writes say so, what is there stays, and eviction makes room`, async (t) => {
    const directory = scratch();
    const disk = join(directory, "disk");
    if (!mountSmall(disk, kib)) {
      rmSync(directory, { recursive: true });
      return t.skip("mounting a file system takes more rights than this user has");
    }
    t.after(() => {
      execFileSync("umount", [disk]);
      rmSync(directory, { recursive: true });
    });
    const parts = { log: silentLog, now: () => 1_800_000_000_000 };
    using database = openDatabase(parts, { file: join(disk, "index.db") });
    await using store = DiskStore.open(
      { ...parts, database },
      { directory: join(disk, "blobs"), capacityBytes: 2 ** 30, rawBytes: 2 ** 30 },
    );
    const index = SqliteIndex.open({ ...parts, database });

    const stored: string[] = [];
    const refused: unknown[] = [];
    for (let count = 0; count < 100; count++) {
      try {
        const digest = await store.write(Buffer.alloc(20_000, `${count} `));
        index.add(digestOf(`manifest ${digest}`), entryOf(String(count)), resultOf(digest), new Map());
        stored.push(digest);
      } catch (error) {
        refused.push(error);
      }
    }
    assert.ok(refused.length > 0);
    for (const error of refused) assert.ok(error instanceof CairnError && error.code === "home-unwritable", String(error));
    for (const digest of stored) {
      assert.equal((await store.read(digest)).kind, "hit");
      assert.equal(index.entries(digestOf(`manifest ${digest}`)).length, 1);
    }
    index.count({ hits: 1 });
    index.flush();
    await store.shrink(100_000);
    await store.write(Buffer.alloc(20_000, "room again "));
  });
