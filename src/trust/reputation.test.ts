import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import type { Observation } from "../contracts/index.ts";
import { askingOrder, fold, Reputation, type Standing, UNKNOWN, type Weights, weigh } from "./reputation.ts";

const { floor, kindsMost, membersMost } = limits.reputation;
const HOUR_MS = 3_600_000;
const HALF_LIFE_MS = 48 * HOUR_MS;
const NOW = 1e12;
const KINDS = ["c -O1", "c++ -O2"];

const DONE: Observation = { kind: "work", work: "c -O1", outcome: "done", expectedMs: 100, tookMs: 90 };
const SLOW: Observation = { ...DONE, tookMs: 400 };
const LATE: Observation = { kind: "work", work: "c -O1", outcome: "late" };
const LOST: Observation = { kind: "work", work: "c -O1", outcome: "lost" };
const GAVE: Observation = { kind: "fetch", outcome: "gave" };
const MISSED: Observation = { kind: "fetch", outcome: "missed" };
const FAILED: Observation = { kind: "fetch", outcome: "failed" };
const HIT: Observation = { kind: "hit" };
const SAME: Observation = { kind: "checked", isSame: true };
const WRONG: Observation = { kind: "checked", isSame: false };
const THERE: Observation = { kind: "seen", isThere: true, forMs: 24 * HOUR_MS };
const AWAY: Observation = { kind: "seen", isThere: false, forMs: 24 * HOUR_MS };

/** In pairs: what is as good or better, and what is as bad or worse. */
const BETTER: readonly (readonly [Observation, Observation])[] = [
  [DONE, SLOW],
  [SLOW, LOST],
  [DONE, LATE],
  [LATE, LOST],
  [GAVE, MISSED],
  [GAVE, FAILED],
  [SAME, WRONG],
  [THERE, AWAY],
];

const observations: fc.Arbitrary<Observation> = fc.oneof(
  fc.record({
    kind: fc.constant("work" as const),
    work: fc.constantFrom(...KINDS),
    outcome: fc.constant("done" as const),
    expectedMs: fc.integer({ min: 0, max: 10_000 }),
    tookMs: fc.integer({ min: 0, max: 10_000 }),
  }),
  fc.record({
    kind: fc.constant("work" as const),
    work: fc.constantFrom(...KINDS),
    outcome: fc.constantFrom("late" as const, "lost" as const),
  }),
  fc.record({ kind: fc.constant("fetch" as const), outcome: fc.constantFrom("gave" as const, "missed" as const, "failed" as const) }),
  fc.constant(HIT),
  fc.record({ kind: fc.constant("checked" as const), isSame: fc.boolean() }),
  fc.record({ kind: fc.constant("seen" as const), isThere: fc.boolean(), forMs: fc.integer({ min: 0, max: 100 * HOUR_MS }) }),
);

/** And how long before now that was. */
const histories = fc.array(fc.tuple(observations, fc.integer({ min: 0, max: 20 * HALF_LIFE_MS })), { maxLength: 30 });

function standing(history: readonly (readonly [Observation, number])[]): Standing {
  return history.reduce((so, [what, agoMs]) => fold(so, what, NOW - agoMs, HALF_LIFE_MS), UNKNOWN);
}

function numbers(weights: Weights): number[] {
  const { work, fetch, accuracy, presence, hits, forFetch, forWork } = weights;
  return [work, fetch, accuracy, presence, hits, forFetch, ...KINDS.map(forWork)];
}

function weightsOf(history: readonly (readonly [Observation, number])[], laterMs = 0): number[] {
  return numbers(weigh(standing(history), NOW + laterMs, HALF_LIFE_MS));
}

function after(...seen: readonly Observation[]): Weights {
  return weigh(standing(seen.map((what) => [what, 0])), NOW, HALF_LIFE_MS);
}

function times(count: number, what: Observation): Observation[] {
  return Array.from({ length: count }, () => what);
}

