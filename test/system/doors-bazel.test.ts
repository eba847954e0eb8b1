/**
 * Real Bazel at its doors: what was built once is not built again, by whatever door it came, with crashes in the middle, in the sandbox, and by
 * two machines.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { lackOfSandbox } from "./actions-world.ts";
import { ACTIONS, assertBuilt, Bazel, lists, sizeOfUnits, sorted, unitsOfCpp, withoutBazel } from "./bazel-world.ts";
import { checkout, run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, invitation, machine, until, untilConnected } from "./network-world.ts";
import { endSleepers, signalTo, sleepersOf } from "./work-world.ts";

const DOOR = { CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1" };
const options = { skip: withoutBazel, timeout: 600_000 };
async function grpcOf(node: TestNode): Promise<string> {
  return `grpc://127.0.0.1:${await node.doorPort("grpc")}`;
}

test("Bazel: all that was built once comes from the cache, by either door, minimal downloads included", options, async () => {
  using place = temporaryDirectory("bazel");
  await using node = await TestNode.start("doors-bazel", { ...DOOR, CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1" });
  await using bazel = new Bazel(place.path, lists("a"));
  const grpc = await grpcOf(node);
  const http = `http://127.0.0.1:${await node.doorPort("http")}/bazel-http`;
  for (const [word, filled, read] of [
    ["a", grpc, http],
    ["c", http, grpc],
  ] as const) {
    writeFiles(bazel.directory, lists(word));
    assertBuilt(await bazel.build(`--remote_cache=${filled}`), { local: ACTIONS });
    for (const cache of [read, filled]) {
      await bazel.clean();
      assertBuilt(await bazel.build(`--remote_cache=${cache}`), { hits: ACTIONS });
      assert.equal(bazel.made("all.txt").toString(), sorted(word));
    }
  }
  await bazel.clean();
  assertBuilt(await bazel.build(`--remote_cache=${grpc}`, "--remote_download_minimal"), { hits: ACTIONS });
  const counters = await node.counters();
  const counts = ["bazel", "bazel-http"].flatMap((door) => ["put", "hit", "refused"].map((what) => counters[`door:${door}:${what}`] ?? 0));
  assert.deepEqual(counts.slice(0, 3), [ACTIONS, 3 * ACTIONS, 0]);
  // Over HTTP blobs count, too: of each result what it names, and there is one more where something was printed.
  assert.ok((counts[3] ?? 0) >= 2 * ACTIONS && (counts[4] ?? 0) >= 4 * ACTIONS && counts[5] === 0, counts.join());
});

/** A project whose last step of two waits in the middle of a build until it may go on. */
class Halted {
  readonly bazel: Bazel;
  readonly #gate: string;

  constructor(place: string) {
    this.#gate = join(place, "gate");
    const { BUILD = "", ...files } = lists("a");
    const wait = `until test -e ${this.#gate}; do test -d ${place}; sleep 0.1; done`;
    const last = `genrule(name = "last", srcs = [":all"], outs = ["last.txt"], cmd = "${wait}; tac $< > $@")\n`;
    this.bazel = new Bazel(place, { ...files, BUILD: BUILD + last });
  }

  /** Until the cache has all but the last. */
  async halfway(node: TestNode, signal: AbortSignal): Promise<void> {
    while (((await node.counters())["door:bazel:put"] ?? 0) < ACTIONS) {
      signal.throwIfAborted();
      await sleep(50);
    }
  }

