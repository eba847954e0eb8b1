import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type SourceScan, scanSource } from "./scan.ts";

const scan = (text: string): SourceScan => scanSource(Buffer.from(text));
const spelled = (text: string): string[] =>
  scan(text).includes.map(
    ({ form, next, name }) => `${next ? "next " : ""}${form === "quote" ? `"${name}"` : form === "angle" ? `<${name}>` : "?"}`,
  );

const directives: [text: string, found: string[]][] = [
  ["#include <stdio.h>\n", ["<stdio.h>"]],
  ['#include"a.h"', ['"a.h"']],
  ["  #\tinclude_next <a/b.h> // why\n", ["next <a/b.h>"]],
  ['#import "objc.h"\n', ['"objc.h"']],
  ["/* one */ # /* two\n lines */ include /* three */ <x.h>\n", ["<x.h>"]],
  ["int a; /* ends\n here */ #include <x.h>\n", ["<x.h>"]],
  ["%:include <digraph.h>\n??=include <trigraph.h>\n", ["<digraph.h>", "<trigraph.h>"]],
  ['#inc\\\nlude \\\n  "joined.h"\n# \\ \ninclude <blank.h>\n', ['"joined.h"', "<blank.h>"]],
  ["\ufeff#include <bom.h>\n", ["<bom.h>"]],
  ["#include NAME\n#include_next NAME(x)\n", ["?", "next ?"]],
  ["#includes <no.h>\n#define X include\nx #include <no.h>\n", []],
  ["// #include <no.h>\n/* \n#include <no.h>\n*/\n", []],
  ['const char *glob = "/*";\n#include <yes.h>\n/* */\n', ["<yes.h>"]],
  ["// it's /* no comment\n#include <yes.h>\n/* */\n", ["<yes.h>"]],
  ["#error don't /* here\n#include <yes.h>\n/* */\n", ["<yes.h>"]],
  ["int x = 1'000; /*'*/\n#include <yes.h>\n/* */\n", ["<yes.h>"]],
  ['auto s = R"x(/* )" )x";\n#include <yes.h>\n/* */\n', ["<yes.h>"]],
  ['#include "süß.h"\n', ['"süß.h"']],
  ["#include <crlf.h>\r\n#include \\\r\n <joined.h>\r\n", ["<crlf.h>", "<joined.h>"]],
];
for (const [text, found] of directives) {
  test(`directives of ${JSON.stringify(text)}`, () => {
    assert.deepEqual(spelled(text), found);
    assert.equal(scan(text).unsure, false);
  });
}

test("probes are found wherever a header name is asked for", () => {
  const found = scan(`
#if defined(__has_include) && __has_include(<a.h>) || __has_include ( "b.h" )
#elif __has_include_next(<c.h>) && QT_HAS_INCLUDE(<d.h>)
#endif
#define WRAPPED(x) __has_include(x)
#ifndef __has_include
#define __has_include(x) 0
#endif
#define LATER __has_include(<e.h>)
`);
  const names = found.probes.map(({ form, next, name }) => `${form} ${next} ${name}`).toSorted();
  assert.deepEqual(names, ["angle false a.h", "angle false d.h", "angle false e.h", "angle true c.h", "quote false b.h"]);
  assert.deepEqual(scan("#if __has_include(NAME)\n#endif\n").probes, [{ form: "computed", next: false, name: "" }]);
});

test("embedded files", () => {
  const found = scan('#embed "a.bin" limit(3)\n#if __has_embed(<b.bin>)\n#endif\n#embed NAME\n');
  assert.deepEqual(
    found.embeds.map(({ form, name }) => `${form} ${name}`),
    ["quote a.bin", "computed NAME", "angle b.bin"],
  );
});

const times: [text: string, macros: string[]][] = [
  ["const char *d = __DATE__ __TIME__;", ["__DATE__", "__TIME__"]],
  ["f(__TIMESTAMP__)", ["__TIMESTAMP__"]],
  ["__TI\\\nME__", ["__TIME__"]],
  ["/* __DATE__ */ // __TIME__\n", []],
  ["\"__DATE__\" '__TIME__'", []],
  ["my__DATE__ __DATE__2 __TIME", []],
  ["#define don't\n__DATE__", ["__DATE__"]],
  ['R"(\n)" __DATE__', ["__DATE__"]],
  ["1'000'000 __DATE__ '", ["__DATE__"]],
  ["/* __DATE__", ["__DATE__"]],
];
for (const [text, macros] of times) test(`time macros of ${JSON.stringify(text)}`, () => assert.deepEqual(scan(text).timeMacros, macros));

