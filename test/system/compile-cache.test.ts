/**
 * The hazards of caching compiles, one by one, with real compilers. Every step compiles twice in the same place, once without Cairn
 * and once with it, and every file, message and exit code must be the same; then it must have been a hit or not, as the table says.
 * What is decided here is written down in docs/compile-cache.md.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  age,
  type Counters,
  counted,
  type Env,
  type Ran,
  run,
  type Snapshot,
  snapshot,
  TestNode,
  temporaryDirectory,
  writeFiles,
} from "./harness.ts";

type Expected = "hit" | "equivalent" | "miss" | "failed" | "direct" | `pass:${string}` | `not_stored:${string}`;

/** A file's content, a link, an empty directory, or nothing at all. */
type Content = string | { readonly link: string } | { readonly directory: true } | null;

interface Step {
  /** Written before the step, relative to its directory. */
  readonly files?: Readonly<Record<string, Content>>;
  readonly args?: readonly string[];
  readonly env?: Env;
  /** Below the test's directory; another checkout. */
  readonly directory?: string;
  readonly expect: Expected;
}

interface Hazard {
  readonly name: string;
  readonly compiler?: string;
  readonly files: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly env?: Env;
  /** The first compile is a miss that is stored unless the table says otherwise. */
  readonly first?: Expected;
  /** The compiler itself writes other bytes each time. */
  readonly volatile?: true;
  readonly steps: readonly Step[];
}

const c = "int f(void) { return 1; }\n";

/** The same project in three checkouts. */
function beside(source: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ["p", "one", "two"].flatMap((root) => [
      [`${root}/Makefile`, ""],
      [`${root}/a.c`, `${source}int g(void) { return 1; }\n`],
    ]),
  );
}

/** Directories below these are reached by names that are longer than the first one's own, and shorter than the second one's. */
const [SHORT, LONG, DEPTH] = ["short", `long-${"x".repeat(60)}`, 14];

/** So often it is looked what the daemon has counted, and so often compiled until it has counted something. */
const [LOOKS, TRIES] = [100, 10];

