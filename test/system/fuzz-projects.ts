/**
 * What is fuzzed: small real projects, and two made up of everything that has ever misled a compiler cache.
 *
 * Knows: where sources lie, how their files are compiled. Does not know: edits, flags of chance.
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileNode, type Node, type Tree } from "./fuzz-tree.ts";
import { checkout } from "./harness.ts";

export type UnitLanguage = "c" | "c++" | "asm";

export interface Unit {
  /** Relative to the tree. */
  readonly source: string;
  readonly language: UnitLanguage;
}

export interface Project {
  readonly name: string;
  readonly tree: Tree;
  readonly units: readonly Unit[];
  /** Directories for -I, relative to the tree. */
  readonly includes: readonly string[];
  readonly flags: readonly string[];
  /** From where compilers may be called; "" is the tree itself, none is deeper than one level. */
  readonly directories: readonly string[];
}

const SOURCES: ReadonlyMap<string, UnitLanguage> = new Map([
  [".c", "c"],
  [".cc", "c++"],
  [".cpp", "c++"],
  [".cxx", "c++"],
  [".S", "asm"],
]);
const KEPT = new Set([...SOURCES.keys(), ".h", ".hh", ".hpp", ".inc", ".def"]);
const FILE_BYTES_MOST = 400_000;

/** Room for outputs, and a directory that is looked into before all others. */
const ROOM: Readonly<Record<string, string>> = { "early/kept.txt": "", "out/kept.txt": "", "build/kept.txt": "", "build2/kept.txt": "" };

const DIRECTORIES: readonly string[] = ["", "", "build", "build2"];
const LEVELDB = "node_modules/classic-level/deps/leveldb/leveldb-1.20";
const SNAPPY = "node_modules/classic-level/deps/snappy";

export const projectNames: readonly string[] = ["maze-c", "maze-c++", "snappy", "leveldb"];

/** @param name one of `projectNames`, or a directory with C or C++ sources */
export function projectOf(name: string): Project {
  if (name === "maze-c") return made(name, mazeC());
  if (name === "maze-c++") return made(name, mazeCpp());
  if (name === "leveldb") {
    const tree = readTree(join(checkout, LEVELDB));
    const units = unitsOf(tree).filter(({ source }) => /^(util|table)\/(?!.*(_test|_bench|testutil|testharness|env_))/.test(source));
    return {
      name,
      tree,
      units,
      includes: ["early", ".", "include"],
      flags: ["-DLEVELDB_PLATFORM_POSIX", "-DOS_LINUX"],
      directories: DIRECTORIES,
    };
  }
  if (name === "snappy") {
    const tree = readTree(join(checkout, SNAPPY));
    const units = unitsOf(tree).filter(({ source }) => !/test/.test(source));
    return { name, tree, units, includes: ["early", "linux", "snappy"], flags: ["-DHAVE_CONFIG_H"], directories: DIRECTORIES };
  }
  const tree = readTree(name);
  const units = unitsOf(tree);
  const includes = ["early", "include", "src", "library"].filter((directory) =>
    [...tree.keys()].some((path) => path.startsWith(`${directory}/`)),
  );
  return { name, tree, units, includes: [...includes, "."], flags: [], directories: DIRECTORIES };
}

function readTree(root: string): Tree {
  const tree = new Map<string, Node>(Object.entries(ROOM).map(([path, text]) => [path, fileNode(text)]));
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !KEPT.has(extname(entry.name)) || lstatSync(path).size > FILE_BYTES_MOST) continue;
    tree.set(path.slice(root.length + 1), fileNode(readFileSync(path)));
  }
  return tree;
}

function unitsOf(tree: Tree): Unit[] {
  const units: Unit[] = [];
  for (const source of tree.keys()) {
    const language = SOURCES.get(extname(source));
    if (language !== undefined) units.push({ source, language });
  }
  return units;
}

