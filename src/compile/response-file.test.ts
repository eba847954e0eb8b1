import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { expandResponseFiles, splitResponse } from "./response-file.ts";

const cases: readonly [text: string, args: readonly string[] | undefined][] = [
  ["", []],
  [" \n\t ", []],
  ["a b", ["a", "b"]],
  ["a\nb\r\nc\td", ["a", "b", "c", "d"]],
  ["'a b' \"c d\"", ["a b", "c d"]],
  ["a'b c'd", ["ab cd"]],
  ['"it\'s" \'say "x"\'', ["it's", 'say "x"']],
  ['-DS=\\"x\\"', ['-DS="x"']],
  ["a\\ b", ["a b"]],
  ["a\\\\b", ["a\\b"]],
  ['"a\\"b" "c\\\\d"', ['a"b', "c\\d"]],
  ["# not a comment", ["#", "not", "a", "comment"]],
  // What compilers read differently.
  ["''", undefined],
  ['a "" b', undefined],
  ["'a\\b'", undefined],
  ['"a\\b"', undefined],
  ["a\\\nb", undefined],
  ["a\\", undefined],
  ["'a", undefined],
  ["a\fb", undefined],
  ["a\0b", undefined],
  ["\uFEFFa", undefined],
];

test("texts are split as every compiler splits them, or refused", () => {
  for (const [text, args] of cases) assert.deepEqual(splitResponse(text), args, JSON.stringify(text));
});

const expand = (argv: string[], texts: Record<string, string>) => expandResponseFiles(argv, (path) => texts[path]);

test("nested files are expanded in place", () => {
  assert.deepEqual(expand(["cc", "a", "@x", "d"], { x: "b @y", y: "c" }), {
    kind: "expanded",
    argv: ["cc", "a", "b", "c", "d"],
    files: ["x", "y"],
  });
});

test("a file that cannot be read stays an argument, and argv[0] is never a file", () => {
  assert.deepEqual(expand(["@x", "@missing", "@"], { x: "b" }), { kind: "expanded", argv: ["@x", "@missing", "@"], files: [] });
});

test("a file that contains itself is refused", () => {
  assert.equal(expand(["cc", "@x"], { x: "@x" }).kind, "refused");
  assert.equal(expand(["cc", "@x"], { x: "@x ".repeat(20) }).kind, "refused");
});

test("arguments that were quoted come back", () => {
  const argument = fc.stringMatching(/^[ -&(-[\]-~]{1,8}$/);
  fc.assert(
    fc.property(fc.array(argument), (args) => {
      assert.deepEqual(splitResponse(args.map((arg) => `'${arg}'`).join("\n")), args);
    }),
  );
});