const hazards: readonly Hazard[] = [
  { name: "the same again", files: { "a.c": c }, args: ["-c", "a.c"], steps: [{ expect: "hit" }] },
  {
    name: "a header edited, and the edit undone",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-O2", "-c", "a.c", "-o", "a.o"],
    steps: [
      { files: { "h.h": "#define H 2\n" }, expect: "miss" },
      { files: { "h.h": "#define H 1\n" }, expect: "hit" },
      { files: { "h.h": "#define H 2\n" }, expect: "hit" },
    ],
  },
  {
    name: "a header edited and new ones found, for a request that is new: what is remembered of them is outdated",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "late/h.h": "#define H 1\n", "early/other.h": "" },
    args: ["-Iearly", "-Ilate", "-c", "a.c", "-o", "a.o"],
    steps: [
      { args: ["-o", "a.o", "-Iearly", "-Ilate", "-c", "a.c"], expect: "hit" },
      { files: { "late/h.h": "#define H 2\n" }, args: ["-Iearly", "-o", "a.o", "-Ilate", "-c", "a.c"], expect: "miss" },
      { files: { "late/h.h": "#define H 1\n" }, args: ["-Iearly", "-Ilate", "-o", "a.o", "-c", "a.c"], expect: "hit" },
      { files: { "early/h.h": "#define H 3\n" }, args: ["-c", "-Iearly", "-Ilate", "a.c", "-o", "a.o"], expect: "miss" },
      { files: { "early/h.h": null }, args: ["-c", "-o", "a.o", "-Iearly", "-Ilate", "a.c"], expect: "hit" },
      { files: { "late/h.h": null }, args: ["-c", "a.c", "-o", "a.o", "-Iearly", "-Ilate"], expect: "failed" },
    ],
  },
  {
    name: "a header touched",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-c", "a.c"],
    steps: [{ files: { "h.h": "#define H 1\n" }, expect: "hit" }],
  },
  {
    name: "a header that appears earlier on the include path",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "late/h.h": "#define H 1\n", "early/other.h": "" },
    args: ["-Iearly", "-Ilate", "-c", "a.c"],
    steps: [
      { files: { "early/h.h": "#define H 2\n" }, expect: "miss" },
      { files: { "early/h.h": null }, expect: "hit" },
    ],
  },
  {
    name: "a header that appears in an include directory that did not exist",
    files: { "a.c": "#include <h.h>\nint f(void) { return H; }\n", "late/h.h": "#define H 1\n" },
    args: ["-Iearly", "-Ilate", "-c", "a.c"],
    steps: [{ files: { "early/h.h": "#define H 2\n" }, expect: "miss" }],
  },
  {
    name: "an include directory that appears before there is a header in it",
    files: { "a.c": "#include <h.h>\nint f(void) { return H; }\n", "late/h.h": "#define H 1\n" },
    args: ["-Iearly", "-I%DIR%/early2", "-Ilate", "-c", "a.c"],
    steps: [
      { files: { "early/x": "" }, expect: "miss" },
      { files: { "early2/x": "" }, expect: "miss" },
      { files: { "early2/h.h": "#define H 3\n" }, expect: "miss" },
      { files: { "early/h.h": "#define H 2\n" }, expect: "miss" },
      { files: { "early/h.h": null }, expect: "hit" },
    ],
  },
  {
    name: "a header that appears beside its includer",
    files: { "a.c": '#include "sub/x.h"\nint f(void) { return H; }\n', "sub/x.h": '#include "h.h"\n', "inc/h.h": "#define H 1\n" },
    args: ["-Iinc", "-c", "a.c"],
    steps: [{ files: { "sub/h.h": "#define H 2\n" }, expect: "miss" }],
  },
  {
    name: "a header in the place of a directory that was passed over",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "late/h.h": "#define H 1\n", "early/h.h/x": "" },
    args: ["-Iearly", "-Ilate", "-c", "a.c"],
    steps: [
      { expect: "hit" },
      { files: { "early/h.h": "#define H 2\n" }, expect: "miss" },
      { files: { "early/h.h": { directory: true } }, expect: "hit" },
    ],
  },
  {
    name: "a header in the place of a directory that __has_include passed over",
    files: { "a.c": '#if __has_include("opt.h")\nint f(void) { return 2; }\n#else\nint f(void) { return 1; }\n#endif\n', "opt.h/x": "" },
    args: ["-c", "a.c"],
    steps: [{ files: { "opt.h": "" }, expect: "miss" }],
  },
  {
    name: "a computed include that leads where another include led",
    files: {
      "a.c": '#include "late/h.h"\n#define X <h.h>\n#include X\nint f(void) { return H; }\n',
      "late/h.h": "#ifndef H\n#define H 1\n#endif\n",
      "early/x": "",
    },
    args: ["-Iearly", "-Ilate", "-c", "a.c"],
    steps: [{ files: { "early/h.h": "#undef H\n#define H 2\n" }, expect: "miss" }],
  },
  {
    name: "an include directory that is another by way of a link, until the link is turned",
    files: { "a.c": "#include <h.h>\nint f(void) { return H; }\n", "sys/h.h": "#define H 1\n", "other/h.h": "#define H 2\n" },
    args: ["-Ifirst", "-isystem", "sys", "-c", "a.c"],
    steps: [
      { files: { first: { link: "sys" } }, expect: "miss" },
      { expect: "hit" },
      { files: { first: { link: "other" } }, expect: "miss" },
      { files: { "zero/h.h": "#define H 0\n" }, args: ["-Izero", "-Ifirst", "-isystem", "sys", "-c", "a.c"], expect: "miss" },
    ],
  },
  {
    name: "an include directory that a warning misses",
    files: { "a.c": c, "extra/x": "" },
    args: ["-Wmissing-include-dirs", "-Iextra", "-c", "a.c"],
    steps: [{ expect: "hit" }, { files: { extra: null }, expect: "miss" }],
  },
  {
    name: "two copies of a header under #pragma once",
    compiler: "clang-19",
    files: {
      "a.c": '#include "x/h.h"\n#include "y/h.h"\nint f(void) { return __COUNTER__; }\n',
      "x/h.h": "#pragma once\nenum { A = 1 };\n",
      "y/h.h": "#pragma once\nenum { A = 1 };\n",
    },
    args: ["-c", "a.c"],
    first: "failed", // Two headers for clang.
    steps: [{ files: { "y/h.h": { link: "../x/h.h" } }, expect: "not_stored:unclear_source" }],
  },
  {
    name: "a pragma that compares the age of files",
    files: { "a.c": '_Pragma("GCC dependency \\"h.h\\"")\nint f(void) { return 1; }\n', "h.h": "" },
    args: ["-c", "a.c"],
    first: "not_stored:unclear_source",
    steps: [],
  },
  {
    name: "a header that __has_include looks for",
    files: { "a.c": '#if __has_include("opt.h")\nint f(void) { return 2; }\n#else\nint f(void) { return 1; }\n#endif\n' },
    args: ["-c", "a.c"],
    steps: [
      { files: { "opt.h": "" }, expect: "miss" },
      { files: { "opt.h": null }, expect: "hit" },
    ],
  },
  {
    name: "a precompiled header that appears beside the header",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-c", "a.c"],
    steps: [{ files: { "h.h.gch": "not a precompiled header" }, expect: "miss" }],
  },
  {
    name: "a precompiled header that appears beside one that a macro names",
    files: { "a.c": '#define X "h.h"\n#include X\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-c", "a.c"],
    steps: [{ expect: "hit" }, { files: { "h.h.gch": "not a precompiled header" }, expect: "miss" }],
  },
  {
    name: ".incbin",
    files: { "a.c": 'asm(".section .rodata\\n.global blob\\nblob: .incbin \\"data.bin\\"\\n");\n', "data.bin": "one" },
    args: ["-c", "a.c"],
    steps: [{ expect: "hit" }, { files: { "data.bin": "two" }, expect: "miss" }],
  },
  {
    name: ".incbin in assembler with preprocessing",
    files: { "a.S": '.global blob\nblob: .incbin "data.bin"\n', "data.bin": "one" },
    args: ["-c", "a.S"],
    steps: [{ expect: "hit" }, { files: { "data.bin": "two!" }, expect: "miss" }],
  },
  {
    name: "an .incbin whose name is computed",
    files: { "a.c": '#define NAME "data.bin"\nasm(".incbin " "\\"" NAME "\\"");\n', "data.bin": "one" },
    args: ["-c", "a.c"],
    first: "not_stored:incbin",
    steps: [{ files: { "data.bin": "two" }, expect: "not_stored:incbin" }],
  },
  {
    name: "the assembler's .include",
    files: { "a.S": '.include "b.inc"\n', "b.inc": ".byte 1\n" },
    args: ["-c", "a.S"],
    first: "not_stored:assembler_include",
    steps: [],
  },
  {
    name: "assembler without preprocessing",
    files: { "a.s": ".global f\nf: ret\n" },
    args: ["-c", "a.s"],
    steps: [{ expect: "hit" }, { files: { "a.s": ".global g\ng: ret\n" }, expect: "miss" }],
  },
  { name: "preprocessed C", files: { "a.i": '# 1 "x.c"\nint f(void) { return 1; }\n' }, args: ["-c", "a.i"], steps: [{ expect: "hit" }] },
  {
    name: "#embed",
    compiler: "clang-19",
    files: { "a.c": 'const char d[] = {\n#embed "data.bin"\n};\n', "data.bin": "one" },
    args: ["-std=c23", "-c", "a.c"],
    steps: [{ expect: "hit" }, { files: { "data.bin": "two" }, expect: "miss" }],
  },
  {
    name: "a file that __has_embed asks for appears, is emptied, and goes; beside its includer and where one works",
    compiler: "clang-19",
    files: { "s/a.c": '#if __has_embed("d") == 1\nint d;\n#elif __has_embed("d") == 2\nint e;\n#endif\n' },
    args: ["-std=c23", "-c", "s/a.c"],
    steps: [
      { files: { d: "one" }, expect: "miss" },
      { files: { "s/d": "" }, expect: "miss" },
      { files: { d: null }, expect: "miss" },
      { files: { "s/d": null }, expect: "hit" },
    ],
  },
  {
    name: "directories for #embed",
    compiler: "clang-19",
    files: { "a.c": "const char d[] = {\n#embed <d>\n};\n", "one/x": "", "two/d": "two" },
    args: ["-std=c23", "--embed-dir=one", "--embed-dir=two", "-c", "a.c"],
    first: "not_stored:computed_lookup",
    steps: [{ files: { "one/d": "one" }, expect: "not_stored:computed_lookup" }],
  },
  {
    name: "debug information names the directory",
    files: { "a/a.c": c, "b/a.c": c },
    args: ["-g", "-c", "a.c"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "miss" },
      { directory: "a", expect: "hit" },
      { directory: "b", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "without debug information the directory does not matter",
    files: { "a/Makefile": "", "a/a.c": c, "b/Makefile": "", "b/a.c": c },
    args: ["-c", "a.c"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "a prefix map frees debug information of the directory",
    files: { "a/a.c": c, "b/a.c": c },
    args: ["-g", "-ffile-prefix-map=%DIR%=.", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "a prefix map leaves the name of the build directory",
    files: { Makefile: "", "a.c": c, "one/x": "", "two/x": "" },
    args: ["-g", "-ffile-prefix-map=%TOP%=.", "-c", "%TOP%/a.c", "-o", "a.o"],
    steps: [
      { directory: "one", expect: "miss" },
      { directory: "two", expect: "miss" },
      { directory: "one", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "prefix maps free a build beside its relative sources of the checkout",
    files: { "a/Makefile": "", "a/src/a.c": c, "a/build/x": "", "b/Makefile": "", "b/src/a.c": c, "b/build/x": "" },
    args: ["-g", "-ffile-prefix-map=%UP%=p", "-ffile-prefix-map=%DIR%=.", "-c", "../src/a.c", "-o", "a.o"],
    steps: [
      { directory: "a/build", expect: "miss" },
      { directory: "b/build", expect: "hit" },
    ],
    first: "failed",
  },
  ...(["gcc", "clang-19"] as const).map((compiler) => ({
    name: `a prefix map shortens what lies beside the checkout, too, where its name goes on from the checkout's: ${compiler}`,
    compiler,
    files: { ...beside("#include <x.h>\n"), "p-common/x.h": "static inline const char *f(void) { return __FILE__; }\n" },
    args: ["-g", "-ffile-prefix-map=%DIR%=.", "-I%TOP%/p-common", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "p", expect: "miss" as const },
      { directory: "one", expect: "miss" as const },
      { directory: "two", expect: "hit" as const },
      { directory: "p", expect: "hit" as const },
    ],
    first: "failed" as const,
  })),
  {
    name: "warnings are not moved from, or to, where a prefix map shortens what lies beside the checkout",
    files: { ...beside('#include "x.h"\nint h(void) { int unused; return 1; }\n'), "p-common/x.h": "struct x { int i; } x;\n" },
    args: ["-g", "-Wall", "-ffile-prefix-map=%DIR%=.", "-I%TOP%/p-common", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "p", expect: "miss" },
      { directory: "one", expect: "miss" },
      { directory: "two", expect: "hit" },
      { directory: "p", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "what a source names beside a checkout is shortened by a prefix map where its name goes on from the checkout's",
    files: { ...beside('#include "%TOP%/p-common/x.h"\n'), "p-common/x.h": "static inline const char *f(void) { return __FILE__; }\n" },
    args: ["-g", "-ffile-prefix-map=%DIR%=.", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "one", expect: "miss" },
      { directory: "p", expect: "miss" },
      { directory: "two", expect: "hit" },
      { directory: "p", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "a prefix map of the sources shortens a build directory beside them, where its name goes on from theirs",
    files: { ...beside(c), "p-build/x": "", "build/x": "" },
    args: [],
    steps: [
      { directory: "p-build", args: ["-g", "-ffile-prefix-map=%UP%/p=.", "-c", "%UP%/p/a.c", "-o", "a.o"], expect: "miss" },
      { directory: "build", args: ["-g", "-ffile-prefix-map=%UP%/one=.", "-c", "%UP%/one/a.c", "-o", "a.o"], expect: "miss" },
    ],
    first: "failed",
  },
  {
    name: "a prefix map of the working directory is none of the name by which somebody came there",
    files: beside(c),
    args: ["-g", "-ffile-prefix-map=%DIR%=.", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "one", env: { PWD: "%TOP%/one" }, expect: "miss" },
      { directory: "two", files: { "../link": { link: "two" } }, env: { PWD: "%TOP%/link" }, expect: "miss" },
      { directory: "two", env: { PWD: "%TOP%/one" }, expect: "hit" },
      { directory: "p", env: { PWD: "%TOP%/link" }, expect: "hit" },
    ],
    first: "failed",
  },
  ...(
    [
      ["a line directive", "a.c", '#line 5 "%TOP%/p/a.y"\nconst char *name = __FILE__;\n', ["gcc", "clang-19"], ["-g"]],
      ["a line directive of preprocessed code", "a.i", '# 5 "%TOP%/p/a.y"\nint f(void) { return 1; }\n', ["gcc"], ["-g"]],
      ["the assembler's .file", "a.s", '.file 1 "%TOP%/p/a.y"\n.loc 1 5\nf: ret\n', ["gcc", "clang-14"], []],
    ] as const
  ).flatMap(([about, source, text, compilers, args]) =>
    compilers.map((compiler) => ({
      name: `${about} that names a checkout, which is mapped: ${compiler}`,
      compiler,
      files: Object.fromEntries(["p", "one"].flatMap((root) => [`${root}/Makefile`, `${root}/${source}`].map((file) => [file, text]))),
      args: [...args, "-ffile-prefix-map=%DIR%=.", "-c", source],
      steps: [
        { directory: "one", expect: "miss" as const },
        { directory: "p", expect: "miss" as const },
        { directory: "one", expect: "hit" as const },
      ],
      first: "failed" as const,
    })),
  ),
  ...(
    [
      ["an include", '#include "%TOP%/p/x"\nint x = X;\n'],
      ["an include of what a macro names", "#define S(x) #x\n#define T(x) S(x)\n#include T(%TOP%/p/x)\nint x = X;\n"],
      ["a __has_include", '#if __has_include("%TOP%/p/y")\nint x;\n#endif\n'],
      ["an .incbin", 'asm(".incbin \\"%TOP%/p/x\\"");\n'],
    ] as const
  ).map(([about, text]) => ({
    name: `${about} of a checkout's file by its absolute name`,
    files: { ...beside(text), "p/x": "#define X 1\n", "one/x": "#define X 1\n" },
    args: ["-MD", "-c", "a.c"],
    steps: [
      { directory: "p", expect: "miss" as const },
      { directory: "one", expect: "miss" as const },
      { directory: "one", files: { "../p/x": "#define X 2\n", "../p/y": "" }, expect: "miss" as const },
    ],
    first: "failed" as const,
  })),
  // As CMake does: what macros make of a name looks like what the command names.
  {
    name: "an include of a checkout's file by an absolute name that macros make, where the command names its source like that",
    files: {
      ...beside("#define S(x) #x\n#define T(x) S(x)\n#include T(%TOP%/p/x)\nint x = X;\n"),
      "p/x": "#define X 1\n",
      "one/x": "#define X 1\n",
    },
    args: ["-MD", "-c", "%DIR%/a.c"],
    steps: [
      { directory: "p", expect: "miss" as const },
      { directory: "one", expect: "miss" as const },
      { directory: "one", files: { "../p/x": "#define X 2\n" }, expect: "miss" as const },
    ],
    first: "failed" as const,
  },
  {
    name: "a directory where a header is looked for lies in every checkout",
    files: { ...beside("#include <memory.h>\nint x;\n"), "p/inc/memory.h/x": "", "one/inc/memory.h/x": "" },
    args: ["-Iinc", "-c", "a.c"],
    steps: [
      { directory: "p", expect: "miss" as const },
      { directory: "one", expect: "hit" as const },
    ],
    first: "failed" as const,
  },
  ...(
    [
      ["gcc", ["--sysroot=%DIR%", "-I=inc"]],
      ["gcc", ["-iprefix", "%DIR%", "-iwithprefix", "inc"]],
    ] as const
  ).map(([compiler, args]) => ({
    name: `a directory for headers whose name goes on from the checkout's: ${compiler} ${args.join(" ")}`,
    compiler,
    files: { ...beside("#include <x.h>\nint x = X;\n"), "pinc/x.h": "#define X 1\n", "oneinc/x.h": "#define X 2\n" },
    args: [...args, "-c", "a.c"],
    steps: [
      { directory: "p", expect: "miss" as const },
      { directory: "p", expect: "hit" as const },
      { directory: "one", expect: "miss" as const },
    ],
    first: "failed" as const,
  })),
  ...(["-fdebug-compilation-dir=", "-ffile-compilation-dir="] as const).map((option) => ({
    name: `${option} of a directory in which the checkout lies`,
    compiler: "clang-19",
    files: {
      ...beside('#include "x.h"\nint h(void) { return f(); }\n'),
      "p/inc/x.h": "static inline int f(void) { return 1; }\n",
      "one/inc/x.h": "static inline int f(void) { return 1; }\n",
    },
    args: ["-g", `${option}%TOP%`, "-I%DIR%/inc", "-c", "a.c"],
    steps: [
      { directory: "p", expect: "miss" as const },
      { directory: "one", expect: "miss" as const },
      { directory: "p", expect: "hit" as const },
    ],
    first: "failed" as const,
  })),
  ...[
    [SHORT, LONG],
    [LONG, SHORT],
  ].map(([first = "", second = ""]) => ({
    name: `gcc names a header by its absolute name where that is shorter: first in ${first.slice(0, 8)}`,
    files: Object.fromEntries(
      [first, second].flatMap((root) => [
        [`${root}/Makefile`, ""],
        [`${root}/inc/x.h`, "static inline const char *name(void) { return __FILE__; }\n"],
        [`${root}/a.c`, "#include <x.h>\nconst char *f(void) { return name(); }\n"],
      ]),
    ),
    args: ["-MD", "-isystem", `${"../".repeat(DEPTH)}inc`, "-c", `${"../".repeat(DEPTH)}a.c`],
    steps: [first, second, first].map((root, i) => ({
      directory: root + "/d".repeat(DEPTH),
      expect: i < 2 ? ("miss" as const) : ("hit" as const),
    })),
    first: "failed" as const,
  })),
  ...["../../inc/", "..//../inc", "../../inc/../inc", "../../link/sub/..", "%UP%/../inc", "%UP%/./../inc/"].map((directory, i) => ({
    name: `a directory for headers, spelled ${directory}, in a checkout of another depth`,
    compiler: i % 2 === 0 ? "gcc" : "clang-19",
    files: Object.fromEntries(
      ["p", "another/one"].flatMap((root) => [
        [`${root}/Makefile`, ""],
        [`${root}/inc/x.h`, '#include "sub/y.h"\n'],
        [`${root}/inc/sub/y.h`, "int y;\n"],
        [`${root}/a.c`, "#include <x.h>\n"],
      ]),
    ),
    args: ["-MD", ["-I", "-isystem", "-idirafter"][i % 3] ?? "", directory, "-I../../missing", "-c", "../../a.c"],
    steps: ["p", "another/one"].map((root, at) => ({
      directory: `${root}/build/deep`,
      files: { "../../link": { link: "inc" } },
      expect: at === 0 ? ("miss" as const) : ("hit" as const),
    })),
    first: "failed" as const,
  })),
  {
    name: "a checkout that is known by the name of a link, and a header that gcc knows by its real name",
    files: Object.fromEntries(
      ["p", "one"].flatMap((root) => [
        [`${root}/real/Makefile`, ""],
        [`${root}/real/inc/x.h`, "#define X 1\n"],
        [`${root}/real/a.c`, "#include <x.h>\nint x = X;\n"],
        [`${root}/build/x`, ""],
      ]),
    ),
    args: ["-MD", "-isystem", "%UP%/the-name-of-a-link-that-is-longer/inc", "-c", "%UP%/the-name-of-a-link-that-is-longer/a.c"],
    steps: [
      { directory: "p/build", files: { "../the-name-of-a-link-that-is-longer": { link: "real" } }, expect: "miss" },
      { directory: "one/build", files: { "../the-name-of-a-link-that-is-longer": { link: "real" } }, expect: "miss" },
    ],
    first: "failed",
  },
  {
    name: "clang calls functions for other devices by the number of the source's inode",
    compiler: "clang-19",
    files: { "a.c": "int f(int *p) {\n#pragma omp target map(p[0:1])\n  p[0] = 1;\n  return 0;\n}\n" },
    args: ["-fopenmp", "-c", "a.c"],
    first: "not_stored:unclear_source",
    steps: [],
  },
  {
    name: "relative sources of a build that lies elsewhere in its checkout are others",
    files: {
      "a/Makefile": "",
      "a/src/a.c": c,
      "a/build/x": "",
      "b/Makefile": "",
      "b/src/a.c": c,
      "b/sub/src/a.c": "int f(void) { return 2; }\n",
      "b/sub/build/x": "",
    },
    args: ["-O1", "-c", "../src/a.c", "-o", "a.o"],
    steps: [
      { directory: "a/build", expect: "miss" },
      { directory: "b/sub/build", expect: "miss" },
    ],
    first: "failed",
  },
  {
    name: "__FILE__ of an absolute source",
    files: { "a/a.c": "const char *f(void) { return __FILE__; }\n", "b/a.c": "const char *f(void) { return __FILE__; }\n" },
    args: ["-c", "%DIR%/a.c"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "miss" },
      { directory: "a", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "the length of __FILE__ of an absolute source",
    files: { "a/a.c": "int f(void) { return sizeof(__FILE__); }\n", "bbb/a.c": "int f(void) { return sizeof(__FILE__); }\n" },
    args: ["-c", "%DIR%/a.c"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "bbb", expect: "miss" },
    ],
    first: "failed",
  },
  {
    name: "--coverage names the counters' file and place",
    files: { "a/a.c": c, "b/a.c": c },
    args: ["--coverage", "-frandom-seed=1", "-c", "a.c"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "miss" },
      { directory: "a", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "blank lines before code with -g",
    files: { "a.c": c },
    args: ["-g", "-c", "a.c"],
    steps: [{ files: { "a.c": `\n\n\n\n${c}` }, expect: "miss" }],
  },
  {
    name: "comments and blank lines without line information",
    files: { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-O2", "-c", "a.c", "-MD"],
    steps: [
      { files: { "h.h": "/* one */\n\n#define H 1 /* and */\n" }, expect: "equivalent" },
      { files: { "a.c": '/* said */\n#include "h.h"\n\nint f(void) { return H; }\n' }, expect: "equivalent" },
      { expect: "hit" },
      { files: { "a.c": '// said\n#include "h.h"\n\nint f(void) { return H + 1; }\n' }, expect: "miss" },
    ],
  },
  {
    name: "comments with line information, tokens unmoved",
    files: { "a.c": "int f(void) { return 1; } // one\n" },
    args: ["-g", "-c", "a.c"],
    steps: [{ files: { "a.c": "int f(void) { return 1; } // two\n" }, expect: "equivalent" }],
  },
  {
    name: "clang names lambdas by their lines",
    compiler: "clang++-19",
    files: {
      "t.h": "template <class F> const char *name(F) { return __PRETTY_FUNCTION__; }\n",
      "a.cc": '#include "t.h"\nconst char *f() { return name([] {}); }\n',
    },
    args: ["-c", "a.cc"],
    steps: [{ files: { "a.cc": '#include "t.h"\n\nconst char *f() { return name([] {}); }\n' }, expect: "miss" }],
  },
  {
    name: "blank lines where __LINE__ is used",
    files: { "a.c": "#define HERE __LINE__\nint f(void) { return HERE; }\n" },
    args: ["-c", "a.c"],
    steps: [{ files: { "a.c": "#define HERE __LINE__\n\nint f(void) { return HERE; }\n" }, expect: "miss" }],
  },
  {
    name: "a comment that begins another",
    files: { "a.c": "int f(void) { return 1; } /* one */\n" },
    args: ["-Wall", "-c", "a.c"],
    steps: [{ files: { "a.c": "int f(void) { return 1; } /* /* */\n" }, expect: "miss" }],
  },
  {
    name: "a comment that a warning reads",
    files: { "a.c": "int f(int x) { switch (x) { case 1: x++; /* fall through */\ncase 2: x++; } return x; }\n" },
    args: ["-Wextra", "-c", "a.c"],
    steps: [{ files: { "a.c": "int f(int x) { switch (x) { case 1: x++; /* something */\ncase 2: x++; } return x; }\n" }, expect: "miss" }],
  },
  {
    name: "clang keeps checksums of sources in debug information",
    compiler: "clang-19",
    files: { "a.c": "int f(void) { return 1; } // one\n" },
    args: ["-g", "-c", "a.c"],
    steps: [{ files: { "a.c": "int f(void) { return 1; } // two\n" }, expect: "miss" }],
  },
  {
    name: "a specs file",
    files: { "a.c": "int f(void) { return H; }\n", "my.specs": "*cpp:\n+ -DH=1\n\n" },
    args: ["-specs=my.specs", "-c", "a.c"],
    first: "pass:configuration_file",
    steps: [{ files: { "my.specs": "*cpp:\n+ -DH=2\n\n" }, expect: "pass:configuration_file" }],
  },
  {
    name: "a sanitizer's list",
    compiler: "clang-19",
    files: { "a.c": "int f(int *p) { return *p; }\n", "list.txt": "" },
    args: ["-fsanitize=address", "-fsanitize-ignorelist=list.txt", "-c", "a.c"],
    steps: [{ expect: "hit" }, { files: { "list.txt": "fun:f\n" }, expect: "miss" }],
  },
  {
    name: "-march=native stands for this machine",
    files: { "a.c": c },
    args: ["-march=native", "-O2", "-c", "a.c"],
    steps: [{ expect: "hit" }],
  },
  { name: "stack usage", files: { "a.c": c }, args: ["-fstack-usage", "-c", "a.c"], steps: [{ expect: "hit" }] },
  { name: "split debug information", files: { "a.c": c }, args: ["-g", "-gsplit-dwarf", "-c", "a.c"], steps: [{ expect: "hit" }] },
  {
    name: "split debug information, clang",
    compiler: "clang-19",
    files: { "a.c": c },
    args: ["-g", "-gsplit-dwarf", "-c", "a.c"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "CPATH",
    files: { "a.c": "#include <h.h>\nint f(void) { return H; }\n", "one/h.h": "#define H 1\n", "two/h.h": "#define H 2\n" },
    args: ["-c", "a.c"],
    env: { CPATH: "one" },
    steps: [
      { env: { CPATH: "two" }, expect: "miss" },
      { env: { CPATH: "one" }, expect: "hit" },
    ],
  },
  {
    name: "a response file",
    files: { "a.c": "int f(void) { return H; }\n", "args.rsp": "-DH=1 -c a.c" },
    args: ["@args.rsp"],
    steps: [{ expect: "hit" }, { files: { "args.rsp": "-DH=2 -c a.c" }, expect: "miss" }],
  },
  {
    name: "a response file that said what a command before it had said",
    files: { "a.c": "int f(void) { return H; }\n", "args.rsp": "-DH=1 -c a.c -DCASE_RSP" },
    args: ["-DCASE_RSP", "-DH=1", "-c", "a.c", "-DCASE_RSP"],
    steps: [
      { args: ["-DCASE_RSP", "@args.rsp"], expect: "hit" },
      { args: ["-DCASE_RSP", "@args.rsp"], files: { "args.rsp": "-DH=2 -c a.c -DCASE_RSP" }, expect: "miss" },
    ],
  },
  {
    name: "__TIME__",
    files: { "a.c": "const char *t = __TIME__;\n" },
    args: ["-DX", "-c", "a.c"],
    env: { SOURCE_DATE_EPOCH: "1700000000" },
    steps: [{ expect: "hit" }, { env: { SOURCE_DATE_EPOCH: "1700000001" }, expect: "miss" }],
  },
  {
    name: "__TIMESTAMP__",
    files: { "a.c": "const char *t = __TIMESTAMP__;\n" },
    args: ["-c", "a.c"],
    first: "not_stored:time_macro",
    steps: [],
  },
  {
    name: "a time macro in a comment or a string",
    files: { "a.c": 'const char *t = "__TIME__"; // __DATE__\n' },
    args: ["-c", "a.c"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "dependency file of all headers",
    files: { "a.c": '#include "h.h"\n#include <stddef.h>\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-MD", "-MF", "a.d", "-MT", "x y", "-MP", "-c", "a.c", "-o", "a.o"],
    steps: [{ expect: "hit" }, { args: ["-MD", "-MF", "b.d", "-MT", "z", "-c", "a.c", "-o", "a.o"], expect: "miss" }],
  },
  {
    name: "dependency file without system headers",
    files: { "a.c": '#include "h.h"\n#include <stddef.h>\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-MMD", "-c", "a.c", "-o", "a.o"],
    steps: [{ expect: "hit" }, { files: { "h.h": "#define H 2\n" }, expect: "miss" }],
  },
  {
    name: "dependency file without system headers, clang",
    compiler: "clang-14",
    files: { "a.c": '#include "h.h"\n#include <stddef.h>\nint f(void) { return H; }\n', "h.h": "#define H 1\n" },
    args: ["-MMD", "-MP", "-c", "a.c", "-o", "a.o"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "dependency file in another checkout",
    files: {
      "a/a.c": '#include "h.h"\n',
      "a/h.h": "",
      "bbbbbbbbbbbbbbbbbbbbbbbbbbb/a.c": '#include "h.h"\n',
      "bbbbbbbbbbbbbbbbbbbbbbbbbbb/h.h": "",
    },
    args: ["-I%DIR%", "-MD", "-MF", "a.d", "-c", "%DIR%/a.c", "-o", "%DIR%/a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "bbbbbbbbbbbbbbbbbbbbbbbbbbb", expect: "hit" },
    ],
    first: "failed",
  },
  {
    name: "warnings are repeated",
    files: { "a.c": "int f(void) { int unused; return 1; }\n" },
    args: ["-Wall", "-c", "a.c"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "a warning in another checkout names that one's source",
    files: {
      "a/Makefile": "",
      "a/src/a.c": "int f(void) { int unused; return 0; }\n",
      "b/Makefile": "",
      "b/src/a.c": "int f(void) { int unused; return 0; }\n",
    },
    args: ["-Wall", "-c", "%DIR%/src/a.c", "-o", "a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "hit" },
      { directory: "b", expect: "hit" },
      { directory: "a", expect: "hit" },
    ],
  },
  {
    name: "coloured warnings in another checkout, where its headers are included",
    files: {
      "a/Makefile": "",
      "a/h.h": "static int g(void) { return 1; }\n",
      "a/a.c": '#include "h.h"\nint f(void) { return 1; }\n',
      "b/Makefile": "",
      "b/h.h": "static int g(void) { return 1; }\n",
      "b/a.c": '#include "h.h"\nint f(void) { return 1; }\n',
    },
    args: ["-fdiagnostics-color=always", "-Wall", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "hit" },
    ],
  },
  {
    name: "a warning about a line that names another checkout",
    files: {
      "a/Makefile": "",
      "a/a.c": "int f(void) { int unused; /* see %TOP%/a/a.c */ return 0; }\n",
      "b/Makefile": "",
      "b/a.c": "int f(void) { int unused; /* see %TOP%/a/a.c */ return 0; }\n",
    },
    args: ["-Wall", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "b", expect: "miss" },
    ],
  },
  {
    name: "a warning of a source whose code knows its own name's length",
    files: {
      "a/Makefile": "",
      "a/a.c": "int f(void) { int unused; return sizeof __FILE__; }\n",
      "longer/Makefile": "",
      "longer/a.c": "int f(void) { int unused; return sizeof __FILE__; }\n",
    },
    args: ["-Wall", "-O2", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "longer", expect: "miss" },
    ],
  },
  {
    name: "warnings of a certain width in another checkout",
    files: {
      "a/Makefile": "",
      "a/a.c": "int f(void) { int unused; return 0; }\n",
      "longer/Makefile": "",
      "longer/a.c": "int f(void) { int unused; return 0; }\n",
    },
    args: ["-Wall", "-fmessage-length=40", "-c", "%DIR%/a.c", "-o", "a.o"],
    steps: [
      { directory: "a", expect: "miss" },
      { directory: "longer", expect: "miss" },
    ],
  },
  {
    name: "coloured warnings are repeated",
    files: { "a.c": "int f(void) { int unused; return 1; }\n" },
    args: ["-fdiagnostics-color=always", "-Wall", "-c", "a.c"],
    steps: [{ expect: "hit" }, { env: { GCC_COLORS: "warning=01;32" }, expect: "miss" }],
  },
  {
    name: "errors are the compiler's own",
    files: { "a.c": "int f(void) { return }\n" },
    args: ["-c", "a.c"],
    first: "failed",
    steps: [{ expect: "failed" }],
  },
  { name: "to /dev/null", files: { "a.c": c }, args: ["-c", "a.c", "-o", "/dev/null"], first: "pass:output_not_regular", steps: [] },
  {
    name: "an output directory that does not exist",
    files: { "a.c": c },
    args: ["-c", "a.c", "-o", "none/a.o"],
    first: "failed",
    steps: [],
  },
  {
    name: "an unknown option",
    files: { "a.c": c },
    args: ["-fno-such-option-at-all", "-c", "a.c"],
    first: "pass:unsupported_option",
    steps: [],
  },
  { name: "several sources", files: { "a.c": c, "b.c": "" }, args: ["-c", "a.c", "b.c"], first: "pass:multiple_source_files", steps: [] },
  { name: "intermediate files", files: { "a.c": c }, args: ["-save-temps", "-c", "a.c"], first: "pass:save_temps", steps: [] },
  {
    name: "a precompiled header is made",
    files: { "h.h": "#define H 1\n" },
    args: ["-c", "-x", "c-header", "h.h", "-o", "h.h.gch"],
    first: "pass:precompiled_header_creation",
    volatile: true,
    steps: [],
  },
  {
    name: "C++20 modules",
    compiler: "g++",
    files: { "a.cc": "int f() { return 1; }\n" },
    args: ["-std=c++20", "-fmodules-ts", "-c", "a.cc"],
    first: "pass:modules",
    steps: [],
  },
  {
    name: "link-time optimization",
    files: { "a.c": c },
    args: ["-flto", "-frandom-seed=1", "-O2", "-c", "a.c"],
    steps: [{ expect: "hit" }],
  },
  { name: "assembly output", files: { "a.c": c }, args: ["-S", "a.c"], steps: [{ expect: "hit" }] },
  {
    name: "syntax only",
    files: { "a.c": "int f(void) { int unused; return 1; }\n" },
    args: ["-Wall", "-fsyntax-only", "a.c"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "-x decides the language",
    files: { "a.txt": c },
    args: ["-x", "c", "-c", "a.txt", "-o", "a.o"],
    steps: [{ expect: "hit" }, { args: ["-x", "c++", "-c", "a.txt", "-o", "a.o"], expect: "miss" }],
  },
  {
    name: "Objective-C",
    files: { "a.m": "@interface A\n- (int)x;\n@end\nint f(void) { return 1; }\n" },
    args: ["-c", "a.m"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "C++",
    compiler: "g++",
    files: { "a.cc": "#include <vector>\nint f(std::vector<int> v) { return v.size(); }\n" },
    args: ["-O1", "-c", "a.cc"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "C++, clang",
    compiler: "clang++-19",
    files: { "a.cc": "#include <vector>\nint f(std::vector<int> v) { return v.size(); }\n" },
    args: ["-O1", "-c", "a.cc"],
    steps: [{ expect: "hit" }],
  },
  {
    name: "definitions",
    files: { "a.c": "int f(void) { return X; }\n" },
    args: ["-DX=1", "-c", "a.c"],
    steps: [
      { args: ["-DX=2", "-c", "a.c"], expect: "miss" },
      { args: ["-DX=1", "-c", "a.c"], expect: "hit" },
    ],
  },
  {
    name: "DEPENDENCIES_OUTPUT",
    files: { "a.c": c },
    args: ["-c", "a.c"],
    env: { DEPENDENCIES_OUTPUT: "deps.d" },
    first: "pass:environment",
    steps: [],
  },
  {
    name: "a name with a space, and one that is not ASCII",
    files: { "a ü.c": '#include "h h.h"\n', "h h.h": "int x;\n" },
    args: ["-MD", "-c", "a ü.c"],
    steps: [{ expect: "hit" }],
  },
];

describe("hazards of caching compiles", () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.start("hazards");
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
  });
  for (const hazard of hazards) {
    test(hazard.name, async () => {
      await play(node, hazard);
    });
  }
  test("an assembler that compresses unasked where the compiler was called", async () => {
    using directory = temporaryDirectory("compressing");
    const tool = join(directory.path, "tools/as");
    writeFiles(directory.path, { ...beside(""), "tools/as": '#!/bin/sh\nexec /usr/bin/as --compress-debug-sections "$@"\n' });
    chmodSync(tool, 0o755);
    await age();
    for (const name of ["one", "two"]) {
      const cwd = join(directory.path, name);
      const compile = { compiler: "gcc", args: ["-g", "-c", "a.c"], cwd, env: { COMPILER_PATH: dirname(tool) }, volatile: false };
      await compileBothWays(node, compile, "miss", name);
      await compileBothWays(node, compile, "hit", `${name} again`);
    }
  });
  test("a newer gcc, whose headers of C++ clang takes then", async () => {
    using directory = temporaryDirectory("beside");
    const cwd = join(directory.path, "p");
    const told = async (argument: string): Promise<string> => (await run("clang++-19", [argument], { cwd: "/" })).stdout.trim();
    const [target, resources] = [await told("-print-target-triple"), await told("-print-resource-dir")];
    const install = (version: number): void =>
      writeFiles(directory.path, {
        [`lib/gcc/${target}/${version}/crtbegin.o`]: "",
        [`include/c++/${version}/x.h`]: `int x = ${version};\n`,
      });
    install(90);
    // A clang of its own, for a gcc is looked for beside it.
    const compiler = join(directory.path, "bin/clang++");
    writeFiles(directory.path, { "p/a.cc": "#include <x.h>\n", "bin/clang++": readFileSync(join(resources, "../../../bin/clang++")) });
    chmodSync(compiler, 0o755);
    const libraries = dirname(dirname(resources));
    for (const name of readdirSync(libraries)) if (name !== "gcc") symlinkSync(join(libraries, name), join(directory.path, "lib", name));
    await age();
    const compile = { compiler, args: ["-c", "a.cc"], cwd, env: {}, volatile: false };
    await compileBothWays(node, compile, "miss", "first");
    await compileBothWays(node, compile, "hit", "again");
    install(91);
    await age();
    await compileBothWays(node, compile, "miss", "with a newer one");
    await compileBothWays(node, compile, "hit", "with a newer one again");
  });
});

describe("changes while the compiler runs", () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.start("race");
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
  });
  const slow = Array.from({ length: 1500 }, (_, i) => `int f${i}(int a) { return a * ${i} + (a % ${i + 1}); }`).join("\n");
  const source = `#include "inc/h.h"\nint f(void) { return H; }\n${slow}\n`;
  const changes: Readonly<Record<string, { now: Readonly<Record<string, Content>>; during: (directory: string) => void }>> = {
    "a link to a header is turned": {
      now: { "one.h": "#define H 1\n", "two.h": "#define H 2\n", "inc/h.h": { link: "../one.h" } },
      during: (directory) => put(directory, "inc/h.h", { link: "../two.h" }),
    },
    "a link to a directory is turned": {
      now: { "one/h.h": "#define H 1\n", "two/h.h": "#define H 2\n", inc: { link: "one" } },
      during: (directory) => put(directory, "inc", { link: "two" }),
    },
    "a directory gives way to another": {
      now: { "inc/h.h": "#define H 1\n", "two/h.h": "#define H 2\n" },
      during: (directory) => {
        renameSync(join(directory, "inc"), join(directory, "one"));
        renameSync(join(directory, "two"), join(directory, "inc"));
      },
    },
    "a header is replaced": {
      now: { "inc/h.h": "#define H 1\n", "two.h": "#define H 2\n" },
      during: (directory) => renameSync(join(directory, "two.h"), join(directory, "inc/h.h")),
    },
  };
  for (const [name, { now, during }] of Object.entries(changes)) {
    test(name, async () => {
      using directory = temporaryDirectory("race");
      const cwd = directory.path;
      mkdirSync(join(cwd, "inc"));
      for (const [path, content] of Object.entries({ "a.c": source, ...now })) put(cwd, path, content);
      await age();
      const running = node.cc("gcc", ["-O1", "-c", "a.c"], { cwd });
      await sleep(100);
      during(cwd);
      await running;
      await age();
      const compile = { compiler: "gcc", args: ["-O1", "-c", "a.c"], cwd, env: {}, volatile: false };
      rmSync(join(cwd, "a.o"));
      // Had the change come before the compiler looked, this would be a hit: either is right.
      await compileBothWays(node, compile, undefined, name);
    });
  }
});

describe("outputs that change before they are kept", () => {
  test("a wrapper that no longer waits, and a tool that works on the object", async () => {
    await using node = await TestNode.start("late");
    using directory = temporaryDirectory("late");
    const cwd = directory.path;
    const slow = Array.from({ length: 600 }, (_, i) => `int f${i}(int a) { return a * ${i} + (a % ${i + 1}); }`).join("\n");
    writeFiles(cwd, { "a.c": slow });
    await age();
    const compile = { compiler: "gcc", args: ["-O1", "-c", "a.c"], cwd, env: {}, volatile: false };
    writeFiles(cwd, { "warm.c": c });
    await node.cc("gcc", ["-c", "warm.c"], { cwd }); // Now the daemon knows the compiler and answers at once.
    const running = node.cc("gcc", compile.args, { cwd });
    await sleep(100);
    process.kill(node.pid, "SIGSTOP"); // The wrapper's patience ends after 2 s.
    await running;
    appendFileSync(join(cwd, "a.o"), "more");
    process.kill(node.pid, "SIGCONT");
    await node.counters();
    rmSync(join(cwd, "a.o"));
    await compileBothWays(node, compile, undefined, "later");
  });

  test("two compiles that write the same object", async () => {
    await using node = await TestNode.start("both");
    using directory = temporaryDirectory("both");
    const cwd = directory.path;
    writeFiles(cwd, { "a.c": c });
    for (let round = 0; round < 6; round++) {
      const compiles = [1, 2].map((level) => [`-DROUND=${round}`, `-O${level}`, "-g", "-c", "a.c", "-o", "a.o"]);
      await age();
      await Promise.all(compiles.map((args) => node.cc("gcc", args, { cwd })));
      for (const args of compiles) {
        rmSync(join(cwd, "a.o"), { force: true });
        await compileBothWays(node, { compiler: "gcc", args, cwd, env: {}, volatile: false }, undefined, `round ${round}`);
      }
    }
  });
});

describe("what lies at an output's place", () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.start("places");
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
  });
  const outputs: readonly (readonly [compiler: string, output: string, args: readonly string[], source?: string])[] = [
    ["gcc", "a.o", ["-c"]],
    ["gcc", "a.o", ["-c"], "a.S"],
    ["gcc", "a.s", ["-S"]],
    ["gcc", "a.su", ["-c", "-fstack-usage"]],
    ["gcc", "a.gcno", ["-c", "--coverage", "-frandom-seed=1"]],
    ["gcc", "a.dwo", ["-c", "-g", "-gsplit-dwarf"]],
    ["gcc", "a.d", ["-c", "-MD"]],
    ["clang-19", "a.o", ["-c"]],
    ["clang-19", "a.o", ["-c"], "a.S"],
    ["clang-14", "a.o", ["-c", "-x", "assembler"], "a.S"],
    ["clang-19", "a.s", ["-S"]],
    ["clang-19", "a.su", ["-c", "-fstack-usage"]],
    ["clang-19", "a.gcno", ["-c", "--coverage"]],
    ["clang-19", "a.dwo", ["-c", "-g", "-gsplit-dwarf"]],
    ["clang-19", "a.d", ["-c", "-MD"]],
  ];
  for (const [compiler, output, args, source = "a.c"] of outputs) {
    test(`${compiler} ${args.join(" ")} ${source}: ${output}`, async () => {
      using directory = temporaryDirectory("places");
      const cwd = directory.path;
      writeFiles(cwd, { "a.c": c, "a.S": "answer:\n  .long 42\n" });
      await age();
      const compile = { compiler, args: [...args, source], cwd, env: {}, volatile: false };
      await compileBothWays(node, compile, "miss", "first");
      const earlier: Readonly<Record<string, () => void>> = {
        "a file of others": () => {
          writeFileSync(join(cwd, output), "longer than what will be there? ".repeat(400));
          chmodSync(join(cwd, output), 0o600);
        },
        "a file with two names": () => {
          writeFileSync(join(cwd, output), "old");
          linkSync(join(cwd, output), join(cwd, "other name"));
        },
        "a link": () => {
          writeFileSync(join(cwd, "target"), "old");
          symlinkSync("target", join(cwd, output));
        },
        "a link that leads nowhere": () => symlinkSync("target", join(cwd, output)),
      };
      for (const [label, lay] of Object.entries(earlier)) {
        const prepare = (): void => {
          for (const name of [output, "target", "other name"]) rmSync(join(cwd, name), { force: true });
          lay();
        };
        await compileBothWays(node, { ...compile, prepare }, undefined, label);
      }
    });
  }
});

async function play(node: TestNode, hazard: Hazard): Promise<void> {
  using directory = temporaryDirectory("case");
  const files = Object.entries(hazard.files).map(([name, content]) => [name, content.replace("%TOP%", directory.path)] as const);
  writeFiles(directory.path, Object.fromEntries(files));
  await age();
  const first: Step = { expect: hazard.first ?? "miss" };
  // Tables whose steps name their directories have no step of their own at first.
  const steps = hazard.steps.some((step) => step.directory !== undefined) ? hazard.steps : [first, ...hazard.steps];
  for (const [i, step] of steps.entries()) {
    const cwd = join(directory.path, step.directory ?? ".");
    mkdirSync(cwd, { recursive: true });
    for (const [name, content] of Object.entries(step.files ?? {})) put(cwd, name, content);
    await age();
    // A definition of its own keeps a case from being served by another's result.
    const args = [
      `-DCASE_${hazards.indexOf(hazard)}`,
      ...(step.args ?? hazard.args).map((arg) => arg.replace("%DIR%", cwd).replace("%UP%", dirname(cwd)).replace("%TOP%", directory.path)),
    ];
    const given = Object.entries({ ...hazard.env, ...step.env });
    const env = Object.fromEntries(given.map(([name, value]) => [name, value?.replace("%TOP%", directory.path)]));
    await compileBothWays(
      node,
      { compiler: hazard.compiler ?? "gcc", args, cwd, env, volatile: hazard.volatile === true },
      step.expect,
      `step ${i}`,
    );
  }
}

function put(directory: string, name: string, content: Content): void {
  const path = join(directory, name);
  if (content === null || typeof content === "object" || lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    rmSync(path, { recursive: true, force: true });
  }
  if (content === null) return;
  if (typeof content === "string") writeFiles(directory, { [name]: content });
  else if ("link" in content) symlinkSync(content.link, path);
  else mkdirSync(path, { recursive: true });
}

/** Without Cairn, then with it: same files, same messages, same end; and counted as expected. */
async function compileBothWays(
  node: TestNode,
  compile: { compiler: string; args: readonly string[]; cwd: string; env: Env; volatile: boolean; prepare?: () => void },
  expected: Expected | undefined,
  label: string,
): Promise<void> {
  const { compiler, args, cwd, env } = compile;
  const inputs = snapshot(cwd);
  compile.prepare?.();
  const plain = await run(compiler, args, { cwd, env });
  const written = remove(cwd, inputs);
  for (let tries = 1; ; tries++) {
    const before = await node.counters();
    compile.prepare?.();
    const cached = await node.cc(compiler, args, { cwd, env });
    const changes = await settled(node, before);
    assertSame(cached, plain, remove(cwd, inputs), written, compile.volatile, label);
    const found = verdict(changes);
    // On a machine that is very busy the wrapper may not wait for the daemon.
    if (expected === undefined || found === expected || !found.startsWith("neither") || tries === TRIES) {
      if (expected !== undefined) assert.equal(found, expected, `${label}: ${JSON.stringify(changes)}`);
      return;
    }
  }
}

function assertSame(cached: Ran, plain: Ran, writtenCached: Snapshot, written: Snapshot, isVolatile: boolean, label: string): void {
  assert.deepEqual(cached, plain, `${label}: exit and messages`);
  assert.deepEqual(Object.keys(writtenCached).toSorted(), Object.keys(written).toSorted(), `${label}: names of outputs`);
  for (const [name, file] of Object.entries(written)) {
    assert.ok(isVolatile || writtenCached[name]?.content.equals(file.content), `${label}: ${name} is what the compiler writes`);
    assert.equal(writtenCached[name]?.mode, file.mode, `${label}: mode of ${name}`);
  }
}

/** What was counted, once the daemon has made up its mind: the wrapper does not wait for that forever, nor does this. */
async function settled(node: TestNode, before: Counters): Promise<Record<string, number>> {
  for (let tries = 0; ; tries++) {
    const changes = counted(before, await node.counters());
    if (!verdict(changes).startsWith("neither") || tries === LOOKS) return changes;
    await age();
  }
}

/** Removes what a compile wrote and tells what it was. */
function remove(cwd: string, inputs: Snapshot): Snapshot {
  const written: Record<string, Snapshot[string]> = {};
  for (const [name, file] of Object.entries(snapshot(cwd))) {
    if (inputs[name] !== undefined) continue;
    written[name] = file;
    rmSync(join(cwd, name));
  }
  return written;
}

function verdict(changes: Readonly<Record<string, number>>): string {
  const names = Object.keys(changes);
  const refused = names.find((name) => name.startsWith("not_stored:") || name.startsWith("pass:"));
  if (refused !== undefined) return refused;
  if (names.includes("hit_equivalent")) return "equivalent";
  if (names.includes("hit_local") || names.includes("hit_daemon")) return "hit";
  if (names.includes("compiler_failed")) return "failed";
  return names.includes("stored") ? "miss" : `neither: ${names.join(" ")}`;
}
