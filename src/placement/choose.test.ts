import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import type { Placed } from "../contracts/index.ts";
import { best, type Candidate, depth, type HereFacts, pick, spread, weigh } from "./choose.ts";

const BUSY: HereFacts = { running: 8, cores: 4, costMs: 1_000 };

function member(name: string, facts: Partial<Candidate> = {}): Candidate {
  return { member: name, slots: 4, queue: 4, free: 4, expectedMs: 1_100, travelMs: 0, reliability: 1, ...facts };
}

const candidate = fc.record({
  member: fc.nat().map((i) => `member ${i}`),
  slots: fc.integer({ min: 1, max: 64 }),
  free: fc.integer({ min: -64, max: 64 }),
  queue: fc.nat({ max: 64 }),
  expectedMs: fc.integer({ min: 1, max: 20_000 }),
  travelMs: fc.constantFrom(0, 1),
  reliability: fc.double({ min: 0.05, max: 1, noNaN: true }),
});
const candidates = fc.uniqueArray(candidate, { selector: ({ member: key }) => key, maxLength: 12 });
const here = fc.record({
  running: fc.nat({ max: 40 }),
  cores: fc.integer({ min: 1, max: 16 }),
  costMs: fc.integer({ min: 1, max: 20_000 }),
});
/** The same draw for the same member in both of two choices. */
const draws = fc.integer({ min: 1, max: 2_147_483_646 }).map((seed) => {
  const random = lehmer(seed);
  const drawn = new Map<string, number>();
  return (key: string): number => {
    const value = drawn.get(key) ?? random();
    drawn.set(key, value);
    return value;
  };
});

/** Weighs and picks, as a node does that asks nobody. */
function choose(facts: HereFacts, some: readonly Candidate[], draw: (key: string) => number): Placed {
  const weighed = weigh(facts, some);
  if (weighed.kind === "here") return weighed;
  const picked = pick(weighed.candidates, weighed.hereMs, draw);
  return picked === undefined ? { kind: "here", why: "busy" } : { kind: "member", member: picked.member, why: "own-choice" };
}

/** Park and Miller's generator (1988): the same draws on every machine. */
function lehmer(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

test("where one unit goes", () => {
  const first = (): number => 0;
  const table: [what: string, facts: Partial<HereFacts>, candidates: Candidate[], placed: Placed][] = [
    ["a core is idle, whoever is faster", { running: 3 }, [member("a", { expectedMs: 10 })], { kind: "here", why: "core-idle" }],
    ["there is nobody", {}, [], { kind: "here", why: "nobody" }],
    ["one has room", {}, [member("a")], { kind: "member", member: "a", why: "own-choice" }],
    ["nobody has room", { running: 40 }, [member("a", { free: -4 })], { kind: "here", why: "busy" }],
    [
      "a short queue there is better than a long one here",
      { running: 40 },
      [member("a", { free: -2 })],
      { kind: "member", member: "a", why: "own-choice" },
    ],
    ["a queue there is worse than a short one here", { running: 4 }, [member("a", { free: -3 })], { kind: "here", why: "busy" }],
    [
      "sending a small unit takes longer than it does",
      { costMs: 8 },
      [member("a", { expectedMs: 28 })],
      { kind: "here", why: "not-worth" },
    ],
    [
      "who has waited for long takes what there is",
      { costMs: 8, waitedMs: 1_000 },
      [member("a", { expectedMs: 28 })],
      { kind: "member", member: "a", why: "own-choice" },
    ],
    [
      "a slow one is better than a long queue",
      { running: 40 },
      [member("a", { expectedMs: 9_000 })],
      { kind: "member", member: "a", why: "own-choice" },
    ],
    ["a slow one is worse than a short queue", {}, [member("a", { expectedMs: 9_000 })], { kind: "here", why: "not-worth" }],
    ["who fails nine times in ten is not worth it", {}, [member("a", { reliability: 0.1 })], { kind: "here", why: "not-worth" }],
  ];
  for (const [what, facts, some, placed] of table) assert.deepEqual(choose({ ...BUSY, ...facts }, some, first), placed, what);
});

test("how many may wait at a member, or be on their way", () => {
  const table: [what: string, slots: number, queue: number, workMs: number, travelMs: number, depth: number][] = [
    ["the way costs nothing", 2, 48, 100, 0, 2],
    ["a way that is short beside the work", 2, 48, 100, 40, 2],
    ["as long as the work: each slot needs one more", 2, 48, 100, 100, 4],
    ["three times as long", 2, 48, 100, 300, 8],
    ["long work over the same way", 2, 48, 5_000, 300, 2],
    ["who lets no more wait", 2, 2, 100, 300, 2],
    ["who lets some wait", 2, 5, 100, 300, 5],
    ["no more work than counts as much", 4, 48, 2_000, 20_000, 11],
    ["as many as it does at once in any case", 16, 48, 20_000, 20_000, 16],
    ["of long work no more than have their turn in time", 16, 48, 40_000, 0, 12],
    ["of work that takes longer than a turn one all the same", 1, 1, 300_000, 0, 1],
    ["as many as anybody lets wait, whatever it claims to do at once", 4_096, 4_096, 1_000, 1_000, limits.work.waitingPerMember],
  ];
  for (const [what, slots, queue, workMs, travelMs, found] of table)
    assert.equal(depth({ slots, queue, travelMs, expectedMs: workMs + travelMs }), found, what);
});

test("no slot is empty for a round trip, as far as a member lets units wait and the work under way is bounded", () => {
  const ms = fc.integer({ min: 1, max: 20_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 64, max: 512 }), ms, ms, (slots, queue, workMs, travelMs) => {
      const waiting = depth({ slots, queue, travelMs, expectedMs: workMs + travelMs });
      const underWayMs = (slots + waiting) * workMs;
      const least = Math.min(slots, limits.work.waitingPerMember);
      assert.ok(waiting >= least && waiting <= queue);
      assert.ok(waiting === least || underWayMs <= limits.placement.underWayMs);
      const isBounded = waiting === queue || underWayMs + workMs > limits.placement.underWayMs;
      // What is under way lasts all slots until an answer to what ended first has brought the next.
      assert.ok(isBounded || (slots + waiting) * workMs >= slots * (workMs + travelMs));
    }),
  );
});

