import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryRow } from "../contracts/index.ts";
import { rememberMoved } from "./moved-hits.ts";

const KEYS = {
  request: ({ argv }: { argv: readonly string[] }) => `request ${argv.join(" ")}`,
  movable: ({ argv }: { argv: readonly string[] }, root: string) => `movable ${argv.join(" ").replaceAll(root, "")}`,
};
const MADE = { root: "/w/one", source: "/w/one/a.c", action: "action" };
const HIT = { key: "movable cc -c /a.c", root: "/w/two", at: 100 };

function history(source: string, argv: readonly string[], at = 50, action = "action"): HistoryRow {
  const asked = { cwd: "/w/one", argv, environment: [["PWD", "/w/one"]] };
  const request = KEYS.request({ argv });
  return {
    source,
    request,
    at,
    outcome: "miss",
    body: JSON.stringify({ action, inputs: 7, compileMs: 8, cwd: "/w/one", differences: ["x"], asked }),
  };
}

/** @returns what is remembered, and what it says that the request was */
function remembered(rows: readonly HistoryRow[], hit = HIT): readonly [row: HistoryRow | undefined, request: string | undefined] {
  const known = new Map(rows.map((row) => [row.source, row]));
  let written: HistoryRow | undefined;
  const index = {
    history: (source: string) => known.get(source),
    remember: (row: HistoryRow) => {
      written = row;
    },
  };
  const request = rememberMoved(index, hit, MADE, KEYS);
  return [written, request];
}

const OF_ONE = history("/w/one/a.c", ["cc", "-c", "/w/one/a.c"]);
const REQUEST = "request cc -c /w/two/a.c";

test("a hit is remembered of the source in the checkout where it was, as it would have been asked there", () => {
  const [row, request] = remembered([OF_ONE]);
  assert.deepEqual([row?.source, row?.request, row?.at, row?.outcome], ["/w/two/a.c", REQUEST, 100, "hit_moved"]);
  assert.equal(request, REQUEST);
  const { action, cwd, differences, asked } = JSON.parse(row?.body ?? "") as Record<string, unknown>;
  assert.deepEqual([action, cwd, differences], ["action", "/w/two", []]);
  assert.deepEqual(asked, { cwd: "/w/two", argv: ["cc", "-c", "/w/two/a.c"], environment: [["PWD", "/w/two"]] });
});

test("a hit is of the action of which the answer was made, whatever either source was compiled with since or before", () => {
  const facts = (row: HistoryRow | undefined): unknown[] => {
    const { action, inputs, compileMs } = JSON.parse(row?.body ?? "{}") as Record<string, unknown>;
    return [action, inputs, compileMs];
  };
  assert.deepEqual(facts(remembered([OF_ONE])[0]), ["action", 7, 8]);
  const edited = history("/w/one/a.c", ["cc", "-c", "/w/one/a.c"], 60, "of other contents");
  const [row, request] = remembered([edited]);
  assert.deepEqual([facts(row), request], [["action", 0, 0], REQUEST], "what is known is of other contents");
  const before = history("/w/two/a.c", ["cc", "-c", "/w/two/a.c"], 50, "of other contents");
  assert.deepEqual(facts(remembered([OF_ONE, before])[0]), ["action", 7, 8], "the same request, of other contents");
});

test("nothing is remembered that is known, or of which it cannot be told what it was", () => {
  assert.deepEqual(remembered([]), [undefined, undefined], "its origin is forgotten");
  assert.deepEqual(
    remembered([history("/w/one/a.c", ["cc", "-O2", "-c", "/w/one/a.c"])]),
    [undefined, undefined],
    "it is another's by now",
  );
  const same = history("/w/two/a.c", ["cc", "-c", "/w/two/a.c"]);
  assert.deepEqual(remembered([OF_ONE, same]), [undefined, REQUEST], "the same was compiled there");
  const later = history("/w/two/a.c", ["cc", "-O2", "-c", "/w/two/a.c"], 101);
  assert.deepEqual(remembered([OF_ONE, later]), [undefined, REQUEST], "it was compiled otherwise since");
  assert.deepEqual(remembered([OF_ONE, { ...later, at: 99 }])[0]?.request, REQUEST, "it was compiled otherwise before");
  assert.deepEqual(remembered([OF_ONE], { ...HIT, root: "/w/one" }), [undefined, OF_ONE.request], "it is the same checkout");
});