const assembler: [text: string, incbin: string[], computed: boolean, include: boolean][] = [
  ['.incbin "a.bin"\n', ["a.bin"], false, false],
  ['asm(".incbin \\"a.bin\\"\\n");', ["a.bin"], false, false],
  ['asm("x:\\n.INCBIN \\"a\\"");', ["a"], false, false],
  ['asm(".incbin\\t\\"a\\"");', [], true, false],
  ['asm(R"(.incbin "raw.bin", 4)");', ["raw.bin"], false, false],
  ['#define I(f) asm("nop\\n.incbin \\"" f "\\"")', [], true, false],
  [".incbin FILE\n", [], true, false],
  ["x.incbin = p->y.incbin; z().include;", [], false, false],
  ["struct s v = { .include = 1 };\n", [], false, false],
  ["/* see .incbin for that */", [], false, false],
  ['.include "macros.inc"\n', [], false, true],
  ["  .include NAME\n", [], false, true],
  ['asm(".include \\"m.inc\\"");', [], false, true],
];
for (const [text, incbin, computed, include] of assembler) {
  test(`assembler inclusions of ${JSON.stringify(text)}`, () => {
    const found = scan(text);
    assert.deepEqual([found.incbin, found.incbinComputed, found.asmInclude], [incbin, computed, include]);
  });
}

test("what cannot be trusted is said to be", () => {
  for (const text of ["#inc??/\nlude <x.h>\n", "int a;\r#include <x.h>\r", '#include "a\\\\b.h"\n', "\0", "#pragma GCC dependency <x>\n"]) {
    assert.equal(scan(text).unsure, true, JSON.stringify(text));
  }
  assert.equal(scan("#pragma once\n").once, true);
  assert.equal(scan("void f(int line = __builtin_LINE());").callerLocation, true);
});

test("comments, blanks and joined lines around a directive never hide it", () => {
  const gap = fc
    .array(fc.constantFrom(" ", "\t", "/**/", "/* ' \" */", "\\\n", "/* // */", "\f"), { maxLength: 5 })
    .map((parts) => parts.join(""));
  const before = fc.array(
    fc.constantFrom(
      "// don't\n",
      "/* can't \" */\n",
      'char c = \'"\'; char *s = "//\\"/*";\n',
      "\n",
      "int i = 0x1'f;\n",
      'auto r = R"(")";\n',
      "#if 0\nit's\n#endif\n",
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(before, gap, gap, gap, fc.constantFrom('"a.h"', "<a.h>"), before, (lines, one, two, three, name, after) => {
      assert.deepEqual(spelled(`${lines.join("")}${one}#${two}include${three}${name}\n${after.join("")}`), [name]);
    }),
  );
});

const lines: [text: string, isAbsolute: boolean][] = [
  ['#line 5 "/w/p/a.y"\n', true],
  ['  %: line 5 "/w/p/a.y"\n', true],
  ['# 1 "/w/p/a.c" 1 3 4\n', true],
  ["#line 5 NAME\n", true],
  ['#line 5 "\\57w/p/a.y"\n', true],
  ['asm(".file 1 \\"/w/p/a.y\\"");\n', true],
  ['.linefile 1 "/w/p/a.y"\n', true],
  ['#line 5\n#line 6 "a.y" // why\n#line 7 "../a/b.y"\n', false],
  ['# 0 "<built-in>"\n# 1 "a.c" 2\n# 1 "/usr/include/stdio.h" 1 3 4\n', false],
  ["# 64 bits, says the assembler\n", false],
  ['/*\n#line 5 "/w/p/a.y"\n*/\nint x = a.file + "/w"[0];\n', false],
];
for (const [text, isAbsolute] of lines) {
  test(`lines that are named in ${JSON.stringify(text)}`, () => {
    assert.equal(scan(text).absoluteLines, isAbsolute);
  });
}

test("a pragma that reads what no dependency file names", () => {
  assert.equal(scan('#pragma GCC pch_preprocess "x.h.gch"\n').unsure, true);
});
