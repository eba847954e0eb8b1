import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import * as fc from "fast-check";
import { parseDepfile } from "./depfile.ts";
import { absentLookups, type LookupArgs, type Lookups } from "./lookups.ts";
import { scanSource } from "./scan.ts";

type Tree = Readonly<Record<string, string>>;

/** Lookups in a tree held in memory; everything in `inputs` was read. */
function look(
  tree: Tree,
  inputs: readonly string[],
  args: Partial<Omit<LookupArgs, "search">> & { search?: Partial<LookupArgs["search"]> } = {},
): Lookups {
  return absentLookups({
    source: "src/main.c",
    forcedIncludes: [],
    inputs: ["src/main.c", ...inputs],
    scans: (path) => (tree[path] === undefined ? undefined : scanSource(Buffer.from(tree[path]))),
    embedDirectories: false,
    cwd: "/w",
    exists: (path) => tree[path] !== undefined || Object.keys(tree).some((file) => file.startsWith(`${path}/`)),
    ...args,
    search: isWhole(args.search) ? args.search : { quote: [], angle: [], missing: [], duplicates: [], ...args.search },
  });
}

/** Walks along the same search path share what they remember of it: who gives a whole one wants that. */
function isWhole(search: Partial<LookupArgs["search"]> | undefined): search is LookupArgs["search"] {
  return search?.missing !== undefined && search.duplicates !== undefined;
}

const headers = (paths: readonly string[]): string[] => paths.filter((path) => !path.endsWith(".gch"));

test("a quoted name is looked for beside its includer, then in every directory up to where it was", () => {
  const tree = { "src/main.c": '#include "x.h"\n', "b/x.h": "" };
  const { absent, present } = look(tree, ["b/x.h"], { search: { quote: ["q/", "./q2"], angle: ["a", "b", "c"] } });
  const candidates = ["src/x.h", "q/x.h", "q2/x.h", "a/x.h", "b/x.h"];
  assert.deepEqual(headers(absent), candidates.slice(0, 4));
  assert.deepEqual(absent.filter((path) => path.endsWith(".gch")).toSorted(), candidates.map((path) => `${path}.gch`).toSorted());
  assert.deepEqual(present, []);
});

test("a name in brackets only in the directories, and no precompiled header below the first level", () => {
  const tree = { "src/main.c": "#include <x.h>\n", "b/x.h": "#include <y.h>\n", "c/y.h": "" };
  const { absent } = look(tree, ["b/x.h", "c/y.h"], { search: { quote: ["q"], angle: ["a", "b", "c"] } });
  assert.deepEqual(headers(absent), ["a/x.h", "a/y.h", "b/y.h"]);
  assert.ok(!absent.includes("c/y.h.gch"));
});

test("what was found out for one unit is nothing to the next along the same search path", () => {
  const search = { quote: [], angle: ["a", "b"], missing: ["m"], duplicates: [] };
  const lookups = (inputs: readonly string[], there: readonly string[]): Lookups =>
    absentLookups({
      source: "main.c",
      forcedIncludes: [],
      inputs: ["main.c", ...inputs],
      scans: (path) => scanSource(Buffer.from(path === "main.c" ? "#include <x.h>\n#if __has_include(<y.h>)\n#endif\n" : "")),
      search,
      embedDirectories: false,
      cwd: "/w",
      exists: (path) => there.includes(path),
    });
  const first = lookups(["b/x.h"], ["b/x.h", "b/y.h"]);
  assert.deepEqual([headers(first.absent), first.present, first.appeared], [["m", "a/x.h", "a/y.h"], ["b/y.h"], false]);
  const second = lookups(["a/x.h"], ["a/x.h", "a/y.h", "a/x.h.gch", "m"]);
  assert.deepEqual([headers(second.absent), second.present, second.appeared], [["b/y.h"], ["a/x.h.gch", "a/y.h"], true]);
  assert.deepEqual(lookups(["b/x.h"], ["b/x.h", "b/y.h"]), first);
});

