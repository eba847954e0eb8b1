import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { lookBelow } from "./sandbox-memory.ts";

const MIB = 2 ** 20;

test("what processes share is counted once, and what nobody has started is nothing", { timeout: 60_000 }, async (t) => {
  if (spawnSync("perl", ["-e", ""]).status !== 0) return t.skip("no perl here");
  // Four processes, and what they hold was there before they parted.
  const shared = spawn("sh", ["-c", `perl -e '$x = "a" x (64 << 20); fork; fork; $| = 1; print "."; <STDIN>'; true`]);
  t.after(() => shared.stdin.end());
  for (let heard = 0; heard < 4; ) heard += String((await once(shared.stdout, "data", { signal: t.signal }))[0]).length;
  const pid = shared.pid ?? assert.fail("it runs");
  assert.deepEqual(await lookBelow(pid, 60 * MIB), { isTooMuch: true, threads: 4 });
  assert.deepEqual(await lookBelow(pid, 160 * MIB), { isTooMuch: false, threads: 4 });
  assert.equal((await lookBelow(pid, 160 * MIB, 0)).isTooMuch, true); // Nobody has looked at what they share.
  shared.stdin.end();
  await once(shared, "exit", { signal: t.signal });
  while ((await lookBelow(pid, 0)).isTooMuch) await sleep(10, undefined, { signal: t.signal });
});
