import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isFitRoot, withoutRoot, withRoot } from "./moving.ts";

test("a root is marked where no name goes on behind it", () => {
  const cases: readonly (readonly [text: string, moved: string])[] = [
    ["/w/app", "\0"],
    ["/w/app/src/a.c", "\0/src/a.c"],
    ["-I/w/app/include", "-I\0/include"],
    ["/w/app:/w/app/x:/usr", "\0:\0/x:/usr"],
    ["-fdebug-prefix-map=/w/app=.", "-fdebug-prefix-map=\0=."],
    ["/w/app2/a.c /w/app-old /w/app.git /w/app_ /w/app~ /w/app+", "/w/app2/a.c /w/app-old /w/app.git /w/app_ /w/app~ /w/app+"],
    ["/w/app\u00e9/a.c", "/w/app\u00e9/a.c"],
    ["/srv/w/app/a.c", "/srv\0/a.c"],
    ['/w/app\n/w/app,/w/app"', '\0\n\0,\0"'],
    ["/w/ap", "/w/ap"],
    ["", ""],
  ];
  for (const [text, moved] of cases) assert.equal(withoutRoot(text, "/w/app"), moved, text);
  assert.equal(withoutRoot("/a/a/a/a", "/a/a"), "\0\0");
  assert.equal(withoutRoot("/a/ab/a/a", "/a/a"), "/a/ab\0");
});

test("what was moved says the same again where it came from, and moves back from anywhere", () => {
  const piece = fc.constantFrom("/w/app", "/w", "/app", "/", "a", "-", " ", "=", ":", "\u00e9", "/w/app/w/app");
  const text = fc.array(piece).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, (said) => {
      const moved = withoutRoot(said, "/w/app");
      assert.equal(withRoot(moved, "/w/app"), said);
      assert.equal(withoutRoot(withRoot(moved, "/elsewhere/$&/b"), "/elsewhere/$&/b"), moved);
    }),
  );
});

test("no root is fit that options would part, or where compilers may come from", () => {
  const unfit = [
    "/w/a b",
    "/w/a\tb",
    "/w/$a",
    "/w/a#b",
    "/w/a=b",
    "/w/a:b",
    "/usr",
    "/usr/src/app",
    "/opt/app",
    "/lib64/x",
    "/nix/store/x",
    "/us",
    "/u",
  ];
  const fit = ["/w/app", "/usr2/app", "/users/me", "/home/me/usr", "/optional", "/libs/a", "/w"];
  assert.deepEqual([unfit.filter(isFitRoot), fit.filter((root) => !isFitRoot(root))], [[], []]);
});