test("what a macro of the source names may be precompiled, wherever it was looked for; what one of a header names not", () => {
  const search = { angle: ["a", "b"] };
  const tree = { "src/main.c": "#include NAME\n", "b/x.h": "", "b/x.h.gch": "" };
  const { absent, present } = look(tree, ["b/x.h"], { search });
  assert.deepEqual(absent.toSorted(), ["a/x.h", "a/x.h.gch", "src/x.h", "src/x.h.gch"]);
  assert.deepEqual(present, ["b/x.h.gch"]);
  const deeper = { "src/main.c": '#include "y.h"\n', "src/y.h": "#include NAME\n", "b/x.h": "", "b/x.h.gch": "" };
  assert.deepEqual(look(deeper, ["src/y.h", "b/x.h"], { search }).present, []);
});

test("directives that the preprocessor skipped contribute nothing", () => {
  const tree = { "src/main.c": '#ifdef NEVER\n#include "no.h"\n#include <also-no.h>\n#endif\n', "a/also-no.h": "" };
  const { absent, present } = look(tree, [], { search: { angle: ["a"] } });
  assert.deepEqual([absent, present], [[], []]);
});

test("#include_next reaches past the file it stands in", () => {
  const tree = { "src/main.c": "#include <m.h>\n", "a/m.h": "#include_next <m.h>\n", "c/m.h": "" };
  assert.deepEqual(headers(look(tree, ["a/m.h", "c/m.h"], { search: { angle: ["a", "b", "c"] } }).absent), ["b/m.h"]);
});

test("__has_include: what was not there, and what was", () => {
  const tree = { "src/main.c": '#if __has_include(<o.h>) || __has_include("p.h")\n#endif\n', "b/o.h": "" };
  const { absent, present, unknown } = look(tree, [], { search: { angle: ["a", "b"] } });
  assert.deepEqual([headers(absent).toSorted(), present, unknown], [["a/o.h", "a/p.h", "b/p.h", "src/p.h"], ["b/o.h"], false]);
  assert.equal(look({ "src/main.c": "#if __has_include(NAME)\n#endif\n" }, []).unknown, true);
});

test("forced includes are looked for in the working directory, then like quoted ones", () => {
  const tree = { "src/main.c": "", "a/f.h": "", "g.h": "", "g.h.gch": "" };
  const { absent, present } = look(tree, ["a/f.h", "g.h"], { forcedIncludes: ["f.h", "./g.h"], search: { quote: ["q"], angle: ["a"] } });
  assert.deepEqual(absent.filter((path) => !path.includes(".h.")).toSorted(), ["f.h", "q/f.h"]);
  assert.ok(absent.includes("g.h.pch"));
  assert.deepEqual(present, ["g.h.gch"]);
});

test("inputs that no directive names are explained by where they lie", () => {
  const tree = { "src/main.c": "#include NAME\n", "b/sub/x.h": "", "/usr/include/stdc-predef.h": "" };
  const { absent } = look(tree, ["b/sub/x.h", "/usr/include/stdc-predef.h"], { search: { angle: ["a", "b", "/usr/include"] } });
  assert.deepEqual(headers(absent).toSorted(), ["a/stdc-predef.h", "a/sub/x.h", "b/stdc-predef.h", "src/stdc-predef.h", "src/sub/x.h"]);
});

test("an input under a name that no directive explains: every directive may have led there", () => {
  const tree = { "src/main.c": "#include <link.h>\n", "b/link.h": "", "/real/target.h": "" };
  const { absent, present } = look(tree, ["/real/target.h"], { search: { angle: ["a", "b"] } });
  assert.deepEqual([absent, present], [["a/link.h"], ["b/link.h"]]);
});

test("a second copy under #pragma once counts as read", () => {
  const tree = { "src/main.c": '#include "o.h"\n#include <a/o.h>\n', "src/o.h": "#pragma once\n", "b/a/o.h": "#pragma once\n" };
  const { absent, present } = look(tree, ["src/o.h"], { search: { angle: ["c", "b"] } });
  assert.deepEqual([headers(absent), present], [["c/a/o.h"], ["b/a/o.h"]]);
});

