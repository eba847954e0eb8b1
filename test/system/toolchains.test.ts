/**
 * A machine without a compiler works for one that has some: their toolchains are fetched, mounted in the sandbox, and make what they make
 * at home. Real daemons, real compilers; the helper's are hidden from it by a mount namespace of its own.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { counted, run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, invitation, machine, until, untilConnected } from "./network-world.ts";
import { COSTLY, occupy } from "./remote-world.ts";
import { signalCompilers, underWay } from "./work-world.ts";

/** Between two compiles, so that the machine has time to fetch what they need. */
const BETWEEN_MS = 500;
/** Jobs that the helper does at once while one more waits. */
const SLOTS = 2;
const LONG = { timeout: 480_000 };
const LIBRARIES = "/usr/lib/x86_64-linux-gnu";
const HIDDEN_DIRECTORIES = ["/usr/lib/gcc", "/usr/lib/llvm-14", "/usr/lib/llvm-19"];
const HIDDEN_NAMES = /^(?:cc|c\+\+|cpp|as|(?:x86_64-linux-gnu-)?(?:gcc|g\+\+|cpp|as)(?:-\d+)?|clang.*)$/;

/** What is to be hidden of this machine's compilers: files and directories without links. */
function compilersHere(): { files: string[]; directories: string[] } {
  const programs = readdirSync("/usr/bin").flatMap((name) => (HIDDEN_NAMES.test(name) ? [join("/usr/bin", name)] : []));
  const libraries = readdirSync(LIBRARIES).flatMap((name) => (/^lib(?:LLVM|clang)/.test(name) ? [join(LIBRARIES, name)] : []));
  const files = [...programs, ...libraries].flatMap((path) => (existsSync(path) ? [realpathSync(path)] : []));
  const directories = HIDDEN_DIRECTORIES.filter((path) => existsSync(path));
  return { files: [...new Set(files)].filter((file) => !directories.some((one) => file.startsWith(`${one}/`))), directories };
}

/** Runs a command in a mount namespace in which there are no compilers, as soon as `flag` exists. */
function hiding(directory: string, flag: string): string[] {
  const empty = join(directory, "empty");
  mkdirSync(empty, { recursive: true });
  writeFileSync(join(directory, "nothing"), "");
  const { files, directories } = compilersHere();
  const script = [
    "set -e",
    `if [ -e '${flag}' ]; then`,
    ...directories.map((path) => `mount --bind '${empty}' '${path}'`),
    ...files.map((path) => `mount --bind '${join(directory, "nothing")}' '${path}'`),
    "fi",
    'exec "$@"',
  ].join("\n");
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
}

/** A machine that builds, and one without compilers that helps it. @returns undefined, and the test is skipped, where there can be none */
async function twoMachines(t: TestContext): Promise<{ builder: TestNode; helper: TestNode } | undefined> {
  const probe = await run("unshare", ["--mount", "--propagation", "private", "true"], { cwd: "/" });
  if (process.geteuid?.() !== 0 || probe.code !== 0) {
    t.skip("only root can hide the compilers of a machine: mount namespaces are not permitted");
    return undefined;
  }
  const place = temporaryDirectory("hidden");
  t.after(() => place[Symbol.dispose]());
  const flag = join(place.path, "hide");
  const builder = await machine(t, "builder", { CAIRN_LOG_LEVEL: "debug" });
  const helper = await TestNode.start("helper", { CAIRN_NETWORK_LISTEN: "127.0.0.1:0" }, hiding(place.path, flag));
  t.after(() => helper[Symbol.asyncDispose]());
  // The first process of sandboxes is built while there is a compiler.
  const checks = (await helper.control("GET", "/doctor")) as unknown as { check: string; detail: string }[];
  const sandbox = checks.find(({ check }) => check === "sandbox")?.detail ?? "";
  if (!sandbox.startsWith("runs")) {
    t.skip(`no sandbox here: ${sandbox}`);
    return undefined;
  }
  await helper.stopDaemon();
  writeFileSync(flag, "");
  await helper.startDaemon();
  await ask(builder, "init", "--machine", "builder");
  await ask(helper, "join", await invitation(builder), "--machine", "helper");
  await untilConnected(t, builder, "helper");
  await until(t, async () => {
    const { peers } = (await builder.control("GET", "/network/peers")) as { peers: { work: { slots: number } | null }[] };
    return (peers[0]?.work?.slots ?? 0) > 0;
  });
  return { builder, helper };
}

const SOURCES = {
  c: '#include <stdio.h>\n#include <stddef.h>\nint twice(int x) { int unused; return printf("%zu", sizeof(size_t)) + NUMBER * x; }\n',
  cpp: "#include <map>\n#include <string>\nint size(const std::map<std::string, int>& m) { return m.size() + NUMBER; }\n",
} as const;
const GCC = "/usr/bin/gcc";
/** One of each kind: packing and fetching others takes as long, and finds nothing more. */
const COMPILERS: readonly { readonly path: string; readonly language: keyof typeof SOURCES }[] = [
  { path: GCC, language: "c" },
  { path: "/usr/bin/clang++-19", language: "cpp" },
];

interface Kept {
  readonly digest: string;
  readonly state: string;
  readonly compiler: string;
  readonly bytes: number;
  readonly from: string;
}

