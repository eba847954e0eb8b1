import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import type { CompileQuestion, Understood } from "./request.ts";
import type { Statistics } from "./statistics.ts";
import { Told } from "./told.ts";

/** Of a unit only what is remembered of it. */
function unit(source: string, key: string): Understood {
  const question: Partial<CompileQuestion> = { key, compiler: "/usr/bin/cc", cwd: "/w", argv: [], environment: new Map() };
  const toolchain = { family: "gcc", version: "12", digest: "" };
  const places = { spell: (text: string) => text };
  return {
    question,
    toolchain,
    places,
    sourcePath: source,
    keyEnvironment: [],
    invocation: { keyArgs: [], outputs: [] },
  } as unknown as Understood;
}

test("what was compiled is taken once, by its last row; a source that is compiled in two ways by both", () => {
  const rows = new Map<string, HistoryRow>();
  const index = { history: (source: string) => rows.get(source), remember: (row: HistoryRow) => void rows.set(row.source, row) };
  const told = new Told({ index, statistics: {} as Statistics, now: () => 1 });
  const taken = (): string[] => {
    const all: string[] = [];
    for (let row = told.takeCompiled(); row !== undefined; row = told.takeCompiled()) all.push(row.request);
    return all;
  };
  const made = { action: "a" };
  told.remember(unit("/w/a.c", "a"), "miss", made);
  told.remember(unit("/w/b.c", "b"), "miss", made);
  told.remember(unit("/w/c.c", "c"), "not_stored:whatever", {});
  told.remember(unit("/w/a.c", "a"), "hit_daemon", made);
  assert.deepEqual(taken(), ["b", "a"]);
  assert.deepEqual(taken(), []);
  told.remember(unit("/w/a.c", "a"), "hit_daemon", made);
  told.remember(unit("/w/a.c", "a in another way"), "miss", made);
  assert.deepEqual(taken(), ["a", "a in another way"]);
  told.remember(unit("/w/a.c", "a"), "miss", made);
  assert.deepEqual(taken(), ["a"]);
});

test("of more than can wait the last ones do, and who was taken too early waits once more", () => {
  const rows = new Map<string, HistoryRow>();
  const index = { history: (source: string) => rows.get(source), remember: (row: HistoryRow) => void rows.set(row.source, row) };
  const told = new Told({ index, statistics: {} as Statistics, now: () => 1 });
  for (let i = 0; i <= limits.movableWaiting; i++) told.remember(unit(`/w/${i}.c`, `${i}`), "miss", { action: "a" });
  assert.equal(told.takeCompiled()?.request, "1");
  told.waits("/w/1.c");
  const taken = Array.from({ length: limits.movableWaiting }, () => told.takeCompiled()?.request);
  assert.deepEqual([taken.at(0), taken.at(-1), told.takeCompiled()], ["2", "1", undefined]);
});

test("what came of an action is taken again a few times, each request by its own row", () => {
  const rows = new Map<string, HistoryRow>();
  const index = { history: (source: string) => rows.get(source), remember: (row: HistoryRow) => void rows.set(row.source, row) };
  const told = new Told({ index, statistics: {} as Statistics, now: () => 1 });
  told.remember(unit("/w/a.c", "a"), "miss", { action: "a" });
  told.remember(unit("/w/a.c", "a in another way"), "miss", { action: "other" });
  const taken: string[] = [];
  for (let row = told.takeCompiled(); row !== undefined; row = told.takeCompiled()) {
    taken.push(row.request);
    told.again(row, row.request === "a" ? "a" : "other");
  }
  const times = 1 + limits.proofsAgain;
  assert.deepEqual(taken.toSorted(), [...Array<string>(times).fill("a"), ...Array<string>(times).fill("a in another way")]);
  told.remember(unit("/w/a.c", "a"), "hit_daemon", { action: "a" });
  assert.deepEqual([told.takeCompiled()?.request, told.takeCompiled()], ["a", undefined], "whoever asks has it looked at once more");
});

test("of what is compiled in several ways so much is kept as has its place, the last of it", () => {
  const rows = new Map<string, HistoryRow>();
  const index = { history: (source: string) => rows.get(source), remember: (row: HistoryRow) => void rows.set(row.source, row) };
  const told = new Told({ index, statistics: {} as Statistics, now: () => 1 });
  const long = { action: "a", detail: "x".repeat(limits.movableReplacedBytes / 4) };
  for (let i = 0; i < 10; i++) told.remember(unit("/w/a.c", `${i}`), "miss", long);
  const taken = Array.from({ length: 5 }, () => told.takeCompiled()?.request);
  assert.deepEqual(taken, ["6", "7", "8", "9", undefined]);
  for (let i = 0; i < 5; i++) told.remember(unit("/w/a.c", `${i % 2}`), "miss", long);
  const again = Array.from({ length: 4 }, () => told.takeCompiled()?.request);
  assert.deepEqual(again, ["0", "1", "0", undefined], "each way once, and the last row");
});
