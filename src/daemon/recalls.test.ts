/**
 * Recalls and kills, with real processes.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "../base/index.ts";
import type { RecallSteps } from "../store/index.ts";
import { actionsOf, openHome, prepare, WHYS } from "./recalls.fixture.ts";
import { finishRecalls, Recalls } from "./recalls.ts";

const TAKER = join(import.meta.dirname, "recalls.fixture.ts");

/** All of the first and of the last of so many writes, some of those in between, which are alike, and none. */
function strikesOf(writes: number): number[] {
  const between = [0.2, 0.4, 0.6, 0.8].map((part) => Math.round(part * writes));
  return [...range(1, 8), ...between, ...range(writes - 11, writes), 0];
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

test("what others have signed of a request that nobody has judged is forgotten at the start, and judged later where it is pinned", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-recalls-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const pinned = new Set(actionsOf("alone"));
  const { begun, index, shelf, works, records, store, database } = openHome(directory, (action) => pinned.has(action));
  prepare({ index, shelf, works, records });
  const manifests = shelf.manifests();
  begun.begin("request", manifests);
  const all = WHYS.filter((why) => why !== "member").flatMap(actionsOf);
  assert.equal(await begun.finish(t.signal), all.length - pinned.size);
  assert.deepEqual(
    all.filter((action) => index.result(action) !== undefined),
    [...pinned],
  );
  assert.equal(begun.left().length, pinned.size);
  begun.end("request", begun.left());
  assert.equal(begun.isAny, false);
  await store[Symbol.asyncDispose]();
  database[Symbol.dispose]();
});

test("a recall of many forgets in memory after each step, tries once more what has failed, and ends its mark when all is done", async (t) => {
  for (const results of [[true], [false, true], [false, false]]) {
    const told: string[] = [];
    const recalls = new Recalls({
      index: { forget: () => undefined },
      marks: { begin: () => void told.push("begun"), end: () => void told.push("ended"), left: () => [] },
      isUnverified: () => false,
      gone: () => told.push("gone") > 0,
      records: () => ({ doubt: () => void told.push("aside") }),
      clearSoon: () => void told.push("removed"),
    });
    const all = [...results];
    const shelf = {
      recall: (_: unknown, { before, after }: RecallSteps) => {
        before();
        after();
        return Promise.resolve({ forgotten: 1, isDone: all.shift() ?? false });
      },
    };
    const steps = results.flatMap(() => ["aside", "gone"]);
    assert.equal(await recalls.bySigners(shelf, new Set(["one"]), true, t.signal), results.length);
    assert.deepEqual(told, ["begun", ...steps, "aside", "gone", "removed", ...(results.at(-1) === true ? ["ended"] : [])]);
  }
});

function recordOf(hot: string, key: string): string {
  return join(hot, key.slice(0, 2), key.slice(2));
}

test("whoever is killed at any write of a recall answers nothing of it afterwards, neither from the index nor from records", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-recalls-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const prepared = join(directory, "prepared");
  {
    const home = openHome(prepared);
    prepare(home);
    await home.store[Symbol.asyncDispose]();
    home.database[Symbol.dispose]();
  }
  const seen = { finished: 0, aside: 0, untouched: 0 };
  const take = (strike: number): { readonly struck: string; readonly said: string } => {
    const struck = join(directory, `struck at ${strike}`);
    cpSync(prepared, struck, { recursive: true });
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [TAKER, struck, String(strike)], { encoding: "utf8" });
    assert.ok(strike === 0 ? status === 0 : signal === "SIGKILL", stderr);
    return { struck, said: stdout };
  };
  const writes = Number(take(0).said);
  rmSync(join(directory, "struck at 0"), { recursive: true });
  for (const strike of strikesOf(writes)) {
    const { struck } = take(strike);

    const home = openHome(struck);
    const { begun, index, hot, hotKind, database, store } = home;
    const isHere = (action: string): boolean => index.result(action) !== undefined;
    const left = begun.isAny;
    if (left) seen.finished++;
    if (readdirSync(hot).length === 0) seen.aside++;
    // No daemon has started yet: wrappers answer from what lies there.
    for (const action of WHYS.flatMap(actionsOf))
      assert.ok(isHere(action) || !existsSync(recordOf(hot, action)), `a record after ${strike} writes, before a daemon has started`);
    await finishRecalls({ begun, dropRecords: () => rmSync(hotKind, { force: true }), log: silentLog }, t.signal);
    const records = home.records();
    for (const why of WHYS) {
      const actions = actionsOf(why);
      const kept = actions.filter(isHere);
      assert.ok(kept.length === 0 || kept.length === actions.length, `${why}: ${kept.length} of ${actions.length} after ${strike} writes`);
      if (kept.length > 0) seen.untouched++;
      for (const action of actions) assert.ok(isHere(action) || !records.has(action), `${why}: a record after ${strike} writes`);
    }
    assert.equal(begun.isAny, false);
    const isAnyHere = WHYS.flatMap(actionsOf).some(isHere);
    await store[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    rmSync(struck, { recursive: true });
    if (strike === 0) assert.deepEqual([left, isAnyHere], [false, false], "all was done, and no mark is left");
  }
  assert.ok(
    Object.values(seen).every((count) => count > 0),
    JSON.stringify(seen),
  );
});
