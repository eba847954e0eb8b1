/**
 * Compilers that warn about files by their absolute paths: in a second checkout the wrapper alone prints what the compiler prints there.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readHitsLog } from "../../src/wire/index.ts";
import { untilLeft } from "./checkouts-world.ts";
import { age, counted, type Env, type Ran, run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { heard } from "./sharing-world.ts";

const SOURCES = {
  Makefile: "",
  "src/own.c": "static int unused(void) { int x; return x; }\nint f(int n) { if (n = 3) return 1; return 0; }\n",
  "src/header.c": '#include "own.h"\nint f(void) { return 0; }\n',
  "inc/own.h": '#include "deep/er.h"\nstatic int in_header(void) { return 1; }\n',
  "inc/deep/er.h": "static int deeper(void) { return 1; }\n#define TWICE 1\n#define TWICE 2\n",
  "src/system.c": "#include <stdio.h>\n#include <third.h>\nint f(struct hole *h) { return h->two; }\n",
  "third/third.h": "struct hole { char one; int two; };\n",
  "src/macro.c": '#include "macro.h"\nint f(unsigned n) { return TOLD(n); }\nint g(void) { return BY_ZERO(1); }\n',
  "inc/macro.h": "#define LESS(n) ((n) < 0)\n#define TOLD(n) (LESS(n) ? 1 : 0)\n#define BY_ZERO(n) ((n) / 0)\n",
  "src/said.c": '#warning careful\n#pragma message "here"\nint f(void) { return 1 / 0; }\n',
  "src/template.cc":
    '#include "template.h"\nint f() {\n  auto told = [](int x) { return x; };\n  Told<decltype(told)> one;\n  return one.go(1);\n}\n',
  "inc/template.h":
    "template <class X> struct Told {\n  int go(int n) { X* none = nullptr; old(none); return n; }\n  template <class Y> [[deprecated]] void old(Y*) { int unused; }\n};\n",
  "src/loop.c": "void f(int *restrict a, const int *b) { for (int i = 0; i < 1000; i++) a[i] = b[i] * 3; }\n",
  "src/place.c": "static int unused(void) { return 1; }\nconst char *f(void) { return __FILE__; }\n",
};

/** Every shape of a message once with the compilers that print it in their own way: of each unit a daemon makes two records, when nobody builds. */
interface Case {
  readonly about: string;
  readonly args: (root: string) => readonly string[];
  readonly environment?: Env;
  readonly compilers: readonly string[];
}

const GCC = "gcc";
const OLDER_CLANG = "clang-14";
const CLANG = "clang-19";

const own = (root: string): string[] => ["-Wall", `${root}/src/own.c`];
const colours = (root: string): string[] => [...own(root), "-fdiagnostics-color=always"];

const MOVE: readonly Case[] = [
  { about: "of the source", args: own, compilers: [GCC, OLDER_CLANG] },
  { about: "of the source, beside its dependency file", args: (root) => [...own(root), "-MD"], compilers: [CLANG] },
  { about: "of headers", args: (root) => ["-Wall", "-I", `${root}/inc`, `${root}/src/header.c`], compilers: [GCC, CLANG] },
  { about: "of headers of a source that is named from here", args: (root) => ["-Wall", `-I${root}/inc`, "src/header.c"], compilers: [GCC] },
  {
    about: "of headers like the system's",
    args: (root) => ["-Wsystem-headers", "-Wpadded", "-isystem", `${root}/third`, `${root}/src/system.c`],
    compilers: [OLDER_CLANG],
  },
  { about: "in colours", args: colours, compilers: [GCC, CLANG] },
  { about: "in quotes of UTF-8", args: colours, environment: { LANG: "C.UTF-8" }, compilers: [GCC] },
  { about: "with links", args: (root) => [...own(root), "-fdiagnostics-urls=always"], compilers: [GCC] },
  { about: "about macros", args: (root) => ["-Wall", "-Wextra", `-I${root}/inc`, `${root}/src/macro.c`], compilers: [GCC, CLANG] },
  { about: "that the source wants", args: (root) => [`${root}/src/said.c`], compilers: [CLANG] },
  { about: "that end no compile", args: (root) => [...own(root), "-Wfatal-errors"], compilers: [GCC] },
  {
    about: "of templates",
    args: (root) => ["-Wall", "-std=c++17", "-I", `${root}/inc`, `${root}/src/template.cc`],
    compilers: [GCC, CLANG],
  },
  { about: "of an analysis", args: (root) => [...own(root), "-fanalyzer"], compilers: [GCC] },
  {
    about: "beside debug information without the place",
    args: (root) => [...own(root), "-g", `-ffile-prefix-map=${root}=.`],
    compilers: [OLDER_CLANG],
  },
  { about: "beside assembly", args: (root) => [...own(root), "-S"], compilers: [GCC] },
];

