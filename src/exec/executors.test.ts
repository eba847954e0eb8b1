import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { type ExecutorWorld, executorCompliance } from "../../test/compliance/executor.ts";
import { digestOf } from "../base/index.ts";
import type { Executor, InputFile } from "../contracts/index.ts";
import {
  COMPILER,
  type Ground,
  ground,
  log,
  never,
  PATH,
  preprocess,
  runAs,
  sandboxOn,
  toolchainOn,
  waiting,
} from "./executors.fixture.ts";
import { LocalExecutor } from "./local.ts";
import { SandboxExecutor } from "./sandbox.ts";

async function world(
  t: TestContext,
  on: Ground,
  executor: Executor,
  project: string,
  input: ExecutorWorld["input"],
  dispose: () => Promise<void>,
): Promise<ExecutorWorld | undefined> {
  const toolchain = await toolchainOn(t, on);
  if (toolchain === undefined) {
    await dispose();
    return undefined;
  }
  const compiler = { program: COMPILER, toolchain, environment: new Map([["PATH", PATH]]) };
  return { executor, project, input, compiler, [Symbol.asyncDispose]: dispose };
}

executorCompliance("local", (t) => {
  const on = ground();
  const input = (path: string, text: string): Promise<InputFile> => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return Promise.resolve({ path, digest: digestOf(text), executable: false });
  };
  return world(t, on, new LocalExecutor({ files: on.files }), join(on.directory, "project"), input, async () => on[Symbol.asyncDispose]());
});

executorCompliance("sandbox", async (t) => {
  const on = ground();
  const sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) {
    await on[Symbol.asyncDispose]();
    return undefined;
  }
  const input = (path: string, text: string): Promise<InputFile> =>
    Promise.resolve({ path, digest: on.store.write(Buffer.from(text)), executable: false });
  return world(t, on, sandbox, "/home/somebody/project", input, async () => {
    await sandbox[Symbol.asyncDispose]();
    await on[Symbol.asyncDispose]();
  });
});

test("a sandbox leaves nothing behind when it ends, not even a running job", async (t) => {
  await using on = ground();
  const sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const toolchain = await toolchainOn(t, on);
  if (toolchain === undefined) return;
  const endless = preprocess(on, toolchain, "#include __FILE__\n".repeat(2), { arguments: ["-fmax-include-depth=190", "-E", "a.c"] });
  const run = sandbox.run({ ...endless, limits: { ...endless.limits, cpuMs: 60_000 } }, never);
  await sandbox[Symbol.asyncDispose]();
  const outcome = await run;
  assert.equal(outcome.kind === "unavailable" && outcome.reason, "stopping");
  assert.equal(existsSync(join(on.directory, "sandbox")), false);
});

test("a daemon that is killed leaves no job running", async (t) => {
  await using on = ground();
  const sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  await sandbox[Symbol.asyncDispose]();
  const program = programThatWaits(on.directory);
  const fixture = spawn(process.execPath, [join(import.meta.dirname, "sandbox.fixture.ts"), on.directory, program], { stdio: "inherit" });
  await until(t, () => running(on.directory) === 1);
  fixture.kill("SIGKILL");
  await until(t, () => running(on.directory) === 0);
});

test("a job that is given up is over, whatever of its walls was there", async (t) => {
  await using on = ground();
  const sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  await using _ = sandbox;
  const digest = on.store.write(readFileSync(programThatWaits(on.directory)));
  const full = new AbortController();
  const started = performance.now();
  const whole = sandbox.run(waiting(on.directory, digest), full.signal);
  await Promise.all([
    assert.rejects(whole, { name: "AbortError" }),
    until(t, () => running(on.directory) === 1, 1).then(() => full.abort()),
  ]);
  const startMs = performance.now() - started;
  for (let step = 0; step < 80; step++) {
    const atMs = (step * 2 * startMs) / 80;
    const began = performance.now();
    const given = new AbortController();
    const run = sandbox.run(waiting(on.directory, digest), given.signal);
    while (performance.now() - began < atMs) await setImmediate();
    given.abort();
    await assert.rejects(run, { name: "AbortError" });
    assert.equal(running(on.directory), 0);
  }
});

function programThatWaits(directory: string): string {
  const program = join(directory, "waits");
  const source = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n";
  execFileSync("cc", ["-static", "-x", "c", "-", "-o", program], { input: source });
  return program;
}

/** Jobs whose program was called with this argument. */
function running(argument: string): number {
  const commands = readdirSync("/proc").flatMap((entry) => {
    try {
      return /^\d+$/.test(entry) ? [readFileSync(join("/proc", entry, "cmdline"), "utf8")] : [];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
  return commands.filter((command) => command.startsWith("/project/waits\0") && command.includes(argument)).length;
}

async function until(t: TestContext, isSo: () => boolean, everyMs = 20): Promise<void> {
  while (!isSo()) await setTimeout(everyMs, undefined, { signal: t.signal });
}

test("two inputs of one content are two files, as compilers tell files apart", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const toolchain = await toolchainOn(t, on);
  if (toolchain === undefined) return;
  const header = on.store.write(Buffer.from('#pragma once\nCOUNT("here")\n'));
  const text =
    '#define COUNT(x) int MADE(__COUNTER__);\n#define MADE(n) JOINED(n)\n#define JOINED(n) made##n\n#include "a/h.h"\n#include "b/h.h"\n';
  const headers = ["/project/a/h.h", "/project/b/h.h"].map((path) => ({ path, digest: header, executable: false }));
  const job = preprocess(on, toolchain, text, { directories: ["/usr/include"] });
  const outcome = await sandbox.run({ ...job, inputs: [...headers, ...job.inputs] }, never);
  assert.equal(outcome.kind, "done");
  if (outcome.kind === "done") assert.deepEqual(outcome.stdout.toString().match(/made\d/g), ["made0", "made1"]);
});

test("a machine without bubblewrap says so, and why", async () => {
  await using on = ground();
  await using sandbox = new SandboxExecutor(
    { blobs: on.store, files: on.files, log },
    { directory: join(on.directory, "sandbox"), path: on.directory, runAs, filesBytes: 2 ** 30, othersBytes: 2 ** 33 },
  );
  const look = await sandbox.look();
  assert.equal(look.kind === "unavailable" && look.reason, "sandbox_missing");
  writeFileSync(join(on.directory, "bwrap"), "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n", {
    mode: 0o755,
  });
  const again = await sandbox.look();
  assert.equal(again.kind === "unavailable" && again.reason, "user_namespaces");
  assert.deepEqual(readdirSync(on.directory).includes("sandbox"), true);
});

test("local: what is left is looked at before it is read: a file of a terabyte is too much", async () => {
  await using on = ground();
  const action = {
    program: "/usr/bin/truncate",
    arguments: ["-s", "1T", { output: "large" }],
    environment: new Map<string, string>(),
    cwd: "/",
    toolchain: undefined,
    inputs: [],
    directories: [],
    outputs: ["large"],
    limits: { cpuMs: 1, wallMs: 60_000, memoryBytes: 1, processes: 1, fileBytes: 1, outputBytes: 100, printedBytes: 100 },
  };
  const outcome = await new LocalExecutor({ files: on.files }).run(action, never);
  assert.equal(outcome.kind === "killed" && outcome.limit, "output");
});
