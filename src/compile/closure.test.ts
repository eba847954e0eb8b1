import assert from "node:assert/strict";
import { test } from "node:test";
import { closureOf, forgetClosures } from "./closure.ts";
import { headerMacros, headerMacrosOf } from "./header-macros.ts";
import { scanSource } from "./scan.ts";

const SEARCH = { quote: ["q"], angle: ["one", "/two"], missing: [], duplicates: [] };

interface Case {
  readonly files: Readonly<Record<string, string>>;
  readonly defines?: readonly string[];
  readonly forced?: readonly string[];
  readonly known?: readonly string[];
}

/** What belongs to `main.c`, sorted. */
function closure({ files, defines = [], forced = [], known = [] }: Case): string {
  const at = (path: string): Buffer | undefined => (files[path] === undefined ? undefined : Buffer.from(files[path]));
  const found = closureOf({
    source: "main.c",
    forcedIncludes: forced,
    macros: headerMacrosOf(defines),
    known,
    search: SEARCH,
    files: {
      content: (path) => files[path],
      scan: (path) => scanSource(at(path) ?? Buffer.alloc(0)),
      macros: (path) => headerMacros(at(path) ?? Buffer.alloc(0)),
    },
  });
  return (found ?? []).toSorted().join(" ");
}

const CASES: readonly (Case & { readonly what: string; readonly expected: string })[] = [
  { what: "nothing", files: { "main.c": "int x;" }, expected: "main.c" },
  {
    what: "beside the file that asks first, then where quotes are looked for, then where brackets are",
    files: {
      "main.c": '#include "sub/a.h"\n#include "b.h"\n#include <b.h>',
      "sub/a.h": '#include "c.h"',
      "sub/c.h": "",
      "q/b.h": "",
      "one/b.h": "",
      "/two/b.h": "",
    },
    expected: "main.c one/b.h q/b.h sub/a.h sub/c.h",
  },
  {
    what: "in a branch that is not taken",
    files: { "main.c": "#if 0\n#include <a.h>\n#endif", "/two/a.h": "" },
    expected: "/two/a.h main.c",
  },
  {
    what: "the next one of a name is any of them",
    files: { "main.c": "#include <a.h>", "one/a.h": "#include_next <a.h>", "/two/a.h": "" },
    expected: "/two/a.h main.c one/a.h",
  },
  {
    what: "asked for, and there twice",
    files: { "main.c": "#if __has_include(<a.h>)\n#endif", "one/a.h": "", "/two/a.h": "" },
    expected: "/two/a.h main.c one/a.h",
  },
  {
    what: "named by a macro of a file, whatever the order",
    files: {
      "main.c": '#include "set.h"\n#include NAME',
      "set.h": '#ifdef X\n#define NAME "x.h"\n#else\n# define NAME <y.h>\n#endif',
      "x.h": "",
      "one/y.h": "",
    },
    expected: "main.c one/y.h set.h x.h",
  },
  {
    what: "named by an option",
    files: { "main.c": "#include NAME", "one/z.h": "" },
    defines: ["-DNAME=<z.h>"],
    expected: "main.c one/z.h",
  },
  {
    what: "included by an option",
    files: { "main.c": "", "f.h": '#include "g.h"', "g.h": "" },
    forced: ["f.h"],
    expected: "f.h g.h main.c",
  },
  { what: "included by gcc itself", files: { "main.c": "", "one/stdc-predef.h": "" }, expected: "main.c one/stdc-predef.h" },
  {
    what: "known from before, and gone",
    files: { "main.c": "", "old.h": '#include "older.h"', "older.h": "" },
    known: ["old.h", "gone.h"],
    expected: "main.c old.h older.h",
  },
  {
    what: "known where a macro names headers: what would have been found before it, too",
    files: {
      "main.c": '#include "sub/a.h"',
      "sub/a.h": "#include NAME(x)",
      "sub/x.h": "",
      "q/x.h": "",
      "one/x.h": '#include "y.h"',
      "one/y.h": "",
      "/two/x.h": "",
      "one/z.h": "",
    },
    known: ["/two/x.h"],
    expected: "/two/x.h main.c one/x.h one/y.h q/x.h sub/a.h sub/x.h",
  },
  {
    what: "embedded",
    files: { "main.c": '#embed "a.bin"\n__asm__(".incbin \\"b.bin\\"");', "a.bin": "", "b.bin": "" },
    expected: "a.bin b.bin main.c",
  },
  {
    what: "in a circle",
    files: { "main.c": '#include "a.h"', "a.h": '#include "b.h"', "b.h": '#include "a.h"' },
    expected: "a.h b.h main.c",
  },
];

for (const { what, expected, ...given } of CASES) test(`files of a compile: ${what}`, () => assert.equal(closure(given), expected));

test("what was found is found anew when a file has changed or gone", () => {
  const files: Record<string, string> = { "main.c": "#include <a.h>", "one/a.h": "1", "/two/a.h": "2" };
  assert.equal(closure({ files }), "main.c one/a.h");
  delete files["one/a.h"];
  assert.equal(closure({ files }), "/two/a.h main.c");
  files["one/a.h"] = "3"; // It has come back; nobody looks for it again until something is known to be amiss.
  forgetClosures();
  assert.equal(closure({ files }), "main.c one/a.h");
  files["main.c"] = "";
  assert.equal(closure({ files }), "main.c");
});
