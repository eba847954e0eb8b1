import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf, silentLog } from "../base/index.ts";
import { movableKey } from "../wire/index.ts";
import { HotRecords, type HotRecordsOptions } from "./hot-records.ts";

const KEY = digestOf("request");

function place(t: TestContext): HotRecordsOptions {
  const run = mkdtempSync(join(tmpdir(), "cairn-hot-"));
  t.after(() => rmSync(run, { recursive: true }));
  return {
    directory: join(run, "hot"),
    kindFile: join(run, "hot-kind"),
    contentsFile: join(run, "contents"),
    storeDirectory: run,
    capacityBytes: 1_000,
  };
}

type Request = Parameters<typeof movableKey>[0];

function request(root: string): Request {
  const terminals = { stderrIsTerminal: false, stdoutIsTerminal: false, columns: 0 };
  const argv = ["cc", "-c", `${root}/a.c`];
  return { ...terminals, cwd: root, compiler: "/usr/bin/cc", argv, environment: new Map([["PWD", root]]) };
}

const BLOB = digestOf("object");
const MOVABLE: Parameters<HotRecords["leaveMovable"]>[1] = {
  compileMs: 1,
  inputs: [{ path: "\0/a.c", digest: digestOf("source") }],
  absences: [],
  outputs: [{ path: "a.o", mode: "replace", crc32: 1, size: 2, digest: BLOB, content: undefined }],
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  namesRoot: false,
  root: "/w/a",
  source: "/w/a/a.c",
  action: digestOf("action"),
};

function asideOf({ directory }: HotRecordsOptions): string[] {
  return readdirSync(join(directory, "..")).filter((name) => name.startsWith("hot.aside-"));
}

/** What a wrapper finds, which looks at nothing else. */
function isFound({ directory }: HotRecordsOptions): boolean {
  return existsSync(join(directory, KEY.slice(0, 2), KEY.slice(2)));
}

test("what is doubted is found by no wrapper at once, and what is left afterwards is found and stays", (t) => {
  const options = place(t);
  const records = HotRecords.open({ log: silentLog }, options);
  records.leaveBytes(KEY, Buffer.from("old"));
  assert.deepEqual([isFound(options), records.facts.records], [true, 1]);
  records.doubt();
  assert.deepEqual([isFound(options), records.facts, asideOf(options).length], [false, { records: 0, bytes: 0 }, 1]);
  records.doubt();
  assert.equal(asideOf(options).length, 1, "nothing was left since");
  records.leaveBytes(KEY, Buffer.from("new"));
  records.removeDoubted();
  assert.deepEqual([isFound(options), records.facts.records, asideOf(options)], [true, 1, []]);
});

test("what a daemon has put aside and not removed goes with the next one; what lies there stays, unless it is of another kind", (t) => {
  const options = place(t);
  const killed = HotRecords.open({ log: silentLog }, options);
  killed.leaveBytes(KEY, Buffer.from("old"));
  killed.doubt();
  killed.leaveBytes(KEY, Buffer.from("new"));
  const next = HotRecords.open({ log: silentLog }, options);
  next.inherit();
  assert.deepEqual([isFound(options), asideOf(options)], [true, []]);
  rmSync(options.kindFile);
  HotRecords.open({ log: silentLog }, options);
  assert.deepEqual([isFound(options), existsSync(options.kindFile)], [false, true]);
});

test("a record is left although somebody has tidied up meanwhile, and nothing unfinished stays", (t) => {
  const options = place(t);
  const records = HotRecords.open({ log: silentLog }, options);
  for (const tidied of [join(options.directory, KEY.slice(0, 2)), options.directory]) {
    records.leaveBytes(KEY, Buffer.from("old"));
    rmSync(tidied, { recursive: true });
    records.leaveBytes(KEY, Buffer.from("new"));
    assert.deepEqual([isFound(options), readdirSync(options.directory)], [true, [KEY.slice(0, 2)]]);
  }
  writeFileSync(join(options.directory, `${KEY}.1.new`), "of one that was killed");
  HotRecords.open({ log: silentLog }, options).inherit();
  assert.deepEqual([isFound(options), readdirSync(options.directory)], [true, [KEY.slice(0, 2)]]);
});

test("answers for every checkout have a share of their own, and each share is swept by itself, also after a restart", (t) => {
  const options = { ...place(t), capacityBytes: 40_000 };
  const unitOf = (unit: number): Request => ({ ...request("/w/a"), argv: ["cc", "-c", `${unit}.c`] });
  const leave = (records: HotRecords, unit: number): string =>
    records.leaveMovable(unitOf(unit), { ...MOVABLE, stderr: Buffer.alloc(1_500) });
  const found = (records: HotRecords, from: number, to: number): number =>
    Array.from({ length: to - from }, (_, i) => records.hasMovable(unitOf(from + i), "/w/a")).filter(Boolean).length;
  const one = HotRecords.open({ log: silentLog }, options);
  one.leaveBytes(KEY, Buffer.alloc(29_000));
  for (let unit = 0; unit < 40; unit++) leave(one, unit);
  const left = found(one, 0, 40);
  assert.deepEqual([isFound(options), found(one, 39, 40)], [true, 1]);
  assert.ok(left >= 3 && left <= 6, `${left} of some 1,700 bytes each in 10,000`);
  assert.equal(found(one, 40 - left, 40), left, "the oldest went");
  assert.deepEqual(one.facts.records, left + 1);
  leave(one, 39);
  assert.deepEqual(one.facts.records, left + 1, "in the place of another");
  const next = HotRecords.open({ log: silentLog }, options);
  assert.deepEqual(next.facts, one.facts);
  next.leaveBytes(digestOf("another request"), Buffer.alloc(2_000));
  assert.deepEqual([isFound(options), found(next, 0, 40)], [false, left]);
  for (let unit = 40; unit < 80; unit++) leave(next, unit);
  assert.ok(next.has(digestOf("another request")));
  assert.ok(found(next, 0, 80) <= 6);
  next.doubt();
  assert.deepEqual(next.facts, { records: 0, bytes: 0 });
});

test("an answer for every checkout lies under its own key, says what it keeps in use and where it was made, and goes with the others", (t) => {
  const options = { ...place(t), capacityBytes: 100_000 };
  const records = HotRecords.open({ log: silentLog }, options);
  records.leaveBytes(KEY, Buffer.from("for one checkout"));
  assert.equal(existsSync(options.contentsFile), false, "no wrapper has to look into it");
  records.leaveMovable(request("/w/a"), MOVABLE);
  const key = movableKey(request("/home/other"), "/home/other");
  assert.deepEqual(
    [records.has(key), records.blobs(key), records.origin(key)],
    [true, [BLOB], { root: "/w/a", source: "/w/a/a.c", action: digestOf("action") }],
  );
  assert.ok(existsSync(options.contentsFile));
  const may = ["/home/other", "/home/two words", "/home/$other", "/home/a=b", "/home/third"].map((root) =>
    records.hasMovable(request(root), root),
  );
  assert.deepEqual(may, [true, false, false, false, true]);
  assert.equal(records.hasMovable({ ...request("/w/a"), columns: 80 }, "/w/a"), false);
  records.leaveBytes(KEY, Buffer.from("no record"));
  assert.equal(records.origin(KEY), undefined);
  records.doubt();
  assert.deepEqual([records.has(key), records.origin(key)], [false, undefined]);
});
