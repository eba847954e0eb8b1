/** Real compilers, packed on one machine, fetched by another, and run in its sandbox. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Supplied } from "../contracts/index.ts";
import { SandboxExecutor } from "../exec/index.ts";
import { CompilesForOthers } from "../flows/index.ts";
import { compileOf, type Machine, machine, never } from "./toolchain.fixture.ts";

const REQUESTER = "aa".repeat(32);
const COMPILERS = ["/usr/bin/gcc", "/usr/bin/g++", "/usr/bin/clang-14", "/usr/bin/clang++-19"].filter((path) => existsSync(path));
const SOURCES = {
  c: '#include <stdio.h>\n#include <stddef.h>\nint main(void) { return printf("%zu\\n", sizeof(size_t)); }\n',
  cpp: '#include <vector>\n#include <string>\nint main() { std::vector<std::string> v{"a"}; return (int)v.at(0).size(); }\n',
} as const;

/** Asks until it is here, or until something else is said than that it is on its way. */
async function supplied(t: TestContext, on: Machine, digest: string, member: string): Promise<Supplied> {
  for (;;) {
    t.signal.throwIfAborted();
    const answer = await on.service.supply(digest, member, t.signal);
    if (answer.kind === "installed" || !/being fetched/.test(answer.why)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function sandboxOf(t: TestContext, on: Machine): Promise<SandboxExecutor | undefined> {
  const runAs = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
  const options = { directory: join(on.directory, "sandbox"), path: process.env.PATH ?? "", runAs, filesBytes: 2 ** 30 };
  const sandbox = new SandboxExecutor({ blobs: on.store, files: on.files, log: { event: () => undefined } }, options);
  const look = await sandbox.look();
  if (look.kind === "walled") return sandbox;
  t.skip(`no sandbox here: ${look.reason}: ${look.detail}`);
  await sandbox[Symbol.asyncDispose]();
  return undefined;
}

for (const compiler of COMPILERS) {
  test(`${compiler} of a member makes what it makes there`, async (t) => {
    await using requester = machine();
    await using worker = machine({ members: new Map([[REQUESTER, requester]]) });
    await using sandbox = await sandboxOf(t, worker);
    if (sandbox === undefined) return;
    const isPlusPlus = compiler.includes("++");
    const source = join(requester.directory, isPlusPlus ? "a.cpp" : "a.c");
    writeFileSync(source, isPlusPlus ? SOURCES.cpp : SOURCES.c);
    const { action, expected } = await compileOf(requester, compiler, ["-O2", "-g"], source);
    for (const { digest } of action.inputs) {
      const read = await requester.store.read(digest);
      if (read.kind === "hit") await worker.store.write(read.bytes);
    }
    const first = await worker.service.supply(action.toolchain, REQUESTER, never);
    assert.deepEqual(first, { kind: "absent", why: "being fetched" });
    const answer = await supplied(t, worker, action.toolchain, REQUESTER);
    assert.equal(answer.kind, "installed", JSON.stringify(answer));
    const outcome = await new CompilesForOthers({ executor: sandbox, toolchains: worker.service }).compile(action, REQUESTER, never);
    assert.ok(outcome.kind === "done", JSON.stringify(outcome));
    assert.equal(outcome.exitCode, 0, outcome.stderr.toString());
    assert.deepEqual(outcome.outputs.find(({ name }) => name === "object")?.content, expected);
  });
}
