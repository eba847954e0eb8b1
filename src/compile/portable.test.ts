import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { placesAt, projectRoot } from "./portable.ts";

test("the most specific place names a path", () => {
  const places = placesAt({ cwd: "/home/a/p/build", projectRoot: "/home/a/p" });
  const cases: [path: string, portable: string][] = [
    ["/home/a/p/build", "\0C"],
    ["/home/a/p/build/x.o", "\0C/x.o"],
    ["/home/a/p/builder/x.o", "\0P/builder/x.o"],
    ["/home/a/p", "\0P"],
    ["/home/a/p2/x.c", "/home/a/p2/x.c"],
    ["/usr/include/stdio.h", "/usr/include/stdio.h"],
    ["../p/x.c", "../p/x.c"],
    ["home/a/p/x.c", "home/a/p/x.c"],
  ];
  for (const [path, portable] of cases) assert.equal(places.portable(path), portable);
});

test("a project root below the working directory is the more specific one", () => {
  const places = placesAt({ cwd: "/w", projectRoot: "/w/p" });
  assert.equal(places.portable("/w/p/a.c"), "\0P/a.c");
  assert.equal(places.portable("/w/b/a.o"), "\0C/b/a.o");
});

test("in the file system's root nothing has a place, and places elsewhere still resolve", () => {
  const places = placesAt({ cwd: "/", projectRoot: "/" });
  assert.equal(places.portable("/usr/x"), "/usr/x");
  assert.equal(places.resolve("\0C/x.o"), "/x.o");
  assert.equal(places.resolve("\0C"), "/");
});

test("resolving undoes the portable spelling", () => {
  const path = fc.array(fc.constantFrom("a", "ab", "b", "..", ".", "C", "P"), { maxLength: 5 }).map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(path, path, fc.oneof(path, fc.string()), (cwd, root, asked) => {
      fc.pre(!asked.startsWith("\0"));
      const places = placesAt({ cwd, projectRoot: root });
      assert.equal(places.resolve(places.portable(asked)), asked);
    }),
  );
});

const roots: [file: string, present: string[], root: string][] = [
  ["/home/u/p/src/a.c", ["/home/u/p/.git"], "/home/u/p"],
  ["/home/u/p/sub/src/a.c", ["/home/u/p/.git", "/home/u/p/sub/.git"], "/home/u/p/sub"],
  ["/home/u/p/src/a.c", ["/home/u/p/CMakeLists.txt", "/home/u/p/src/Makefile"], "/home/u/p"],
  ["/home/u/p/x/y/a.c", ["/home/u/p/Makefile", "/home/u/p/x/y/Makefile"], "/home/u/p"],
  ["/home/u/p/src/a.c", ["/home/u/.git", "/home/u/Makefile", "/.git"], "/home/u/p/src"],
  ["/tmp/p/a.c", ["/tmp/.git", "/tmp/Makefile"], "/tmp/p"],
  ["/home/u/a.c", [], "/home/u"],
  ["/a.c", ["/.git"], "/"],
  ["/home/u/p/build/../src/a.c", ["/home/u/p/.git", "/home/u/p/build/../.git"], "/home/u/p"],
  ["/home/u/p/b/c/../../src/a.c", ["/home/u/p/Makefile", "/home/u/p/b/c/../../Makefile"], "/home/u/p"],
  ["/home/u/p/build/../a.c", [], "/home/u/p"],
  ["/a/../../../b/x.c", [], "/b"],
  ["/home/u/p/build/../src/../lib/a.c", ["/home/u/p/.git"], "/home/u/p"],
];
for (const [file, present, root] of roots) {
  test(`project root of ${file} among ${present.join(" ")}`, () =>
    assert.equal(
      projectRoot(file, (path) => present.includes(path), "/home/u"),
      root,
    ));
}
