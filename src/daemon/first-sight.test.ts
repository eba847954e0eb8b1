import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { limits, silentLog } from "../base/index.ts";
import type { ToolchainRead } from "../contracts/index.ts";
import { FirstSight } from "./first-sight.ts";

test("a compiler that was too busy to answer is looked at again later, and no other one", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-first-sight-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of ["gcc", "clang"]) {
    writeFileSync(join(directory, name), "");
    chmodSync(join(directory, name), 0o755);
  }
  let [now, answers] = [0, false];
  const asked: string[] = [];
  const identify = (compiler: string): Promise<ToolchainRead> => {
    asked.push(basename(compiler));
    const reason = compiler.endsWith("gcc") && !answers ? "unknown_compiler" : "compiler_is_wrapper";
    return Promise.resolve({ kind: "unknown", reason });
  };
  const parts = { toolchains: { identify }, log: silentLog, env: { PATH: directory }, looked: () => undefined, now: () => now };
  const sight = new FirstSight(parts);
  const { signal } = new AbortController();
  for (let tick = 0; tick < 3; tick++) await sight.look(signal);
  assert.deepEqual(asked, ["gcc", "clang"]);
  now += limits.compilerAgainMs;
  answers = true;
  for (let tick = 0; tick < 3; tick++) await sight.look(signal);
  now += limits.compilerAgainMs;
  await sight.look(signal);
  assert.deepEqual(asked, ["gcc", "clang", "gcc"]);
});
