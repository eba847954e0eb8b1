import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { type Invocation, placesAt } from "../compile/index.ts";
import type { ExpectedResult, ResultOutput } from "../contracts/index.ts";
import { Patterns } from "./patterns.ts";
import type { Understood } from "./request.ts";

const [ROOT, CWD] = ["/there", "/there/build"];

/** A request for a unit, as it was understood. */
function asked(unit: string, argv: readonly string[], outputs: Invocation["outputs"] = outputsOf(unit)): Understood {
  const question = { cwd: CWD, compiler: "/usr/bin/cc", argv, environment: new Map([["PWD", CWD]]), key: digestOf(argv.join("\0")) };
  const terminal = { stderrIsTerminal: false, stdoutIsTerminal: false, columns: 0, session: "", why: "input-changed" };
  const invocation = { source: `${ROOT}/src/${unit}.c`, outputs };
  const places = placesAt({ cwd: CWD, projectRoot: ROOT });
  return { question: { ...question, ...terminal }, invocation, places, projectRoot: ROOT } as unknown as Understood;
}

function outputsOf(unit: string): Invocation["outputs"] {
  return [
    { path: `lib/${unit}.o`, role: "object" },
    { path: `lib/${unit}.o.d`, role: "depfile" },
  ];
}

/** What a member has made of a unit. */
function made(unit: string, outputs: Invocation["outputs"] = outputsOf(unit)): ExpectedResult {
  const whole = outputs.map((output): ResultOutput => ({ ...output, digest: digestOf(unit), size: 1, template: false }));
  const entry = { inputs: [{ path: `\0P/src/${unit}.c`, digest: digestOf(unit) }] };
  return { manifest: digestOf(unit), entry, result: { outputs: whole } } as unknown as ExpectedResult;
}

function command(unit: string, ...flags: string[]): string[] {
  return ["cc", ...flags, "-MD", "-MT", `lib/${unit}.o`, "-MF", `lib/${unit}.o.d`, "-o", `lib/${unit}.o`, "-c", `/there/src/${unit}.c`];
}

function guesses(patterns: Patterns, expected: ExpectedResult, tried = 0): (readonly string[])[] {
  return [...patterns.guesses(expected, tried)].map(({ question }) => question.argv);
}

test("a command is guessed from one for another unit, all names moved", () => {
  const patterns = new Patterns();
  patterns.saw(asked("one", command("one", "-O2", "-I/there/include")));
  assert.deepEqual(guesses(patterns, made("two")), [command("two", "-O2", "-I/there/include")]);
  const [guess] = patterns.guesses(made("two"), 0);
  assert.deepEqual([guess?.question.why, guess?.question.cwd], ["no-record", CWD]);
});

test("of commands that differ by more than names all are tried, what was used last first, and each once", () => {
  const patterns = new Patterns();
  for (const [unit, flag] of [
    ["one", "-O1"],
    ["two", "-O2"],
    ["three", "-O1"],
  ] as const)
    patterns.saw(asked(unit, command(unit, flag)));
  assert.deepEqual(guesses(patterns, made("four")), [command("four", "-O1"), command("four", "-O2")]);
  const tried = patterns.latest;
  assert.equal(patterns.hasSince(tried), false);
  patterns.saw(asked("five", command("five", "-O3")));
  assert.equal(patterns.hasSince(tried), true);
  assert.deepEqual(guesses(patterns, made("four"), tried), [command("four", "-O3")]);
});

test("nothing is guessed for a unit that has other outputs", () => {
  const patterns = new Patterns();
  patterns.saw(asked("one", command("one")));
  assert.deepEqual(guesses(patterns, made("two", outputsOf("two").slice(0, 1))), []);
});

test("a name that is part of another is not moved within it", () => {
  const outputs = (unit: string): Invocation["outputs"] => [
    { path: `${unit}.o`, role: "object" },
    { path: `${unit}.o.d`, role: "depfile" },
  ];
  const patterns = new Patterns();
  const argv = (unit: string): string[] => ["cc", "-MF", `${unit}.o.d`, "-o", `${unit}.o`, "-c", `/there/src/${unit}.c`];
  patterns.saw(asked("a", argv("a"), outputs("a")));
  assert.deepEqual(guesses(patterns, made("b", outputs("b"))), [argv("b")]);
});
