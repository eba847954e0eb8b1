/**
 * Actions of a build tool that a member runs, between real daemons: while no core here is idle, only where both operators have said so, and what
 * goes wrong there is done here.
 */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { type TestContext, test } from "node:test";
import { Actor, last, sh } from "./actions-world.ts";
import type { TestNode } from "./harness.ts";
import { ask, invitation, machine, until, untilConnected } from "./network-world.ts";
import { endSleepers, sleepersOf } from "./work-world.ts";

const LONG = { timeout: 180_000 };
const SYSTEM = { CAIRN_WORK_SYSTEM: "lab" };
const RUNS = { ...SYSTEM, CAIRN_WORK_ACTIONS: "on" };

class Pair implements Disposable {
  readonly builder: TestNode;
  readonly helper: TestNode;
  readonly actor: Actor;

  /** Two machines of one person, of which one has actions run. @returns undefined, and the test is skipped, where there can be no sandbox */
  static async of(t: TestContext, helperEnv: Record<string, string>): Promise<Pair | undefined> {
    const door = { CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1", CAIRN_DOORS_GRPC_EXECUTE: "on" };
    const [builder, helper] = await Promise.all([
      machine(t, "builder", { ...door, ...SYSTEM, CAIRN_LOG_LEVEL: "debug" }),
      machine(t, "helper", helperEnv),
    ]);
    await ask(builder, "init", "--machine", "builder");
    await ask(helper, "join", await invitation(builder), "--machine", "helper");
    await untilConnected(t, builder, "helper");
    const { lack, actionsAs } = (await helper.control("GET", "/work")) as { lack: string | null; actionsAs: string | null };
    assert.equal(actionsAs, helperEnv.CAIRN_WORK_SYSTEM);
    if (lack !== null) t.skip(`no sandbox here: ${lack}`);
    return lack === null ? new Pair(builder, helper, new Actor(await builder.doorPort("grpc"))) : undefined;
  }

  private constructor(builder: TestNode, helper: TestNode, actor: Actor) {
    this.builder = builder;
    this.helper = helper;
    this.actor = actor;
  }

  /** Waits until the builder has heard that the helper has so many toolchains, what is installed there counted as one. */
  async untilTold(t: TestContext): Promise<void> {
    await until(t, async () => {
      const { peers } = (await this.builder.control("GET", "/network/peers")) as { peers: { work: { toolchains: number } | null }[] };
      return peers.some(({ work }) => (work?.toolchains ?? 0) > 0);
    });
  }

  /** Gives every core of the builder an action that does not end by itself. @returns ends them */
  async occupy(t: TestContext): Promise<() => Promise<void>> {
    const running = await Promise.all(
      Array.from({ length: availableParallelism() }, async (_, core) => {
        const operations = this.actor.operations(await this.actor.action({ arguments: sh(`sleep 100${core}`) }));
        await operations.next();
        return operations;
      }),
    );
    await until(t, async () => sleepers(this.builder) === availableParallelism());
    return async () => {
      endSleepers(this.builder);
      await Promise.all(running.map((operations) => last(operations)));
    };
  }

  [Symbol.dispose](): void {
    this.actor[Symbol.dispose]();
  }
}

function sleepers(node: TestNode): number {
  return sleepersOf(node).length;
}

function ended(node: TestNode): readonly (readonly [outcome: unknown, reason: unknown])[] {
  return node.events("actions.ended").map(({ outcome, reason }) => [outcome, reason] as const);
}

const FILES = { "a.txt": "one\n", tool: "#!/bin/sh\ntr a-z A-Z\n" };
const SCRIPT = "./tool < a.txt > out/b.txt; mkdir -p out/d/e; echo x > out/d/e/f; chmod +x out/d/e/f; ln -s e/f out/d/l; echo said";

test("an action runs with a member, and what comes of it is what comes of it here", LONG, async (t) => {
  using pair = await Pair.of(t, RUNS);
  if (pair === undefined) return;
  const { actor, builder, helper } = pair;
  await pair.untilTold(t);
  const action = await actor.action({ arguments: sh(SCRIPT), outputPaths: ["out/b.txt", "out/d", "out/none"] }, FILES);
  const here = await actor.run(action, true);
  assert.deepEqual(ended(builder), [], "a core was idle");
  const release = await pair.occupy(t);
  const there = await actor.run(action, true);
  await until(t, async () => ended(builder).length > 0);
  assert.deepEqual(ended(builder), [["exit 0", ""]]);
  assert.equal(there.result?.exitCode, 0);
  const named = ({ result }: typeof here): object => ({
    files: result?.outputFiles,
    directories: result?.outputDirectories,
    stdout: Buffer.from(result?.stdoutRaw ?? []).toString(),
  });
  assert.deepEqual(named(there), named(here));
  assert.equal((await actor.run(action)).cachedResult, true);
  await until(t, async () => helper.events("work.ended").length > 0);
  assert.equal(helper.events("work.ended").length, 1);

  // What fails there is done here: it may have failed for what is less there. So no core, and no answer, until one is free.
  const failing = last(actor.operations(await actor.action({ arguments: sh("exit 3") })));
  await until(t, async () => ended(builder).length === 2);
  assert.deepEqual(ended(builder).at(-1), ["exit 3", ""]);
  const operations = actor.operations(await actor.action({ arguments: sh("exec sleep 2000") }));
  await operations.next();
  await until(t, async () => sleepers(helper) === 1);
  await operations.return(undefined);
  await until(t, async () => sleepers(helper) === 0 && helper.events("work.cancelled").length === 1);

  // A worker that dies in the middle loses nothing but time. Here it goes on once its sleep is ended.
  const survivor = last(actor.operations(await actor.action({ arguments: sh("sleep 3000; echo done > x"), outputPaths: ["x"] })));
  await until(t, async () => sleepers(helper) === 1);
  await helper.stopDaemon("SIGKILL");
  await until(t, async () => ended(builder).at(-1)?.[0] === "lost");
  await release();
  await until(t, async () => sleepers(builder) === 1);
  endSleepers(builder);
  assert.equal((await failing).result?.exitCode, 3);
  assert.equal((await survivor).result?.outputFiles.length, 1);
});

test("what a member has made goes with the member that is revoked", LONG, async (t) => {
  using pair = await Pair.of(t, RUNS);
  if (pair === undefined) return;
  const { actor, builder } = pair;
  await pair.untilTold(t);
  const action = await actor.action({ arguments: sh(SCRIPT), outputPaths: ["out/b.txt"] }, FILES);
  const release = await pair.occupy(t);
  assert.equal((await actor.run(action)).cachedResult, false);
  await until(t, async () => ended(builder).length > 0);
  assert.deepEqual(ended(builder), [["exit 0", ""]]);
  await release();
  assert.equal((await actor.run(action)).cachedResult, true, "the member is one of this network");
  await ask(builder, "revoke", "helper");
  await until(t, async () => builder.events("door.recalled").length > 0);
  assert.equal((await actor.run(action)).cachedResult, false);
  assert.equal(ended(builder).length, 1, "it ran here");
});

test("what a member has made is gone soon after a start, when its word has ceased to count before that", LONG, async (t) => {
  using pair = await Pair.of(t, RUNS);
  if (pair === undefined) return;
  const { actor, builder, helper } = pair;
  await pair.untilTold(t);
  const action = await actor.action({ arguments: sh(SCRIPT), outputPaths: ["out/b.txt"] }, FILES);
  const release = await pair.occupy(t);
  await actor.run(action);
  await until(t, async () => ended(builder).length > 0);
  assert.deepEqual(ended(builder), [["exit 0", ""]]);
  await release();
  // Nobody tells it anything that would have it look once more.
  await helper.stopDaemon();
  await builder.stopDaemon();
  await builder.startDaemon({ CAIRN_SHARING_POLICY: "release" });
  await until(t, async () => builder.events("door.recalled").some(({ forgotten }) => forgotten === 1));
});
