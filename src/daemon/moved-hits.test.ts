import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import { movableKey } from "../wire/index.ts";
import { MovedHits, type ToldHit } from "./moved-hits.ts";

function question(root: string, name: string) {
  const terminals = { stderrIsTerminal: false, stdoutIsTerminal: false, columns: 0 };
  return {
    ...terminals,
    cwd: root,
    compiler: "/usr/bin/cc",
    argv: ["cc", "-c", `${root}/${name}`],
    environment: new Map<string, string>(),
  };
}

const key = (name: string): string => movableKey(question("/one", name), "/one");

/** Everything was compiled in a first checkout. */
function world() {
  const rows = new Map<string, HistoryRow>();
  const origins = new Map<string, { root: string; source: string; action: string }>();
  const compiled = (name: string, action = "action"): void => {
    const asked = { ...question("/one", name), environment: [] };
    rows.set(`/one/${name}`, { source: `/one/${name}`, request: "", at: 0, outcome: "miss", body: JSON.stringify({ asked }) });
    origins.set(key(name), { root: "/one", source: `/one/${name}`, action });
  };
  const told: ToldHit[] = [];
  const index = { history: (source: string) => rows.get(source), remember: (row: HistoryRow) => void rows.set(row.source, row) };
  const hits = new MovedHits({ index, records: { origin: (of) => origins.get(of) }, told: (hit) => void told.push(hit) });
  const known = (): string[] => [...rows.keys()].filter((source) => !source.startsWith("/one/"));
  const actionOf = (source: string): unknown => (JSON.parse(rows.get(source)?.body ?? "{}") as { action?: string }).action;
  return { compiled, hits, told, known, actionOf };
}

test("what hits were is told one by one, in order of time, each compile once", () => {
  const { compiled, hits, told, known } = world();
  for (const name of ["a.c", "b.c"]) compiled(name);
  for (const [name, at] of [
    ["a.c", 1],
    ["b.c", 2],
    ["gone.c", 3],
    ["a.c", 4],
  ] as const)
    hits.add({ key: key(name), root: "/two", at });
  assert.equal(hits.tellNext(), true);
  assert.deepEqual(known(), ["/two/b.c"]);
  while (hits.tellNext());
  assert.deepEqual(
    [known(), told.map(({ at }) => at)],
    [
      ["/two/b.c", "/two/a.c"],
      [2, 4],
    ],
  );
  assert.equal(hits.tellNext(), false);
});

test("what was told of once is told of at once, and nothing is told while somebody builds", () => {
  const { compiled, hits, told } = world();
  compiled("a.c");
  hits.add({ key: key("a.c"), root: "/two", at: 1_000 });
  assert.deepEqual([hits.isQuiet(1_000 + limits.quietMs), hits.isQuiet(1_001 + limits.quietMs)], [false, true]);
  hits.tellNext();
  hits.add({ key: key("a.c"), root: "/two", at: 2_000 });
  assert.deepEqual(
    told.map(({ at }) => at),
    [1_000, 2_000],
  );
  assert.equal(hits.isQuiet(2_000 + limits.quietMs), false);
});

test("an answer that was made anew is told of anew", () => {
  const { compiled, hits, actionOf } = world();
  compiled("a.c", "first");
  hits.add({ key: key("a.c"), root: "/two", at: 1 });
  hits.tellNext();
  assert.equal(actionOf("/two/a.c"), "first");
  compiled("a.c", "second");
  hits.replaced(key("a.c"));
  hits.add({ key: key("a.c"), root: "/two", at: 2 });
  hits.tellNext();
  assert.equal(actionOf("/two/a.c"), "second");
});

test("who asks about a file is told of its checkout's, and otherwise of the last", () => {
  const { compiled, hits, known } = world();
  for (const name of ["a.c", "b.c"]) compiled(name);
  hits.add({ key: key("a.c"), root: "/two", at: 1 });
  hits.add({ key: key("a.c"), root: "/twofold", at: 2 });
  hits.add({ key: key("b.c"), root: "/three", at: 3 });
  hits.tellOf("/two/a.c");
  assert.deepEqual(known(), ["/two/a.c"]);
  hits.tellOf("");
  assert.deepEqual(known(), ["/two/a.c", "/three/b.c"]);
});

test("who asks does not wait until all of a build are told of: the last ones are, as far as the file's own", () => {
  const { compiled, hits, known } = world();
  const names = Array.from({ length: 3 * limits.movedToldAtOnce }, (_, i) => `${i}.c`);
  for (const [at, name] of names.entries()) {
    compiled(name);
    hits.add({ key: key(name), root: "/two", at });
  }
  const last = names.slice(-3).map((name) => `/two/${name}`);
  hits.tellOf(last[0] ?? "");
  assert.deepEqual(known().toSorted(), last.toSorted());
  hits.tellOf("/two/0.c");
  assert.equal(known().length, last.length + limits.movedToldAtOnce);
  while (hits.tellNext());
  assert.equal(known().length, names.length, "the others in a quiet moment");
});

test("those that wait are bounded: the oldest is forgotten", () => {
  const { compiled, hits, told } = world();
  for (let i = 0; i <= limits.movableWaiting; i++) {
    if (i < 2) compiled(`${i}.c`);
    hits.add({ key: i < 2 ? key(`${i}.c`) : `${i}`, root: "/two", at: i });
  }
  while (hits.tellNext());
  assert.deepEqual(
    told.map(({ at }) => at),
    [1],
  );
});
