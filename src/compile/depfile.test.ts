import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import * as fc from "fast-check";
import {
  type DepfileFamily,
  type DepfileTemplate,
  depfileTemplate,
  parseDepfile,
  readTemplate,
  renderDepfile,
  writeDepfile,
} from "./depfile.ts";

const COMPILERS = [
  { command: "gcc", family: "gcc" },
  { command: "clang", family: "clang" },
  { command: "clang-14", family: "clang" },
  { command: "clang-19", family: "clang" },
] as const;

test("reads names, quoting and rules", () => {
  assert.deepEqual(parseDepfile("a.o b\\ c.o: s.c x\\#y.h \\\n z$$.h q\\\\\\ r.h d/col:on.h\n\nx\\#y.h:\nz$$.h:\n"), {
    targets: ["a.o", "b c.o"],
    dependencies: ["s.c", "x#y.h", "z$.h", "q\\ r.h", "d/col:on.h"],
    phony: ["x#y.h", "z$.h"],
  });
  assert.deepEqual(parseDepfile("c:\\foo.o: a.c\n"), { targets: ["c:\\foo.o"], dependencies: ["a.c"], phony: [] });
});

test("what is more than one rule and phony targets is not read", () => {
  const texts = [
    "",
    "a.o\n",
    "a.o: b.c",
    "a.o: $(X)\n",
    "a.o: b.c # no\n",
    "a.o: b.c\nb.o: c.c\n",
    "a.o:| b.c\n",
    "a.o: | b.c\n",
    ": a.c\n",
    "a.o: b.c\r\n",
  ];
  for (const text of [...texts, "a.o: b.c\nCXX_IMPORTS += x.c++m\n"]) assert.equal(parseDepfile(text), undefined, JSON.stringify(text));
});

test("reading undoes writing", () => {
  const name = fc
    .array(fc.constantFrom("a", "bc", "/", ".h", " ", "#", "$", "\\ ", "ü", "long-name-that-fills-lines"), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join(""))
    .filter((text) => !text.endsWith("\\"));
  const names = fc.array(name, { maxLength: 8 });
  const depfile = fc.record(
    { targets: fc.array(name, { minLength: 1, maxLength: 3 }), dependencies: names, phony: names },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(depfile, fc.constantFrom("gcc" as const, "clang" as const), fc.boolean(), (asked, family, spaced) => {
      assert.deepEqual(parseDepfile(writeDepfile(asked, { family, spaced })), asked);
    }),
  );
});

const same = (name: string): string => name;

function templateOf(text: string, family: DepfileFamily, portable: (name: string) => string): DepfileTemplate | undefined {
  const parsed = parseDepfile(text);
  assert.ok(parsed, text);
  return depfileTemplate(text, parsed, family, portable);
}

test("text that the style would write differently has no template", () => {
  assert.equal(templateOf("a.o: b.c \\\n c.h\n", "gcc", same), undefined);
  assert.equal(templateOf("a.o:  b.c\n", "clang", same), undefined);
  assert.equal(templateOf("a.o: b\ufffd.c\n", "gcc", same), undefined);
});

const ODD = [
  "plain.h",
  "with space.h",
  "has#hash.h",
  "a$dollar.h",
  "two  blanks #$.h",
  "d/col:on.h",
  "ümläut.h",
  "a.very/long/directory/name/header-file.h",
];

/** A source that includes `headers`, in a directory of its own. */
function checkout(parent: string, name: string, headers: readonly string[]): string {
  const root = join(parent, name);
  for (const header of headers) {
    mkdirSync(dirname(join(root, "inc", header)), { recursive: true });
    writeFileSync(join(root, "inc", header), "");
  }
  writeFileSync(join(root, "main file.c"), headers.map((header) => `#include "${header}"\n`).join(""));
  return root;
}

function dependencies(command: string, root: string, options: readonly string[]): string {
  const args = ["-fsyntax-only", ...options, "-MF", join(root, "out.d"), `-I${join(root, "inc")}`, join(root, "main file.c")];
  const run = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return readFileSync(join(root, "out.d"), "utf8");
}

/** Random but the same every time: which headers, how long the names of the checkouts. */
function samples(count: number): { headers: string[]; here: string; there: string }[] {
  const headers = fc.shuffledSubarray(ODD, { minLength: 1 });
  const place = fc.stringMatching(/^[a-z]{1,60}( [#$a-z]{1,9})?$/);
  return fc.sample(fc.record({ headers, here: place, there: place }), { numRuns: count, seed: 12 });
}

for (const { command, family } of COMPILERS) {
  test(`${command}: a template made in one checkout gives the dependency file of another`, (context: TestContext) => {
    if (spawnSync(command, ["--version"]).status !== 0) return context.skip(`no ${command}`);
    const scratch = mkdtempSync(join(tmpdir(), "depfile-"));
    try {
      for (const [at, { headers, here, there }] of samples(4).entries()) {
        const roots = [
          checkout(join(scratch, `${at}`), `1${here}`, headers),
          checkout(join(scratch, `${at}`), `2${there}`, headers),
        ] as const;
        for (const options of optionsFor) {
          const texts = roots.map((root) => dependencies(command, root, options(root)));
          const template = templateOf(texts[0] ?? "", family, (name) => name.replace(roots[0], "\0C"));
          assert.ok(template, texts[0]);
          assert.equal(
            renderDepfile(template, (name) => name.replace("\0C", () => roots[1])),
            texts[1],
          );
        }
      }
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
}

const optionsFor: ((root: string) => string[])[] = [
  () => ["-MD"],
  () => ["-MMD", "-MP"],
  (root) => ["-MMD", "-MQ", `${root}/x$y z.o`, "-MT", "second.o", "-MT", "third/target-of-some-length.o", "-MP"],
];

test("a template that somebody else wrote is read only if it is one", () => {
  const template = { targets: ["a.o"], dependencies: ["\0C/a.c"], phony: [], style: { family: "gcc", spaced: false } };
  assert.deepEqual(readTemplate(JSON.stringify(template)), template);
  const others = [
    "",
    "null",
    "[]",
    "{}",
    JSON.stringify({ ...template, targets: "a.o" }),
    JSON.stringify({ ...template, dependencies: [1] }),
    JSON.stringify({ ...template, phony: undefined }),
    JSON.stringify({ ...template, style: { family: "other", spaced: false } }),
    JSON.stringify({ ...template, style: { family: "gcc" } }),
  ];
  for (const text of others) assert.equal(readTemplate(text), undefined, text);
});
