/**
 * Compilers of this machine make of the text what they make of the source: the same object, without a word, and the same dependency file.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { readIncludedText, textArgs, textObstacle } from "./included-text.ts";
import { readInvocation } from "./invocation.ts";

const run = promisify(execFile);
const root = mkdtempSync(join(tmpdir(), "cairn-included-"));
after(() => rmSync(root, { recursive: true }));

const HEADERS: Readonly<Record<string, string>> = {
  "include/computed.h":
    "#pragma once\n#ifndef SIZE\n#define SIZE 3\n#endif\nstatic const char *computed_in = __FILE__; enum { computed_at = __LINE__ };\n",
  "include/plain.h": "#ifndef PLAIN_H\n#define PLAIN_H\n#define TWICE(x) ((x) + (x))\nstruct plain { int a; char b; };\n#endif\n",
  "include/loud.h": "#pragma GCC system_header\nstatic inline int loud(unsigned a, int b) { int unused; return a < b; }\n",
};

const C = `/* A comment of several
   lines, with an é in it. */
#define TEXT_OF(x) #x
#define HEADER(x) TEXT_OF(x)
#define WHERE include/computed.h
#include HEADER(WHERE)
#include <stdio.h>
#include <assert.h>
#include <stddef.h>
#include "plain.h"
#include "loud.h"
#if __has_include(<stdlib.h>) && !__has_include("nothing.h")
#include <stdlib.h>
#endif
#define SUM(a, ...) \\
  (a + \\
   0 __VA_ARGS__)
#pragma pack(push, 1)
struct packed { char a; long b; };
#pragma pack(pop)
#define KEPT 1
static int outer = KEPT;
#undef KEPT
#define KEPT 2
static int inner = KEPT;
#pragma GCC visibility push(hidden)
int hidden = KEPT;
#pragma GCC visibility pop
_Pragma("GCC diagnostic push")
_Pragma("GCC diagnostic ignored \\"-Wunused-variable\\"")
static int ignored;
_Pragma("GCC diagnostic pop")
#ifdef X
int x = X;
#else
int no_x;
#endif
const char *texts[] = { __FILE__, "é", "/* no comment */", "// neither", TEXT_OF(a  b "c" '"' ) };
int lines[] = { __LINE__, SUM(1,
  + __LINE__), TWICE(
    __LINE__) };
int switched(int a) {
  switch (a) {
    case 1: a++; /* fall through */
    case 2: return SUM(a, + SIZE);
  }
  assert(a != inner + outer);
  printf("%s %d %zu %s\\n", __func__, computed_at, sizeof(struct packed) + offsetof(struct plain, b), computed_in);
  return loud(1u, a) ? EXIT_FAILURE : a \\
    + 1;
}
#line 700 "generated.y"
int generated = __LINE__; const char *generated_in = __FILE__;
`;

const CPP = `#define TEXT_OF(x) #x
#define HEADER(x) TEXT_OF(x)
#include HEADER(include/computed.h)
#include <iostream>
#include <map>
#include <string>
#include <vector>
#include <algorithm>
#include "plain.h"
const char* raw = R"x(
#define RAW 1
#include "nothing.h"
/* " // )x";
template <typename T> auto total(const std::vector<T>& all) {
  T sum{};
  for (const auto& one : all) sum += TWICE(one);
  return sum;
}
int counted(std::map<std::string, int>& names) {
  auto add = [&](const std::string& name) { return ++names[name] + SIZE + 1'000; };
  std::cout << raw << add(__FILE__) << __LINE__ << __PRETTY_FUNCTION__ << computed_in << computed_at << std::endl;
  return total(std::vector<int>{1, 2, 3});
}
`;

const OPTIONS = ["-O2", "-O0 -Wall -Wextra -Werror", "-O1 -DX=1 -UNOTHING -D_GNU_SOURCE", "-O3 -fPIC -DNDEBUG"];
const COMMANDS: readonly (readonly [compilers: string, source: string, options: readonly string[]])[] = [
  ["gcc", "unit.c", [...OPTIONS, "-O2 -g", "-g1 -O1 -std=gnu11", "-ggdb -O0 -ffunction-sections", "-S -O2 -g"]],
  ["clang-19", "unit.c", OPTIONS],
  ["g++", "unit.cpp", [...OPTIONS, "-O2 -g -std=c++17", "-g -O0 -std=gnu++20 -fno-exceptions"]],
  ["clang++-19", "unit.cpp", [...OPTIONS, "-std=c++17 -O1"]],
];

/** @returns what is written and printed */
async function compiled(compiler: string, args: readonly string[]): Promise<{ readonly object: Buffer; readonly printed: string }> {
  const { stdout, stderr } = await run(compiler, [...args, "-o", "out.o"], { cwd: root, env: { ...process.env, LC_ALL: "C" } });
  return { object: readFileSync(join(root, "out.o")), printed: stdout + stderr };
}

