import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Ground, ground, log, never, preprocess, runAs, sandboxOn, toolchainOn } from "./executors.fixture.ts";
import { SandboxExecutor } from "./sandbox.ts";
import { runBubblewrap } from "./sandbox-process.ts";

function roots(on: Ground): string[] {
  return readdirSync(join(on.directory, "sandbox")).filter((name) => name.startsWith("root"));
}

test("a sandbox without room for contents that nobody needs runs one job after the other, and several at once", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on, 1);
  const toolchain = await toolchainOn(t, on);
  if (sandbox === undefined || toolchain === undefined) return;
  const run = async (text: string): Promise<string> => {
    const outcome = await sandbox.run(preprocess(on, toolchain, text), never);
    return outcome.kind === "done" ? outcome.stdout.toString().trim() : JSON.stringify(outcome);
  };
  assert.equal(await run("first"), "first");
  assert.equal(await run("second"), "second");
  // More at once need roots of their own, with every file of the toolchain in them.
  assert.deepEqual(await Promise.all(["third", "third", "fourth"].map(run)), ["third", "third", "fourth"]);
});

test("jobs that run at the same time have each their own inputs, to the end", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  const toolchain = await toolchainOn(t, on);
  if (sandbox === undefined || toolchain === undefined) return;
  const [lanes, each, slow] = [4, 5, "#define A B B B B B B B B\n#define B C C C C C C C C\n#define C 1 1 1 1 1 1 1 1\nA A A A A A A A\n"];
  const run = async (name: string): Promise<string> => {
    const [first, last] = ["first", "last"].map((which) => {
      const text = `${name} ${which}\n`;
      return { path: `/project/${name}-${which}.h`, digest: on.store.write(Buffer.from(text)), executable: false };
    });
    const { inputs, ...more } = preprocess(on, toolchain, `#include "${name}-first.h"\n${slow.repeat(8)}#include "${name}-last.h"\n`);
    assert.ok(first !== undefined && last !== undefined);
    const outcome = await sandbox.run({ ...more, inputs: [...inputs, first, last] }, never);
    if (outcome.kind !== "done") return JSON.stringify(outcome);
    const lines = outcome.stdout.toString().trim().split("\n");
    return `${lines[0]}, ${lines.at(-1)}`;
  };
  const lane = async (of: number): Promise<void> => {
    for (let at = 0; at < each; at++) assert.equal(await run(`n${of}x${at}`), `n${of}x${at} first, n${of}x${at} last`);
  };
  await Promise.all(Array.from({ length: lanes }, (_, of) => lane(of)));
});

test("contents of others are closed to everybody but who runs jobs", async (t) => {
  if (process.geteuid?.() !== 0) return t.skip("only root can look as somebody else");
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  const toolchain = await toolchainOn(t, on);
  if (sandbox === undefined || toolchain === undefined) return;
  assert.equal((await sandbox.run(preprocess(on, toolchain, "secret"), never)).kind, "done");
  const [root = ""] = roots(on);
  const file = join(on.directory, "sandbox", root, "project/a.c");
  const read = (uid: number): string => spawnSync("cat", [file], { uid, gid: uid, encoding: "utf8" }).stdout;
  assert.equal(read(runAs?.uid ?? 0), "secret");
  assert.equal(read(54_321), "");
});

test("a path that is too long where the root lies is refused, and leaves no half a root", async (t) => {
  await using on = ground();
  const deep = { ...on, directory: join(on.directory, "deep".repeat(50)) };
  mkdirSync(deep.directory, { mode: 0o755 });
  await using sandbox = await sandboxOn(t, deep);
  if (sandbox === undefined) return;
  const cwd = `/${"x".repeat(248)}`.repeat(16);
  const outcome = await sandbox.run(preprocess(on, undefined, "", { cwd }), never);
  assert.equal(outcome.kind === "refused" && outcome.reason, "bad_path");
  assert.deepEqual(roots(deep), []);
});

test("a root that is given up while it is laid out is removed", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const directories = Array.from({ length: 20_000 }, (_, at) => `/made/${at}`);
  const stop = new AbortController();
  const run = sandbox.run(preprocess(on, undefined, "", { directories }), stop.signal);
  // That this comes about at all takes an event loop that turns while the root is laid out.
  const look = setInterval(() => roots(on).length > 0 && stop.abort(new Error("enough")), 1);
  await assert.rejects(run, /enough/);
  clearInterval(look);
  assert.deepEqual(roots(on), []);
});

test("contents that cannot be read are an outcome", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const action = preprocess(on, undefined, "");
  t.mock.method(on.store, "read", () => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" })));
  const outcome = await sandbox.run(action, never);
  assert.deepEqual(outcome, { kind: "unavailable", reason: "workspace", detail: "ENOSPC" });
});

test("a command line that the system does not take is an end, and leaves no descriptor open", async () => {
  await using on = ground();
  const filter = join(on.directory, "filter");
  writeFileSync(filter, "");
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  const run = { mounts: [], root: "/", writableBytes: 1, environment: new Map<string, string>(), words: ["x".repeat(2 ** 20)] };
  const end = await runBubblewrap(
    { program: "/bin/true", filter, strictFilter: filter, runAs },
    { ...run, reportBytes: 1, wallMs: 60_000, memoryBytes: 2 ** 30, isStrict: true },
    never,
  );
  assert.equal(end.kind === "ended" && end.trouble, "E2BIG");
  assert.equal(open(), before);
});

test("what goes wrong late while a sandbox is made has a name, and may go well the next time", async () => {
  await using on = ground();
  writeFileSync(join(on.directory, "bwrap"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  // Long enough for the directory itself, and too long for a content in it.
  const parent = `${on.directory}${`/${"x".repeat(249)}`.repeat(15)}`;
  const directory = `${parent}/${"y".repeat(4_030 - parent.length - 1)}`;
  mkdirSync(parent, { recursive: true });
  await using sandbox = new SandboxExecutor(
    { blobs: on.store, files: on.files, log },
    { directory, path: on.directory, runAs, filesBytes: 1, othersBytes: 2 ** 33 },
  );
  for (let times = 0; times < 2; times++) {
    const look = await sandbox.look();
    assert.equal(look.kind === "unavailable" && look.reason, "workspace", JSON.stringify(look));
  }
});

test("who looks at the same time after something was missing looks once", async () => {
  await using on = ground();
  const directory = join(on.directory, "sandbox");
  await using sandbox = new SandboxExecutor(
    { blobs: on.store, files: on.files, log },
    { directory, path: on.directory, runAs, filesBytes: 1, othersBytes: 2 ** 33 },
  );
  const missing = await sandbox.look();
  assert.equal(missing.kind === "unavailable" && missing.reason, "sandbox_missing");
  const calls = join(on.directory, "calls");
  writeFileSync(calls, "");
  chmodSync(calls, 0o666);
  writeFileSync(join(on.directory, "bwrap"), `#!/bin/sh\necho call >> ${calls}\nexit 1\n`, { mode: 0o755 });
  const looks = await Promise.all([sandbox.look(), sandbox.look(), sandbox.look()]);
  assert.deepEqual(new Set(looks.map(({ kind }) => kind)), new Set(["unavailable"]));
  assert.equal(readFileSync(calls, "utf8"), "call\n");
  assert.equal(lstatSync(directory).isDirectory(), true);
});
