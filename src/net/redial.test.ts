import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { pauseMs, Redial } from "./redial.ts";

test("pauses grow, stay below the limit, and are never all the same", () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, random) => {
      const pause = pauseMs(failures, random);
      assert.ok(pause >= limits.redialFirstMs / 2 && pause <= limits.redialMostMs);
      assert.ok(pauseMs(failures + 1, random) >= pause);
    }),
  );
  assert.notEqual(pauseMs(3, 0), pauseMs(3, 0.9));
});

test("dials until it works, again after a loss, and not after being told to forget", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let reachable = false;
  let dials = 0;
  let now = 0;
  using redial = new Redial({
    dial: () => {
      dials += 1;
      return Promise.resolve(reachable);
    },
    random: () => 0.5,
    now: () => now,
  });
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    t.mock.timers.tick(ms);
    for (let i = 0; i < 4; i++) await Promise.resolve(); // Lets the outcome of a dial be noted.
  };
  redial.want("k", false);
  await pass(0);
  assert.equal(dials, 1);
  assert.equal(redial.failures("k"), 1);
  await pass(pauseMs(1, 0.5) - 1);
  assert.equal(dials, 1);
  await pass(1);
  assert.equal(dials, 2);
  reachable = true;
  redial.want("k", true);
  await pass(limits.redialSpacingMs - 1);
  assert.equal(dials, 2, "not twice within a second, whatever is heard");
  redial.want("k", true);
  await pass(1);
  assert.equal(dials, 3);
  redial.connected("k");
  assert.equal(redial.failures("k"), 0);
  await pass(10 * limits.redialMostMs);
  assert.equal(dials, 3);
  redial.lost("k");
  await pass(limits.redialFirstMs);
  assert.equal(dials, 4);
  reachable = false;
  redial.lost("k");
  for (let i = 0; i < 20; i++) await pass(limits.redialMostMs);
  const before = dials;
  redial.hurry();
  await pass(limits.redialSpacingMs);
  assert.equal(dials, before + 1, "at once when the machine has moved, after however many failures");
  redial.forget("k");
  await pass(10 * limits.redialMostMs);
  assert.equal(dials, before + 1);
  redial.lost("never dialled from here");
  await pass(limits.redialFirstMs);
  assert.equal(dials, before + 2);
});

test("a connection that is lost before its dial has returned is dialled again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const dials: ((connected: boolean) => void)[] = [];
  using redial = new Redial({ dial: () => new Promise((resolve) => dials.push(resolve)), random: () => 0.5, now: () => 0 });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) await Promise.resolve();
  };
  redial.want("k", false);
  t.mock.timers.tick(0);
  redial.connected("k");
  redial.lost("k"); // The other side has kept another one, say, which is gone by now, too.
  dials[0]?.(true);
  await settle();
  t.mock.timers.tick(limits.redialMostMs);
  assert.equal(dials.length, 2);
  redial.lost("k");
  redial.connected("k"); // This time it stays.
  dials[1]?.(true);
  await settle();
  t.mock.timers.tick(10 * limits.redialMostMs);
  assert.equal(dials.length, 2);
});

test("who ends the connection soon each time is dialled ever more rarely, whatever is heard of it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let [dials, now] = [0, 0];
  using redial = new Redial({
    dial: () => {
      dials += 1;
      redial.connected("k");
      return Promise.resolve(true);
    },
    random: () => 0.5,
    now: () => now,
  });
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    t.mock.timers.tick(ms);
    for (let i = 0; i < 4; i++) await Promise.resolve();
  };
  redial.want("k", false);
  await pass(0);
  for (let times = 1; times <= 12; times++) {
    redial.ended("k");
    redial.want("k", true);
    await pass(pauseMs(times, 0.5) - 1);
    assert.equal(dials, times);
    await pass(1);
    assert.equal(dials, times + 1);
  }
  redial.lasted("k");
  redial.lost("k");
  await pass(pauseMs(0, 0.5));
  assert.equal(dials, 14, "one that has lasted is dialled at once");
});
