import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findCompilers, findOnPath, isCompilerName } from "./compilers.ts";

test("names of compilers", () => {
  const yes =
    "gcc g++ cc c++ clang clang++ gcc-12 g++-12 clang-19 clang++-19 x86_64-linux-gnu-gcc x86_64-linux-gnu-g++-12 arm-none-eabi-gcc";
  const no =
    "gcc-ar gcc-ar-12 x86_64-linux-gnu-gcc-nm clang-format clang-cpp-19 clang-tidy cc1 c++filt gccgo ccache cpp c99-gcc clangd clang-19.conf";
  for (const name of yes.split(" ")) assert.ok(isCompilerName(name), name);
  for (const name of no.split(" ")) assert.ok(!isCompilerName(name), name);
});

test("the first on PATH counts, our own directory does not, however it is spelled", () => {
  const root = mkdtempSync(join(tmpdir(), "cairn-compilers-"));
  try {
    for (const directory of ["own", "a", "b"]) mkdirSync(join(root, directory));
    const program = (path: string): void => {
      writeFileSync(join(root, path), "#!/bin/sh\n");
      chmodSync(join(root, path), 0o755);
    };
    for (const path of ["own/gcc", "b/gcc", "a/clang", "b/clang"]) program(path);
    writeFileSync(join(root, "a/gcc"), "not executable");
    mkdirSync(join(root, "a/cc"));
    symlinkSync(join(root, "own"), join(root, "alias"));
    const env = { PATH: ["alias", "a", "missing", "b"].map((name) => join(root, name)).join(":") };
    assert.deepEqual(findCompilers(env, join(root, "own")), [
      { name: "clang", path: join(root, "a/clang") },
      { name: "gcc", path: join(root, "b/gcc") },
    ]);
    assert.equal(findOnPath("gcc", env), join(root, "alias/gcc"));
    assert.equal(findOnPath("gcc", env, join(root, "own")), join(root, "b/gcc"));
    assert.equal(findOnPath("tcc", env), undefined);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
