import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CompactRange } from "./compact-range.ts";
import { MemoryTree } from "./merkle.fixture.ts";
import { consistencyProof, type Hash, inclusionProof, isConsistent, isIncluded, leafHash, rootAt } from "./merkle.ts";

/** Of certificate transparency's own tests, which all implementations of RFC 6962 and RFC 9162 share: entries, and roots by size. */
const ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
/** Index and size; old and new size. */
const INCLUDED = [
  [0, 8, "96a296d2 5f083f0a 6b47aaf2"],
  [5, 8, "bc1a0643 ca854ea1 d37ee418"],
  [2, 3, "fac54203"],
  [1, 5, "6e340b9c 5f083f0a bc1a0643"],
  [0, 1, ""],
] as const;
const CONSISTENT = [
  [1, 1, ""],
  [1, 8, "96a296d2 5f083f0a 6b47aaf2"],
  [6, 8, "0ebc5d34 ca854ea1 d37ee418"],
  [2, 5, "5f083f0a bc1a0643"],
  [6, 7, "0ebc5d34 b08693ec d37ee418"],
] as const;

const tree = new MemoryTree(ENTRIES.map((entry) => leafHash(Buffer.from(entry, "hex"))));
const hex = (hash: Hash): string => Buffer.from(hash).toString("hex");
const begins = (proof: readonly Hash[]): string => proof.map((one) => hex(one).slice(0, 8)).join(" ");

test("roots and proofs are those of the published vectors", () => {
  for (const [size, root] of ROOTS.entries()) assert.equal(hex(tree.root(size)), root);
  for (const [index, size, proof] of INCLUDED) assert.equal(begins(inclusionProof(tree.read, index, size)), proof);
  for (const [old, size, proof] of CONSISTENT) assert.equal(begins(consistencyProof(tree.read, old, size)), proof);
});

/** All ways in which the vectors' own suite spoils a proof. */
function spoilt(proof: readonly Hash[], ...strangers: readonly Hash[]): Hash[][] {
  const flipped = proof.map((_, at) => proof.map((one, i) => (i === at ? Buffer.from(one).fill(one[0] === 0 ? 1 : 0, 0, 1) : one)));
  const longer = strangers.flatMap((stranger) => [
    [...proof, stranger],
    [stranger, ...proof],
  ]);
  const shorter = proof.length === 0 ? [] : [proof.slice(0, -1), proof.slice(1)];
  return [...flipped, ...longer, ...shorter, [...proof, new Uint8Array()], [new Uint8Array(), ...proof]];
}

const sizes: fc.Arbitrary<{ size: number; at: number }> = fc
  .integer({ min: 1, max: 70 })
  .chain((size) => fc.record({ size: fc.constant(size), at: fc.nat(size - 1) }));
const large = new MemoryTree(Array.from({ length: 70 }, (_, at) => leafHash(Buffer.from(`entry ${at}`))));

test("what is in a tree is proved to be, and nothing else is", () => {
  fc.assert(
    fc.property(sizes, ({ size, at }) => {
      const [leaf, proof, root] = [large.read(0, at), inclusionProof(large.read, at, size), large.root(size)];
      assert.ok(isIncluded(leaf, at, size, proof, root));
      for (const other of [at - 1, at + 1, at + size, -1, 0.5, Number.NaN])
        if (other !== at) assert.ok(!isIncluded(leaf, other, size, proof, root), `as ${other}`);
      for (const wrong of spoilt(proof, root, leaf)) assert.ok(!isIncluded(leaf, at, size, wrong, root));
      assert.ok(!isIncluded(leafHash(Buffer.from("stranger")), at, size, proof, root));
      assert.ok(!isIncluded(leaf, at, size, proof, leafHash(Buffer.from("stranger"))));
    }),
  );
});

test("what a tree has grown out of is proved to be, and nothing else is", () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 70 }), ({ size }, other) => {
      const [old, now] = [Math.min(size, other), Math.max(size, other)];
      const proof = consistencyProof(large.read, old, now);
      assert.ok(isConsistent(old, now, proof, large.root(old), large.root(now)));
      if (old === now) return;
      for (const wrong of spoilt(proof, large.root(old), large.root(now)))
        assert.ok(!isConsistent(old, now, wrong, large.root(old), large.root(now)));
      assert.ok(!isConsistent(old, now, proof, large.root(now), large.root(old)));
      assert.ok(!isConsistent(old, now, proof, leafHash(Buffer.from("stranger")), large.root(now)));
      for (const [a, b] of [
        [old - 1, now],
        [old + 1, now],
        [now, old],
      ] as const)
        if (a > 0) assert.ok(!isConsistent(a, b, proof, large.root(old), large.root(now)), `${a} to ${b}`);
    }),
  );
});

test("the empty tree is where every tree begins, by no proof", () => {
  assert.ok(isConsistent(0, 5, [], tree.root(0), tree.root(5)));
  assert.ok(!isConsistent(0, 5, [tree.root(1)], tree.root(0), tree.root(5)));
  assert.ok(!isConsistent(1, 2, [], tree.root(1), tree.root(2)));
});

test("a compact range has the root of the tree, wherever it began", () => {
  fc.assert(
    fc.property(sizes, ({ size, at }) => {
      const range = new CompactRange(large.read, at);
      for (const leaf of large.leaves(at, size)) range.push(leaf);
      assert.deepEqual([range.size, hex(range.root() ?? leafHash(Buffer.from("none")))], [size, hex(large.root(size))]);
    }),
  );
  assert.equal(new CompactRange(large.read, 0).root(), undefined);
});

test("a proof in 10 million entries has at most 24 hashes", () => {
  // Any node will do: what counts is how many there are.
  const node = leafHash(Buffer.from("node"));
  const size = 10_000_000;
  for (const index of [0, 1, 4_999_999, 8_388_607, 8_388_608, 9_999_999])
    assert.ok(inclusionProof(() => node, index, size).length <= 24, `entry ${index}`);
  assert.equal(
    rootAt(() => node, 1),
    node,
  );
});
