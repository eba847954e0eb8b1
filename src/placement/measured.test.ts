import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import type { Observation, Reputations } from "../contracts/index.ts";
import { Measured } from "./measured.ts";

const { refusedMs, restFirstMs, rowsMost } = limits.placement.measured;
const PRIOR = { overheadMs: 20 };
const halfLifeMs = 172_800_000;

interface World {
  readonly measured: Measured;
  readonly pass: (ms: number) => void;
  readonly again: () => Measured;
  /** What was told of members, in order. */
  readonly told: (readonly [member: string, what: Observation])[];
  /** Of members that are not as reliable as can be. */
  readonly reliable: Map<string, number>;
}

function world(): World {
  let now = 1e12;
  const told: World["told"] = [];
  const reliable = new Map<string, number>();
  const reputations: Reputations = {
    observe: (member, what) => told.push([member, what]),
    forWork: (member) => reliable.get(member) ?? 1,
    forFetch: () => 1,
  };
  const make = (): Measured => new Measured({ now: () => now, reputations }, { halfLifeMs });
  return { measured: make(), pass: (ms) => (now += ms), again: make, told, reliable };
}

test("nothing measured: as fast as this machine, and what sending takes", () => {
  const { measured } = world();
  assert.equal(measured.expected("a", "c++ -O2", 1_000, PRIOR), 1_020);
  assert.equal(measured.reliability("a", "c++ -O2"), 1);
  assert.equal(measured.rests("a", "gcc"), false);
});

test("what is measured is expected: overhead and slowness apart, for units of any size", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0.25, max: 8, noNaN: true }), (overheadMs, slowness) => {
      const { measured } = world();
      for (let i = 0; i < 200; i++) {
        const cost = 100 + 97 * (i % 40);
        measured.done("a", "c", cost, overheadMs + slowness * cost);
      }
      for (const cost of [200, 1_000, 3_000]) {
        const [is, should] = [measured.expected("a", "c", cost, PRIOR), overheadMs + slowness * cost];
        assert.ok(Math.abs(is - should) < 0.15 * should + 20, `${cost} ms: ${is} instead of ${should}`);
      }
    }),
  );
});

test("of a new kind it is expected what the member does with others; of another member nothing is learned", () => {
  const { measured } = world();
  for (let i = 0; i < 40; i++) measured.done("a", "c", 500 + 10 * i, 4 * (500 + 10 * i));
  assert.ok(measured.expected("a", "c++ -O3", 1_000, PRIOR) > 3_500);
  assert.equal(measured.expected("b", "c", 1_000, PRIOR), 1_020);
});

test("a machine that has become slow is noticed within a build, and what was long ago counts for less", () => {
  const { measured, pass } = world();
  for (let i = 0; i < 1_000; i++) measured.done("a", "c", 1_000, 1_000);
  for (let i = 0; i < 2 * limits.placement.measured.recentMost; i++) measured.done("a", "c", 1_000, 5_000);
  assert.ok(measured.expected("a", "c", 1_000, PRIOR) > 4_000);
  pass(12 * halfLifeMs);
  assert.ok(measured.expected("a", "c", 1_000, PRIOR) < 1_500);
});

test("no figure is below 0 or without end, whatever was measured", () => {
  const ms = fc.double({ min: 0, max: 1e15, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(ms, ms), { maxLength: 60 }), ms, (observed, cost) => {
      const { measured } = world();
      for (const [costMs, tookMs] of observed) measured.done("a", "c", costMs, tookMs);
      const expected = measured.expected("a", "c", cost, PRIOR);
      assert.ok(Number.isFinite(expected) && expected >= 0, String(expected));
    }),
  );
});

test("who loses units rests longer each time, and is forgiven by doing well", () => {
  const { measured, pass } = world();
  measured.lost("a", "c");
  assert.ok(measured.rests("a", "gcc"));
  pass(restFirstMs);
  assert.ok(!measured.rests("a", "gcc"));
  measured.lost("a", "c");
  pass(restFirstMs);
  assert.ok(measured.rests("a", "gcc"));
  measured.done("a", "c", 1_000, 1_000);
  assert.ok(!measured.rests("a", "gcc"));
  measured.lost("a", "c");
  pass(-3_600_000); // A clock that is set back keeps nobody away.
  assert.ok(!measured.rests("a", "gcc"));
});

test("units that are lost at once are one failure", () => {
  const { measured, pass } = world();
  for (let i = 0; i < 20; i++) measured.lost("a", "c");
  pass(restFirstMs);
  assert.ok(!measured.rests("a", "gcc"));
  for (let i = 0; i < 20; i++) measured.lost("a", "c");
  pass(2 * restFirstMs - 1);
  assert.ok(measured.rests("a", "gcc"));
  pass(1);
  assert.ok(!measured.rests("a", "gcc"));
});

test("late shows how slow a member is, and keeps nobody away", () => {
  const { measured } = world();
  measured.late("a", "c", 1_000, 9_000);
  assert.ok(!measured.rests("a", "gcc"));
  assert.ok(measured.expected("a", "c", 1_000, PRIOR) > 2_000);
});