function lay(files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

for (const [compiler, source, all] of COMMANDS) {
  const isHere = existsSync(`/usr/bin/${compiler}`);
  for (const options of all)
    test(`${compiler} ${options} ${source}`, { skip: isHere ? false : "it is not installed" }, async () => {
      const words = [...(options.includes("-S") ? [] : ["-c"]), ...options.split(" "), "-Iinclude", "-I.", source];
      lay({ ...HEADERS, "unit.c": C, "unit.cpp": CPP });
      const expected = await compiled(compiler, [...words, "-MD", "-MF", "expected.d", "-MT", "some target"]);
      assert.equal(expected.printed, "", "nothing is to be said about this source");
      const family = compiler.startsWith("g") ? "gcc" : "clang";
      const asked = words.filter((word) => word !== "-c" && word !== "-S");
      const args = [...asked, ...textArgs(family, { headers: "all", target: "some target", phony: false }), "-MF", "text.d"];
      const { stdout, stderr } = await run(compiler, args, { cwd: root, encoding: "buffer", maxBuffer: 2 ** 28 });
      assert.equal(stderr.toString(), "");
      const read = readIncludedText(stdout, family);
      assert.ok(read.kind === "text", JSON.stringify(read));
      assert.ok(read.entered.some((name) => name.endsWith("include/computed.h")));
      assert.deepEqual(readFileSync(join(root, "text.d"), "utf8"), readFileSync(join(root, "expected.d"), "utf8"));
      rmSync(join(root, "include"), { recursive: true });
      lay({ [source]: read.text });
      assert.deepEqual(await compiled(compiler, words), expected);
    });
}

/** Why a command is not sent as a text. */
function obstacle(command: string, version = "19.1.7"): string | undefined {
  const argv = command.split(" ");
  const family = command.startsWith("clang") ? "clang" : "gcc";
  const reading = readInvocation(
    { argv, environment: new Map(), family },
    (path) => path,
    () => undefined,
  );
  assert.ok(reading.kind === "compile", command);
  return textObstacle(reading.invocation, { version });
}

test("what does not stay the same as one text is told by the command line", () => {
  assert.equal(obstacle("gcc -O2 -g -Wall -c x.c"), undefined);
  assert.equal(obstacle("clang -O2 -Wall -c x.c"), undefined);
  assert.equal(obstacle("clang -g0 -O2 -c x.c"), undefined);
  const local = [
    "gcc -g3 -c x.c",
    "gcc -g -ggdb3 -c x.c",
    "gcc -flto -c x.c",
    "gcc --coverage -c x.c",
    "gcc -include y.h -c x.c",
    "gcc -imacros y.h -c x.c",
    "gcc -finput-charset=latin1 -c x.c",
    "gcc -trigraphs -c x.c",
    "gcc -c x.S",
    "gcc -c x.i",
    "gcc -c x.m",
    "clang -g -c x.c",
    "clang -gdwarf-4 -c x.c",
    "clang -g3 -c x.c",
  ];
  for (const command of local) assert.notEqual(obstacle(command), undefined, command);
  assert.equal(obstacle("clang -c x.c", "14.0.6"), "clang 14.0.6");
  assert.equal(obstacle("gcc -c x.c", "10.2.1"), "gcc 10.2.1");
});

test("what depends on more than tokens and lines is found in the text", () => {
  const text = (code: string): string => `# 0 "x.c"\n# 0 "<built-in>"\n#define __STDC__ 1\n# 0 "<command-line>"\n# 1 "x.c"\n${code}\n`;
  const read = (code: string): unknown => readIncludedText(Buffer.from(text(code)), "gcc");
  assert.deepEqual(read('# 1 "y.h" 1\nint é;\n# 2 "x.c" 2'), {
    kind: "text",
    text: Buffer.from('# 0 "<command-line>"\n# 1 "x.c"\n# 1 "y.h" 1\nint é;\n# 2 "x.c" 2\n'),
    entered: ["y.h"],
  });
  const telling = [
    "int a = __COUNTER__;",
    "int a = __INCLUDE_LEVEL__;",
    '__asm__(".incbin \\"x\\"");',
    "#embed <x>",
    "#if __has_embed(<x>)\n#endif",
    "#assert machine(x)",
    'char *a = "??=";',
    '#pragma GCC pch_preprocess "x.gch"',
    '#pragma GCC target("avx2")',
    '_Pragma("GCC poison x")',
    '_Pragma("push_macro(\\"x\\")")',
    "#define x \\u00e9",
    '# 1 "odd\\\\name.h" 1',
  ];
  for (const code of telling) assert.equal((read(code) as { kind: string }).kind, "none", code);
  assert.equal(readIncludedText(Buffer.from("int a;\n"), "gcc").kind, "none", "not written by gcc");
});
