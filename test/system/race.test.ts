/**
 * A compile that a member takes long for is begun here as well, and the compiler here is stopped when the member is first: real daemons, a real compiler.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { counted, run, writeFiles } from "./harness.ts";
import { cairn, PATIENT, until } from "./network-world.ts";
import { helped, occupy } from "./remote-world.ts";

/** A front end has to do with it for a while. */
const SLOW = `template <int a, int b> struct wide { static constexpr long value = wide<a - 1, b>::value + 1; };
template <int b> struct wide<0, b> { static constexpr long value = b; };
${Array.from({ length: 30 }, (_, at) => `long slow${at} = wide<800, ${at}>::value;`).join("\n")}
`;
const SOURCE = "unit.cpp";
const COMMAND = ["-O0", "-c", SOURCE, "-o", "unit.o"];

/** Front ends that compile the source, among all that a process has started: daemons ask compilers other things, too. */
function running(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    const isOne =
      readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "cc1plus" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(SOURCE);
    return [...(isOne ? [pid] : []), ...children.flatMap((child) => running(child))];
  } catch {
    return []; // It has ended.
  }
}

/** Stops the front end that somebody runs as soon as there is one. */
async function freeze(t: TestContext, whose: number): Promise<number> {
  await until(t, () => Promise.resolve(running(whose).length === 1));
  const [front = 0] = running(whose);
  process.kill(front, "SIGSTOP");
  return front;
}

test("the compiler here is stopped when a member is first, and what it left is cleared away", PATIENT, async (t) => {
  const [builder, helper] = await helped(t, 1);
  assert.ok(helper !== undefined);
  const directory = join(dirname(builder.home), "project");
  writeFiles(directory, { [SOURCE]: SLOW });
  mkdirSync(join(directory, "temporary"));
  const release = await occupy(t, builder);
  const before = await builder.counters();
  const env = { ...process.env, ...builder.env, TMPDIR: join(directory, "temporary") };
  const build = spawn(builder.client, ["g++", ...COMMAND], { cwd: directory, env, stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(build, "exit");
  const there = await freeze(t, helper.pid);
  await release();
  // The driver here goes on, so that it can clear away.
  const here = await freeze(t, build.pid ?? 0);
  process.kill(there, "SIGCONT");
  assert.deepEqual(await ended, [0, null]);
  await until(t, () => Promise.resolve(running(here).length === 0));
  assert.deepEqual(readdirSync(join(directory, "temporary")), []);
  const object = readFileSync(join(directory, "unit.o"));
  await until(t, async () => ((await builder.control("GET", "/status")).jobs as { running: number }).running === 0);
  const counts = counted(before, await builder.counters());
  assert.deepEqual([counts.built_elsewhere_late, counts.stopped_here], [1, 1], JSON.stringify(counts));
  const explained = await cairn(builder, "explain", join(directory, SOURCE));
  assert.match(explained.stdout, /miss, compiled by another machine/);
  assert.match((await cairn(builder, "stats")).stdout, /stopped, another machine was first\s+1/);
  await run("g++", COMMAND, { cwd: directory });
  assert.deepEqual(object, readFileSync(join(directory, "unit.o")));
});
