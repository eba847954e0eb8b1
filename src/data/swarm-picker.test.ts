import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChunkSet } from "./chunk-set.ts";
import { ChunkPicker, type PickFrom } from "./swarm-picker.ts";

const CHUNKS = 12;

function setOf(chunks: readonly number[]): ChunkSet {
  const set = new ChunkSet(CHUNKS);
  for (const chunk of chunks) set.add(chunk);
  return set;
}

function from(chunks: readonly number[], asked: readonly number[] = [], isSlow = false): PickFrom {
  return { has: setOf(chunks), asked: new Set(asked), isSlow };
}

const all = Array.from({ length: CHUNKS }, (_, i) => i);

test("what the fewest have comes first", () => {
  const members = [from(all), from([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]), from([0, 1, 2])];
  const picker = new ChunkPicker(setOf([0]), members);
  const [seeder] = members;
  assert.ok(seeder !== undefined);
  assert.equal(
    picker.pick(seeder, () => 0.5),
    9,
  );
  assert.notEqual(
    picker.pick(seeder, () => 0.5),
    9,
  );
});

test("what a slow member was asked for, another is asked for as well", () => {
  const [slow, other] = [from(all, [3], true), from(all)];
  const here = setOf(all.filter((chunk) => chunk !== 3));
  assert.equal(
    new ChunkPicker(here, [slow, other]).pick(other, () => 0),
    3,
  );
  assert.equal(
    new ChunkPicker(here, [from(all, [3]), other]).pick(other, () => 0),
    undefined,
  );
});

test("each chunk is picked once, and in the end all that can be had are", () => {
  const some = fc.subarray(all);
  fc.assert(
    fc.property(some, fc.array(some, { minLength: 1, maxLength: 4 }), fc.nat(), (here, having, seed) => {
      const members = having.map((chunks) => from(chunks));
      const picker = new ChunkPicker(setOf(here), members);
      const picked: number[] = [];
      let state = seed;
      const random = (): number => (state = (state * 16_807 + 11) % 2_147_483_647) / 2_147_483_647;
      for (const member of members)
        for (let chunk = picker.pick(member, random); chunk !== undefined; chunk = picker.pick(member, random)) {
          assert.ok(member.has.has(chunk) && !here.includes(chunk));
          picked.push(chunk);
        }
      const wanted = all.filter((chunk) => !here.includes(chunk) && having.some((chunks) => chunks.includes(chunk)));
      assert.deepEqual(
        picked.toSorted((a, b) => a - b),
        wanted,
      );
    }),
  );
});
