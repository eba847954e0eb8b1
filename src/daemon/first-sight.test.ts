import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { limits, silentLog } from "../base/index.ts";
import type { ToolchainRead } from "../contracts/index.ts";
import { FirstSight, type FirstSightParts } from "./first-sight.ts";

/** A directory with such programs. */
function directoryWith(t: TestContext, names: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), "cairn-first-sight-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of names) writeFileSync(join(directory, name), "", { mode: 0o755 });
  return directory;
}

interface Given {
  readonly identify: FirstSightParts["toolchains"]["identify"];
  readonly PATH: string;
  readonly isQuiet?: () => boolean;
  readonly now?: () => number;
}

function partsOf({ identify, PATH, isQuiet = () => true, now = () => 0 }: Given): FirstSightParts {
  return { toolchains: { identify }, log: silentLog, env: { PATH }, isQuiet, looked: () => undefined, now };
}

test("a compiler that was too busy to answer is looked at again later, and no other one", async (t) => {
  const directory = directoryWith(t, ["gcc", "clang"]);
  let [now, answers] = [0, false];
  const asked: string[] = [];
  const identify = (compiler: string): Promise<ToolchainRead> => {
    asked.push(basename(compiler));
    const reason = compiler.endsWith("gcc") && !answers ? "unknown_compiler" : "compiler_is_wrapper";
    return Promise.resolve({ kind: "unknown", reason });
  };
  const sight = new FirstSight(partsOf({ identify, PATH: directory, now: () => now }), { except: "/none" });
  const { signal } = new AbortController();
  for (let tick = 0; tick < 3; tick++) await sight.look(signal);
  assert.deepEqual(asked, ["clang", "gcc"]);
  now += limits.compilerAgainMs;
  answers = true;
  for (let tick = 0; tick < 3; tick++) await sight.look(signal);
  now += limits.compilerAgainMs;
  await sight.look(signal);
  assert.deepEqual(asked, ["clang", "gcc", "gcc"]);
});

test("usual names are looked at even while somebody builds, all others on PATH when nobody does; Cairn's own and other programs never", async (t) => {
  const own = directoryWith(t, ["gcc", "clang-19"]);
  const directory = directoryWith(t, ["gcc", "cc", "clang-19", "aarch64-linux-gnu-gcc", "g++-12", "clang-format", "gcc-ar"]);
  let isQuiet = false;
  const asked: string[] = [];
  const identify = (compiler: string): Promise<ToolchainRead> => {
    assert.equal(dirname(compiler), directory);
    asked.push(basename(compiler));
    if (asked.length === 3) isQuiet = false; // Somebody begins to build.
    return Promise.resolve({ kind: "unknown", reason: "compiler_is_wrapper" });
  };
  const sight = new FirstSight(partsOf({ identify, PATH: `${own}:${directory}`, isQuiet: () => isQuiet }), { except: own });
  const { signal } = new AbortController();
  await sight.look(signal);
  assert.deepEqual(asked, ["cc", "gcc"]);
  isQuiet = true;
  await sight.look(signal);
  assert.deepEqual(asked, ["cc", "gcc", "aarch64-linux-gnu-gcc"]);
  isQuiet = true;
  for (let tick = 0; tick < 3; tick++) await sight.look(signal);
  assert.deepEqual(asked, ["cc", "gcc", "aarch64-linux-gnu-gcc", "clang-19", "g++-12"]);
});

test("of very many compilers some are looked at", async (t) => {
  const directory = directoryWith(t, ["cc", ...Array.from({ length: limits.compilersLooked + 9 }, (_, i) => `gcc-${i}`)]);
  const asked: string[] = [];
  const identify = (compiler: string): Promise<ToolchainRead> => {
    asked.push(basename(compiler));
    return Promise.resolve({ kind: "unknown", reason: "unknown_compiler" });
  };
  await new FirstSight(partsOf({ identify, PATH: directory }), { except: "/none" }).look(new AbortController().signal);
  assert.equal(asked[0], "cc");
  assert.equal(asked.length, limits.compilersLooked);
});