function made(name: string, files: Readonly<Record<string, Node | string>>): Project {
  const tree = new Map(Object.entries(files).map(([path, node]) => [path, typeof node === "string" ? fileNode(node) : node]));
  const units = unitsOf(tree).filter(({ source }) => source.startsWith("src/"));
  return { name, tree, units, includes: ["early", "inc", "inc2", "inclink"], flags: [], directories: [...DIRECTORIES, "src"] };
}

/** Headers of every kind; the same for C and C++. */
function headers(): Record<string, Node | string> {
  const many = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [
      `inc/many/m${i}.h`,
      `#ifndef M${i}_H\n#define M${i}_H\n/* number ${i} */\n${i > 0 ? `#include "m${i - 1}.h"\n` : ""}#define M${i} ${i}\nstatic inline int m${i}(int a) { return a + M${i}; }\n#endif\n`,
    ]),
  );
  return {
    ...many,
    Makefile: "all:\n",
    ...ROOM,
    "inc/util.h": '#ifndef UTIL_H\n#define UTIL_H\n#include "config.h"\n/* says inc */\n#define UTIL 1\n#endif\n',
    "inc2/util.h": "#ifndef UTIL_H\n#define UTIL_H\n#define UTIL 2\n#endif\n",
    "src/sub/util.h": "#ifndef UTIL_H\n#define UTIL_H\n#define UTIL 3 // nearest\n#endif\n",
    "inc/config.h":
      '#ifndef CONFIG_H\n#define CONFIG_H\n#ifndef LIMIT\n#define LIMIT 4\n#endif\n#if __has_include("opt.h")\n#include "opt.h"\n#endif\n#ifdef FEATURE\n#include "feature.h"\n#endif\n#endif\n',
    "inc2/feature.h": "#define FEATURE_LEVEL 2\n",
    "inc/wrap.h": "#define WRAP_OUTER 1\n#include_next <wrap.h>\n",
    "inc2/wrap.h": "#define WRAP_INNER 2\n",
    "inc/once.h": "#pragma once\nenum { ONCE = 7 };\n#define ONCE_LIMIT 3\n",
    "inc/list.def": "X(alpha, 1)\nX(beta, 2) /* second */\nX(gamma, 3)\n",
    "inc/impl_a.h": "#define IMPL_KIND 1\n",
    "inc2/impl_b.h": "#define IMPL_KIND 2\n",
    "inc/choose.h": "#if LIMIT > 100\n#define IMPL <impl_b.h>\n#else\n#define IMPL <impl_a.h>\n#endif\n",
    "inc2/real.h": "#define REAL_VALUE 5\n",
    "inc/alias.h": { kind: "link", to: "../inc2/real.h" },
    inclink: { kind: "link", to: "inc2" },
    "gen/version.h": '#define VERSION "1.0"\n#define BUILD 1\n',
    "inc/says.h":
      '#include <assert.h>\n#define HERE __LINE__\n#define WHERE __FILE__ ":" STR_(HERE)\n#define STR_(x) STR__(x)\n#define STR__(x) #x\n#define CHECK(x) assert((x) && "checked")\n',
    "data/blob.bin": "one two three",
  };
}

