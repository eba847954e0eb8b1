/**
 * A compile that waits for its turn at a member whose slots are taken, while another member comes to have a free one: it is done there. Real daemons,
 * real compilers, the sandbox.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { type Ran, run, type TestNode, writeFiles } from "./harness.ts";
import { ask, PATIENT, until } from "./network-world.ts";
import { helped, occupy } from "./remote-world.ts";
import { signalCompilers } from "./work-world.ts";

const ARGS = ["-O1", "-c", "unit.c", "-o", "unit.o"];
/** What is quickly done is not sent. */
const LONG: string = Array.from({ length: 500 }, (_, i) => `int f${i}(int a) { return a * ${i} + (a % ${i + 1}); }\n`).join("");
/** One job at a time. */
const ONE_SLOT = `${Math.ceil(100 / availableParallelism())}%`;

/** Jobs that a member does for others at once, as a machine has heard. */
async function slotsOf(name: string, asked: TestNode): Promise<number> {
  const { peers } = (await asked.control("GET", "/network/peers")) as { peers: { name: string; work: { slots: number } | null }[] };
  return peers.find((peer) => peer.name === name)?.work?.slots ?? 0;
}

test("what waits behind a compile that does not end goes to a machine that becomes free", PATIENT, async (t) => {
  const [builder, slow, free] = await helped(t, 2);
  assert.ok(slow !== undefined && free !== undefined);
  const directory = (unit: number): string => join(dirname(builder.home), `unit${unit}`);
  const compile = (unit: number): Promise<Ran> => {
    writeFiles(directory(unit), { "unit.c": `int unit = ${unit};\n${LONG}` });
    return builder.cc("gcc", ARGS, { cwd: directory(unit) });
  };
  // Whatever waits at the builder is for its own processor: no member would do for it.
  await occupy(t, builder);
  await ask(slow, "share", ONE_SLOT);
  await ask(free, "share", "off");
  await until(t, async () => (await slotsOf("helper0", builder)) === 1 && (await slotsOf("helper1", builder)) === 0);

  const holds = compile(1);
  await until(t, async () => signalCompilers(slow, "SIGSTOP") === 1);
  const waits = compile(2);
  await until(t, async () => slow.events("work.accepted").length === 2);
  await ask(free, "share", "100%");
  assert.equal((await waits).code, 0);
  assert.equal(slow.events("work.ended").length, 0, "there it would wait still");

  signalCompilers(slow, "SIGCONT");
  assert.equal((await holds).code, 0);
  const moves = builder.events("remote.moved").map(({ source }) => source);
  assert.deepEqual(moves, [join(directory(2), "unit.c")]);
  assert.deepEqual(
    [slow, free].map((helper) => helper.events("work.ended").length),
    [1, 1],
  );
  assert.equal((await builder.counters()).built_elsewhere, 2);
  for (const unit of [1, 2]) {
    await run("gcc", [...ARGS.slice(0, -1), "alone.o"], { cwd: directory(unit) });
    const [made, alone] = ["unit.o", "alone.o"].map((name) => readFileSync(join(directory(unit), name)));
    assert.deepEqual(made, alone);
  }
});
