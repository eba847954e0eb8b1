import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExecutorAction } from "../contracts/index.ts";
import { checkAction } from "./action-check.ts";

function reasonOf(path: string): string | undefined {
  const action: ExecutorAction = {
    program: "/program",
    arguments: [],
    environment: new Map(),
    cwd: path,
    toolchain: undefined,
    inputs: [],
    directories: [],
    outputs: [],
    limits: { cpuMs: 1, wallMs: 1, memoryBytes: 1, processes: 1, fileBytes: 1, outputBytes: 1, printedBytes: 1 },
  };
  return checkAction(action)?.reason;
}

const normal = ["/", "/a", "/a/b", "/...", "/a../b", "/.a/..b", "/a.", "/ ", "/a\nb", `/${"x".repeat(255)}`, `/a/${"é".repeat(127)}/b`];
const others = ["", "a", "//", "/a/", "//a", "/a//b", "/.", "/..", "/a/.", "/a/..", "/./a", "/../a", "/a/../b", "/a\0b"];
const long = [`/${"x".repeat(256)}`, `/a/${"é".repeat(128)}/b`, "/long".repeat(801)];

for (const path of normal) test(`a path: ${JSON.stringify(path.slice(0, 20))}`, () => assert.equal(reasonOf(path), undefined));
for (const path of [...others, ...long])
  test(`no path: ${JSON.stringify(path.slice(0, 20))}`, () => assert.equal(reasonOf(path), "bad_path"));
