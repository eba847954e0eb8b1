import assert from "node:assert/strict";
import { test } from "node:test";
import { compareOutcomes, isInPrintAlone, type OutcomeDifference } from "./task-differences.ts";
import type { Whole } from "./task-outputs.ts";
import type { TaskDone } from "./task-results.ts";

function file(path: string, content: string | Uint8Array, executable = false): Whole {
  return { kind: "file", path, content: Buffer.from(content as string), executable };
}

function done(left: readonly Whole[], changes: Partial<TaskDone> = {}): TaskDone {
  return { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), left, ...changes };
}

const long = `${"x".repeat(70_000)}\n`;
const rows: readonly (readonly [name: string, before: TaskDone, after: TaskDone, found: readonly OutcomeDifference[]])[] = [
  ["the very same", done([file("a", "one\n")]), done([file("a", "one\n")]), []],
  [
    "a line",
    done([file("a", "one\ntwo\nthree\n")]),
    done([file("a", "one\nTwo\nthree\n")]),
    [{ what: "content", path: "a", line: 2, before: "two", after: "Two" }],
  ],
  [
    "the first byte",
    done([file("a", "one\nlast\n")]),
    done([file("a", "two\nlast\n")]),
    [{ what: "content", path: "a", line: 1, before: "one", after: "two" }],
  ],
  [
    "what comes after a long beginning",
    done([file("a", `${long}end`)]),
    done([file("a", `${long}END`)]),
    [{ what: "content", path: "a", line: 2, before: "end", after: "END" }],
  ],
  [
    "one that goes on",
    done([file("a", "one\n")]),
    done([file("a", "one\nmore")]),
    [{ what: "content", path: "a", line: 2, before: "", after: "more" }],
  ],
  [
    "one that is empty",
    done([file("a", "")]),
    done([file("a", "new")]),
    [{ what: "content", path: "a", line: 1, before: "", after: "new" }],
  ],
  [
    "bytes",
    done([file("a", Buffer.from([0, 1, 2, 3]))]),
    done([file("a", Buffer.from([0, 1, 9, 3]))]),
    [{ what: "content", path: "a", byte: 2 }],
  ],
  [
    "kinds, links, modes, and what one alone has",
    done([file("a", "x"), { kind: "link", path: "l", target: "a" }, file("m", "x"), file("old", "x")]),
    done([{ kind: "directory", path: "a" }, { kind: "link", path: "l", target: "b" }, file("m", "x", true), file("new", "x")]),
    [
      { what: "kind", path: "a", before: "file", after: "directory" },
      { what: "link", path: "l", before: "a", after: "b" },
      { what: "executable", path: "m" },
      { what: "new", path: "new" },
      { what: "missing", path: "old" },
    ],
  ],
  ["how it ended", done([]), done([], { exitCode: 3 }), [{ what: "exit-code", path: "", before: "0", after: "3" }]],
  [
    "what it printed",
    done([], { stdout: Buffer.from("took 3 ms\n") }),
    done([], { stdout: Buffer.from("took 4 ms\n") }),
    [{ what: "stdout", path: "", line: 1, before: "took 3 ms", after: "took 4 ms" }],
  ],
];
for (const [name, before, after, found] of rows)
  test(`where two runs part ways: ${name}`, () => {
    assert.deepEqual(compareOutcomes(before, after), found);
  });

test("what is printed alone is told from what is left", () => {
  const printed = done([file("a", "x")], { stderr: Buffer.from("y") });
  assert.equal(isInPrintAlone(compareOutcomes(done([file("a", "x")]), printed)), true);
  assert.equal(isInPrintAlone(compareOutcomes(done([file("a", "z")]), printed)), false);
  assert.equal(isInPrintAlone([]), true);
});

test("of many that differ the first are told, and what is printed", () => {
  const many = (text: string): Whole[] => Array.from({ length: 50 }, (_, i) => file(`f${String(i).padStart(2, "0")}`, text));
  const found = compareOutcomes(done(many("x")), done(many("y"), { stdout: Buffer.from("z") }));
  assert.deepEqual([found.length, found[0]?.path, found.at(-1)?.what], [13, "f00", "stdout"]);
});
