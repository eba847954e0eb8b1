import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../base/index.ts";
import { type Candidate, nearest, rendezvousOrder } from "./rendezvous-hash.ts";

function candidates(count: number, domains = 1): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({ key: digestOf(`member ${i}`), domain: `d${i % domains}` }));
}

const names = Array.from({ length: 3_000 }, (_, i) => digestOf(`manifest ${i}`));

test("every member is as often among the nearest three", () => {
  const all = candidates(10);
  const counts = new Map(all.map(({ key }) => [key, 0]));
  for (const name of names) for (const { key } of rendezvousOrder(name, all).slice(0, 3)) counts.set(key, (counts.get(key) ?? 0) + 1);
  // 900 each, with a standard deviation of 25.
  assert.deepEqual(
    [...counts.values()].filter((count) => Math.abs(count - 900) > 125),
    [],
  );
});

test("when a member goes, only what lay with it moves", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2_999 }), fc.integer({ min: 4, max: 30 }), fc.nat(), (name, count, gone) => {
      const all = candidates(count);
      const order = rendezvousOrder(names[name] ?? "", all).map(({ key }) => key);
      const left = all.filter((_, i) => i !== gone % count);
      const after = rendezvousOrder(names[name] ?? "", left).map(({ key }) => key);
      assert.deepEqual(
        after,
        order.filter((key) => key !== all[gone % count]?.key),
      );
    }),
  );
});

test("the order does not depend on whose list it is, nor on more than the first eight bytes of the digest", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2_999 }), fc.shuffledSubarray(candidates(12, 3), { minLength: 12 }), (name, shuffled) => {
      const digest = names[name] ?? "";
      assert.deepEqual(rendezvousOrder(digest, shuffled), rendezvousOrder(digest, candidates(12, 3)));
      assert.deepEqual(rendezvousOrder(digest.slice(0, 16), shuffled), rendezvousOrder(digest, shuffled));
    }),
  );
});

test("the nearest three are of three domains where there are three", () => {
  for (const name of names.slice(0, 200)) {
    const nearest = rendezvousOrder(name, candidates(12, 3)).slice(0, 3);
    assert.equal(new Set(nearest.map(({ domain }) => domain)).size, 3);
  }
});

test("the nearest few are the first of the order, of however many domains", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2_999 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(12),
      (name, count, domains, few) => {
        const digest = names[name] ?? "";
        const all = candidates(count, domains);
        assert.deepEqual(nearest(digest, all, few), rendezvousOrder(digest, all).slice(0, few));
      },
    ),
  );
});
