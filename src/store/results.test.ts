import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { ManifestEntry, Origin } from "../contracts/index.ts";
import { numberAt } from "./database.ts";
import { SqliteIndex } from "./results.ts";
import { SqliteShelf } from "./shelf.ts";
import { entryOf, type Opened, openStore, resultOf } from "./store.fixture.ts";

const MANIFEST = digestOf("manifest");
const PLAIN = { noNullPrototype: true } as const;
const NO_TOKENS = new Map<never, never>();

function rows(opened: Opened, table: "inputs" | "paths" | "tokens" | "entries" | "results" | "outputs"): number {
  return numberAt(opened.database.statement(`SELECT count(*) FROM ${table}`).get(), 0);
}

function tidyAll(index: SqliteIndex): void {
  while (index.tidy(1_000));
}

test("what is added is found again, by another process too", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const entry = entryOf("a", { place: digestOf("place"), terminal: digestOf("terminal"), absent: ["x.h", "\0P/ü.h"] });
  const tokens = { exact: digestOf("exact"), layout: digestOf("layout") };
  index.add(MANIFEST, entry, resultOf(digestOf("blob")), new Map([[digestOf("a.h"), tokens]]));
  for (const reopen of [false, true]) {
    if (reopen) await opened.reopen();
    const seen = SqliteIndex.open(opened);
    assert.deepEqual(seen.entries(MANIFEST), [entry]);
    assert.equal(seen.knows(MANIFEST), true);
    assert.deepEqual(seen.result(entry.action), resultOf(digestOf("blob")));
    assert.deepEqual(seen.tokens(digestOf("a.h")), tokens);
    assert.deepEqual(seen.entries(digestOf("other")), []);
    assert.equal(seen.knows(digestOf("other")), false);
    assert.equal(seen.result(digestOf("other")), undefined);
    assert.equal(seen.tokens(digestOf("other")), undefined);
  }
});

test("what was made here is known as that, and nothing else once this node was in a network", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const add = (name: string, content: string, origin?: Origin): void =>
    index.add(MANIFEST, entryOf(name), resultOf(digestOf(content)), NO_TOKENS, origin);
  const origins = (): (Origin | undefined)[] => ["before", "here", "others"].map((name) => index.originOf(entryOf(name).action));
  add("before", "a"); // As versions did that knew of no origin.
  assert.deepEqual(origins(), ["here", undefined, undefined], "who never was in a network has nothing of others");
  const keep = { database: opened.database, index, blobs: opened.store, now: opened.now };
  new SqliteShelf(keep, { network: digestOf("network") })[Symbol.dispose]();
  add("here", "b", "here");
  add("others", "d");
  assert.deepEqual(origins(), [undefined, "here", undefined]);
  add("here", "b");
  add("others", "d", "here");
  assert.deepEqual(origins(), [undefined, "here", "here"], "the same from elsewhere takes nothing away");
  add("here", "something else");
  await opened.reopen();
  const again = SqliteIndex.open(opened);
  const found = ["here", "others"].map((name) => again.originOf(entryOf(name).action));
  assert.deepEqual(found, [undefined, "here"], "something else is another's work");
  assert.deepEqual(again.result(entryOf("others").action), resultOf(digestOf("d")), "and nobody sees it in the result");
});

test("entries come most recently used first, and the oldest beyond the limit are dropped", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const names = Array.from({ length: limits.entriesPerManifest }, (_, at) => `e${at}`);
  for (const name of names) index.add(MANIFEST, entryOf(name), resultOf(digestOf(name)), NO_TOKENS);
  const order = (): Digest[] => index.entries(MANIFEST).map((entry) => entry.action);
  const actions = names.map((name) => digestOf(`action ${name}`));
  assert.deepEqual(order(), actions.toReversed());
  index.touch(MANIFEST, actions[0] ?? "");
  assert.deepEqual(order(), [actions[0], ...actions.slice(1).toReversed()]);
  index.flush();
  assert.deepEqual(order(), [actions[0], ...actions.slice(1).toReversed()]);
  index.add(MANIFEST, entryOf("one more"), resultOf(digestOf("one more")), NO_TOKENS);
  assert.deepEqual(order(), [digestOf("action one more"), actions[0], ...actions.slice(2).toReversed()]);
});

test("the same action replaces its entry and result", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  index.add(MANIFEST, entryOf("a"), resultOf(digestOf("first")), NO_TOKENS);
  index.add(MANIFEST, entryOf("a", { absent: [] }), resultOf(digestOf("second")), NO_TOKENS);
  assert.deepEqual(index.entries(MANIFEST), [entryOf("a", { absent: [] })]);
  assert.deepEqual(index.result(entryOf("a").action), resultOf(digestOf("second")));
  assert.equal(rows(opened, "outputs"), 1);
});

test("forget takes a result and every entry that leads to it", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  for (const manifest of [MANIFEST, digestOf("another")]) {
    for (const name of ["a", "b"]) index.add(manifest, entryOf(name), resultOf(digestOf(name)), NO_TOKENS);
  }
  index.forget(entryOf("a").action);
  assert.equal(index.result(entryOf("a").action), undefined);
  for (const manifest of [MANIFEST, digestOf("another")]) assert.deepEqual(index.entries(manifest), [entryOf("b")]);
  assert.equal(rows(opened, "outputs"), 1);
});

