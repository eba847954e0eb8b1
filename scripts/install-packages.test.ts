/** What a machine lacks is told without touching it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../test/system/harness.ts";

test("the script of system packages tells what it would do", { skip: !existsSync("/usr/bin/apt-get") && "no apt-get" }, async () => {
  const script = join(import.meta.dirname, "install-packages.sh");
  const told = await run("sh", [script, "--print"], { cwd: import.meta.dirname });
  assert.equal(told.stderr, "");
  assert.match(told.stdout, /everything is installed|gcc|apt-get/);
});