const STAY: readonly Case[] = [
  { about: "folded to a width", args: (root) => [...own(root), "-fmessage-length=70"], compilers: [GCC] },
  { about: "in the order of their paths", args: (root) => [...own(root), "-fdiagnostics-generate-patch"], compilers: [GCC] },
  { about: "with the places that links lead to", args: (root) => [...own(root), "-fdiagnostics-absolute-paths"], compilers: [CLANG] },
  { about: "with names that are shortened", args: (root) => ["-O3", "-Rpass=.*", `${root}/src/loop.c`], compilers: [CLANG] },
  { about: "beside an object that names its source", args: (root) => ["-Wall", `${root}/src/place.c`], compilers: [CLANG] },
  { about: "that quote the name of the first checkout", args: (root) => ["-Wall", `${root}/src/quoted.c`], compilers: [GCC] },
];

interface Unit {
  readonly about: string;
  readonly name: string;
  readonly compiler: string;
  readonly args: (root: string) => readonly string[];
  readonly environment: Env;
}

function unitsOf(cases: readonly Case[], called: string): Unit[] {
  return cases.flatMap(({ about, args, environment = {}, compilers }, at) =>
    compilers.map((compiler): Unit => {
      const name = `${called}-${at}-${compiler}`;
      const withOutput = (root: string): string[] => ["-c", ...args(root), "-o", `${name}.o`];
      return { about: `${compiler}: messages ${about}`, name, compiler, args: withOutput, environment: { LANG: "C", ...environment } };
    }),
  );
}

interface Left extends Ran {
  readonly object: Buffer | undefined;
  readonly dependencies: Buffer | undefined;
}

/** @param cc how the compiler is called: as it is, or by way of the wrapper */
async function compile(
  unit: Unit,
  root: string,
  cc: (compiler: string, args: readonly string[], options: { cwd: string; env: Env }) => Promise<Ran>,
): Promise<Left> {
  const [object, dependencies] = ["o", "d"].map((kind) => join(root, `${unit.name}.${kind}`));
  const read = (path = ""): Buffer | undefined => (existsSync(path) ? readFileSync(path) : undefined);
  const forget = (): void => [object, dependencies].forEach((path = "") => rmSync(path, { force: true }));
  forget();
  const ran = await cc(unit.compiler, unit.args(root), { cwd: root, env: { PWD: root, ...unit.environment } });
  const left = { ...ran, object: read(object), dependencies: read(dependencies) };
  forget();
  return left;
}

test("a second checkout is told what compilers print there, without any question", { timeout: 600_000 }, async (t) => {
  await using node = await TestNode.start("messages");
  using place = temporaryDirectory("messages-project");
  const first = join(place.path, "first");
  writeFiles(first, { ...SOURCES, "src/quoted.c": `static int unused(void) { return 1; } // as in ${first}/README\n` });
  await age();
  const [moving, staying] = [unitsOf(MOVE, "moves"), unitsOf(STAY, "stays")];
  const byWrapper = node.cc.bind(node);
  for (const unit of [...moving, ...staying]) {
    const [{ code, stderr }] = await heard(node, () => compile(unit, first, byWrapper));
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(unit.about.includes("from here") ? `${first}/inc` : first), unit.about);
  }
  await untilLeft(t, node, 2 * moving.length + staying.length);
  const copy = async (name: string): Promise<string> => {
    cpSync(first, join(place.path, name), { recursive: true });
    await age();
    return join(place.path, name);
  };
  await t.test("also where the daemon was killed", async () => {
    const second = await copy("a-second-one.with+a~longer-name");
    await node.stopDaemon("SIGKILL");
    for (const unit of moving) assert.deepEqual(await compile(unit, second, byWrapper), await compile(unit, second, run), unit.about);
    const hits = readHitsLog(readFileSync(join(node.home, "run/hits.log")));
    assert.deepEqual(
      hits.map(({ root }) => root),
      moving.map(() => second),
    );
  });
  await node.startDaemon();
  const NEVER = [
    ["two", "those that may be other ones", staying],
    ['one-"quoted\\', "those that are spelled otherwise", moving.filter((_, at) => at % 4 === 0)],
  ] as const;
  for (const [name, about, units] of NEVER) {
    await t.test(`never ${about}: in ${name}`, async () => {
      const third = await copy(name);
      const before = await node.counters();
      for (const unit of units) assert.deepEqual(await compile(unit, third, byWrapper), await compile(unit, third, run), unit.about);
      assert.equal(counted(before, await node.counters()).hit_local ?? 0, 0);
    });
  }
});
