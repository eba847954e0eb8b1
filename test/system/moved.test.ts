/**
 * A compile that waits for its turn at one machine, while another one becomes free: real daemons, real compilers, the sandbox.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { type Ran, run, writeFiles } from "./harness.ts";
import { ask, PATIENT, until } from "./network-world.ts";
import { helped, occupy } from "./remote-world.ts";
import { signalCompilers } from "./work-world.ts";

/** Jobs of one helper at a time. */
const SLOTS = 2;
/** What takes some time: what is quickly done is not sent. */
const LONG: string = Array.from({ length: 1_000 }, (_, i) => `int f${i}(int a) { return a * ${i} + (a % ${i + 1}); }\n`).join("");
const ARGS = ["-O1", "-c", "unit.c", "-o", "unit.o"];

test("what waits behind a long compile goes to a machine that becomes free", PATIENT, async (t) => {
  const [builder, ...helpers] = await helped(t, 2);
  const share = `${Math.ceil((100 * SLOTS) / availableParallelism())}%`;
  for (const helper of helpers) await ask(helper, "config", "set", "work.share", share);
  const directory = (unit: number): string => join(dirname(builder.home), `unit${unit}`);
  const compile = (unit: number): Promise<Ran> => {
    writeFiles(directory(unit), { "unit.c": `int unit = ${unit};\n${LONG}` });
    return builder.cc("gcc", ARGS, { cwd: directory(unit) });
  };
  await occupy(t, builder);
  const accepted = (): number[] => helpers.map((helper) => helper.events("work.accepted").length);
  const long: Promise<Ran>[] = [];
  for (let unit = 1; unit <= SLOTS * helpers.length; unit++) {
    long.push(compile(unit));
    // Members tell of one after the other.
    await until(t, async () => helpers.map((helper) => signalCompilers(helper, "SIGSTOP")).reduce((sum, count) => sum + count) === unit);
  }
  await until(t, async () => helpers.every((helper) => signalCompilers(helper, "SIGSTOP") === SLOTS));
  const before = accepted();
  const last = long.length + 1;
  const waits = compile(last);
  await until(t, async () => accepted().some((count, at) => count > (before[at] ?? 0)));
  const busy = accepted().findIndex((count, at) => count > (before[at] ?? 0));
  const [slow, free] = busy === 0 ? helpers : helpers.toReversed();
  assert.ok(slow && free);
  const moved = builder.events("remote.moved").length;
  signalCompilers(free, "SIGCONT");
  assert.equal((await waits).code, 0);
  assert.equal(slow.events("work.ended").length, 0, "there it would wait still");
  const [move, ...more] = builder.events("remote.moved").slice(moved);
  assert.ok(move !== undefined && more.length === 0, JSON.stringify([move, ...more]));
  assert.match(String(move.source), new RegExp(`unit${last}/`));
  signalCompilers(slow, "SIGCONT");
  for (const { code, stderr } of await Promise.all(long)) assert.equal(code, 0, stderr);
  assert.equal((await builder.counters()).built_elsewhere, last);
  const made = readFileSync(join(directory(last), "unit.o"));
  rmSync(join(directory(last), "unit.o"));
  await run("gcc", ARGS, { cwd: directory(last) });
  assert.deepEqual(made, readFileSync(join(directory(last), "unit.o")));
});
