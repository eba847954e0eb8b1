import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../base/index.ts";
import { Later } from "./later.ts";

interface World {
  readonly later: Later;
  readonly done: string[];
  busy: boolean;
  add(key: string, bytes?: number): void;
}

function world(): World {
  const done: string[] = [];
  const made: World = {
    later: new Later({ isBusy: () => made.busy }),
    done,
    busy: true,
    add: (key, bytes = 1) =>
      void made.later.add(key, bytes, async () => {
        await sleep(1);
        done.push(key);
      }),
  };
  return made;
}

test("work waits while every core is busy, and is done in order once one is idle", { timeout: 60_000 }, async (t) => {
  const made = world();
  for (const key of ["a", "b", "c"]) made.add(key);
  await sleep(600); // Longer than it takes to look again.
  assert.deepEqual(made.done, []);
  made.busy = false;
  while (made.later.size > 0) await sleep(5, undefined, { signal: t.signal });
  assert.deepEqual(made.done, ["a", "b", "c"]);
});

test("who asks for something gets all of it, and nothing else", { timeout: 60_000 }, async () => {
  const made = world();
  for (const key of ["a", "b", "a"]) made.add(key);
  await Promise.all([made.later.demand("a"), made.later.demand("a"), made.later.demand("none")]);
  assert.deepEqual(made.done, ["a", "a"]);
  await made.later.catchUp();
  assert.deepEqual(made.done, ["a", "a", "b"]);
  assert.equal(made.later.size, 0);
});

for (const [about, pieces, bytes] of [
  ["pieces", limits.digestsWaiting + 3, 1],
  ["bytes", 8, Math.floor(limits.digestBytesWaiting / 5)],
] as const)
  test(`no more than so many ${about} wait, however busy it is; the eldest go first`, { timeout: 60_000 }, async (t) => {
    const made = world();
    for (let at = 0; at < pieces; at++) made.add(String(at), bytes);
    while (made.done.length < 3) await sleep(5, undefined, { signal: t.signal });
    await sleep(20);
    assert.deepEqual(made.done, ["0", "1", "2"]);
    await made.later.catchUp();
    assert.equal(made.done.length, pieces);
  });
