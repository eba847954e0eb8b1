import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { TaskSystem } from "../contracts/index.ts";
import { InstalledSystem } from "./installed-system.ts";

function system(installed: () => Promise<TaskSystem>): { seen: InstalledSystem; looks: () => number } {
  let [looks, nowMs] = [0, 0];
  const programs = {
    installed: (): Promise<TaskSystem> => {
      looks++;
      return installed();
    },
  };
  // What is waited for is over at once.
  const now = (): number => (nowMs += 10_000);
  return { seen: new InstalledSystem({ programs, now }), looks: () => looks };
}

test("many that ask at once wait for one look, and who needs a later one gets it", async () => {
  let packages = "one";
  const { seen, looks } = system(async () => ({ digest: digestOf(packages), isTold: true }));
  await using _ = seen;
  const first = await Promise.all(Array.from({ length: 20 }, () => seen.seen(0)));
  assert.deepEqual([new Set(first).size, looks()], [1, 1]);
  packages = "two";
  assert.equal(await seen.seen(0), first[0], "nobody asked for a later one");
  assert.notEqual(await seen.seen(15_000), first[0]);
  assert.equal(looks(), 2);
});

test("where nobody can tell, or something cannot be read, there is none", async () => {
  await using untold = system(async () => ({ digest: digestOf("one"), isTold: false })).seen;
  assert.equal(await untold.seen(0), undefined);
  await using broken = system(() => Promise.reject(new Error("it is gone"))).seen;
  assert.equal(await broken.seen(0), undefined);
});

test("who stops waits for nobody", async () => {
  const stopped = system(async () => ({ digest: digestOf("one"), isTold: true })).seen;
  await stopped[Symbol.asyncDispose]();
  assert.equal(await stopped.seen(0), undefined);
});
