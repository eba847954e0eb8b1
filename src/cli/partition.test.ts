import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { learn, readDurations } from "./durations.ts";
import { split } from "./partition.ts";
import { readReport } from "./test-reports.ts";
import { spellTests, type TestTool, testsIn } from "./test-tools.ts";

const tests = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { maxLength: 40 });
const durations = fc.dictionary(fc.string({ minLength: 1, maxLength: 6 }), fc.nat(10_000)).map((found) => new Map(Object.entries(found)));

test("every test is in one part, whatever is known of it, and no part has much more to do than it must", () => {
  fc.assert(
    fc.property(tests, durations, fc.integer({ min: 1, max: 8 }), (all, known, count) => {
      const parts = split(all, known, count);
      assert.deepEqual(parts.flatMap((part) => part.tests).toSorted(), all.toSorted());
      const total = parts.reduce((sum, { expectedMs }) => sum + expectedMs, 0);
      const longest = Math.max(
        0,
        ...all.map((one) => split([one], new Map([...known].filter(([name]) => name === one)), 1)[0]?.expectedMs ?? 0),
      );
      // Whoever got the last one had the least until then: at most its fair share.
      if (all.every((one) => known.has(one))) for (const { expectedMs } of parts) assert.ok(expectedMs <= total / count + longest);
    }),
  );
});

test("parts are equal for equal tests and durations, in whatever order they come", () => {
  fc.assert(
    fc.property(tests, durations, fc.integer({ min: 1, max: 8 }), (all, known, count) => {
      const turned = new Map([...known].toReversed());
      assert.deepEqual(split(all.toReversed(), turned, count), split(all, known, count));
    }),
  );
});

test("the longest goes first, and what nobody knows takes the median", () => {
  const known = new Map([
    ["a", 50],
    ["b", 40],
    ["c", 30],
    ["d", 20],
  ]);
  assert.deepEqual(split(["a", "b", "c", "d"], known, 2), [
    { tests: ["a", "d"], expectedMs: 70 },
    { tests: ["b", "c"], expectedMs: 70 },
  ]);
  assert.deepEqual(split(["a", "d", "new"], known, 1)[0]?.expectedMs, 50 + 20 + 20);
  assert.deepEqual(
    split(["x", "y", "z"], new Map(), 2).map(({ tests: own }) => own.length),
    [2, 1],
  );
  assert.deepEqual(
    split(
      ["x", "y"],
      new Map([
        ["x", 0],
        ["y", 0],
      ]),
      2,
    ).map(({ tests: own }) => own.length),
    [1, 1],
  );
});

const there = new Set(["src/a.test.ts", "tests/test_one.py", "pkg/b.test.js"]);
const place = { cwd: "/p", exists: (path: string): boolean => there.has(path) };
const reports: readonly (readonly [what: string, text: string, found: Readonly<Record<string, number>> | undefined])[] = [
  [
    "node",
    '<testsuites><testcase name="t" time="0.5" classname="test" file="/p/src/a.test.ts"/><testcase name="u" time="0.25" file="/p/src/a.test.ts"/></testsuites>',
    { "src/a.test.ts": 750 },
  ],
  [
    "a sandbox",
    '<testsuite><testcase name="t" time="1" file="/inputs/project/src/a.test.ts"/><testcase name="u" time="1" file="/elsewhere/x.ts"/></testsuite>',
    { "src/a.test.ts": 1000, u: 1000 },
  ],
  [
    "vitest",
    '<testsuites><testsuite name="src/a.test.ts" time="1"><testcase classname="src/a.test.ts" name="x &gt; y" time="0.1"></testcase></testsuite></testsuites>',
    { "src/a.test.ts": 100 },
  ],
  [
    "pytest",
    '<testsuite name="pytest"><testcase classname="tests.test_one.TestB" name="test_b" time="0.002" /></testsuite>',
    { "tests/test_one.py": 2 },
  ],
  [
    "ctest",
    '<testsuite name="(empty)"><testcase name="unit.&lt;1&gt;" classname="unit.&lt;1&gt;" time="2.5" status="run"><system-out>x</system-out></testcase></testsuite>',
    { "unit.<1>": 2500 },
  ],
  [
    "text that looks like a tag",
    '<testsuite name="s"><testcase name="t" time="1"><system-out><![CDATA[<testcase name="no" time="9"/>]]></system-out></testcase><!-- <testcase name="no" time="9"/> --></testsuite>',
    { t: 1000 },
  ],
  ["a sign for greater in a name", "<testsuite name='s'><testcase name='a > b' time='1'/></testsuite>", { "a > b": 1000 }],
  [
    "times that are none",
    '<testsuite><testcase name="a" time="x"/><testcase name="b" time="-1"/><testcase name="c"/></testsuite>',
    { c: 0 },
  ],
  [
    "jest",
    JSON.stringify({ testResults: [{ name: "/p/pkg/b.test.js", startTime: 1_000, endTime: 1_250 }, { name: 4 }] }),
    { "pkg/b.test.js": 250 },
  ],
  [
    "go",
    '{"Action":"run","Package":"m/a","Test":"T"}\n{"Action":"pass","Package":"m/a","Test":"T","Elapsed":9}\nnoise\n{"Action":"pass","Package":"m/a","Elapsed":0.25}\n{"Action":"skip","Package":"m/b","Elapsed":0}',
    { "m/a": 250 },
  ],
  [
    "go, and what it did not run again",
    '{"Action":"output","Package":"m/a","Output":"ok  \\tm/a\\t(cached)\\n"}\n{"Action":"pass","Package":"m/a","Elapsed":0}\n{"Action":"output","Package":"m/b","Output":"ok  \\tm/b\\t0.5s\\n"}\n{"Action":"pass","Package":"m/b","Elapsed":0.5}',
    { "m/b": 500 },
  ],
  [
    "go, and nothing of it ran again",
    '{"Action":"output","Package":"m/a","Output":"ok  \\tm/a\\t(cached)\\n"}\n{"Action":"pass","Package":"m/a","Elapsed":0}',
    {},
  ],
  ["something else", "hello", undefined],
  ["JSON of something else", '{"a":1}', undefined],
];
for (const [what, text, found] of reports)
  test(`durations from a report: ${what}`, () => {
    const read = readReport(text, place);
    assert.deepEqual(read && Object.fromEntries(read), found);
  });

