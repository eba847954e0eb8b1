import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Turns } from "./turns.ts";

const never = new AbortController().signal;

/** Takes turns of these sizes; ends are called by number. */
function take(
  turns: Turns,
  sizes: readonly number[],
  signals: readonly AbortSignal[] = [],
): { began: number[]; end: (at: number) => void } {
  const began: number[] = [];
  const held = new Map<number, Disposable>();
  for (const [at, bytes] of sizes.entries())
    turns.take(bytes, signals[at] ?? never).then(
      (turn) => {
        began.push(at);
        held.set(at, turn);
      },
      () => began.push(-1),
    );
  return { began, end: (at) => held.get(at)?.[Symbol.dispose]() };
}

test("so many run at once, in the order in which they came", async () => {
  const { began, end } = take(new Turns({ jobs: 2, bytes: 100 }), [1, 1, 1, 1]);
  await setImmediate();
  assert.deepEqual(began, [0, 1]);
  end(1);
  await setImmediate();
  assert.deepEqual(began, [0, 1, 2]);
  end(0);
  end(2);
  await setImmediate();
  assert.deepEqual(began, [0, 1, 2, 3]);
});

test("all together hold no more than so much, and small ones do not pass a large one", async () => {
  const { began, end } = take(new Turns({ jobs: 9, bytes: 100 }), [60, 60, 10]);
  await setImmediate();
  assert.deepEqual(began, [0]);
  end(0);
  await setImmediate();
  assert.deepEqual(began, [0, 1, 2]);
});

test("who gives up waiting is in nobody's way", async () => {
  const stop = new AbortController();
  const turns = new Turns({ jobs: 9, bytes: 100 });
  const { began, end } = take(turns, [60, 60, 10], [never, stop.signal]);
  stop.abort();
  await setImmediate();
  assert.deepEqual(new Set(began), new Set([-1, 0, 2]));
  end(0);
  end(2);
  using _ = await turns.take(100, never);
});
