import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits, silentLog } from "../base/index.ts";
import type { Placed, Unit } from "../contracts/index.ts";
import { Capacities } from "./capacities.ts";
import { Measured } from "./measured.ts";
import { OwnView } from "./own-view.ts";

const UNIT: Unit = { key: digestOf("unit"), kind: "c", costMs: 400, inputBytes: 0, toolchain: "gcc", platform: "linux-x86_64" };
const RTT_MS = 300;

/** A node that knows one member far away that has answered some units, each after so long. */
function viewOf(tookMs: number, free = 4): OwnView {
  return worldOf(tookMs, free).view;
}

/** The same, and what tells how many slots are free there. */
function worldOf(tookMs: number, told: number): { view: OwnView; tell: (free: number) => void } {
  const reputations = { observe: () => undefined, forWork: () => 1, forFetch: () => 1 };
  const measured = new Measured({ now: () => 0, reputations }, { halfLifeMs: 172_800_000 });
  const capacities = new Capacities({ self: "self", rttMs: () => RTT_MS, now: () => 0 });
  const fixed = { member: "far", slots: 4, queue: 48, toolchains: ["gcc"], takesToolchains: false, platform: "linux-x86_64", targets: [] };
  const tell = (free: number): void => capacities.told({ ...fixed, free });
  tell(told);
  for (let i = 0; i < 30; i++) measured.done("far", UNIT.kind, UNIT.costMs ?? 0, tookMs);
  const yes = (): boolean => true;
  const parts = { self: "self", capacities, measured, isLinked: yes, mayWork: yes, hasSpoken: () => false, rttMs: () => RTT_MS };
  return { view: new OwnView({ ...parts, random: () => 0.5, log: silentLog }), tell };
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

test("a member that is busy while it has units of this node gets no more until one of them has ended, or one of others has", () => {
  const { view, tell } = worldOf(RTT_MS + 400, 4);
  const unitOf = (name: string): Unit => ({ ...UNIT, key: digestOf(name) });
  const send = (name: string): Placed => {
    const considered = view.consider(unitOf(name), { running: 400, cores: 4 }, []);
    assert.ok(considered.kind === "worth");
    assert.equal(view.open(considered.candidates).length > 0, view.coordinate(unitOf("other"), considered).kind === "member");
    view.ended(unitOf("other"), { kind: "member", member: "far" }, "cancelled", 0);
    return view.choose(unitOf(name), considered, "own-choice");
  };
  const [first, second] = [send("first"), send("second")];
  assert.deepEqual([first.kind, second.kind], ["member", "member"]);
  view.ended(unitOf("second"), second, "busy", 0);
  tell(3); // It tells of slots that are not for this node.
  assert.equal(send("second").kind, "here");
  tell(2);
  assert.equal(send("second").kind, "here");
  tell(3);
  assert.equal(send("second").kind, "member");
  view.ended(unitOf("second"), second, "busy", 0);
  tell(3);
  assert.equal(send("second").kind, "here");
  view.ended(unitOf("first"), first, "done", 400);
  assert.equal(send("second").kind, "member");
  view.ended(unitOf("second"), second, "busy", 0);
  tell(3);
  assert.equal(send("second").kind, "member", "it has nothing of this node");
});

test("after actions that took minutes new ones of their kind, and short ones, find a member that is free", () => {
  const { view } = worldOf(RTT_MS + 400, 4);
  const action = (name: string): Unit => ({ ...UNIT, key: digestOf(name), kind: "action bash", costMs: undefined, isGeneral: true });
  for (let at = 0; at < 8; at++) view.ended(action(`short ${at}`), { kind: "here" }, "done", 700);
  const slow = [action("slow 1"), action("slow 2")];
  for (const unit of slow) view.ended(unit, { kind: "here" }, "done", 250_000);
  for (const unit of slow) view.ended(unit, { kind: "member", member: "far" }, "done", 251_087, 250_500);
  const considered = view.consider(action("new"), { running: 2, cores: 2, waitedMs: 5_000 }, []);
  assert.equal(considered.kind, "worth");
});

test("of two members each gets of what nobody knows the cost the kind with which it is quicker", () => {
  const reputations = { observe: () => undefined, forWork: () => 1, forFetch: () => 1 };
  const measured = new Measured({ now: () => 0, reputations }, { halfLifeMs: 172_800_000 });
  const capacities = new Capacities({ self: "self", rttMs: () => 1, now: () => 0 });
  const fixed = { slots: 4, free: 4, queue: 48, toolchains: ["gcc"], takesToolchains: false, platform: "", targets: [] };
  for (const member of ["linker", "tester"]) capacities.told({ ...fixed, member });
  const yes = (): boolean => true;
  const parts = { self: "self", capacities, measured, isLinked: yes, mayWork: yes, hasSpoken: () => false, rttMs: () => 1 };
  const view = new OwnView({ ...parts, random: () => 0.5, log: silentLog });
  const action = (kind: string, at: number): Unit => ({
    ...UNIT,
    key: digestOf(`${kind} ${at}`),
    kind,
    costMs: undefined,
    isGeneral: true,
  });
  for (let at = 0; at < 10; at++) {
    for (const kind of ["link -O2", "test"]) view.ended(action(kind, at), { kind: "here" }, "done", 2_000);
    for (const [member, kind, ranMs] of [
      ["linker", "link -O2", 1_000],
      ["linker", "test", 5_000],
      ["tester", "link -O2", 5_000],
      ["tester", "test", 1_000],
    ] as const)
      view.ended(action(kind, at), { kind: "member", member }, "done", ranMs + 20, ranMs);
  }
  for (const [kind, member] of [
    ["link -O2", "linker"],
    ["test", "tester"],
  ] as const) {
    const unit = action(kind, 99);
    const considered = view.consider(unit, { running: 8, cores: 2 }, []);
    assert.ok(considered.kind === "worth");
    const placed = view.coordinate(unit, considered);
    assert.equal(placed.kind === "member" && placed.member, member, kind);
  }
});