test("any text is a report, or none", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `<testsuite ${text}`),
        fc.json(),
      ),
      (text) => void readReport(text, place),
    ),
  );
});

test("what was learned is written down, halfway to what was seen last; what is no such file is left alone", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-durations-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "durations.json");
  assert.equal(
    learn(
      file,
      new Map([
        ["b", 100],
        ["a", 10],
      ]),
    ),
    2,
  );
  assert.equal(learn(file, new Map([["b", 200]])), 2);
  assert.deepEqual(
    [...readDurations(file)],
    [
      ["a", 10],
      ["b", 150],
    ],
  );
  for (const wrong of ["", "{}", '{"version":2,"ms":{}}', '{"version":1,"ms":{"a":"1"}}', '{"version":1,"ms":{"a":-1}}']) {
    writeFileSync(file, wrong);
    assert.throws(() => learn(file, new Map([["a", 1]])), /holds no durations/);
    assert.equal(readFileSync(file, "utf8"), wrong);
  }
});

const printed: readonly (readonly [what: string, tool: TestTool, text: string, tests: readonly string[]])[] = [
  ["vitest", "vitest", '[\n  {\n    "file": "/p/src/a.test.ts"\n  },\n  {\n    "file": "/p/src/a.test.ts"\n  }\n]\n', ["src/a.test.ts"]],
  [
    "vitest, whose configuration says something first",
    "vitest",
    '[plugin] hello\n\u001b[33m[x]\u001b[0m\n[\n  {\n    "file": "/p/src/a.test.ts"\n  }\n]\n',
    ["src/a.test.ts"],
  ],
  ["jest, the same", "jest", '[plugin] hello\n["/p/b.test.js","/p/c.test.js"]\n', ["b.test.js", "c.test.js"]],
  ["ctest, the same", "ctest", '{what?}\n{\n  "tests" : [ { "name" : "unit" } ]\n}\n', ["unit"]],
  [
    "pytest",
    "pytest",
    "tests/test_a.py::test_one\ntests/test_a.py::test_two\ntests/test_b.py: 3\n\n5 tests collected\n",
    ["tests/test_a.py", "tests/test_b.py"],
  ],
  ["go", "go", "m/a\nm/b\n", ["m/a", "m/b"]],
];
for (const [what, tool, text, expected] of printed)
  test(`tests that a runner lists: ${what}`, () => assert.deepEqual(testsIn(tool, text, "/p"), expected));

test("CTest gets a pattern that matches the tests and no others", () => {
  const [pattern = ""] = spellTests("ctest", ["a.b", "c+"]);
  const matched = ["a.b", "axb", "c+", "cc", "a.bc", ""].filter((name) => new RegExp(pattern).test(name));
  assert.deepEqual(matched, ["a.b", "c+"]);
  assert.equal(new RegExp(spellTests("ctest", [])[0] ?? "").test("a"), false);
  assert.deepEqual(spellTests("jest", ["a.b"]), ["a.b"]);
});
