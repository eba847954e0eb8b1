import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Looks } from "./looks.ts";

/** Looks that end when they are told to, each with its number. */
class World {
  readonly ends: ((failure?: Error) => void)[] = [];
  readonly looks = new Looks<number>(() => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const at = this.ends.push((failure) => (failure === undefined ? resolve(at) : reject(failure)));
    return promise;
  });

  async begun(count: number): Promise<void> {
    while (this.ends.length < count) await setImmediate();
    await setImmediate();
    assert.equal(this.ends.length, count);
  }
}

const never = new AbortController().signal;

test("who comes while a look is under way waits for the next, with all who came then", { timeout: 60_000 }, async () => {
  const world = new World();
  const together = [world.looks.anew(never), world.looks.anew(never)];
  await world.begun(1);
  const later = [world.looks.anew(never), world.looks.anew(never), world.looks.anew(never)];
  await world.begun(1);
  world.ends[0]?.();
  await world.begun(2);
  const last = world.looks.anew(never);
  world.ends[1]?.();
  await world.begun(3);
  world.ends[2]?.();
  assert.deepEqual(await Promise.all([...together, ...later, last]), [1, 1, 2, 2, 2, 3]);
});

test("who is aborted ends nobody else's look, and a look that fails no later one", { timeout: 60_000 }, async () => {
  const world = new World();
  const stop = new AbortController();
  const [stopped, other] = [world.looks.anew(stop.signal), world.looks.anew(never)];
  await world.begun(1);
  stop.abort(new Error("not wanted"));
  await assert.rejects(stopped, /not wanted/);
  const later = world.looks.anew(never);
  const failed = assert.rejects(other, /unreadable/);
  world.ends[0]?.(new Error("unreadable"));
  await failed;
  await world.begun(2);
  world.ends[1]?.();
  assert.equal(await later, 2);
});
