import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { type Home, silentLog } from "../base/index.ts";
import { Housekeeper, type HousekeeperParts } from "./housekeeper.ts";
import type { HomePaths } from "./prepare-home.ts";

test("while something is executed once more the house is kept, and who builds ends that", async (t) => {
  const runDir = mkdtempSync(join(tmpdir(), "cairn-housekeeper-"));
  t.after(() => rmSync(runDir, { recursive: true, force: true }));
  const compileSocket = join(runDir, "socket");
  writeFileSync(compileSocket, "");
  t.mock.timers.enable({ apis: ["setInterval"] });
  const [seen, flow] = [
    { drained: 0, begun: 0, ended: 0 },
    {
      quiet: true,
      isVerifyingOverdue: false,
      settleNext: () => Promise.resolve(false),
      verifyNext: (signal: AbortSignal) => {
        seen.begun += 1;
        return new Promise<boolean>((_, reject) =>
          signal.addEventListener("abort", () => {
            seen.ended += 1;
            reject(new Error("it was ended"));
          }),
        );
      },
    },
  ];
  const nothing = (): void => undefined;
  const parts = {
    flow,
    store: { isPressed: false, tidy: nothing },
    index: { flush: nothing, tidy: nothing },
    records: { inherit: nothing },
    hits: { drain: () => Promise.resolve((seen.drained++, [])) },
    statistics: {},
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
  for (let ticks = 0; ticks < 3; ticks++) await tick();
  assert.deepEqual(seen, { drained: 3, begun: 1, ended: 0 });
  flow.quiet = false;
  flow.isVerifyingOverdue = true;
  await tick();
  assert.equal(seen.ended, 0, "it has waited for too long");
  flow.isVerifyingOverdue = false;
  await tick();
  assert.deepEqual([seen.begun, seen.ended], [1, 1]);
  await tick();
  flow.quiet = true;
  await tick();
  assert.deepEqual([seen.begun, seen.ended], [2, 1]);
  await housekeeper[Symbol.asyncDispose]();
  assert.equal(seen.ended, 2);
});
