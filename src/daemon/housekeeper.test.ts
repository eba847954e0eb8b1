import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { type Home, silentLog } from "../base/index.ts";
import type { LoggedHit } from "../wire/index.ts";
import { Housekeeper, type HousekeeperParts } from "./housekeeper.ts";
import type { HomePaths } from "./prepare-home.ts";

/** A house whose ticks are the test's. */
function house(t: TestContext, flow: object, tasks: object, waiting: object[] = []) {
  const runDir = mkdtempSync(join(tmpdir(), "cairn-housekeeper-"));
  t.after(() => rmSync(runDir, { recursive: true, force: true }));
  const compileSocket = join(runDir, "socket");
  writeFileSync(compileSocket, "");
  t.mock.timers.enable({ apis: ["setInterval"] });
  const nothing = (): void => undefined;
  const drained = { times: 0 };
  const left: unknown[] = [];
  const noted: Partial<LoggedHit>[] = [];
  const counted: unknown[] = [];
  const parts = {
    flow: Object.assign(flow, { settleNext: () => Promise.resolve(false), movableNext: () => Promise.resolve(waiting.shift()) }),
    tasks,
    store: { isPressed: false, tidy: nothing },
    index: { flush: nothing, tidy: nothing },
    records: { inherit: nothing, origin: nothing, blobs: () => [], leaveMovable: (_: unknown, movable: unknown) => left.push(movable) },
    hits: { drain: () => Promise.resolve((drained.times++, noted.splice(0))) },
    statistics: { count: (changes: object, session: string) => counted.push([changes, session]) },
    ahead: { served: () => false },
    log: silentLog,
    quiet: () => Promise.resolve(),
    sweep: nothing,
    end: (why: string) => assert.fail(why),
  } as unknown as HousekeeperParts;
  const paths = { unresponsive: join(runDir, "unresponsive"), compileSocket } as HomePaths;
  const housekeeper = new Housekeeper(parts, { home: { runDir, daemonLog: join(runDir, "log") } as Home, paths });
  const tick = async (): Promise<void> => {
    t.mock.timers.tick(1_000);
    for (let turns = 0; turns < 20; turns++) await otherWork();
  };
  return { housekeeper, tick, drained, left, noted, counted };
}

/** Something that goes on until it is ended. */
function lasting() {
  const seen = { begun: 0, ended: 0 };
  const verifyNext = (signal: AbortSignal): Promise<boolean> => {
    seen.begun += 1;
    return new Promise<boolean>((_, reject) =>
      signal.addEventListener("abort", () => {
        seen.ended += 1;
        reject(new Error("it was ended"));
      }),
    );
  };
  return { seen, verifyNext };
}

const NONE = { verifyNext: () => Promise.resolve(false), isIdle: true };

test("while something is executed once more the house is kept, and who builds ends that", async (t) => {
  const { seen, verifyNext } = lasting();
  const flow = { quiet: true, isVerifyingOverdue: false, verifyNext };
  const { housekeeper, tick, drained } = house(t, flow, NONE);
  for (let ticks = 0; ticks < 3; ticks++) await tick();
  assert.deepEqual([seen, drained.times], [{ begun: 1, ended: 0 }, 3]);
  flow.quiet = false;
  flow.isVerifyingOverdue = true;
  await tick();
  assert.equal(seen.ended, 0, "it has waited for too long");
  flow.isVerifyingOverdue = false;
  await tick();
  assert.deepEqual(seen, { begun: 1, ended: 1 });
  await tick();
  flow.quiet = true;
  await tick();
  assert.deepEqual(seen, { begun: 2, ended: 1 });
  await housekeeper[Symbol.asyncDispose]();
  assert.equal(seen.ended, 2);
});

test("commands of others are executed after compiles, while nobody builds or waits for a command", async (t) => {
  const { seen, verifyNext } = lasting();
  const compiles = { left: 2 };
  const flow = { quiet: true, isVerifyingOverdue: false, verifyNext: () => Promise.resolve(--compiles.left > 0) };
  const tasks = { isIdle: true, verifyNext };
  const { housekeeper, tick } = house(t, flow, tasks);
  await tick();
  assert.deepEqual([seen, compiles.left], [{ begun: 1, ended: 0 }, 0]);
  tasks.isIdle = false;
  await tick();
  assert.deepEqual(seen, { begun: 1, ended: 1 });
  await tick();
  assert.equal(seen.begun, 1);
  tasks.isIdle = true;
  await tick();
  assert.equal(seen.begun, 2);
  flow.quiet = false;
  flow.isVerifyingOverdue = true;
  await tick();
  assert.deepEqual(seen, { begun: 2, ended: 2 });
  await housekeeper[Symbol.asyncDispose]();
});

test("answers for every checkout are left while nobody builds, and not where something was recalled since they were made", async (t) => {
  const flow = { quiet: false, isVerifyingOverdue: false, verifyNext: NONE.verifyNext, recalls: 7 };
  const waiting = [
    { recalls: 7, movable: "first" },
    { recalls: 6, movable: "recalled" },
    { recalls: 7, movable: undefined },
    { recalls: 7, movable: "last" },
  ];
  const { housekeeper, tick, left } = house(t, flow, NONE, waiting);
  await tick();
  assert.deepEqual([left, waiting.length], [[], 4]);
  flow.quiet = true;
  await tick();
  assert.deepEqual([left, waiting.length], [["first", "last"], 0]);
  await housekeeper[Symbol.asyncDispose]();
});

test("hits by answers for every checkout count as the wrapper's; no request is known by them", async (t) => {
  const { housekeeper, tick, noted, counted } = house(t, { quiet: false, isVerifyingOverdue: false, verifyNext: NONE.verifyNext }, NONE);
  const hit = { key: "key", atNs: 5_000_000n, session: 0xabn, tookUs: 100, compileMs: 30, passed: undefined };
  noted.push({ ...hit, root: "/w/two" }, { ...hit, key: "own", root: undefined }, { ...hit, key: "other", root: "/w/two" });
  await tick();
  assert.deepEqual(counted, [[{ hit_local: 3, saved_ms: 90, hit_local_us: 300 }, "00000000000000ab"]]);
  assert.deepEqual([housekeeper.lastHit("own"), housekeeper.lastHit("key")], [5, undefined]);
  await housekeeper[Symbol.asyncDispose]();
});