/** The same draws each time (Park and Miller). */
function drawing(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

for (const [about, weights, forWork, forFetch] of [
  ["nothing", after(), [1, 1], [0.8, 0.8]],
  ["work in time, and nothing else", after(...times(50, DONE)), [1, 1], [0.8, 0.8]],
  ["work that takes four times as long as expected", after(...times(50, SLOW)), [0.5, 0.6], [0.8, 0.8]],
  ["work that takes half as long again as expected", after(...times(50, { ...DONE, tookMs: 150 })), [1, 1], [0.8, 0.8]],
  ["work that is late", after(...times(50, LATE)), [0.5, 0.6], [0.8, 0.8]],
  ["work that is lost", after(...times(50, LOST)), [floor, floor], [0.8, 0.8]],
  ["one unit that is lost", after(LOST), [0.5, 0.7], [0.8, 0.8]],
  ["many hits", after(...times(200, GAVE), ...times(200, HIT)), [1, 1], [0.95, 1]],
  ["a question without an answer", after(FAILED), [1, 1], [0.6, 0.7]],
  ["a thing that it has not, though it said so", after(MISSED), [1, 1], [0.7, 0.8]],
  ["results that came out otherwise here", after(...times(3, WRONG)), [0.2, 0.3], [0.15, 0.25]],
  ["a result that came out otherwise after a hundred that did not", after(...times(100, SAME), WRONG), [0.95, 1], [0.7, 0.8]],
  ["never being there", after(...times(50, AWAY)), [0.5, 0.52], [0.4, 0.42]],
] as const)
  test(`what comes of ${about}`, () => {
    const [work, fetch] = [weights.forWork("c -O1"), weights.forFetch];
    assert.ok(work >= forWork[0] && work <= forWork[1], `work: ${work}`);
    assert.ok(fetch >= forFetch[0] - 1e-9 && fetch <= forFetch[1] + 1e-9, `fetch: ${fetch}`);
  });

test("a member that loses work of one kind is given less of that, and somewhat less of others", () => {
  const { forWork } = after(...times(20, LOST), ...times(20, { ...DONE, work: "c++ -O2" }));
  assert.ok(forWork("c -O1") < forWork("rust"));
  assert.ok(forWork("rust") < forWork("c++ -O2"));
});

test("every weight stays between the floor and 1, whatever was seen", () => {
  fc.assert(
    fc.property(histories, fc.integer({ min: 0, max: 100 * HALF_LIFE_MS }), (history, laterMs) => {
      const { forFetch, forWork } = weigh(standing(history), NOW + laterMs, HALF_LIFE_MS);
      for (const weight of [forFetch, ...KINDS.map(forWork), forWork("another")])
        assert.ok(weight >= floor && weight <= 1 + 1e-9, String(weight));
    }),
  );
});

test("the order in which things are told does not matter, only when they were", () => {
  const shuffled = histories.chain((history) =>
    fc.tuple(fc.constant(history), fc.shuffledSubarray(history, { minLength: history.length })),
  );
  fc.assert(
    fc.property(shuffled, ([history, other]) => {
      const [one, two] = [weightsOf(history), weightsOf(other)];
      assert.ok(
        one.every((weight, at) => Math.abs(weight - (two[at] ?? Number.NaN)) < 1e-9),
        `${one.join()} ${two.join()}`,
      );
    }),
  );
});

test("who does better at anything has no lower weight for it", () => {
  fc.assert(
    fc.property(histories, fc.constantFrom(...BETTER), fc.integer({ min: 0, max: 5 * HALF_LIFE_MS }), (history, [good, bad], agoMs) => {
      const [better, worse] = [weightsOf([...history, [good, agoMs]]), weightsOf([...history, [bad, agoMs]])];
      assert.ok(
        better.every((weight, at) => weight >= (worse[at] ?? Number.NaN) - 1e-9),
        `${better.join()} ${worse.join()}`,
      );
    }),
  );
});

test("what is given is never held against a member", () => {
  fc.assert(
    fc.property(histories, fc.constantFrom(GAVE, HIT, SAME, THERE, { ...DONE, tookMs: 0 }), (history, good) => {
      const [without, withIt] = [weightsOf(history), weightsOf([...history, [good, 0]])];
      assert.ok(withIt.every((weight, at) => weight >= (without[at] ?? Number.NaN) - 1e-9));
    }),
  );
});

test("what was seen counts half after a half-life, and for nothing in the end: everybody is forgiven, and nobody lives on old deeds", () => {
  const history = times(40, HIT).map((what): [Observation, number] => [what, 0]);
  const hitsAfter = (ms: number): number => weigh(standing(history), NOW + ms, HALF_LIFE_MS).hits;
  assert.ok(Math.abs(hitsAfter(HALF_LIFE_MS) - 20) < 1e-9);
  assert.ok(Math.abs(hitsAfter(3 * HALF_LIFE_MS) - 5) < 1e-9);
  const unknown = numbers(weigh(UNKNOWN, NOW, HALF_LIFE_MS));
  fc.assert(
    fc.property(histories, (long) => {
      const now = weightsOf(long, 60 * HALF_LIFE_MS);
      assert.ok(
        now.every((weight, at) => Math.abs(weight - (unknown[at] ?? Number.NaN)) < 1e-6),
        now.join(),
      );
    }),
  );
});

test("who is new gets work, and is asked often enough to earn a name", () => {
  const best = after(...times(500, DONE), ...times(500, GAVE), ...times(500, HIT), ...times(500, SAME), THERE);
  const { forFetch, forWork } = after();
  assert.ok(forWork("c -O1") >= best.forWork("c -O1"));
  const draw = drawing(11);
  const both = [
    { key: "best", rttMs: 1, weight: best.forFetch },
    { key: "new", rttMs: 1, weight: forFetch },
  ];
  const first = Array.from({ length: 1_000 }, () => askingOrder(both, draw)[0]).filter((key) => key === "new").length;
  assert.ok(first > 200 && first < 500, `${first} of 1,000`);
});

test("all are asked, the near and good ones first nearly always", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.double({ min: floor, max: 1, noNaN: true })), { maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 8, maxLength: 8 }),
      (all, draws) => {
        const members = all.map(([rttMs, weight], at) => ({ key: `m${at}`, rttMs, weight }));
        const order = askingOrder(members, () => draws.shift() ?? 0.5);
        assert.deepEqual(
          order.toSorted(),
          members.map(({ key }) => key),
        );
      },
    ),
  );
  const draw = drawing(7);
  const both = [
    { key: "liar", rttMs: 1, weight: floor },
    { key: "far", rttMs: 100, weight: 1 },
    { key: "near", rttMs: 1, weight: 1 },
  ];
  const first = Array.from({ length: 2_000 }, () => askingOrder(both, draw)[0]).filter((key) => key === "near").length;
  assert.ok(first > 1_900, `${first} of 2,000`);
});