  open(): void {
    writeFileSync(this.#gate, "");
  }

  assertMade(): void {
    const lines = sorted("a").split("\n").slice(0, -1);
    assert.equal(this.bazel.made("all.txt").toString(), sorted("a"));
    assert.equal(this.bazel.made("last.txt").toString(), `${lines.toReversed().join("\n")}\n`);
  }
}

test(
  "Bazel: where its server is killed in the middle of a cold build, the next one has what the cache was brought until then",
  options,
  async (t) => {
    using place = temporaryDirectory("bazel");
    await using node = await TestNode.start("doors-bazel-killed", DOOR);
    const halted = new Halted(place.path);
    await using bazel = halted.bazel;
    const cache = `--remote_cache=${await grpcOf(node)}`;
    const cold = bazel.build(cache);
    await halted.halfway(node, t.signal);
    bazel.killServer();
    assert.notEqual((await cold).code, 0);
    halted.open();
    await bazel.clean();
    assertBuilt(await bazel.build(cache), { hits: ACTIONS, local: 1 });
    halted.assertMade();
    await bazel.clean();
    assertBuilt(await bazel.build(cache), { hits: ACTIONS + 1 });
    halted.assertMade();
  },
);

test(
  "Bazel: where the daemon is killed in the middle of a cold build, that ends well, and what had been brought is there for the next",
  options,
  async (t) => {
    using place = temporaryDirectory("bazel");
    await using node = await TestNode.start("doors-bazel-daemon", DOOR);
    const halted = new Halted(place.path);
    await using bazel = halted.bazel;
    const cold = bazel.build(`--remote_cache=${await grpcOf(node)}`, "--remote_local_fallback");
    await halted.halfway(node, t.signal);
    await node.stopDaemon("SIGKILL");
    halted.open();
    assertBuilt(await cold, { local: ACTIONS + 1 });
    halted.assertMade();
    await node.startDaemon();
    const cache = `--remote_cache=${await grpcOf(node)}`;
    for (const expected of [{ hits: ACTIONS, local: 1 }, { hits: ACTIONS + 1 }]) {
      await bazel.clean();
      assertBuilt(await bazel.build(cache), expected);
      halted.assertMade();
    }
  },
);

/** Contents of what was built, by name, but for what tells where that was. */
function outputs(bazel: Bazel): Map<string, string> {
  const directory = join(bazel.directory, "bazel-bin");
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = names.map(({ parentPath, name }) => join(parentPath, name)).filter((path) => !path.includes(".runfiles"));
  return new Map(paths.toSorted().map((path) => [path.slice(directory.length), readFileSync(path, "latin1")]));
}

test("Bazel: C++ that is compiled, linked and run in the sandbox comes out as it does here, and once", options, async (t) => {
  using place = temporaryDirectory("bazel");
  await using node = await TestNode.start("doors-bazel-execute", { ...DOOR, CAIRN_DOORS_GRPC_EXECUTE: "on" });
  const lack = await lackOfSandbox(node);
  if (lack !== undefined) return t.skip(lack);
  const units = 4;
  await using bazel = new Bazel(place.path, unitsOfCpp(units));
  const here = await bazel.build();
  assertBuilt(here, { local: here.local });
  const expected = outputs(bazel);
  assert.equal(expected.get("/out.txt"), sizeOfUnits(units));
  const connected = await run(join(checkout, "bin/cairn"), ["connect", "bazel", "--write"], {
    cwd: bazel.directory,
    env: { ...node.env, HOME: place.path },
  });
  assert.equal(connected.code, 0, connected.stderr);
  await bazel.clean();
  const remote = await bazel.build("--config=cairn-execute");
  assertBuilt(remote, { remote: here.local });
  assert.deepEqual(outputs(bazel), expected);
  await bazel.clean();
  assertBuilt(await bazel.build("--config=cairn-execute"), { hits: here.local });
  assert.deepEqual(outputs(bazel), expected);
});

/** One job at a time. */
const ONE_SLOT = `${Math.ceil(100 / availableParallelism())}%`;

test(
  "Bazel: what it has one machine execute another one does, too, and when that one dies in the middle nothing fails",
  options,
  async (t) => {
    using place = temporaryDirectory("bazel");
    const alike = { CAIRN_WORK_SYSTEM: "alike" };
    const [asked, helper] = await Promise.all([
      machine(t, "doors-bazel-asked", { ...DOOR, ...alike, CAIRN_DOORS_GRPC_EXECUTE: "on" }),
      machine(t, "doors-bazel-helper", { ...alike, CAIRN_WORK_ACTIONS: "on", CAIRN_WORK_SHARE: ONE_SLOT }),
    ]);
    const lack = await lackOfSandbox(asked);
    if (lack !== undefined) return t.skip(lack);
    await ask(asked, "init", "--machine", "asked");
    await ask(helper, "join", await invitation(asked), "--machine", "helper");
    await untilConnected(t, asked, "helper");
    // None ends by itself: all cores have something to do for as long as that is wanted.
    await using bazel = new Bazel(place.path, lists("a", "sleep 3000 || true; "));
    const executor = `--remote_executor=${await grpcOf(asked)}`;
    const building = bazel.build(executor, `--jobs=${ACTIONS}`);
    const outcomes = (): unknown[] => asked.events("actions.ended").map(({ outcome }) => outcome);
    let woken = 0;
    await until(t, async () => {
      [woken = 0] = sleepersOf(helper);
      return woken !== 0 && signalTo(woken, "SIGKILL");
    });
    await until(t, async () => outcomes().includes("exit 0") && sleepersOf(helper).some((pid) => pid !== woken));
    await helper.stopDaemon("SIGKILL");
    await until(t, async () => outcomes().includes("lost"));
    const all = building.then(() => true);
    while (!(await Promise.race([all, sleep(50, false)]))) endSleepers(asked);
    assertBuilt(await building, { remote: ACTIONS });
    assert.equal(bazel.made("all.txt").toString(), sorted("a"));
  },
);
