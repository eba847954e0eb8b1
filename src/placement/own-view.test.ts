import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits, silentLog } from "../base/index.ts";
import type { Unit } from "../contracts/index.ts";
import { Capacities } from "./capacities.ts";
import { Measured } from "./measured.ts";
import { OwnView } from "./own-view.ts";

const UNIT: Unit = { key: digestOf("unit"), kind: "c", costMs: 400, inputBytes: 0, toolchain: "gcc", platform: "linux-x86_64" };
const RTT_MS = 300;

/** A node that knows one member far away that has answered some units, each after so long. */
function viewOf(tookMs: number, free = 4): OwnView {
  const reputations = { observe: () => undefined, forWork: () => 1, forFetch: () => 1 };
  const measured = new Measured({ now: () => 0, reputations }, { halfLifeMs: 172_800_000 });
  const capacities = new Capacities({ self: "self", rttMs: () => RTT_MS, now: () => 0 });
  capacities.told({
    member: "far",
    slots: 4,
    free,
    queue: 48,
    toolchains: ["gcc"],
    takesToolchains: false,
    platform: "linux-x86_64",
    targets: [],
  });
  for (let i = 0; i < 30; i++) measured.done("far", UNIT.kind, UNIT.costMs ?? 0, tookMs);
  const yes = (): boolean => true;
  const parts = { self: "self", capacities, measured, isLinked: yes, mayWork: yes, hasSpoken: () => false, rttMs: () => RTT_MS };
  return new OwnView({ ...parts, random: () => 0.5, log: silentLog });
}

/** What it expects of it. */
function expected(tookMs: number): { workMs: number; travelMs: number } {
  const considered = viewOf(tookMs).consider(UNIT, { running: 40, cores: 4 }, []);
  const [far] = considered.kind === "worth" ? considered.candidates : [];
  assert.ok(far !== undefined);
  return { workMs: far.expectedMs - far.travelMs, travelMs: far.travelMs };
}

test("a member that seems to do a unit in no time is taken to need a part of what it costs here", () => {
  assert.ok(expected(RTT_MS).workMs >= (UNIT.costMs ?? 0) / 4);
  assert.ok(expected(1).travelMs >= 0);
});

test("of what a member far away is measured to take, the round trip is the way", () => {
  const { travelMs, workMs } = expected(RTT_MS + 420);
  assert.ok(travelMs >= RTT_MS && travelMs <= limits.placement.roundTrips * RTT_MS);
  assert.ok(workMs >= 100);
});

test("who is sent to is told with how long it waits there: not at all in a slot that is free, and longer the more are given", () => {
  const view = viewOf(30_000);
  const waits = Array.from({ length: 8 }, (_, at) => {
    const unit = { ...UNIT, key: digestOf(`unit ${at}`), costMs: 30_000 };
    const considered = view.consider(unit, { running: 40, cores: 4 }, []);
    assert.ok(considered.kind === "worth");
    const placed = view.choose(unit, considered, "own-choice");
    assert.ok(placed.kind === "member");
    return placed.waitMs;
  });
  assert.deepEqual(waits.slice(0, 4), [undefined, undefined, undefined, undefined]);
  const [fifth = 0, , , eighth = 0] = waits.slice(4);
  assert.ok(fifth > 0 && eighth > fifth, waits.join());
});

test("however many a member says that wait there, no longer a wait is expected than it lets anybody wait", () => {
  const view = viewOf(RTT_MS + 30_000, -limits.placement.slots);
  const unit = { ...UNIT, costMs: 30_000 };
  const considered = view.consider(unit, { running: 40, cores: 1 }, []);
  assert.ok(considered.kind === "worth");
  const [, second] = ["first", "second"].map((name) =>
    view.give({ ...unit, key: digestOf(name) }, "far", "coordinator", considered.candidates),
  );
  assert.ok(second?.kind === "member");
  assert.equal(second.waitMs, limits.work.turnMs);
});