test("a machine without a compiler makes what the builder's compilers would have made", LONG, async (t) => {
  const two = await twoMachines(t);
  if (two === undefined) return;
  const { builder, helper } = two;
  const directory = join(dirname(builder.home), "project");
  await occupy(t, builder);
  let number = 0;
  /** Compiles something new, each time in a directory of its own. @returns what was counted */
  const compile = async (path: string, language: keyof typeof SOURCES): Promise<Record<string, number>> => {
    const cwd = join(directory, String(++number));
    writeFiles(cwd, { [`unit.${language}`]: `${SOURCES[language]}${COSTLY}` });
    const args = ["-O2", "-g", "-Wall", `-DNUMBER=${number}`, "-MD", "-c", `unit.${language}`, "-o", "unit.o"];
    const alone = await run(path, args, { cwd });
    const read = (): Buffer[] => ["unit.o", "unit.d"].map((name) => readFileSync(join(cwd, name)));
    const expected = read();
    for (const name of ["unit.o", "unit.d"]) rmSync(join(cwd, name));
    const before = await builder.counters();
    assert.deepEqual(await builder.cc(path, args, { cwd }), alone, path);
    assert.deepEqual(read(), expected, path);
    return counted(before, await builder.counters());
  };
  const kept = async (): Promise<Kept[]> => {
    const { toolchains } = (await helper.control("GET", "/toolchains")) as { toolchains: Kept[] };
    return toolchains.filter(({ state }) => state !== "own");
  };
  for (const { path, language } of COMPILERS.filter((one) => existsSync(one.path))) {
    await until(t, async () => {
      await compile(path, language); // Here, while the toolchain is on its way.
      await sleep(BETWEEN_MS, undefined, { signal: t.signal });
      return (await kept()).some(({ compiler }) => compiler === path);
    });
    await until(t, async () => (await compile(path, language)).built_elsewhere === 1);
    const [came] = (await kept()).filter(({ compiler }) => compiler === path);
    assert.ok(came !== undefined && came.state === "kept" && came.bytes > 1_000_000, JSON.stringify(came));
    assert.equal(came.from, "builder");
    const [fetched] = helper.events("toolchains.fetched").filter(({ compiler }) => compiler === path);
    const [packed] = builder.events("toolchains.packed").filter(({ compiler }) => compiler === path);
    t.diagnostic(`${path}: packed in ${String(packed?.tookMs)} ms, here in ${String(fetched?.tookMs)} ms, ${String(fetched?.bytes)} bytes`);
  }
  assert.deepEqual(helper.events("toolchains.declined"), []);

  // What has been fetched survives a restart, and is let go of when somebody says so.
  await helper.stopDaemon("SIGKILL");
  await helper.startDaemon({ CAIRN_WORK_SHARE: `${Math.ceil((100 * SLOTS) / availableParallelism())}%`, CAIRN_LOG_LEVEL: "debug" });
  await until(t, async () => (await compile(GCC, "c")).built_elsewhere === 1);
  const before = await kept();
  const digest = before.find(({ compiler }) => compiler === GCC)?.digest ?? "";
  const jobs: Promise<unknown>[] = [];
  for (let job = 1; job <= SLOTS; job++) {
    const runs = await underWay(
      t,
      () => compile(GCC, "c"),
      () => signalCompilers(helper, "SIGSTOP") === job,
    );
    jobs.push(runs.ended);
  }
  const accepted = (): number => helper.events("work.accepted").length;
  let acceptedBefore = 0;
  const begin = (): ReturnType<typeof compile> => {
    acceptedBefore = accepted();
    return compile(GCC, "c");
  };
  const waits = await underWay(t, begin, () => accepted() > acceptedBefore);
  jobs.push(waits.ended);
  const ended = helper.events("work.ended").length;
  await ask(helper, "toolchains", "remove", digest.slice(0, 12));
  assert.equal((await kept()).length, before.length - 1);
  assert.equal(helper.events("work.ended").length, ended, "they still run");
  const counters = await builder.counters();
  signalCompilers(helper, "SIGCONT");
  await Promise.all(jobs); // All are what the compiler makes: the one that waited is made here.
  const refused = helper.events("work.refused").filter(({ why }) => why === "toolchain_unknown");
  assert.deepEqual(
    refused.map(({ toolchain }) => toolchain),
    [digest],
  );
  const made = counted(counters, await builder.counters());
  assert.equal(made["kept_here:member_toolchain_unknown"], 1, JSON.stringify(made));
});

test(
  "a compiler by a rarer name that a member has, too, is asked for there, though nobody there has used it and none is fetched",
  LONG,
  async (t) => {
    const path = "/usr/bin/gcc-12";
    if (!existsSync(path)) return t.skip("no gcc-12 here");
    const builder = await machine(t, "builder");
    const helper = await machine(t, "helper", { CAIRN_TOOLCHAINS_ACCEPT: "approved" });
    const { lack } = await ask(builder, "share");
    if (lack !== null) return t.skip(`no sandbox here: ${JSON.stringify(lack)}`);
    await ask(builder, "init", "--machine", "builder");
    await ask(helper, "join", await invitation(builder), "--machine", "helper");
    await untilConnected(t, builder, "helper");
    await occupy(t, builder);
    const cwd = join(dirname(builder.home), "project");
    let number = 0;
    await until(t, async () => {
      writeFiles(cwd, { "unit.c": `${SOURCES.c}${COSTLY}` });
      const { code, stderr } = await builder.cc(path, ["-O2", `-DNUMBER=${++number}`, "-c", "unit.c", "-o", "unit.o"], { cwd });
      assert.equal(code, 0, stderr);
      return ((await builder.counters())["built_elsewhere"] ?? 0) > 0;
    });
    assert.deepEqual(helper.events("toolchains.fetched"), []);
  },
);
