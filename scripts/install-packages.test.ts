/** What a machine lacks is told without touching it. */
import assert from "node:assert/strict";
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run, temporaryDirectory, writeFiles } from "../test/system/harness.ts";

const skip = !existsSync("/usr/bin/apt-get") && "no apt-get";
const script = join(import.meta.dirname, "install-packages.sh");

test("the script of system packages tells what it would do", { skip }, async () => {
  const told = await run("sh", [script, "--print"], { cwd: import.meta.dirname });
  assert.equal(told.stderr, "");
  assert.match(told.stdout, /everything is installed|gcc|apt-get/);
});

test("what tests are skipped without is listed and installed apart", { skip }, async () => {
  using programs = temporaryDirectory("packages");
  writeFiles(programs.path, { "dpkg-query": "#!/bin/sh\nexit 1\n" }); // Nothing is installed.
  chmodSync(join(programs.path, "dpkg-query"), 0o755);
  const env = { PATH: `${programs.path}:${process.env.PATH ?? ""}` };
  const { code, stdout } = await run("sh", [script, "--print"], { cwd: import.meta.dirname, env });
  assert.equal(code, 0);
  const [needed = [], optional = []] = [...stdout.matchAll(/^ {2}apt-get install .*recommends (.*)$/gm)].map(([, names = ""]) =>
    names.split(" "),
  );
  assert.ok(needed.includes("gcc") && !needed.includes("gradle"), stdout);
  assert.ok(optional.includes("bazel-bootstrap") && optional.includes("gradle") && !optional.includes("gcc"), stdout);
  for (const name of [...needed, ...optional]) assert.ok(stdout.includes(`\n  ${name} `), name);
});
