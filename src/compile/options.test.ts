import assert from "node:assert/strict";
import { test } from "node:test";
import { readOption } from "./options.ts";
import * as flags from "./options-flags.ts";
import { joinedRules, wholeRules } from "./options-table.ts";

const named = (argument: string) => {
  const option = readOption(argument, "next");
  return option.kind === "option" ? [option.name, option.value] : option.kind;
};

test("the longest name counts", () => {
  assert.deepEqual(named("-Ifoo"), ["-I", "foo"]);
  assert.deepEqual(named("-I"), ["-I", "next"]);
  assert.deepEqual(named("-isystemx"), ["-isystem", "x"]);
  assert.deepEqual(named("-isystem-afterx"), ["-isystem-after", "x"]);
  assert.deepEqual(named("-iwithprefixbeforex"), ["-iwithprefixbefore", "x"]);
  assert.deepEqual(named("-include-pch"), ["-include-pch", "next"]);
  assert.deepEqual(named("-MFx"), ["-MF", "x"]);
  assert.deepEqual(named("-MDx"), "unknown");
  assert.deepEqual(named(`-DX=${"y".repeat(5000)}`), ["-D", `X=${"y".repeat(5000)}`]);
});

test("an option without its value is incomplete", () => {
  for (const name of ["-o", "-I", "-MF", "-Xclang", "-D"]) assert.equal(readOption(name, undefined).kind, "incomplete");
});

test("options that bring files along are not among the plain ones", () => {
  const telling =
    /dump|^plugin|profile-(use|dir|note)|time-trace|callgraph|save-(temps|opt)|module-|modules|opt-info|thinlto|prebuilt|-file$|stats|report/;
  for (const names of [flags.codeFlags, flags.codeValues, flags.machineFlags, flags.machineValues, flags.sanitizerFlags]) {
    for (const name of names) assert.doesNotMatch(name, telling);
  }
});

test("no name is in the table with two rules", () => {
  for (const name of wholeRules.keys()) {
    const [whole, joined] = [wholeRules.get(name), joinedRules.get(name)];
    if (joined !== undefined) assert.equal(whole, joined, name);
  }
});
