/**
 * A real daemon that compiles for members: the same bytes as here, whoever asks is admitted, and what nobody waits for any more ends.
 */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { type TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, machine, until } from "./network-world.ts";
import { Compiler, invited, jobsOf, LEAST_PRIORITY, plainly, priorityOf, Requester } from "./work-world.ts";

const LONG = { timeout: 180_000 };
/** As nice(1) has it. */
const SOURCES = {
  "shape.h": "#pragma once\n#include <stddef.h>\nstruct shape { size_t sides; };\n",
  "shape.c": '#include <stdio.h>\n#include "shape.h"\nint area(struct shape *s) { int unused; printf("%zu", s->sides); return 0; }\n',
  "wrong.c": "int wrong( {\n",
  // Some minutes: a compiler that is asked to unfold a hundred million steps.
  "slow.cc":
    "constexpr int f(int n) { int s = 0; for (int i = 0; i < n; ++i) s ^= i; return s; }\nconstexpr int x = f(2000000000);\nint y = x;\n",
} as const;
const SLOW = ["-std=c++17", "-fconstexpr-loop-limit=2147483647", "-fconstexpr-ops-limit=9223372036854775807"];

describe("work for others", () => {
  const compiler = new Compiler();
  let toolchain = "";
  before(async () => {
    toolchain = await compiler.digest();
  });
  after(() => compiler[Symbol.dispose]());

  async function workingDaemon(
    t: TestContext,
    env: Record<string, string> = {},
    within: readonly string[] = [],
  ): Promise<TestNode | undefined> {
    const daemon = await machine(t, "worker", env, within);
    await ask(daemon, "init", "--machine", "worker");
    const { checks } = await doctor(daemon);
    const sandbox = checks.find(({ check }) => check === "sandbox");
    if (sandbox?.detail.startsWith("runs") === true) return daemon;
    t.skip(`no sandbox here: ${sandbox?.detail}`);
    return undefined;
  }

  function project(daemon: TestNode): string {
    const directory = join(dirname(daemon.home), "project");
    mkdirSync(directory);
    writeFiles(directory, SOURCES);
    return directory;
  }

  test("the same bytes as here; contents go there once", LONG, async (t) => {
    const daemon = await workingDaemon(t);
    if (daemon === undefined) return;
    const requester = await Requester.of(t, await invited(t, daemon, 1), daemon, compiler);
    const cwd = project(daemon);
    const options = ["-O2", "-g", "-Wall"];
    const action = requester.action(toolchain, cwd, "shape.c", options);
    const outcome = await requester.compile(action);
    assert.ok(outcome.kind === "done", JSON.stringify(outcome));
    assert.equal(outcome.exitCode, 0);
    assert.match(outcome.stderr.toString(), /unused variable/);
    const [object, dependencies] = outcome.outputs;
    assert.ok(object?.name === "object" && object.content.equals(plainly(cwd, "shape.c", options)));
    assert.match(dependencies?.content.toString() ?? "", /^out\.o: shape\.c .*shape\.h/s);
    assert.equal(requester.sent, new Set(action.inputs.map(({ digest }) => digest)).size);
    const again = await requester.compile(action);
    assert.ok(again.kind === "done" && again.outputs[0]?.content.equals(object.content));
    assert.equal(requester.sent, new Set(action.inputs.map(({ digest }) => digest)).size);

    const failed = await requester.compile(requester.action(toolchain, cwd, "wrong.c"));
    assert.ok(failed.kind === "done" && failed.exitCode === 1, JSON.stringify(failed));
    const refused = await requester.compile({ ...action, options: ["-fplugin=x.so"] });
    assert.deepEqual(refused, { kind: "refused", reason: "plugin", detail: "-fplugin=x.so" });
    const unknown = await requester.compile({ ...action, toolchain: "ab".repeat(32) });
    assert.ok(unknown.kind === "refused" && unknown.reason === "toolchain_unknown", JSON.stringify(unknown));
    // Nothing of it is in the user's own cache.
    assert.deepEqual(Object.entries(await daemon.counters()), []);
    assert.equal(((await daemon.control("GET", "/status")).store as { blobs: number }).blobs, 0);
  });

  test("what nobody waits for any more ends there, with all its processes", LONG, async (t) => {
    const daemon = await workingDaemon(t);
    if (daemon === undefined) return;
    const node = await invited(t, daemon, 1);
    const requester = await Requester.of(t, node, daemon, compiler);
    const slow = requester.action(toolchain, project(daemon), "slow.cc", SLOW);
    const runs = async (): Promise<boolean> => compilers(daemon).length > 0;
    const stop = new AbortController();
    const cancelled = requester.compile(slow, stop.signal);
    await until(t, runs);
    stop.abort(new Error("nobody waits"));
    await assert.rejects(cancelled, /nobody waits/);
    await until(t, async () => !(await runs()));
    await until(t, async () => daemon.events("work.cancelled").length === 1);

    const left = requester.compile(slow);
    await until(t, runs);
    await node.network[Symbol.asyncDispose]();
    assert.equal((await left).kind, "lost");
    await until(t, async () => !(await runs()));
  });

  test("a worker that is killed in the middle is lost; started with lower priority, it runs others' jobs below that", LONG, async (t) => {
    const daemon = await workingDaemon(t, {}, ["nice", "-n", "3"]);
    if (daemon === undefined) return;
    assert.equal(priorityOf(daemon.pid), Math.min(LEAST_PRIORITY, priorityOf(process.pid) + 3));
    const requester = await Requester.of(t, await invited(t, daemon, 1), daemon, compiler);
    const job = requester.compile(requester.action(toolchain, project(daemon), "slow.cc", SLOW));
    await until(t, async () => compilers(daemon).length > 0);
    const killedAt = performance.now();
    await daemon.stopDaemon("SIGKILL");
    assert.equal((await job).kind, "lost");
    t.diagnostic(`known after ${Math.round(performance.now() - killedAt)} ms`);
  });

  test("other trust domains are not worked for, unless the owner says so; and nobody is where nothing is shared", LONG, async (t) => {
    for (const [env, kind] of [
      [{}, "refused"],
      [{ CAIRN_WORK_WITH: "network" }, "done"],
      [{ CAIRN_WORK_WITH: "network", CAIRN_WORK_SHARE: "off" }, "refused"],
    ] as const) {
      const daemon = await workingDaemon(t, env);
      if (daemon === undefined) return;
      const requester = await Requester.of(t, await invited(t, daemon, 1, "--domain", "others"), daemon, compiler);
      const outcome = await requester.compile(requester.action(toolchain, project(daemon), "shape.c"));
      assert.equal(outcome.kind, kind, JSON.stringify(outcome));
      if (outcome.kind === "refused") assert.equal(outcome.reason, "not_shared");
    }
  });

  test("cairn share takes effect at once", LONG, async (t) => {
    const daemon = await workingDaemon(t);
    if (daemon === undefined) return;
    const requester = await Requester.of(t, await invited(t, daemon, 1), daemon, compiler);
    const action = requester.action(toolchain, project(daemon), "shape.c");
    for (const [amount, kind] of [
      ["off", "refused"],
      ["1%", "done"],
    ] as const) {
      const { most } = await ask(daemon, "share", amount);
      assert.equal(most, amount === "off" ? 0 : 1);
      const told = (await ask(daemon, "status")).work as { declined: string | null; percent: number; member: object };
      assert.deepEqual([told.declined, told.percent], amount === "off" ? ["off", 0] : [null, 1]);
      assert.deepEqual(told.member, { percent: 100, secondsPerMinute: 0, when: "wanted" });
      assert.equal((await requester.compile(action)).kind, kind);
    }
    const { work } = (await daemon.control("GET", "/status")) as { work: { counts: { done: number; refused: number } } };
    assert.deepEqual([work.counts.done, work.counts.refused], [1, 1]);
  });

  test("without a sandbox a machine declines, and says so wherever its owner looks", LONG, async (t) => {
    const daemon = await machine(t, "unable");
    await ask(daemon, "init");
    // All that it needs but bubblewrap.
    const programs = temporaryDirectory("programs");
    t.after(() => programs[Symbol.dispose]());
    symlinkSync("/usr/bin/gcc", join(programs.path, "gcc"));
    await daemon.stopDaemon();
    await daemon.startDaemon({ PATH: programs.path });
    const requester = await Requester.of(t, await invited(t, daemon, 1), daemon, compiler);
    const outcome = await requester.compile(requester.action(toolchain, project(daemon), "shape.c"));
    assert.ok(outcome.kind === "refused" && outcome.reason === "not_shared", JSON.stringify(outcome));
    await until(t, async () => daemon.events("work.unable").length === 1);

    const { declines } = (await ask(daemon, "up")) as { declines: { lack: string; advice: string } };
    assert.match(declines.advice, /install bubblewrap/);
    await ask(daemon, "share", "off");
    const shared = await ask(daemon, "share");
    const { work } = (await daemon.control("GET", "/status")) as { work: Record<string, unknown> };
    for (const told of [shared, work])
      assert.deepEqual([told["declined"], told["lack"], told["slots"], told["most"]], ["lack", declines.lack, 0, 0]);
    const { checks } = await doctor(daemon);
    assert.equal(checks.find(({ check }) => check === "sandbox")?.warns, true);
  });

  /** Of others' jobs. */
  function compilers(daemon: TestNode): ReturnType<typeof jobsOf> {
    return jobsOf(daemon.pid).filter(({ name }) => name.startsWith("cc1"));
  }

  interface Checked {
    readonly checks: readonly { readonly check: string; readonly detail: string; readonly warns?: true }[];
  }

  async function doctor(daemon: TestNode): Promise<Checked> {
    return { checks: (await daemon.control("GET", "/doctor")) as unknown as Checked["checks"] };
  }
});
