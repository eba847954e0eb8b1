import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attestationId, LAST_BOUND } from "../base/index.ts";
import { OrderedIds } from "./ordered-ids.ts";

const id: fc.Arbitrary<string> = fc.tuple(fc.nat(40), fc.nat(40)).map(([at, what]) => attestationId(at, String(what), new Uint8Array(0)));
const bound: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("", LAST_BOUND),
  fc.tuple(id, fc.integer({ min: 0, max: 22 })).map(([one, bytes]) => one.slice(0, 2 * bytes)),
);

test("it is a sorted set, in every range and at every rank", () => {
  const changes = fc.array(fc.tuple(fc.boolean(), id), { maxLength: 1_500, size: "max" });
  const property = fc.property(changes, fc.array(fc.tuple(bound, bound), { maxLength: 10 }), (all, ranges) => {
    const ordered = new OrderedIds();
    const model = new Set<string>();
    for (const [isAdded, one] of all) {
      const isChange = isAdded ? !model.has(one) : model.has(one);
      assert.equal(isAdded ? ordered.add(one) : ordered.delete(one), isChange);
      if (isAdded) model.add(one);
      else model.delete(one);
      assert.equal(ordered.has(one), isAdded);
    }
    const sorted = [...model].toSorted();
    assert.equal(ordered.size, sorted.length);
    assert.deepEqual(
      sorted.map((_, rank) => ordered.at(rank)),
      sorted,
    );
    assert.equal(ordered.at(sorted.length), undefined);
    for (const [from, to] of ranges) {
      const inside = sorted.filter((one) => one >= from && one < to);
      assert.deepEqual(ordered.list(from, to), inside);
      assert.equal(ordered.rank(from), sorted.filter((one) => one < from).length);
      const alone = new OrderedIds();
      for (const one of inside.toReversed()) alone.add(one);
      assert.deepEqual(ordered.sumOf(from, to), alone.sumOf("", LAST_BOUND));
    }
  });
  fc.assert(property, { numRuns: 60 });
});

test("sets that differ in one id have other sums", () => {
  const ids = Array.from({ length: 1_000 }, (_, i) => attestationId(i, String(i), new Uint8Array(0)));
  const ordered = new OrderedIds();
  for (const one of ids) ordered.add(one);
  const sums = new Set([ordered.sumOf("", LAST_BOUND).sum]);
  for (const one of ids) {
    ordered.delete(one);
    sums.add(ordered.sumOf("", LAST_BOUND).sum);
    ordered.add(one);
  }
  assert.equal(sums.size, 1 + ids.length);
});
