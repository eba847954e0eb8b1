import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import * as fc from "fast-check";
import { identifiersOf, type TokensOf, tokensOf } from "./tokens.ts";

const tokens = (text: string): TokensOf | undefined => tokensOf(Buffer.from(text));
function certain(text: string): TokensOf {
  const found = tokens(text);
  assert.ok(found, JSON.stringify(text));
  return found;
}

const same: [kind: "exact" | "layout", one: string, other: string][] = [
  ["exact", "int a; // one\n", "int a; // two words\n"],
  ["exact", "int /* x */ a;\n", "int         a;\n"],
  ["exact", "/* one\n two */\nint a;\n", "/* three\n*/\nint a;\n"],
  ["exact", "int a;\n", "int a;   \n"],
  ["exact", "\tint a; /* one\n two */\n", "\tint a;\n\n"],
  ["exact", 'f("/*", \'"\'); // "\n', 'f("/*", \'"\'); //\n'],
  ["layout", "int a;\n//\nint b;\n", "// intro\n\nint a;\n\n/* more\n of it */\nint b; // end\n"],
  ["layout", "#define A(x) \\\n  f(x)\nint a;\n", "#define A(x) \\\n  f(x)\n\n\nint a;\n"],
  ["layout", "int a = 1'000'000;\n", "\nint a = 1'000'000; \n"],
];
for (const [kind, one, other] of same) {
  test(`${kind} is the same for ${JSON.stringify(one)} and ${JSON.stringify(other)}`, () =>
    assert.equal(certain(one)[kind], certain(other)[kind]));
}

const different: [kind: "exact" | "layout", one: string, other: string][] = [
  ["exact", "int a;\n", "\nint a;\n"],
  ["exact", "int a;\n", "int  a;\n"],
  ["layout", "int a;\n", " int a;\n"],
  ["layout", "\tint a;\n", " int a;\n"],
  ["layout", "a b\n", "a\nb\n"],
  ["layout", "a b\n", "ab\n"],
  ["layout", "a+ +b\n", "a++b\n"],
  ["layout", "#define f (x)\n", "#define f(x)\n"],
  ["layout", "#define A \\\n\nb\n", "#define A \\\nb\n"],
  ["layout", 'R"(\n\n)"\n', 'R"(\n)"\n'],
  ["layout", 'R"( // a\n)"\n', 'R"( // b\n)"\n'],
  ["layout", 'u8R"x()" // a\n)x"\n', 'u8R"x()" // b\n)x"\n'],
  ["layout", 'f("// a");\n', 'f("// b");\n'],
  ["layout", "/* fall through */\nx\n", "/* falls over */\nx\n"],
  ["layout", "/* FALLTHRU */\nx\n", "\nx\n"],
  ["layout", "// \u202e\nx\n", "//\nx\n"],
  ["layout", "/* /* */\nx\n", "/* */\nx\n"],
  ["layout", "int a; //\n", "int a;\n"], // The first one may be an error in strict C90.
  ["exact", "int a;\n", "int a;"],
];
for (const [kind, one, other] of different) {
  test(`${kind} differs for ${JSON.stringify(one)} and ${JSON.stringify(other)}`, () =>
    assert.notEqual(certain(one)[kind], certain(other)[kind]));
}

const doubtful = [
  "a ??/\nb\n",
  "// one \\\ntwo\n",
  "/* one \\\n*/\n",
  "/\\\n/ comment\n",
  "ab\\\ncd\n",
  "#define A \\ \nb\n",
  "int a;\r\n",
  "\0",
  "a \x1b\n",
  "#error don't\n",
  "'unterminated\n",
  '"unterminated\n',
  "/* unterminated\n",
  'R"(unterminated\n',
  "#include <a//b.h>\n",
  "#include <a/*b.h>\n",
  "#if __has_include(<a//b.h>)\n#endif\n",
  "#include \\\n <a//b.h>\n",
  '#include "a\\"\n',
  "#define A /* \n */ 1\n",
  "foo /*\n*/ #define X\n",
  "#define A \\\n/* \n */ 1\n",
  "int a = 1'000; /*'*/\n",
  "don't do what you can't\n",
  '"one \\\ntwo"\n',
];
for (const text of doubtful) test(`no fingerprint for ${JSON.stringify(text)}`, () => assert.equal(tokens(text), undefined));

