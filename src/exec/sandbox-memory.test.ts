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
  const look = async (mostBytes: number, exactMs?: number): Promise<boolean> =>
    (await lookBelow(pid, { mostBytes }, exactMs)).bytes > mostBytes;
  assert.equal((await lookBelow(pid, { mostBytes: 60 * MIB })).threads, 4);
  assert.equal(await look(60 * MIB), true);
  assert.equal(await look(160 * MIB), false);
  assert.equal(await look(160 * MIB, 0), true); // Nobody has looked at what they share.
  const [rough, exact] = [
    await lookBelow(pid, { mostBytes: 1_024 * MIB }),
    await lookBelow(pid, { mostBytes: 1_024 * MIB, enoughBytes: 0 }),
  ];
  assert.ok(rough.bytes > 240 * MIB && exact.bytes < 160 * MIB && exact.bytes > 60 * MIB, `${rough.bytes} ${exact.bytes}`);
  shared.stdin.end();
  await once(shared, "exit", { signal: t.signal });
  while (await look(0)) await sleep(10, undefined, { signal: t.signal });
});
