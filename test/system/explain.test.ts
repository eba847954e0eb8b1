/** `explain`: why the last compile of a file hit, missed or was passed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { age, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { compileSeen } from "./sharing-world.ts";

interface Told {
  readonly at: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly differences: readonly { readonly kind: string; readonly name: string }[];
}

test("explain names what differed from the last time", async () => {
  await using node = await TestNode.start("explain");
  using project = temporaryDirectory("project");
  const cwd = project.path;
  writeFiles(cwd, { "a.c": '#include "h.h"\nint f(void) { return H; }\n', "h.h": "#define H 1\n", "inc/empty": "" });
  const source = join(cwd, "a.c");
  const told = async (): Promise<Told | undefined> =>
    (await node.control("GET", `/explain?file=${encodeURIComponent(source)}`)).record as Told | undefined;
  const compile = async (args: readonly string[], env = {}): Promise<Told> => {
    await age();
    const before = await told();
    // As often as it takes until the daemon knows of one more: on a machine that is very busy the wrapper may not wait for it.
    for (;;) {
      await node.cc("gcc", [...args, "-c", "a.c"], { cwd, env });
      const now = await told();
      if (now !== undefined && now.at !== before?.at) return now;
    }
  };
  const names = (told: Told): string[] => told.differences.map(({ kind, name }) => `${kind} ${name}`).toSorted();

  const first = await compile(["-Iinc", "-O1"]);
  assert.deepEqual([first.outcome, names(first)], ["miss", []]);
  assert.match((await compile(["-Iinc", "-O1"])).outcome, /^hit_/);

  writeFiles(cwd, { "h.h": "#define H 2\n" });
  assert.deepEqual(names(await compile(["-Iinc", "-O1"])), ["input h.h"]);

  assert.deepEqual(names(await compile(["-Iinc", "-O2"])), ["option -O1", "option -O2"]);

  writeFiles(cwd, { "h.h": "#define H 3\n" });
  assert.deepEqual(names(await compile(["-Iinc", "-O3"])), ["input h.h", "option -O2", "option -O3"]);

  assert.deepEqual(names(await compile(["-Iinc", "-O3"], { CPATH: "elsewhere" })), ["environment CPATH=elsewhere"]);

  const other = await compile(["-Iinc", "-fno-such-option-at-all"]);
  assert.deepEqual([other.outcome, other.reason], ["pass:unsupported_option", "-fno-such-option-at-all"]);
  assert.equal((await node.control("GET", "/explain?file=")).found, true, "without a file: whatever was compiled last");
  assert.equal((await node.control("GET", "/explain?file=%2Fnowhere.c")).found, false);
});

test("a source that was never compiled is compared with no other one of its name", async (t) => {
  await using node = await TestNode.start("explain-other");
  using projects = temporaryDirectory("explain-projects");
  const [one, other] = ["one", "other"].map((name) => join(projects.path, name));
  assert.ok(one !== undefined && other !== undefined);
  writeFiles(one, { Makefile: "", "src/a.c": "int one;\n", "build/x": "" });
  writeFiles(other, { Makefile: "", "src/a.c": "int other;\n", "build/x": "" });
  await age();
  for (const project of [one, other]) await compileSeen(node, ["-c", "../src/a.c", "-o", "a.o"], join(project, "build"));
  const told = async (): Promise<Told | undefined> =>
    (await node.control("GET", `/explain?file=${encodeURIComponent(join(other, "src/a.c"))}`)).record as Told | undefined;
  while ((await told()) === undefined) await sleep(20, undefined, { signal: t.signal });
  const { outcome, differences } = (await told()) ?? assert.fail("it was there");
  assert.deepEqual([outcome, differences], ["miss", []]);
});

test("without a file it is the compile that was last, also where no daemon had to be asked", async (t) => {
  await using node = await TestNode.start("explain-latest");
  using project = temporaryDirectory("project");
  const cwd = project.path;
  writeFiles(cwd, { "a.c": "int a;\n", "b.c": "int b;\n" });
  const compile = (source: string): Promise<unknown> => compileSeen(node, ["-c", source], cwd);
  const latest = async (): Promise<readonly [unknown, unknown]> => {
    const { record } = (await node.control("GET", "/explain?file=")) as { readonly record?: { source: unknown; outcome: unknown } };
    return [record?.source, record?.outcome];
  };
  await age(); // So that records of them may be left.
  for (const source of ["a.c", "b.c"]) await compile(source);
  assert.deepEqual((await latest())[0], join(cwd, "b.c"));
  for (;;) {
    await compile("a.c");
    const [source, outcome] = await latest();
    assert.equal(source, join(cwd, "a.c"));
    if (outcome === "hit_local") return;
    await sleep(50, undefined, { signal: t.signal });
  }
});
