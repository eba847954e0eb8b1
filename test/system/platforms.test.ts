/**
 * Members of several platforms, and compilers for several targets: real daemons on loopback, real compilers; the machine of another platform is of
 * this process, and says so.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Capacity, WorkDesk } from "../../src/contracts/index.ts";
import { worker } from "../../src/net/work.fixture.ts";
import { counted, run, type TestNode, writeFiles } from "./harness.ts";
import { ask, machine, PATIENT, until } from "./network-world.ts";
import { COSTLY, helped, occupy } from "./remote-world.ts";
import { invitedWith, tellCapacity } from "./work-world.ts";

const SLOTS = 8;
const TAKES_ALL: Omit<Capacity, "member" | "platform" | "targets"> = {
  slots: SLOTS,
  free: SLOTS,
  queue: SLOTS,
  toolchains: [],
  takesToolchains: true,
};

const PLATFORMS = ["linux-x86_64", "linux-aarch64"] as const;
const [OWN, OTHER] = process.arch === "x64" ? PLATFORMS : (PLATFORMS.toReversed() as [string, string]);

/** A member that would fetch every compiler, and declines what it is asked. @returns how often that was */
async function taker(t: TestContext, by: TestNode, number: number, platform: string): Promise<{ readonly asked: () => number }> {
  let asked = 0;
  const desk: WorkDesk = {
    act: () => assert.fail("it is a compile"),
    compile() {
      asked++;
      return Promise.resolve({ kind: "refused", reason: "toolchain_unknown", detail: "none is here" });
    },
  };
  await worker(
    t,
    await invitedWith(t, by, number, (node) => tellCapacity(t, node, { ...TAKES_ALL, platform, targets: ["aarch64-linux-gnu"] })),
    desk,
  );
  return { asked: () => asked };
}

interface Work {
  readonly slots: number;
  readonly platform: string;
  readonly targets: readonly string[];
}

/** What members are known to do. */
async function works(node: TestNode): Promise<Work[]> {
  const { peers } = (await node.control("GET", "/network/peers")) as unknown as { peers: { work: Work | null }[] };
  return peers.flatMap(({ work }) => work ?? []);
}

function project(node: TestNode, name: string): string {
  const cwd = join(dirname(node.home), name);
  writeFiles(cwd, { "unit.c": COSTLY });
  return cwd;
}

test("a machine of another platform is never asked for what it cannot execute, and one of this platform is", PATIENT, async (t) => {
  const builder = await machine(t, "builder", { CAIRN_LOG_LEVEL: "debug" });
  await ask(builder, "init", "--machine", "builder");
  const foreign = await taker(t, builder, 2, OTHER);
  await until(t, async () => (await works(builder)).length === 1);
  await occupy(t, builder);
  const cwd = project(builder, "project");
  const before = await builder.counters();
  assert.equal((await builder.cc("gcc", ["-O1", "-c", "unit.c", "-o", "unit.o"], { cwd })).code, 0);
  assert.equal(counted(before, await builder.counters())["kept_here:nobody"], 1);

  const alike = await taker(t, builder, 3, OWN);
  await until(t, async () => (await works(builder)).length === 2);
  assert.equal((await builder.cc("gcc", ["-O2", "-c", "unit.c", "-o", "unit.o"], { cwd })).code, 0);
  assert.deepEqual([foreign.asked(), alike.asked()], [0, 1]);
});

test("a machine says what its compilers build for, and builds that", PATIENT, async (t) => {
  const compiler = "clang-19";
  if (!existsSync(`/usr/bin/${compiler}`)) return t.skip(`${compiler} is not installed`);
  const [builder] = await helped(t, 1);
  const cwd = project(builder, "project");
  const args = ["--target=aarch64-linux-gnu", "-O2", "-ffreestanding", "-c", "unit.c", "-o", "unit.o"];
  assert.equal((await run(compiler, args, { cwd })).code, 0);
  const expected = readFileSync(join(cwd, "unit.o"));
  assert.equal(expected.readUInt16LE(18), 183, "it is for aarch64");
  rmSync(join(cwd, "unit.o"));
  assert.deepEqual(
    (await works(builder)).map(({ platform }) => platform),
    [OWN],
  );
  await occupy(t, builder);
  const before = await builder.counters();
  assert.equal((await builder.cc(compiler, args, { cwd })).code, 0);
  assert.equal(counted(before, await builder.counters()).built_elsewhere, 1);
  assert.deepEqual(readFileSync(join(cwd, "unit.o")), expected);
  // Whoever has used a compiler tells what it is good for.
  await until(t, async () =>
    (await works(builder)).some(({ targets }) => targets.includes("aarch64") && targets.includes("x86_64-linux-gnu")),
  );
});