test("identifiers come from code alone", () => {
  assert.deepEqual([...(identifiersOf(Buffer.from('int a1 = f("no"); // not\n#define B __LINE__ /* nor */\n')) ?? [])].toSorted(), [
    "B",
    "__LINE__",
    "a1",
    "define",
    "f",
    "int",
  ]);
});

const STATEMENTS = [
  'puts("/* no comment */ // nor this");',
  "putchar('\\''); putchar('\"');",
  "#define TWICE(x) \\\n  ((x) + \\\n   (x))\n  n += TWICE(1);",
  "#undef TWICE",
  "#ifdef NEVER\n  nothing /* here */ matters\n#endif",
  "if (n)   puts(STRING(a   b));",
  "n = n / 2 *n;",
  "n += '//' + 0x1f;",
  "for (;;) { break; }",
];

const program = (body: string): string => `// c\n#include <stdio.h>\n#define STRING(x) #x\nint f(int n)\n{\n${body}  return n;\n}\n`;

/** A program, and the same with other comments and blank lines in places where they mean nothing. */
const pair = fc
  .array(
    fc.record({
      statement: fc.constantFrom(...STATEMENTS),
      above: fc.array(fc.constantFrom("", "// line ' \"", "  /* block */", "/* two\n   lines ' */", "\f", "    "), { maxLength: 3 }),
      behind: fc.constantFrom("", " ", " // why", "\t/* because */", " /* of\n this */", " // \" ' /"),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((lines) => {
    const plain = lines.map(({ statement }) => `  ${statement}\n`).join("");
    // In place: the line numbers stay too.
    const inPlace = lines.map(({ statement, behind }) => `  ${statement}${behind.includes("\n") ? "" : behind}\n`).join("");
    const spread = lines
      .map(({ statement, above, behind }) => `${above.map((line) => `${line}\n`).join("")}  ${statement}${behind}\n`)
      .join("");
    return { plain: program(plain), inPlace: program(inPlace), spread: program(spread) };
  });

test("comments and blank lines that mean nothing leave the fingerprints alone", () => {
  fc.assert(
    fc.property(pair, ({ plain, inPlace, spread }) => {
      assert.equal(certain(plain).exact, certain(inPlace).exact);
      assert.equal(certain(plain).layout, certain(spread).layout);
    }),
  );
});

function available(command: string): boolean {
  return spawnSync(command, ["--version"]).status === 0;
}

/** The object that `text` compiles to in `directory`, and whether anything was said. */
function compiled(directory: string, text: string, options: readonly string[]): { object: Buffer; silent: boolean } {
  writeFileSync(join(directory, "program.c"), text);
  const run = spawnSync("gcc", ["-Wall", "-Wextra", "-Wno-multichar", ...options, "-c", "program.c"], { cwd: directory, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr + text);
  return { object: readFileSync(join(directory, "program.o")), silent: run.stderr === "" };
}

test("gcc makes the same object: of the same layout without -g, of the same tokens with -g", (context: TestContext) => {
  if (!available("gcc")) return context.skip("no gcc");
  const directory = mkdtempSync(join(tmpdir(), "tokens-"));
  try {
    fc.assert(
      fc.property(pair, ({ plain, inPlace, spread }) => {
        assert.deepEqual(compiled(directory, plain, []), compiled(directory, spread, []));
        assert.deepEqual(compiled(directory, plain, ["-g3"]), compiled(directory, inPlace, ["-g3"]));
      }),
      { numRuns: 6, endOnFailure: true },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const FRAGMENTS = [
  ..."/* */ // \" ' \\ < > 1 a x ( ) , ; # + - \f".split(" "),
  ..."\n|\n|\n|  | |\t|\\\n|\\n|1'0|0x1'f|R\"(|)\"|u8R\"x(|)x\"|// c|/* c */|/* c\n d */|'a'|\"s\"|L'|%:|don't|S(|Y(".split("|"),
  "\n#define X ",
  "\n#if 0\n",
  "\n#endif\n",
  "\n#include <a//b.h>",
  "\n# /* */ define Y(a) #a\n",
  "\n#error don't\n",
  "fall through",
];
const INSERTS = [" ", "\n", "// z\n", "/*z*/", "z", "\t", "/*\n*/", "\\\n", "//", "\n\n", "'", '"', "/* it's */", '// "\n'];

/** Scraps in no sensible order, and an edit of them: whatever gets equal fingerprints must be equal to the preprocessor. */
const edit = fc
  .tuple(fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 20 }), fc.nat(), fc.constantFrom(...INSERTS), fc.nat(3))
  .map(([scraps, where, insert, removed]) => {
    const one = `#define S(x) #x\n${scraps.join("")}\n`;
    const at = 16 + (where % (one.length - 15));
    return { one, other: one.slice(0, at) + insert + one.slice(at + removed) };
  })
  .filter(({ one, other }) => one !== other && tokens(one) !== undefined && tokens(one)?.layout === tokens(other)?.layout);

/** What the preprocessor makes of `text`; undefined when it complains: such runs are never kept. */
function preprocessed(directory: string, text: string, lines: boolean): string | undefined {
  writeFileSync(join(directory, "scraps.cc"), text);
  const run = spawnSync("g++", ["-E", "-dD", "-undef", "-Wall", "-Wextra", "scraps.cc"], { cwd: directory, encoding: "latin1" });
  if (run.status !== 0 || run.stderr !== "") return undefined;
  const own = run.stdout.slice(run.stdout.lastIndexOf("#define S(x)"));
  return lines ? own : own.replace(/^# \d.*$/gm, "").replace(/\s+/g, " ");
}

test("equal fingerprints of arbitrary scraps mean the same to the preprocessor", (context: TestContext) => {
  if (!available("g++")) return context.skip("no g++");
  const directory = mkdtempSync(join(tmpdir(), "tokens-"));
  try {
    fc.assert(
      fc.property(edit, ({ one, other }) => {
        const lines = tokens(one)?.exact === tokens(other)?.exact;
        assert.equal(preprocessed(directory, one, lines), preprocessed(directory, other, lines));
      }),
      { numRuns: 25, endOnFailure: true },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const REAL = [
  "/usr/include/stdio.h",
  "/usr/include/stdlib.h",
  "/usr/include/math.h",
  "/usr/include/elf.h",
  "/usr/include/c++/12/bits/stl_vector.h",
  "/usr/include/c++/12/bits/regex.tcc",
];

test("real headers with their comments emptied", (context: TestContext) => {
  const found = REAL.filter((path) => existsSync(path));
  if (!available("g++") || found.length === 0) return context.skip("no g++ or no headers");
  const directory = mkdtempSync(join(tmpdir(), "tokens-"));
  try {
    let compared = 0;
    for (const path of found) {
      const real = readFileSync(path, "latin1");
      const emptied = real.replace(/^(\s*)\/\*[^*@\\<]*\*\/$/gm, "$1").replace(/\/\/ [\w ,.]+$/gm, "//");
      assert.notEqual(real, emptied);
      if (tokens(real)?.layout !== tokens(emptied)?.layout) continue; // Some comments are kept on purpose.
      compared++;
      const tokensIn = (text: string): string => {
        writeFileSync(join(directory, "header.h"), text, "latin1");
        const run = spawnSync("g++", ["-E", "-P", "-w", "-x", "c++", "header.h"], {
          cwd: directory,
          encoding: "latin1",
          maxBuffer: 1 << 26,
        });
        return run.stdout.replace(/\s+/g, " ");
      };
      assert.equal(tokensIn(real), tokensIn(emptied));
    }
    assert.ok(compared > 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
