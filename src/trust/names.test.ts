import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, limits, type NameRecord, type SignedName } from "../base/index.ts";
import { keepNames, nameSaid } from "./names.ts";

const NOW = 1_800_000_000_000;

function named(sequence: number, root = "root", expiresAtMs: number = NOW + 1): SignedName {
  const record: NameRecord = {
    network: digestOf("n"),
    author: digestOf("a"),
    name: "main",
    sequence,
    root: digestOf(root),
    codec: "",
    issuedAtMs: 0,
    expiresAtMs,
  };
  return { record, signature: new Uint8Array(64) };
}

for (const [about, records, kind] of [
  ["nothing is known", [], "nothing"],
  ["the greatest sequence counts, whatever came last", [named(2), named(3), named(1)], "root"],
  ["two of one sequence are a fork", [named(3, "x"), named(3, "y")], "forked"],
  ["a fork is over with the next", [named(3, "x"), named(3, "y"), named(4)], "root"],
  ["the same record twice is no fork", [named(3), named(3)], "root"],
  ["an old record does not come back when the new one has expired", [named(3), named(4, "x", NOW - limits.clockErrorMs - 1)], "expired"],
  ["a clock that is an hour wrong expires nothing", [named(4, "x", NOW - limits.clockErrorMs)], "root"],
] as const)
  test(about, () => assert.equal(nameSaid(keepNames(records), NOW).kind, kind));

test("of records with a token the greatest counts, then the greatest sequence", () => {
  const under = (number: number, sequence: number): SignedName => {
    const { record, signature } = named(sequence);
    return { record: { ...record, token: { number, epoch: digestOf(`${number}`) } }, signature };
  };
  const [kept] = keepNames([under(5, 9), under(7, 1), under(7, 2), under(6, 8)]);
  assert.deepEqual([kept?.record.token?.number, kept?.record.sequence], [7, 2]);
});

test("the order in which records come, and from how many sides, changes nothing", () => {
  const some = fc.array(fc.record({ sequence: fc.nat({ max: 4 }), root: fc.constantFrom("x", "y", "z") }), { maxLength: 8 });
  fc.assert(
    fc.property(some, fc.nat({ max: 8 }), (facts, cut) => {
      const records = facts.map(({ sequence, root }) => named(sequence, root));
      const all = keepNames(records);
      assert.deepEqual(keepNames(records.toReversed()), all);
      assert.deepEqual(keepNames([...keepNames(records.slice(0, cut)), ...keepNames(records.slice(cut))]), all);
    }),
  );
});
