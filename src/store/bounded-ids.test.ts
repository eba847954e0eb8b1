import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attestationId, LAST_BOUND } from "../base/index.ts";
import { BoundedIds } from "./bounded-ids.ts";

interface One {
  readonly signer: string;
  readonly id: string;
}

const one: fc.Arbitrary<One> = fc
  .record({ signer: fc.constantFrom("a", "b", "c", "d"), at: fc.nat(50), what: fc.nat(3) })
  .map(({ signer, at, what }) => ({ signer, id: attestationId(at, `${signer} ${what}`, new Uint8Array(0)) }));
const bounds = { most: 20, perSigner: 12 };

/** What a replica has kept of what it was told, in that order; it lets go of what is too much after every so many. */
function told(all: readonly One[], every: number): BoundedIds {
  const replica = new BoundedIds(bounds);
  for (const [at, { id, signer }] of all.entries()) {
    replica.add(id, signer);
    if (at % every === 0) replica.trim();
  }
  replica.trim();
  return replica;
}

function kept(replica: BoundedIds): string[] {
  return replica.ids.list("", LAST_BOUND);
}

function those(all: readonly One[], ids: readonly string[]): One[] {
  return all.filter(({ id }) => ids.includes(id));
}

test("replicas keep the same, whatever they were told first, twice, or by whom", () => {
  const lists = fc.tuple(fc.array(one, { maxLength: 80 }), fc.array(one, { maxLength: 80 }), fc.integer({ min: 1, max: 9 }));
  const property = fc.property(lists, ([left, right, every]) => {
    const all = [...left, ...right];
    const expected = kept(told(all, 1_000));
    assert.deepEqual(kept(told(all.toReversed(), every)), expected);
    assert.deepEqual(kept(told([...all, ...all], every)), expected);
    // Of what two have kept, each for itself, together the same is kept as of all that both were told.
    const merged = [...those(all, kept(told(left, every))), ...those(all, kept(told(right, every)))];
    assert.deepEqual(kept(told(merged, every)), expected);
  });
  fc.assert(property, { numRuns: 500 });
});

test("no more is kept than bounds allow, of each signer the newest, and whoever has least loses nothing to who has most", () => {
  const property = fc.property(fc.array(one, { maxLength: 120 }), (all) => {
    const replica = told(all, 3);
    assert.ok(replica.ids.size <= bounds.most);
    const distinct = new Map(all.map((each) => [each.id, each]));
    const byName = Map.groupBy(distinct.values(), ({ signer }) => signer);
    const counts = [...byName].map(([signer, given]) => {
      const mine = replica.of(signer);
      assert.ok(mine.length <= bounds.perSigner);
      const newest = given
        .map(({ id }) => id)
        .toSorted()
        .slice(given.length - mine.length);
      assert.deepEqual(mine, newest);
      return { lost: given.length - mine.length, left: mine.length };
    });
    const most = Math.max(0, ...counts.map(({ left }) => left));
    for (const { lost, left } of counts) assert.ok(lost === 0 || left >= most - 1 || left === bounds.perSigner);
  });
  fc.assert(property);
});

test("a signer whose clock is far ahead pushes out only its own", () => {
  const honest = Array.from({ length: 8 }, (_, i) => ({ signer: "a", id: attestationId(1_000 + i, `a ${i}`, new Uint8Array(0)) }));
  const ahead = Array.from({ length: 1_000 }, (_, i) => ({
    signer: "z",
    id: attestationId(253_402_300_799_000 + i, `z ${i}`, new Uint8Array(0)),
  }));
  const replica = told([...honest, ...ahead], 1);
  assert.deepEqual(
    replica.of("a"),
    honest.map(({ id }) => id),
  );
  assert.equal(replica.of("z").length, bounds.perSigner);
});
