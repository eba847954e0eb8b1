import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { macroReach } from "./macros.ts";

const reached = (texts: string[], roots = ["__LINE__"], defined?: ReadonlySet<string>): string[] =>
  [
    ...macroReach(
      texts.map((text) => ({ content: Buffer.from(text) })),
      roots,
      defined,
    ),
  ].toSorted();

const cases: [name: string, texts: string[], names: string[]][] = [
  ["through another file", ["#define HERE at(__LINE__)\n", "#define LOG(x) log(HERE, x)\n#define OTHER 1\n"], ["HERE", "LOG", "__LINE__"]],
  [
    "over joined lines and comments",
    ["# define A(x) \\\n  do { /* a\n b */ f(__LINE__); } \\\n while (0)\nint __LINE__x;\n#define B 1\n"],
    ["A", "__LINE__"],
  ],
  ["any of several definitions", ["#define A 1\n#undef A\n#define A __LINE__\n"], ["A", "__LINE__"]],
  ["a name pasted behind a prefix", ["#define LOG_INFO f(__LINE__)\n#define LOG(level) LOG_ ## level\n"], ["LOG", "LOG_INFO", "__LINE__"]],
  ["a name pasted before a suffix", ["#define A_X __LINE__\n#define P(a) a ## _X\n#define Q(a) a##_Y\n"], ["A_X", "P", "__LINE__"]],
  ["a name pasted from parameters", ["#define A_X __LINE__\n#define CAT(a, b) a##b\n"], ["A_X", "CAT", "__LINE__"]],
  ["attributes paste no root", ["#define ATTR(x) __attribute__((__##x##__))\n#define CAT(a, b) a##b\n"], ["__LINE__"]],
  ["not the parameters' names in the text around", ["int f(void) { return __LINE__; }\n#define A 2\n"], ["__LINE__"]],
];
for (const [name, texts, names] of cases) test(`macros reach a line number: ${name}`, () => assert.deepEqual(reached(texts), names));

const namesWith = (files: { path: string; content: Buffer }[], defined: string[]): string[] =>
  [...macroReach(files, ["__LINE__"], new Set(defined))].toSorted();

test("assert is left out where NDEBUG is defined for good", () => {
  const header = { path: "/usr/include/assert.h", content: Buffer.from("#define assert(e) fail(__LINE__)\n") };
  const other = { path: "own.h", content: Buffer.from("#define CHECK(e) assert(e)\n") };
  assert.deepEqual(namesWith([header, other], []), ["CHECK", "__LINE__", "assert"]);
  assert.deepEqual(namesWith([header, other], ["NDEBUG"]), ["__LINE__"]);
  const undefining = { path: "test.h", content: Buffer.from("#undef NDEBUG\n") };
  assert.deepEqual(namesWith([header, other, undefining], ["NDEBUG"]), ["CHECK", "__LINE__", "assert"]);
});

test("agrees with a search that follows every definition by hand", () => {
  const name = fc.constantFrom("A", "B", "C", "D", "E", "F", "__LINE__");
  const definitions = fc.array(fc.tuple(name, fc.array(name, { maxLength: 3 })), { maxLength: 10 });
  fc.assert(
    fc.property(definitions, fc.nat(10), (pairs, split) => {
      const lines = pairs.map(([macro, body]) => `#define ${macro} ${body.join(" + ")}\n`);
      const expected = new Set(["__LINE__"]);
      for (let round = 0; round < 10; round++) {
        for (const [macro, body] of pairs) if (body.some((word) => expected.has(word))) expected.add(macro);
      }
      assert.deepEqual(reached([lines.slice(0, split).join(""), lines.slice(split).join("")]), [...expected].toSorted());
    }),
  );
});
