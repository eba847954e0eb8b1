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
import { COSTLY, helped, occupy } from "./remote-world.ts";
import { signalCompilers, underWay } from "./work-world.ts";

const ARGS = ["-O1", "-c", "unit.c", "-o", "unit.o"];
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
  let units = 0;
  const directory = (unit: number): string => join(dirname(builder.home), `unit${unit}`);
  /** Compiles the next unit: what has been compiled is the highest of {@link units}. */
  const compile = (): Promise<Ran> => {
    const cwd = directory(++units);
    writeFiles(cwd, { "unit.c": `int unit = ${units};\n${COSTLY}` });
    return builder.cc("gcc", ARGS, { cwd });
  };
  const events = (node: TestNode, name: string): number => node.events(name).length;
  // Whatever waits at the builder is for its own processor: no member would do for it.
  await occupy(t, builder);
  await ask(slow, "share", ONE_SLOT);
  await ask(free, "share", "off");
  await until(t, async () => (await slotsOf("helper0", builder)) === 1 && (await slotsOf("helper1", builder)) === 0);

  const holds = await underWay(t, compile, () => signalCompilers(slow, "SIGSTOP") === 1);
  const held = units;
  let accepted = 0;
  const begin = (): Promise<Ran> => {
    accepted = events(slow, "work.accepted");
    return compile();
  };
  const waits = await underWay(t, begin, () => events(slow, "work.accepted") > accepted);
  const waiting = units;
  const [endedBefore, { built_elsewhere: builtBefore = 0 }] = [events(slow, "work.ended"), await builder.counters()];
  await ask(free, "share", "100%");
  assert.equal((await waits.ended).code, 0);
  assert.equal(events(slow, "work.ended"), endedBefore, "there it would wait still");

  signalCompilers(slow, "SIGCONT");
  assert.equal((await holds.ended).code, 0);
  const moves = builder.events("remote.moved").map(({ source }) => source);
  assert.deepEqual(moves, [join(directory(waiting), "unit.c")]);
  assert.deepEqual([events(slow, "work.ended") - endedBefore, events(free, "work.ended")], [1, 1]);
  assert.equal((await builder.counters()).built_elsewhere, builtBefore + 2);
  for (const unit of [held, waiting]) {
    await run("gcc", [...ARGS.slice(0, -1), "alone.o"], { cwd: directory(unit) });
    const [made, alone] = ["unit.o", "alone.o"].map((name) => readFileSync(join(directory(unit), name)));
    assert.deepEqual(made, alone);
  }
});