test("over a long way a queue costs no more than what is left of it on arrival", () => {
  const far = { expectedMs: 400, travelMs: 300, queue: 16, slots: 2 };
  const here = { running: 11, cores: 2, costMs: 100 }; // 600 ms.
  const chosen = (free: number): Placed => choose(here, [member("a", { ...far, free })], () => 0);
  for (const free of [2, 0, -4]) assert.equal(chosen(free).kind, "member", String(free));
  assert.equal(choose({ ...here, running: 6 }, [member("a", { ...far, free: 2 })], () => 0).why, "not-worth");
});

test("whoever is chosen was named, has room, and is expected to be done before this machine is", () => {
  fc.assert(
    fc.property(here, candidates, draws, (facts, some, draw) => {
      const placed = choose(facts, some, draw);
      if (placed.kind === "here") return;
      const chosen = some.find(({ member: key }) => key === placed.member);
      assert.ok(chosen !== undefined && chosen.free > -depth(chosen));
      assert.ok(chosen.expectedMs < facts.costMs * ((facts.running + 1) / facts.cores));
      assert.ok(facts.running >= facts.cores);
    }),
  );
});

test("more room never makes a member less probable", () => {
  fc.assert(
    fc.property(here, candidates, draws, fc.integer({ min: 1, max: 32 }), (facts, some, draw, more) => {
      const placed = choose(facts, some, draw);
      if (placed.kind === "here") return;
      const roomier = some.map((one) => (one.member === placed.member ? { ...one, free: one.free + more } : one));
      assert.deepEqual(choose(facts, roomier, draw), placed);
    }),
  );
});

test("what is not worth sending with a longer queue here is not with a shorter one", () => {
  fc.assert(
    fc.property(here, candidates, fc.nat({ max: 40 }), (facts, some, fewer) => {
      const worth = (running: number): number => {
        const weighed = weigh({ ...facts, running }, some);
        return weighed.kind === "worth" ? weighed.candidates.length : 0;
      };
      assert.ok(worth(Math.max(0, facts.running - fewer)) <= worth(facts.running));
    }),
  );
});

test("of equal members each is as often chosen, of unequal ones the faster and the roomier, and none never", () => {
  const random = lehmer(1);
  const drawn = (some: Candidate[]): Map<string, number> => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 8_000; i++) {
      const picked = pick(some, 10_000, random)?.member ?? "";
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    return counts;
  };
  const equal = drawn(["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => member(name)));
  // 1,000 each, with a standard deviation of 30.
  assert.deepEqual(
    [...equal.values()].filter((count) => Math.abs(count - 1_000) > 150),
    [],
  );
  const unequal = drawn([member("fast", { expectedMs: 550 }), member("slow"), member("small", { slots: 1, free: 1 })]);
  const [fast = 0, slow = 0, small = 0] = ["fast", "slow", "small"].map((name) => unequal.get(name));
  assert.ok(fast > 2 * slow && slow > 2 * small && small > 100, `${fast} ${slow} ${small}`);
});

test("who places for all takes whoever is soonest done", () => {
  const table: [Candidate[], string | undefined][] = [
    [[], undefined],
    [[member("a", { free: -4 })], undefined],
    [[member("a", { expectedMs: 20_000 })], undefined],
    [[member("a", { free: 0 }), member("b", { free: -1 })], "a"],
    [[member("a"), member("b", { expectedMs: 900 })], "b"],
    [[member("a", { free: 1 }), member("b")], "b"],
    [[member("a", { free: 0, expectedMs: 1_000 }), member("b", { free: 1, expectedMs: 9_000 })], "a"],
  ];
  for (const [some, expected] of table) assert.equal(best(some, 10_000)?.member, expected);
});

test("of those that are about as fast one whose domain has not spoken is chosen, by whoever chooses; and nobody is left out for it", () => {
  const spoken = fc.uniqueArray(fc.nat(11).map((i) => `member ${i}`));
  fc.assert(
    fc.property(candidates, fc.integer({ min: 1, max: 20_000 }), spoken, (some, expectedMs, domains) => {
      const hasSpoken = (key: string): boolean => domains.includes(key);
      const alike = some.map((one) => ({ ...one, slots: 4, free: 4, expectedMs, reliability: 1 }));
      const chosen = best(spread(alike, hasSpoken), 100_000)?.member;
      assert.equal(chosen === undefined, alike.length === 0);
      if (chosen !== undefined && alike.some((one) => !hasSpoken(one.member))) assert.equal(hasSpoken(chosen), false);
      // Who is much faster, or all that there is, is taken all the same; and where all have spoken, or nobody, nothing changes.
      const [first, ...others] = alike;
      if (first === undefined) return;
      const faster = [{ ...first, expectedMs: expectedMs / 2 }, ...others];
      assert.equal(best(spread(faster, hasSpoken), 100_000)?.member, first.member);
      for (const all of [true, false])
        assert.deepEqual(
          spread(some, () => all),
          some,
        );
    }),
  );
});