interface World {
  readonly reputation: Reputation;
  readonly liars: Set<string>;
  readonly pass: (ms: number) => void;
  readonly again: () => Reputation;
}

function world(): World {
  let now = NOW;
  const liars = new Set<string>();
  const again = (): Reputation =>
    new Reputation({ now: () => now, isDiscredited: (member) => liars.has(member) }, { halfLifeMs: HALF_LIFE_MS });
  return { reputation: again(), liars, pass: (ms) => (now += ms), again };
}

test("evidence beats every reputation: a good name buys nothing, and time gives nothing back while it holds", () => {
  const { reputation, liars, pass } = world();
  for (const what of [...times(1_000, DONE), ...times(1_000, GAVE), ...times(1_000, HIT), ...times(1_000, SAME)])
    reputation.observe("a", what);
  assert.ok(reputation.forFetch("a") > 0.95);
  liars.add("a");
  assert.equal(reputation.forFetch("a"), floor);
  assert.equal(reputation.forWork("a", "c -O1"), floor);
  pass(100 * HALF_LIFE_MS);
  assert.equal(reputation.forFetch("a"), floor);
});

test("reputations outlive the daemon, are bounded, and nonsense is no trouble", () => {
  const { reputation, again } = world();
  for (let i = 0; i < 2 * membersMost; i++) reputation.observe(`m${i}`, i % 2 === 0 ? LOST : SAME);
  for (let i = 0; i < 3 * kindsMost; i++) reputation.observe("a", { kind: "work", work: `kind ${i}`, outcome: "lost" });
  assert.ok(reputation.isChanged);
  const text = reputation.save();
  assert.ok(!reputation.isChanged);
  assert.ok(text.length < 120 * membersMost, `${text.length} bytes`);
  assert.ok(reputation.of("a").kinds.size <= kindsMost);
  const later = again();
  later.restore(text);
  const last = `m${2 * membersMost - 2}`;
  assert.ok(reputation.forWork(last, "c -O1") < 1);
  assert.ok(Math.abs(later.forWork(last, "c -O1") - reputation.forWork(last, "c -O1")) < 1e-4);
  assert.equal(later.forWork("m0", "c -O1"), 1, "who was seen least recently is forgotten");
  for (const bad of ["", "{", "7", "[7]", '[["a",-1]]', '[["a",1,"hits",2]]', '[["a",1,"hits",2,1]]', '[["a",1,"hits",1,"x"]]']) {
    const other = again();
    other.restore(bad);
    assert.equal(other.forFetch("a"), 0.8, bad);
  }
});

test("in a network of more members than places, who is seen pushes nobody out, and who does something pushes out who was only seen", () => {
  const { reputation } = world();
  const all = Array.from({ length: membersMost + 100 }, (_, at) => `m${at}`);
  const lookAtAll = (): void => all.forEach((member) => reputation.observe(member, { kind: "seen", isThere: true, forMs: 600_000 }));
  lookAtAll();
  const late = all.slice(-10);
  for (const member of late) for (let times = 0; times < 5; times++) reputation.observe(member, LOST);
  const before = late.map((member) => reputation.forWork(member, "c -O1"));
  assert.ok(
    before.every((weight) => weight < 0.7),
    before.join(),
  );
  for (let times = 0; times < 3; times++) lookAtAll();
  const after = late.map((member) => reputation.of(member).work);
  assert.ok(
    after.every((share) => share < 0.7),
    after.join(),
  );
  // Whoever does something finds a place as long as somebody was only seen, …
  const busy = all.slice(-membersMost);
  for (const member of busy) reputation.observe(member, LOST);
  for (const member of busy) assert.ok(reputation.of(member).work < 1, member);
  // … and then that of whom it had to do with the longest ago.
  reputation.observe("new", LOST);
  assert.ok(reputation.of("new").work < 1);
  assert.equal(
    late.filter((member) => reputation.of(member).work === 1).length + busy.filter((member) => reputation.of(member).work === 1).length,
    1,
  );
});

test("who is no member any more is forgotten, and a clock that was far ahead does not stop the count", () => {
  const { reputation, pass } = world();
  pass(1_000 * HALF_LIFE_MS);
  reputation.observe("a", GAVE);
  reputation.observe("b", LOST);
  reputation.keepOnly((member) => member === "a");
  assert.equal(reputation.forWork("b", "c -O1"), 1);
  pass(-1_000 * HALF_LIFE_MS);
  for (const what of times(50, LOST)) reputation.observe("a", what);
  assert.ok(reputation.forWork("a", "c -O1") < 0.2);
});