test("interning: any entries come back as they were, whatever memory holds", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const input = fc.record(
    {
      path: fc.constantFrom("a", "b", "\0P/c", "é"),
      digest: fc.constantFrom("1", "2", "").map((text) => digestOf(text)),
    },
    PLAIN,
  );
  const arbitrary = fc.record({ inputs: fc.array(input, { maxLength: 40 }), absent: fc.array(fc.string({ unit: "binary" })) }, PLAIN);
  let count = 0;
  const property = fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 5 }), fc.boolean(), (contents, cold) => {
    const manifest = digestOf(`manifest ${count++}`);
    // SQLite's text ends at lone surrogates and the like: such paths do not exist.
    const entries = contents.map(({ inputs, absent }, at) =>
      entryOf(`${count} ${at}`, { inputs, absent: absent.filter((path) => path.isWellFormed()) }),
    );
    for (const entry of entries) index.add(manifest, entry, resultOf(digestOf("")), NO_TOKENS);
    const reader: SqliteIndex = cold ? SqliteIndex.open(opened) : index;
    assert.deepEqual(reader.entries(manifest), entries.toReversed());
  });
  fc.assert(property, { numRuns: 60 });
});

test("sweep: inputs, paths and tokens that no entry names go, the others stay", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const name = (at: number): string => `f${at}`;
  const entryAt = (at: number): ManifestEntry => entryOf(name(at), { absent: ["common.h", `${name(at)}.h`] });
  for (let at = 0; at < 600; at++) {
    const tokens = new Map([[digestOf(`${name(at)}.c`), { exact: digestOf("x"), layout: digestOf("y") }]]);
    index.add(digestOf(name(at)), entryAt(at), resultOf(digestOf("blob")), tokens);
  }
  for (let at = 0; at < 300; at++) index.forget(entryAt(at).action);
  assert.equal(index.tidy(0), true); // In the middle of a round …
  index.add(digestOf(name(0)), entryAt(0), resultOf(digestOf("blob")), NO_TOKENS); // … what was unused is used again,
  index.add(digestOf("new"), entryOf("new"), resultOf(digestOf("blob")), NO_TOKENS); // and something new comes.
  tidyAll(index);
  assert.deepEqual([rows(opened, "entries"), rows(opened, "inputs"), rows(opened, "paths"), rows(opened, "tokens")], [302, 303, 303, 301]);
  for (const reader of [index, SqliteIndex.open(opened)]) {
    for (const at of [0, 300, 599]) assert.deepEqual(reader.entries(digestOf(name(at))), [entryAt(at)]);
    assert.deepEqual(reader.entries(digestOf("new")), [entryOf("new")]);
  }
  // What was swept is interned anew.
  index.add(digestOf(name(1)), entryAt(1), resultOf(digestOf("blob")), NO_TOKENS);
  assert.deepEqual(index.entries(digestOf(name(1))), [entryAt(1)]);
});

test("entries and results beyond the limit go, those not used for the longest time first", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened, { entriesMax: 50 });
  for (let at = 0; at < 80; at++) index.add(digestOf(`m${at}`), entryOf(`f${at}`), resultOf(digestOf("blob")), NO_TOKENS);
  index.touch(digestOf("m0"), entryOf("f0").action);
  tidyAll(index);
  assert.deepEqual([rows(opened, "entries"), rows(opened, "results"), rows(opened, "outputs")], [50, 50, 50]);
  assert.equal(index.entries(digestOf("m0")).length, 1);
  assert.equal(index.entries(digestOf("m30")).length, 0);
  assert.equal(index.entries(digestOf("m79")).length, 1);
});

test("history: the last compile of a source, by source and by request", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  const row = { source: "/p/a.c", request: digestOf("request"), at: 1, outcome: "miss", body: "{}" };
  index.remember({ ...row, outcome: "direct", request: digestOf("older") });
  index.remember(row);
  for (const flush of [false, true]) {
    if (flush) index.flush();
    assert.deepEqual(index.history("/p/a.c"), row);
    assert.deepEqual(index.latestHistory(), row);
    assert.deepEqual(index.history("/p/build/../a.c"), row, "however it is written");
    assert.equal(index.history("/p/b.c"), undefined);
  }
});

test("counters add up, over restarts, and can be set to zero", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  index.count({ hit: 2, miss: 1 });
  index.flush();
  index.count({ hit: 1, saved_ms: 0.5 });
  assert.deepEqual(index.counters(), { hit: 3, miss: 1, saved_ms: 0.5 });
  index[Symbol.dispose]();
  await opened.reopen();
  const again = SqliteIndex.open(opened);
  assert.deepEqual(again.counters(), { hit: 3, miss: 1, saved_ms: 0.5 });
  again.zeroCounters();
  assert.deepEqual(again.counters(), {});
});

test("facts tell how much there is", async () => {
  await using opened = openStore();
  const index = SqliteIndex.open(opened);
  for (const name of ["a", "b"]) index.add(MANIFEST, entryOf(name), resultOf(digestOf(name)), NO_TOKENS);
  const { databaseBytes, ...rest } = index.facts();
  assert.deepEqual(rest, { manifests: 1, entries: 2, results: 2, inputs: 3 });
  assert.ok(Number(databaseBytes) > 0);
});