test("missing directories are absences, directories of the header's name are not", () => {
  const tree = { "src/main.c": "#include <x>\n", "a/x/file": "", "b/x": "" };
  assert.deepEqual(headers(look(tree, ["b/x"], { search: { angle: ["a", "b"], missing: ["./gone", "/gone"] } }).absent), ["gone", "/gone"]);
});

const includesOf = (lines: readonly [boolean, string][]): string => lines.map(([q, n]) => `#include ${q ? `"${n}"` : `<${n}>`}\n`).join("");

test("agrees with a plain model of the compiler's search", () => {
  const name = fc.constantFrom("x.h", "y.h", "s/z.h");
  const directory = fc.constantFrom("", "src/", "a/", "b/", "s/");
  const body = fc.array(fc.tuple(fc.boolean(), name), { maxLength: 3 });
  const trees = fc.array(fc.tuple(directory, name, body), { maxLength: 8 });
  fc.assert(
    fc.property(body, trees, fc.subarray(["a", "b", "."]), fc.subarray(["a/", "b", "s"]), (main, files, quote, angle) => {
      const includes = new Map<string, [boolean, string][]>([
        ["src/main.c", main],
        ...files.map(([d, n, b]): [string, [boolean, string][]] => [d + n, b]),
      ]);
      const inputs: string[] = [];
      const absent = new Set<string>();
      const visit = (path: string): void => {
        if (inputs.includes(path)) return;
        inputs.push(path);
        for (const [quoted, wanted] of includes.get(path) ?? []) {
          const places = [...(quoted ? [path.slice(0, path.lastIndexOf("/") + 1), ...quote] : []), ...angle];
          const candidates = places.map((place) => (place === "" || place === "." ? "" : `${place}/`.replace("//", "/")) + wanted);
          const found = candidates.findIndex((candidate) => includes.has(candidate));
          if (found === -1) continue; // As if it stood in a conditional.
          for (const candidate of candidates.slice(0, found)) absent.add(candidate);
          visit(candidates[found] ?? "");
        }
      };
      visit("src/main.c");
      const tree = Object.fromEntries([...includes].map(([path, lines]) => [path, includesOf(lines)]));
      const found = look(tree, inputs.slice(1), { search: { quote, angle } });
      assert.deepEqual(
        headers(found.absent)
          .filter((path) => !path.endsWith(".pch"))
          .toSorted(),
        [...absent].toSorted(),
      );
      assert.deepEqual(found.present, []);
    }),
  );
});

