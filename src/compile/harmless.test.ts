import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { CompileRefusal } from "../contracts/index.ts";
import { objection } from "./harmless.ts";
import { readInvocation } from "./invocation.ts";

function reason(options: readonly string[], family: "gcc" | "clang" = "gcc", source = "a.c"): CompileRefusal | undefined {
  return objection({ options, source, environment: new Map(), dependencies: undefined }, family)?.reason;
}

const ordinary: readonly string[] = [
  "-O2 -g -Wall -Wextra -std=gnu11 -DNDEBUG -D X=1 -I include -isystem /usr/include/x -fPIC",
  '-O3 -DVERSION="1.0" -include config.h -ffile-prefix-map=/home/a=. -fno-strict-aliasing -march=x86-64-v3',
  "-x c++ -std=c++20 -fvisibility=hidden -stdlib=libc++ -Wno-unused -fcolor-diagnostics",
  "-fsanitize=address,undefined -fno-omit-frame-pointer -pthread -pipe -w -g0 -gdwarf-5",
  "-Wa,--noexecstack -Wp,-D_FORTIFY_SOURCE=2 -Wa,--defsym,x=1 -Xassembler --noexecstack",
];

for (const line of ordinary) test(`ordinary: ${line}`, () => assert.equal(reason(line.split(" ")), undefined));

// The corpus in test/system has more of them; here is what only the order or the form decides.
const refused: readonly [words: readonly string[], reason: CompileRefusal][] = [
  [["-I", "@x"], "response_file"],
  [["-D", "@x"], "response_file"],
  [["-march=native"], "machine_dependent"],
  [["-mtune=native"], "machine_dependent"],
  [["-mcpu=help"], "mode_option"],
  [["-Xclang", "-fno-pch-timestamp"], "unknown_option"], // gcc has no such option.
  [["-Wa,-a=/x"], "nested_option"],
  [["-Wa,--defsym,@x"], "nested_option"],
  [["-Wa,--defsym"], "nested_option"],
  [["-ffile-prefix-map=/p=a=b"], "unknown_option"],
  [["-Xassembler", "--defsym"], "nested_option"],
  [["-Wp,-D_X,-MD,/x"], "nested_option"],
  [["-frecord-gcc-switches"], "output_option"],
  [["b.c"], "bad_source"],
  [["-"], "bad_source"],
  [["-I"], "unknown_option"],
  [["--", "-fplugin=x"], "unknown_option"],
  [["-fstack-usage"], "output_option"],
  [["-fprofile-use=/x"], "profile"],
  [["-fmodules"], "unknown_option"],
  [["-MD"], "output_option"],
  [["-include-pch", "-fplugin=x.so"], "unknown_option"],
  [["-target", "-fplugin=x.so"], "unknown_option"],
];

const refusedForClang: readonly [words: readonly string[], reason: CompileRefusal][] = [
  [["-Xclang", "-load", "-Xclang", "x.so"], "nested_option"],
  [["-Xclang", "-include-pch", "-Xclang", "-load"], "nested_option"],
  [["-Xclang", "-mllvm", "-Xclang", "-load=x.so"], "nested_option"],
  [["-Xclang", "-include-pch"], "nested_option"],
  [["-mllvm", "-load=x.so"], "nested_option"],
];

for (const [words, expected] of refusedForClang)
  test(`refused for clang: ${words.join(" ")}`, () => assert.equal(reason(words, "clang"), expected));

for (const [words, expected] of refused) test(`refused: ${words.join(" ")}`, () => assert.equal(reason(words), expected));

const sources: readonly [source: string, options: readonly string[], reason: CompileRefusal | undefined][] = [
  ["a.c", [], undefined],
  ["dir/a.cc", [], undefined],
  ["a.h", [], "bad_source"],
  ["a.cppm", [], "bad_source"],
  ["a.o", [], "bad_source"],
  ["", [], "bad_source"],
  ["-a.c", [], "bad_source"],
  ["@a.c", [], "response_file"],
  ["a.inc", ["-x", "c"], undefined],
  ["a.c", ["-x", "c-header"], "bad_source"],
  ["a.c", ["-x", "nonsense"], "bad_source"],
  ["a.c", ["-x", "none"], undefined],
];

for (const [source, options, expected] of sources)
  test(`source ${JSON.stringify(source)} ${options.join(" ")}`, () => assert.equal(reason(options, "gcc", source), expected));

test("ordinary for clang: -Xclang -fno-pch-timestamp", () => assert.equal(reason(["-Xclang", "-fno-pch-timestamp"], "clang"), undefined));

test("variables are typed, and all others are refused", () => {
  const ask = (name: string, value: string): CompileRefusal | undefined =>
    objection({ options: [], source: "a.c", environment: new Map([[name, value]]), dependencies: undefined }, "gcc")?.reason;
  assert.equal(ask("LANG", "de_DE.UTF-8@euro"), undefined);
  assert.equal(ask("SOURCE_DATE_EPOCH", "0"), undefined);
  assert.equal(ask("PWD", "/home/a"), undefined);
  for (const [name, value] of [
    ["LANG", "../x"],
    ["LANGUAGE", "/x"],
    ["SOURCE_DATE_EPOCH", "-1"],
    ["PWD", "x"],
    ["HOME", "/x"],
    ["", ""],
  ] as const)
    assert.equal(ask(name, value), "environment", `${name}=${value}`);
});

test("whatever passes at home without being known here is not known there, either", () => {
  const words = readFileSync(new URL("invocation-cases.txt", import.meta.url), "utf8")
    .split(/\s+/)
    .filter((word) => word.startsWith("-"));
  const command = { environment: new Map<string, string>(), family: "gcc" as const };
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 4 }), (options) => {
      if (reason(options) !== undefined) return;
      // What is harmless is cacheable: the list for others is the shorter one.
      const reading = readInvocation(
        { ...command, argv: ["gcc", ...options, "-c", "a.c"] },
        (path) => path,
        () => undefined,
      );
      assert.equal(reading.kind, "compile", `${options.join(" ")}: ${reading.kind === "pass" ? reading.reason : ""}`);
    }),
  );
});