test("one unit in ten that takes a thousand times as long sets no expectation, wherever it ran", () => {
  const { measured, told } = world();
  for (let at = 0; at < 100; at++) {
    const ranMs = at % 10 === 3 ? 250_000 : 250 + at;
    measured.doneHere("action bash", ranMs);
    measured.doneUnknown("a", "action bash", ranMs + 30, ranMs);
    if (at < 4) continue;
    const usualMs = measured.costs.usual("action bash") ?? assert.fail("some have been done");
    assert.ok(usualMs < 500, `${usualMs} ms here after ${at}`);
    const expectedMs = measured.expected("a", "action bash", usualMs, PRIOR);
    assert.ok(expectedMs < 4 * usualMs + 100, `${expectedMs} ms there after ${at}`);
  }
  assert.ok(
    told.every(([, what]) => what.kind === "work" && what.outcome === "done" && what.tookMs <= what.expectedMs),
    "nobody is slow for that",
  );
});

test("of units of which nobody knew what they cost it shows who is slow and who is fast with a kind", () => {
  const { measured } = world();
  for (const kind of ["link", "test"]) for (let i = 0; i < 15; i++) measured.doneHere(kind, 1_000);
  for (let i = 0; i < 10; i++) {
    measured.doneUnknown("a", "link", 3_020, 3_000);
    measured.doneUnknown("a", "test", 520, 500);
    measured.doneUnknown("b", "link", 520, 500);
    measured.doneUnknown("b", "test", 3_020, 3_000);
  }
  const expected = (member: string, kind: string): number => measured.expected(member, kind, 1_000, PRIOR);
  assert.ok(expected("a", "link") > 2 * expected("b", "link"));
  assert.ok(expected("b", "test") > 2 * expected("a", "test"));
});

test("of a kind that was never done here a member's own time is what it costs", () => {
  const { measured } = world();
  measured.doneUnknown("a", "link", 20_050, 20_000);
  assert.ok(Math.abs(measured.expected("a", "link", 1_000, PRIOR) - 1_000) < 100);
});

test("what a member does is told, and how long it was expected to take once it has been measured", () => {
  const { measured, told } = world();
  measured.done("a", "c", 1_000, 3_000);
  for (let i = 0; i < 40; i++) measured.done("a", "c", 1_000, 3_000);
  measured.done("a", "c", 1_000, 9_000);
  measured.late("a", "c", 1_000, 9_000);
  measured.lost("a", "c");
  measured.refused("a", "gcc");
  const [first, last, late, lost] = [told[0], told.at(-3), told.at(-2), told.at(-1)];
  assert.deepEqual(
    first,
    ["a", { kind: "work", work: "c", outcome: "done", expectedMs: 3_000, tookMs: 3_000 }],
    "nothing was expected before",
  );
  assert.ok(last?.[1].kind === "work" && last[1].outcome === "done" && Math.abs(last[1].expectedMs - 3_000) < 300);
  assert.deepEqual(late, ["a", { kind: "work", work: "c", outcome: "late" }]);
  assert.deepEqual(lost, ["a", { kind: "work", work: "c", outcome: "lost" }]);
});

test("who is not reliable is expected to take longer, and never longer than twice", () => {
  const { measured, reliable } = world();
  for (let i = 0; i < 40; i++) for (const member of ["a", "b"]) measured.done(member, "c", 1_000, 1_000);
  const before = measured.expected("a", "c", 1_000, PRIOR);
  reliable.set("a", 0.25);
  assert.equal(measured.expected("a", "c", 1_000, PRIOR), 1.75 * before);
  assert.equal(measured.expected("b", "c", 1_000, PRIOR), before);
  assert.equal(measured.reliability("a", "c"), 0.25);
});

test("who does no such work is not asked again for a while, for that toolchain", () => {
  const { measured, pass } = world();
  measured.refused("a", "gcc");
  assert.ok(measured.rests("a", "gcc"));
  assert.ok(!measured.rests("a", "clang"));
  assert.equal(measured.reliability("a", "c++ -O2"), 1);
  pass(refusedMs);
  assert.ok(!measured.rests("a", "gcc"));
  measured.refused("a", "gcc");
  measured.has("a", "gcc");
  assert.ok(!measured.rests("a", "gcc"), "it was on its way");
});

test("what was measured outlives the daemon, is bounded, and nonsense is no trouble", () => {
  const { measured, again } = world();
  for (let i = 0; i < 2 * rowsMost; i++) measured.done(`m${i}`, "c", 1_000, 4_000);
  assert.ok(measured.isChanged);
  const text = measured.save();
  assert.ok(!measured.isChanged);
  assert.ok(text.length < 200 * rowsMost, `${text.length} bytes`);
  const later = again();
  later.restore(text);
  const last = `m${2 * rowsMost - 1}`;
  assert.equal(later.expected(last, "c", 1_000, PRIOR), measured.expected(last, "c", 1_000, PRIOR));
  for (const ms of [3, 1, 2, 1_000, 2]) measured.doneHere("c", ms);
  later.restore(measured.save());
  assert.equal(later.costs.usual("c"), 2);
  const before = again();
  before.restore('{"rows":[["here c",4,0,1000,0,0,1]]}'); // The same, as versions before kept it.
  assert.equal(before.costs.usual("c"), 250);
  before.restore(`${text.slice(0, -1)},"trust":[["a",1,1,1]]}`); // As versions before kept it.
  assert.equal(before.expected(last, "c", 1_000, PRIOR), measured.expected(last, "c", 1_000, PRIOR));
  for (const bad of ["", "{", "[]", '{"rows":7}', '{"rows":[["a",-1,0,0,0,0,0],["b"],null],"trust":[["a","x",1,1]]}']) again().restore(bad);
});