test("what walks along one search path have left changes nothing for the next", () => {
  const name = fc.constantFrom("x.h", "s/z.h");
  const directory = fc.constantFrom("", "a/", "b/");
  const line = fc.tuple(fc.constantFrom("quoted", "angle", "next", "computed", "probe"), name);
  const body = fc.array(line, { maxLength: 3 });
  const texts: Readonly<Record<string, (wanted: string) => string>> = {
    quoted: (wanted) => `#include "${wanted}"\n`,
    angle: (wanted) => `#include <${wanted}>\n`,
    next: (wanted) => `#include_next <${wanted}>\n`,
    computed: () => "#include NAME\n",
    probe: (wanted) => `#if __has_include(<${wanted}>)\n#endif\n`,
  };
  const textOf = (lines: readonly [string, string][]): string => lines.map(([form, wanted]) => texts[form]?.(wanted)).join("");
  const unit = fc.record({
    source: fc.constantFrom("main.c", "src/main.c"),
    main: body,
    files: fc.array(fc.tuple(directory, name, body), { maxLength: 5 }),
    read: fc.array(fc.nat(3), { maxLength: 3 }),
    forced: fc.subarray(["x.h"]),
  });
  fc.assert(
    fc.property(
      fc.array(unit, { minLength: 2, maxLength: 5 }),
      fc.subarray(["a", "b", "."]),
      fc.subarray(["a/", "b", "/w/b"], { minLength: 1 }),
      (units, quote, angle) => {
        const search = { quote, angle, missing: ["m"], duplicates: [] };
        for (const { source, main, files, read, forced } of units) {
          const tree = { ...Object.fromEntries(files.map(([at, wanted, lines]) => [at + wanted, textOf(lines)])), [source]: textOf(main) };
          const inputs = [source, ...new Set(read.flatMap((at) => Object.keys(tree)[at] ?? []))];
          const args = { source, inputs, forcedIncludes: forced };
          assert.deepEqual(look(tree, [], { ...args, search }), look(tree, [], { ...args, search: { ...search } }));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

/** What the compiler read, and what strace saw it look for in vain, in a real tree. */
function traced(root: string, command: string, args: readonly string[]): { inputs: string[]; missed: Set<string> } {
  const trace = join(root, "trace");
  const run = spawnSync("strace", ["-f", "-o", trace, "-e", "trace=file", command, "-fsyntax-only", "-MD", "-MF", "out.d", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(run.status, 0, run.stderr);
  const missed = [...readFileSync(trace, "utf8").matchAll(/"([^"]*\.h(?:\.gch|\.pch)?)".*ENOENT/g)].map(([, path = ""]) =>
    path.replace(/^\.\//, ""),
  );
  return { inputs: parseDepfile(readFileSync(join(root, "out.d"), "utf8"))?.dependencies.slice() ?? [], missed: new Set(missed) };
}

const FILES: Tree = {
  "src/main.c": '#include "one.h"\n#include <two.h>\n#if __has_include(<opt.h>) || __has_include("sub/opt.h")\n#endif\n#include NAME\n',
  "inc/one.h": '#include "deep/three.h"\n',
  "inc/deep/three.h": '#include "four.h"\n',
  "q/four.h": "",
  "sys/two.h": "#include_next <two.h>\n",
  "sys2/two.h": "",
  "sys2/five.h": "",
  "forced/f.h": "",
};

for (const command of ["gcc", "clang-19"]) {
  test(`${command}: everything it looked for in vain is an absence`, (context: TestContext) => {
    if (spawnSync(command, ["--version"]).status !== 0 || spawnSync("strace", ["-V"]).status !== 0)
      return context.skip(`no ${command} or strace`);
    const root = mkdtempSync(join(tmpdir(), "lookups-"));
    try {
      for (const [path, text] of Object.entries(FILES)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      }
      const { inputs, missed } = traced(root, command, [
        "-nostdinc",
        "-iquote",
        "q",
        "-Iinc",
        "-Igone",
        "-isystem",
        "sys",
        "-isystem",
        "sys2",
        "-Iforced",
        "-include",
        "f.h",
        "-DNAME=<five.h>",
        "src/main.c",
      ]);
      const found = absentLookups({
        source: "src/main.c",
        forcedIncludes: ["f.h"],
        inputs,
        scans: (path) => scanSource(readFileSync(join(root, path))),
        search: { quote: ["q"], angle: ["inc", "forced", "sys", "sys2"], missing: ["gone"], duplicates: [] },
        embedDirectories: false,
        cwd: root,
        exists: (path) => existsSync(join(root, path)),
      });
      for (const path of missed) {
        // The default locations of stdc-predef.h do not come from the search path: -nostdinc took it away.
        if (!path.startsWith("/")) assert.ok(found.absent.includes(path), `${path} of ${[...missed].join(" ")}`);
      }
      assert.ok(missed.size > 8);
      assert.ok(found.absent.includes("gone"));
      for (const path of found.absent) assert.ok(!existsSync(join(root, path)));
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

test("what #embed and __has_embed look for: beside the includer, then where one works", () => {
  const tree = { "src/main.c": '#if __has_embed("a.bin")\n#embed "b.bin"\n#endif\n#embed <c.bin>\n', "b.bin": "", "a.bin": "" };
  const found = look(tree, ["b.bin"]);
  assert.deepEqual([found.absent, found.present, found.unknown], [["src/b.bin", "src/a.bin"], ["a.bin"], false]);
  assert.equal(look(tree, ["b.bin"], { embedDirectories: true }).unknown, true);
});
