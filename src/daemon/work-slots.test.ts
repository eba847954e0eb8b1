import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { WorkSlots } from "./work-slots.ts";

const { queueMs, waitingPerMember } = limits.work;

interface World {
  readonly slots: WorkSlots;
  readonly clock: { nowMs: number };
  /** Jobs of a member, one after the other. */
  readonly run: (from: string, jobs: number, tookMs: number) => Promise<void>;
}

function world(count: number): World {
  const clock = { nowMs: 0 };
  const slots = new WorkSlots({ slots: () => count, now: () => clock.nowMs, changed: () => undefined });
  const run: World["run"] = async (from, jobs, tookMs) => {
    for (let job = 0; job < jobs; job++) {
      using slot = await slots.take(from, new AbortController().signal);
      assert.ok(slot !== undefined);
      clock.nowMs += tookMs;
    }
  };
  return { slots, clock, run };
}

test("where jobs are short more may wait, and where they are long as many as run", async () => {
  const { slots, run } = world(2);
  assert.equal(slots.queue, 2);
  await run("a", 32, 20);
  assert.equal(slots.queue, 2 ** Math.floor(Math.log2(waitingPerMember)));
  await run("a", 32, queueMs);
  assert.equal(slots.queue, 2);
});

test("a member's many short jobs make the row no longer while another's are long, however many there are of them", async () => {
  const { slots, clock, run } = world(2);
  await run("slow", 8, queueMs);
  for (let i = 0; i < 100; i++) await run("quick", 32, 1);
  assert.equal(slots.queue, 2);
  assert.equal(slots.hasRoom("quick", 3), true);
  assert.equal(slots.hasRoom("quick", 4), false);
  // Whose jobs these were has not been here for long.
  clock.nowMs += 60_000;
  await run("quick", 8, 1);
  assert.ok(slots.queue > 2);
});

test("so many wait in all that no three members take every place", () => {
  assert.ok(limits.work.waiting >= 4 * waitingPerMember);
});
