import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import { Checkouts, type Elsewhere, type KeyOf } from "./checkouts.ts";
import { readRemembered } from "./remembered.ts";
import type { CompileQuestion } from "./request.ts";

const keyOf: KeyOf = ({ cwd, compiler, argv, environment }) => digestOf(JSON.stringify([cwd, compiler, argv, [...environment]]));

interface Command {
  readonly compiler?: string;
  readonly arg?: string;
  readonly environment?: readonly (readonly [name: string, value: string])[];
}

/** One unit, compiled at a root. */
function row(root: string, unit: string, { compiler = "/usr/bin/cc", arg, environment = [] }: Command = {}): HistoryRow {
  const argv = ["cc", ...(arg === undefined ? [] : [arg]), "-c", `${root}/${unit}`];
  const plain = { cwd: root, compiler, argv, stderrIsTerminal: false, stdoutIsTerminal: false, columns: 0 };
  const question: CompileQuestion = { ...plain, environment: new Map(environment), key: "", why: "no-record", session: "" };
  const body = JSON.stringify({ manifest: "manifest", outputs: [`${root}/out`], asked: { ...plain, environment } });
  return { source: `${root}/${unit}`, request: keyOf(question), at: 1, outcome: "miss", body };
}

function world(...given: readonly HistoryRow[]) {
  const rows = new Map(given.map((one) => [one.source, one]));
  const index = {
    history: (source: string) => rows.get(source),
    sourcesEnding: (end: string) => [...rows.keys()].filter((source) => source.endsWith(end)),
    sourcesBelow: (directory: string) => [...rows.keys()].filter((source) => source.startsWith(`${directory}/`)),
  };
  const elsewhere = (to = "/two"): Elsewhere => {
    const found = new Checkouts({ index }).elsewhere({ manifest: "manifest", sourcePath: `${to}/x.c`, projectRoot: to });
    assert.ok(found);
    return found;
  };
  return { rows, elsewhere };
}

function foreseen(root: string, command: Command): CompileQuestion | undefined {
  return world(row(root, "x.c", command))
    .elsewhere()
    .question(0, keyOf);
}

for (const [about, command] of [
  ["the compiler of a checkout", { compiler: "/one/tools/bin/clang" }],
  ["programs of a checkout before others", { environment: [["PATH", "/one/tools/bin:/usr/bin"]] }],
  ["the compiler's parts in a checkout", { environment: [["COMPILER_PATH", "/one/tools"]] }],
  ["libraries of a checkout", { environment: [["LD_LIBRARY_PATH", "/one/lib"]] }],
  ["a library of a checkout in each program", { environment: [["LD_PRELOAD", "/one/lib/x.so"]] }],
  ["a variable that nobody knows", { environment: [["SOME_TOOL", "/one/tool"]] }],
] as const satisfies readonly (readonly [string, Command])[])
  test(`nothing is foreseen with ${about}: it would be executed in the other one`, () => {
    assert.equal(foreseen("/one", command), undefined);
  });

test("names of places and headers are moved", () => {
  const environment = [
    ["PWD", "/one"],
    ["CPATH", "/one/a:/usr/include:/one/b"],
    ["PATH", "/usr/bin"],
  ] as const;
  assert.deepEqual(
    [...(foreseen("/one", { environment })?.environment ?? [])],
    [
      ["PWD", "/two"],
      ["CPATH", "/two/a:/usr/include:/two/b"],
      ["PATH", "/usr/bin"],
    ],
  );
});

for (const [arg, expected] of [
  ["-I/src/include", "-I/two/include"],
  ["-isystem/src/include", "-isystem/two/include"],
  ["-ffile-prefix-map=/src=/src/x", "-ffile-prefix-map=/two=/two/x"],
  ["@/src/options", "@/two/options"],
  ['-DPLACE="/src"', '-DPLACE="/two"'],
  ["-I/usr/src/include", "-I/usr/src/include"],
  ["-Iusr/src/include", "-Iusr/src/include"],
  ["-I/src2/include", "-I/src2/include"],
  ["-I../src/include", "-I../src/include"],
  ["-I/src-old/src", "-I/src-old/src"],
] as const)
  test(`${arg} of /src reads ${expected} in /two`, () => {
    assert.equal(foreseen("/src", { arg })?.argv[1], expected);
  });

test("what is remembered of a unit is that of its own place, whatever the place is called", () => {
  const to = '/two "of" \\ them';
  const { elsewhere } = world(row("/one", "x.c"));
  const checkout = elsewhere(to);
  const request = checkout.question(0, keyOf)?.key ?? "";
  const remembered = checkout.remembered(0, request, keyOf, "ab", 2);
  assert.ok(remembered);
  assert.deepEqual([remembered.source, remembered.request, remembered.at], [`${to}/x.c`, request, 2]);
  assert.deepEqual(readRemembered(remembered).outputs, [`${to}/out`]);
});

test("what is known of a unit by now is not replaced by what was foreseen of it", () => {
  const { rows, elsewhere } = world(row("/one", "x.c"));
  const checkout = elsewhere();
  const request = checkout.question(0, keyOf)?.key ?? "";
  rows.set("/two/x.c", { ...row("/two", "x.c"), at: 5 });
  assert.equal(checkout.remembered(0, request, keyOf, "ab", 4), undefined, "it was compiled there since");
  assert.ok(checkout.remembered(0, request, keyOf, "ab", 6));
  rows.set("/one/x.c", row("/one", "x.c", { arg: "-O2" }));
  assert.equal(checkout.remembered(0, request, keyOf, "ab", 6), undefined, "it is another command by now");
});

test("a checkout that lies in another one is none of its units", () => {
  const given = [row("/one", "x.c"), row("/one", "y.c"), row("/one/trees/a", "x.c"), row("/one/trees/two", "z.c")];
  assert.equal(world(...given).elsewhere().size, 2 + 1, "of one of them nobody knows that it is one");
  assert.equal(world(...given).elsewhere("/one/trees/two").size, 2);
});