function mazeC(): Record<string, Node | string> {
  return {
    ...headers(),
    "src/plain.c": '#include "util.h"\n/* plain */\nint plain(int a) { return a + UTIL + LIMIT; }\n',
    "src/next.c": "#include <wrap.h>\nint next(void) { return WRAP_OUTER + WRAP_INNER; }\n",
    "src/computed.c": '#include "config.h"\n#include "choose.h"\n#include IMPL\nint computed(void) { return IMPL_KIND; }\n',
    "src/xmacro.c":
      '#define X(name, value) name = value,\nenum kinds {\n#include "list.def"\n};\n#undef X\nint xmacro(void) { return alpha + beta + gamma; }\n',
    "src/once.c": '#include "once.h"\n#include "../inc/once.h"\nint once(void) { return ONCE + ONCE_LIMIT; }\n',
    "src/sub/deep.c": '#include "util.h"\n#include "../../inc/many/m5.h"\nint deep(int a) { return m5(a) + UTIL; }\n',
    "src/many.c": '#include "many/m11.h"\nint many(int a) { return m11(m10(a)); }\n',
    "src/link.c": '#include "alias.h"\n#include "../inclink/wrap.h"\nint link_(void) { return REAL_VALUE + WRAP_INNER; }\n',
    "src/says.c": '#include "says.h"\nconst char *where(void) { return WHERE; }\nint says(int a) { CHECK(a > 0); return a; }\n',
    "src/gen.c": '#include "../gen/version.h"\nconst char *version(void) { return VERSION; }\nint build(void) { return BUILD; }\n',
    "src/embed.c":
      '__asm__(".section .rodata\\n.global blob\\nblob: .incbin \\"data/blob.bin\\"\\n.previous\\n");\nint embed(void) { return 1; }\n',
    "src/warns.c":
      "int warns(int a) {\n  int unused;\n  switch (a) {\n  case 1:\n    a++; /* fall through */\n  case 2:\n    a++;\n  }\n  if (a)\n    a++;\n  return a;\n}\n",
    "src/asm.S": '#include "../inc/once.h"\n.global asm_\nasm_: ret /* comment */\n.byte ONCE_LIMIT\n',
  };
}

function mazeCpp(): Record<string, Node | string> {
  return {
    ...headers(),
    "inc/tmpl.h":
      "#ifndef TMPL_H\n#define TMPL_H\ntemplate <class T, int N>\nstruct Box {\n  T value[N];\n  T sum() const { T s{}; for (auto v : value) s += v; return s; }\n};\ntemplate <class F>\nauto call(F f, int a) { return f(a); }\ntemplate <class T>\nconst char *name(T) { return __PRETTY_FUNCTION__; }\n#endif\n",
    "inc/checked.h":
      "#ifndef CHECKED_H\n#define CHECKED_H\n#include <cassert>\ntemplate <class F>\nint checked(F f, int a) { assert(a > 0); return f(a); }\n#endif\n",
    "src/tmpl.cc":
      '#include "tmpl.h"\n#include "util.h"\nint tmpl() {\n  Box<int, 4> box{{1, 2, 3, UTIL}};\n  return box.sum() + call([](int a) { return a + 1; }, 2);\n}\n',
    "src/named.cc": '#include "tmpl.h"\nconst char *named() { return name([](int a) { return a; }); }\n',
    "src/checked.cc": '#include "checked.h"\nint use(int a) {\n  return checked([](int b) { return b * 2; }, a);\n}\n',
    "src/raw.cc": '#include "many/m3.h"\nconst char *raw() { return R"x(a /* b */ "c"\n// d)x"; }\nint sep() { return 1\'000 + m3(1); }\n',
    "src/says.cc": '#include "says.h"\nconst char *where() { return WHERE; }\nint says(int a) { CHECK(a > 0); return a; }\n',
    "src/virtual.cc":
      "namespace { struct Hidden { virtual ~Hidden() {} virtual int f() { return 1; } }; }\ninline namespace v1 { struct Base { virtual int f(); virtual ~Base(); }; }\nint Base::f() { return 2; }\nBase::~Base() {}\nint use() { Hidden h; Base &b = *new Base; return h.f() + b.f(); }\n",
    "src/next.cc":
      '#include <wrap.h>\n#include "config.h"\n#include "choose.h"\n#include IMPL\nint next() { return WRAP_OUTER + WRAP_INNER + IMPL_KIND; }\n',
    "src/where.cc":
      "#if __cplusplus > 201703L\n#include <source_location>\nint here(std::source_location at = std::source_location::current()) { return at.line(); }\n#else\nint here(int at = __builtin_LINE()) { return at; }\n#endif\nint where() { return here(); }\n",
  };
}
