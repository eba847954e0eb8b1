import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredResult } from "../contracts/index.ts";
import { belongs } from "./find.ts";
import type { Understood } from "./request.ts";

const outputs = [
  { path: "/project/out/a.o", role: "object" },
  { path: "/project/out/a.d", role: "depfile" },
];
const places = { portable: (path: string) => path.replace("/project", "\0P") };
// Of all that is understood of a command, what is asked here.
const understood = { invocation: { outputs }, places } as unknown as Understood;

function resultWith(...written: readonly (readonly [role: string, path: string])[]): StoredResult {
  const of = written.map(([role, path]) => ({ role, path, digest: "ab".repeat(32), size: 1, template: false }));
  return { outputs: of, stdout: "", stderr: "", compileMs: 1, cpuMs: 1 } as StoredResult;
}

for (const [about, result, expected] of [
  ["what the command names", resultWith(["object", "\0P/out/a.o"], ["depfile", "\0P/out/a.d"]), true],
  ["less than that", resultWith(["object", "\0P/out/a.o"]), true],
  ["another place", resultWith(["object", "/home/somebody/.profile"]), false],
  ["another place besides", resultWith(["object", "\0P/out/a.o"], ["written", "\0P/Makefile"]), false],
  ["the right place in another way", resultWith(["written", "\0P/out/a.o"]), false],
  ["one place twice", resultWith(["object", "\0P/out/a.o"], ["object", "\0P/out/a.o"]), false],
  ["a place of this machine by its own name", resultWith(["object", "/project/out/a.o"]), false],
] as const)
  test(`a result that writes ${about} ${expected ? "belongs" : "does not belong"} to the request`, () => {
    assert.equal(belongs(understood, result), expected);
  });
