import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clientState, layLauncher } from "./launcher.ts";

/** A package whose wrapper is built by copying its one source, so that the test needs no C compiler. */
function stage(t: TestContext): { root: string; binDir: string; env: { PATH: string } } {
  const root = mkdtempSync(join(tmpdir(), "cairn launcher-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "client"));
  mkdirSync(join(root, "path"));
  writeFileSync(join(root, "client/main.c"), "#!/bin/sh\necho one\n");
  writeFileSync(join(root, "client/build.sh"), 'cp "$(dirname "$0")/main.c" "$1" && chmod +x "$1" && echo built >>"$(dirname "$0")/log"\n');
  for (const name of ["gcc", "clang-19", "gcc-ar"]) writeFileSync(join(root, "path", name), "#!/bin/sh\n", { mode: 0o755 });
  return { root, binDir: join(root, "bin"), env: { PATH: `${join(root, "path")}:/usr/bin:/bin` } };
}

const signal = new AbortController().signal;
const builds = (root: string): number => readFileSync(join(root, "client/log"), "utf8").split("\n").length - 1;

test("builds once, and again only when the sources change", async (t) => {
  const parts = stage(t);
  assert.equal(clientState(parts), "missing");
  const first = await layLauncher(parts, signal);
  assert.deepEqual([first.built, clientState(parts), builds(parts.root)], [true, "current", 1]);
  assert.equal(execFileSync(first.path, { encoding: "utf8" }), "one\n");
  assert.equal((await layLauncher(parts, signal)).built, false);

  writeFileSync(join(parts.root, "client/main.c"), "#!/bin/sh\necho two\n");
  assert.equal(clientState(parts), "outdated");
  assert.equal((await layLauncher(parts, signal)).built, true);
  assert.equal(execFileSync(first.path, { encoding: "utf8" }), "two\n");
  assert.equal(builds(parts.root), 2);
});

test("names for the compilers that are there, and none for those that are gone", async (t) => {
  const parts = stage(t);
  const { compilersDir, compilers } = await layLauncher(parts, signal);
  assert.ok(compilers.includes("gcc") && compilers.includes("clang-19") && !compilers.includes("gcc-ar"));
  assert.equal(readlinkSync(join(compilersDir, "gcc")), "../cairn-cc");
  assert.equal(execFileSync(join(compilersDir, "gcc"), { encoding: "utf8" }), "one\n");

  rmSync(join(parts.root, "path/clang-19"));
  const env = { PATH: `${compilersDir}:${join(parts.root, "path")}` };
  assert.deepEqual((await layLauncher({ ...parts, env }, signal)).compilers, ["gcc"]);
  assert.deepEqual(readdirSync(compilersDir), ["gcc"]);
});

test("the start script is a shell script and nothing is left lying about", async (t) => {
  const parts = stage(t);
  await Promise.all([layLauncher(parts, signal), layLauncher(parts, signal)]);
  execFileSync("/bin/sh", ["-n", join(parts.binDir, "start")]);
  assert.match(readFileSync(join(parts.binDir, "start"), "utf8"), /up --json/);
  assert.deepEqual(readdirSync(parts.binDir).toSorted(), ["cairn-cc", "cairn-cc.sources", "compilers", "start"]);
});

test("a build that fails says why and leaves the old wrapper", async (t) => {
  const parts = stage(t);
  const { path } = await layLauncher(parts, signal);
  writeFileSync(join(parts.root, "client/build.sh"), 'echo "In file included from x" >&2; echo "sys.h:3: error: no stdio.h" >&2; exit 1\n');
  await assert.rejects(layLauncher(parts, signal), { code: "client-unbuildable", facts: { why: "sys.h:3: error: no stdio.h" } });
  assert.ok(existsSync(path));
  assert.deepEqual(readdirSync(parts.binDir).toSorted(), ["cairn-cc", "cairn-cc.sources", "compilers", "start"]);
});

test("trouble has a name", async (t) => {
  const parts = stage(t);
  await assert.rejects(layLauncher({ ...parts, env: { PATH: "/nowhere" } }, signal), { code: "client-unbuildable" });
  writeFileSync(join(parts.root, "file"), "");
  await assert.rejects(layLauncher({ ...parts, binDir: join(parts.root, "file/bin") }, signal), { code: "home-unwritable" });
});
