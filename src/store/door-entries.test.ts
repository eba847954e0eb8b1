import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { DoorEntry } from "../contracts/index.ts";
import { SqliteDoorEntries } from "./door-entries.ts";
import { type Opened, openStore } from "./store.fixture.ts";

function open(opened: Opened, entriesMax = 1_000): SqliteDoorEntries {
  return new SqliteDoorEntries({ database: opened.database, blobs: opened.store }, { entriesMax });
}

async function entry(opened: Opened, content: string, meta: Record<string, string> = {}): Promise<DoorEntry> {
  return { blob: await opened.store.write(Buffer.from(content)), size: content.length, meta, at: opened.clock.at };
}

test("what was kept under a key of a door is found there and nowhere else, also by the next process", async () => {
  await using opened = openStore();
  const kept = await entry(opened, "an artifact", { "x-artifact-tag": "signed" });
  assert.equal(open(opened).keep("turbo", "abc", kept, false), "kept");
  await opened.reopen();
  const entries = open(opened);
  assert.deepEqual(await entries.find("turbo", "abc"), kept);
  assert.deepEqual([await entries.find("nx", "abc"), await entries.find("turbo", "abd")], [undefined, undefined]);
});

test("other bytes under a key do not take its place, unless they are to", async () => {
  await using opened = openStore();
  const entries = open(opened);
  const [one, other] = [await entry(opened, "one"), await entry(opened, "other")];
  entries.keep("nx", "k", one, false);
  assert.equal(entries.keep("nx", "k", one, false), "same");
  assert.equal(entries.keep("nx", "k", other, false), "differs");
  assert.deepEqual(await entries.find("nx", "k"), one);
  assert.equal(entries.keep("nx", "k", other, true), "kept");
  assert.deepEqual(await entries.find("nx", "k"), other);
});

test("what is forgotten is gone, and may be other bytes afterwards", async () => {
  await using opened = openStore();
  const entries = open(opened);
  entries.keep("ccache", "k", await entry(opened, "one"), false);
  assert.deepEqual([entries.forget("ccache", "k"), entries.forget("ccache", "k")], [true, false]);
  assert.equal(await entries.find("ccache", "k"), undefined);
  assert.equal(entries.keep("ccache", "k", await entry(opened, "other"), false), "kept");
});

test("an entry never points at a blob that cannot be had; an evicted blob takes its entries along", async () => {
  await using opened = openStore();
  const entries = open(opened);
  const lost = await entry(opened, "lost");
  entries.keep("gradle", "lost", lost, false);
  await opened.store.remove(lost.blob);
  assert.equal(await entries.find("gradle", "lost"), undefined);
  assert.equal(entries.keep("gradle", "lost", await entry(opened, "built again, otherwise"), false), "kept");

  entries.keep("gradle", "evicted", await entry(opened, "evicted"), false);
  await opened.store.shrink(0);
  const rows = opened.database.statement("SELECT count(*) FROM door_entries").get();
  assert.deepEqual(rows, [0]);
});

test("there are never many more than there may be: those whose blobs were not used for longest go", async () => {
  await using opened = openStore();
  const entries = open(opened, 100);
  const first = await entry(opened, "kept alive");
  entries.keep("d", "first", first, false);
  for (let at = 0; at < 300; at++) {
    opened.clock.at += 60_000;
    entries.keep("d", `k${at}`, await entry(opened, `content ${at}`), false);
    if (at % 20 !== 0) continue;
    await opened.store.read(first.blob);
    await opened.store.tidy(0); // Uses are written now and then.
  }
  assert.ok(Number(opened.database.statement("SELECT count(*) FROM door_entries").get()?.[0]) <= 164);
  assert.deepEqual(await entries.find("d", "first"), first);
  assert.notEqual(await entries.find("d", "k299"), undefined);
  assert.equal(await entries.find("d", "k0"), undefined);
});

test("what members have made goes with their word, and nothing else", async (t) => {
  await using opened = openStore();
  const entries = open(opened, 10_000);
  const made = await entry(opened, "made");
  const names = (by: string): string[] => Array.from({ length: 20 }, (_, i) => `${by} ${i}`);
  for (const by of ["gone", "stays"]) for (const key of names(by)) entries.keep("bazel-ac", key, { ...made, meta: { by } }, true);
  entries.keep("turbo", "tagged", { ...made, meta: { "x-artifact-tag": '"by":"gone"' } }, true);
  assert.deepEqual(await entries.recall((member) => member === "gone", t.signal), { forgotten: 20, left: 20 });
  const left = await Promise.all([...names("gone"), ...names("stays")].map((key) => entries.find("bazel-ac", key)));
  assert.deepEqual([left.slice(0, 20).every((one) => one === undefined), left.slice(20).every((one) => one !== undefined)], [true, true]);
  assert.ok((await entries.find("turbo", "tagged")) !== undefined);
});

test("a row that cannot be read stops nobody from forgetting what members have made, and a build gets its turns meanwhile", async (t) => {
  await using opened = openStore();
  const entries = open(opened, 10_000);
  const made = await entry(opened, "made");
  const many = 1_000;
  for (let i = 0; i < many; i++) entries.keep("bazel-ac", `${i}`, { ...made, meta: { by: "gone" } }, true);
  opened.database.statement(`UPDATE door_entries SET meta = '{"by":' WHERE key = '500'`).run();
  let turns = 0;
  let turning = setImmediate(function turn() {
    turns += 1;
    turning = setImmediate(turn);
  });
  const recalled = await entries.recall((member) => member === "gone", t.signal);
  clearImmediate(turning);
  assert.deepEqual(recalled, { forgotten: many - 1, left: 0 });
  assert.ok(turns > 10, `${turns}`);
  assert.equal(await entries.find("bazel-ac", `${many - 1}`), undefined);
});

test("a row in which a bit has flipped is not believed", async () => {
  await using opened = openStore();
  open(opened).keep("d", "k", await entry(opened, "one"), false);
  const other = await entry(opened, "other");
  await opened.reopen({}, () => {
    const database = new DatabaseSync(opened.file);
    database.prepare("UPDATE door_entries SET blob = ?").run(Buffer.from(other.blob, "hex"));
    database.close();
  });
  assert.equal(await open(opened).find("d", "k"), undefined);
});

test("keys and what is said beside the bytes are limited", async () => {
  await using opened = openStore();
  const entries = open(opened);
  const kept = await entry(opened, "x");
  assert.throws(() => entries.keep("d", "k".repeat(2_000), kept, false), { code: "limit-exceeded" });
  assert.throws(() => entries.keep("d", "k", { ...kept, meta: { tag: "t".repeat(5_000) } }, false), { code: "limit-exceeded" });
  assert.equal(await entries.find("d", digestOf("k")), undefined);
});
