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
  const held = { hasSpoken: () => false, lackedBytes: () => undefined, bytesPerMs: () => undefined };
  const parts = { self: "self", capacities, measured, isLinked: yes, mayWork: yes, ...held, rttMs: () => RTT_MS };
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

test("whether a member has a free slot is told with how much it was given: one that was full in between is not free all along", () => {
  const { view } = worldOf(RTT_MS + 400, 1);
  const free = (): unknown[] => [...view.free({ ...UNIT, key: digestOf("another") }, [])];
  const considered = view.consider(UNIT, { running: 40, cores: 4 }, []);
  assert.ok(considered.kind === "worth");
  assert.deepEqual(free(), [["far", 0]]);
  const placed = view.coordinate(UNIT, considered);
  assert.deepEqual(free(), [], "its slot has been given away");
  view.ended(UNIT, placed, "done", 800);
  assert.deepEqual(free(), [["far", 1]]);
  assert.deepEqual([...view.free(UNIT, ["far"])], []);
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
  const { view } = among({ linker: {}, tester: {} });
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

const SENT: Unit = { ...UNIT, inputBytes: 1_000_000, contents: new Map([[digestOf("header"), 1_000_000]]) };

/** Members that are alike but for what they lack of the unit, how fast their links are, and whether they have the toolchain. */
interface Alike {
  readonly lackedBytes?: number;
  readonly bytesPerMs?: number;
  readonly hasToolchain?: boolean;
}

function among(members: Readonly<Record<string, Alike>>): { view: OwnView; measured: Measured } {
  const reputations = { observe: () => undefined, forWork: () => 1, forFetch: () => 1 };
  const measured = new Measured({ now: () => 0, reputations }, { halfLifeMs: 172_800_000 });
  const capacities = new Capacities({ self: "self", rttMs: () => 1, now: () => 0 });
  const fixed = { slots: 1, free: 1, queue: 1, takesToolchains: true, platform: "linux-x86_64", targets: [] };
  for (const [member, { hasToolchain = true }] of Object.entries(members))
    capacities.told({ ...fixed, member, toolchains: hasToolchain ? [UNIT.toolchain] : [] });
  const yes = (): boolean => true;
  const known = {
    lackedBytes: (member: string) => members[member]?.lackedBytes,
    bytesPerMs: (member: string) => members[member]?.bytesPerMs,
    rttMs: () => 1,
  };
  const parts = { self: "self", capacities, measured, isLinked: yes, mayWork: yes, hasSpoken: () => false, ...known };
  return { view: new OwnView({ ...parts, random: () => 0.5, log: silentLog }), measured };
}

test("of members that are alike but for what they lack, who is sooner done goes first", () => {
  const table: [what: string, members: Readonly<Record<string, Alike>>, order: string][] = [
    ["who has the inputs", { a: { lackedBytes: 1_000_000, bytesPerMs: 10_000 }, b: { lackedBytes: 0, bytesPerMs: 10_000 } }, "b a"],
    ["who has more of them", { a: { lackedBytes: 900_000, bytesPerMs: 10_000 }, b: { lackedBytes: 100_000, bytesPerMs: 10_000 } }, "b a"],
    [
      "who lacks more, over a link that is so much faster",
      { a: { lackedBytes: 1_000_000, bytesPerMs: 50_000 }, b: { lackedBytes: 500_000, bytesPerMs: 5_000 } },
      "a b",
    ],
    ["of whom nothing is known lacks all, over a fast link", { a: {}, b: { lackedBytes: 0 } }, "b a"],
    ["a link that is faster than any", { a: { lackedBytes: 1_000_000, bytesPerMs: 1e9 }, b: { lackedBytes: 900_000 } }, "b a"],
    ["who has the toolchain", { a: { hasToolchain: false, lackedBytes: 0 }, b: { lackedBytes: 0 } }, "b a"],
    [
      "who has the toolchain, and some of the inputs have to be sent",
      { a: { hasToolchain: false, lackedBytes: 0 }, b: { lackedBytes: 1_000_000, bytesPerMs: 10_000 } },
      "b a",
    ],
    ["who would take too long is not asked", { a: { lackedBytes: 1_000_000, bytesPerMs: 200 }, b: { lackedBytes: 1_000 } }, "b"],
    ["nobody has the toolchain: by what else they lack", { a: { hasToolchain: false }, b: { hasToolchain: false, lackedBytes: 0 } }, "b a"],
  ];
  for (const [what, members, order] of table) {
    const considered = among(members).view.consider(SENT, { running: 31, cores: 4 }, []);
    assert.ok(considered.kind === "worth", what);
    assert.equal(considered.candidates.map(({ member }) => member).join(" "), order, what);
  }
});

test("who would have to fetch the toolchain is asked as long as it was worth it before, when who has it has no room", () => {
  const { view } = among({ a: { hasToolchain: false, lackedBytes: 0 }, b: { lackedBytes: 0 } });
  const here = { running: 5, cores: 4 }; // A quarter longer than on an idle core.
  const sent = ["first", "second", "third"].map((name) => {
    const unit = { ...SENT, key: digestOf(name) };
    const considered = view.consider(unit, here, []);
    const placed = considered.kind === "worth" ? view.coordinate(unit, considered) : considered.placed;
    return placed.kind === "member" ? placed.member : placed.why;
  });
  assert.deepEqual(sent, ["b", "a", "busy"]);
});

test("who lacks the inputs is asked when who has them is busy for longer than the bytes take", () => {
  for (const [bytesPerMs, sent] of [
    [10_000, ["near", "far"]], // 100 ms, and half of a unit's time there.
    [500, ["near", "near"]],
  ] as const) {
    const { view } = among({ near: { lackedBytes: 0 }, far: { lackedBytes: 1_000_000, bytesPerMs } });
    const found = ["first", "second"].map((name) => {
      const unit = { ...SENT, key: digestOf(name) };
      const considered = view.consider(unit, { running: 31, cores: 4 }, []);
      assert.ok(considered.kind === "worth");
      const placed = view.coordinate(unit, { ...considered, candidates: view.open(considered.candidates) });
      return placed.kind === "member" ? placed.member : placed.why;
    });
    assert.deepEqual(found, sent);
  }
});

test("what was sent is part of the way, and not of what the member is measured to take", () => {
  const members = { far: { lackedBytes: 1_000_000, bytesPerMs: 2_000 } };
  const { view, measured } = among(members);
  const prior = { overheadMs: 0 };
  for (let i = 0; i < 40; i++) {
    const considered = view.consider(SENT, { running: 31, cores: 4 }, []);
    assert.ok(considered.kind === "worth");
    const placed = view.choose(SENT, considered, "own-choice");
    assert.ok(placed.kind === "member" && (placed.travelMs ?? 0) >= 500);
    view.ended(SENT, placed, "done", 500 + 400);
  }
  const withoutMs = measured.expected("far", UNIT.kind, 400, prior);
  assert.ok(Math.abs(withoutMs - 450) < 60, `${withoutMs} ms`);
});
