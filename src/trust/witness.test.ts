import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Head, signHead } from "./checkpoints.ts";
import { forkEvidenceOf, readForkEvidence } from "./fork-evidence.ts";
import { compareHead, type Fork, isFork, type KnownLog } from "./forks.ts";
import { keyPairFromSeed } from "./keys.ts";
import { codec } from "./membership.fixture.ts";
import { MemoryTree } from "./merkle.fixture.ts";
import { leafHash } from "./merkle.ts";
import { trustWorld } from "./trust.fixture.ts";
import { HeardHeads, judgeUpdate } from "./witness.ts";

const world = trustWorld([1, 1], 900);
const keys = world.signers[1]?.[0]?.sign ?? assert.fail("there is no such member");

/** A log whose entries are those of a common beginning and then of its own. */
function grown(common: number, own: number, name: string): MemoryTree {
  const entry = (of: string, at: number) => leafHash(Buffer.from(`${of} ${at}`));
  return new MemoryTree([
    ...Array.from({ length: common }, (_, at) => entry("common", at)),
    ...Array.from({ length: own }, (_, at) => entry(name, at)),
  ]);
}

function headOf(tree: MemoryTree, size: number = tree.size, by: typeof keys = keys): Head {
  return signHead(by, size, tree.root(size));
}

function knownOf(tree: MemoryTree, size: number = tree.size): KnownLog {
  return { head: headOf(tree, size), read: tree.read };
}

test("a witness takes what has grown out of what it has seen, and nothing else", () => {
  const [tree, other] = [grown(5, 4, "a"), grown(5, 4, "b")];
  const known = knownOf(tree, 6);
  const update = (of: MemoryTree, from: number, to: number): ReturnType<typeof judgeUpdate> =>
    judgeUpdate(known, { head: headOf(of, to), leaves: of.leaves(from, to) });
  assert.equal(update(tree, 6, 9).kind, "grown");
  assert.equal(judgeUpdate(undefined, { head: headOf(tree), leaves: tree.leaves(0, 9) }).kind, "grown");
  assert.equal(update(tree, 6, 6).kind, "same");
  assert.equal(update(tree, 0, 3).kind, "stale"); // Older than what is known: it is told that.
  assert.equal(update(tree, 4, 9).kind, "stale");
  assert.deepEqual(update(other, 6, 9), { kind: "refused", why: "entries" });
  assert.equal(update(other, 0, 6).kind, "forked");
  const forged = { ...headOf(tree), root: headOf(other).root };
  assert.deepEqual(judgeUpdate(known, { head: forged, leaves: tree.leaves(6, 9) }), { kind: "refused", why: "signature" });
  const stump = [...tree.leaves(6, 8), new Uint8Array(31)];
  assert.deepEqual(judgeUpdate(known, { head: headOf(tree), leaves: stump }), { kind: "refused", why: "entries" });
});

const branches: fc.Arbitrary<{ common: number; a: number; b: number; at: number }> = fc
  .record({ common: fc.nat(40), a: fc.integer({ min: 1, max: 40 }), b: fc.integer({ min: 1, max: 40 }) })
  .chain((sizes) =>
    fc.record({
      common: fc.constant(sizes.common),
      a: fc.constant(sizes.a),
      b: fc.constant(sizes.b),
      at: fc.integer({ min: 1, max: sizes.common + sizes.b }),
    }),
  );

test("any two checkpoints of two histories convict once the smaller one is behind the fork; of one history none do", () => {
  fc.assert(
    fc.property(branches, ({ common, a, b, at }) => {
      const [one, other] = [grown(common, a, "a"), grown(common, b, "b")];
      const compared = compareHead(knownOf(one), headOf(other, at));
      if (at > one.size) return assert.equal(compared.kind, "ahead");
      if (at <= common) return assert.equal(compared.kind, "consistent");
      assert.ok(compared.kind === "forked");
      assert.ok(isFork(compared.fork));
      return undefined;
    }),
  );
});

function someFork(): Fork {
  const compared = compareHead(knownOf(grown(11, 9, "a")), headOf(grown(11, 5, "b"), 14));
  return compared.kind === "forked" ? compared.fork : assert.fail(compared.kind);
}

test("nobody can make a fork of an honest log, nor one log's of another's", () => {
  const fork = someFork();
  const tree = grown(11, 9, "a");
  const stranger = keyPairFromSeed(Buffer.alloc(32, 7));
  for (const [what, made] of [
    ["the same history", { ...fork, older: headOf(tree, 14) }],
    ["a root of somebody's own", { ...fork, older: headOf(tree, 14), root: leafHash(Buffer.from("root")) }],
    ["somebody else's checkpoint", { ...fork, older: headOf(grown(11, 5, "b"), 14, stranger) }],
    ["another size", { ...fork, older: { ...fork.older, size: 13 } }],
    ["the wrong way round", { ...fork, older: fork.newer, newer: fork.older }],
    ["no proof", { ...fork, proof: [] }],
    ["a signature of nobody's", { ...fork, newer: { ...fork.newer, signature: new Uint8Array(64) } }],
  ] as const)
    assert.ok(!isFork(made), what);
});

test("what others have seen is compared when this witness has seen as much", () => {
  const [one, other] = [grown(3, 9, "a"), grown(3, 6, "b")];
  const heard = new HeardHeads();
  assert.equal(heard.hear(knownOf(one, 5), headOf(other, 8), "d1"), undefined);
  assert.equal(heard.grown(knownOf(one, 7)), undefined);
  // Many others who say something else do not push it out.
  for (let at = 0; at < 100; at++) heard.hear(knownOf(one, 5), headOf(one, 6 + (at % 6)), "d2");
  const fork = heard.grown(knownOf(one, 12)) ?? assert.fail("it is not found");
  assert.ok(isFork(fork));
  // Who has seen nothing of it can tell, too, where two others have seen as much.
  const between = new HeardHeads();
  assert.equal(between.hear(undefined, headOf(one, 8), "d1"), undefined);
  assert.ok(isFork(between.hear(undefined, headOf(other, 8), "d2") ?? assert.fail("it is not found")));
});

test("evidence of a fork convicts by itself, in 4 KB and the network's statements", () => {
  const statements = world.membership.statements().map(({ bytes }) => bytes);
  const { network } = world.state;
  const text = forkEvidenceOf(network, statements, someFork()) ?? assert.fail("it is too large");
  const read = readForkEvidence(codec, text);
  assert.ok(read.kind === "forked");
  assert.deepEqual([read.forked.member.domain, read.forked.network], ["d1", network]);
  assert.ok((forkEvidenceOf(network, [], someFork())?.length ?? 0) < 4_096);
  const why = (changed: string): string => {
    const refused = readForkEvidence(codec, changed);
    return refused.kind === "refused" ? refused.why : refused.kind;
  };
  const parts = JSON.parse(text) as { checkpoints: string[]; statements: string[]; proof: string[]; root: string };
  const changedBy = (change: object): string => JSON.stringify({ ...parts, ...change });
  assert.equal(why("{"), "not-evidence");
  assert.equal(why(changedBy({ checkpoints: [parts.checkpoints[0], parts.checkpoints[0]] })), "not-forked");
  assert.equal(why(changedBy({ checkpoints: [parts.checkpoints[0], "checkpoint"] })), "not-evidence");
  assert.equal(why(changedBy({ proof: parts.proof.slice(1) })), "not-forked");
  assert.equal(why(changedBy({ proof: ["AAAA"] })), "not-evidence");
  assert.equal(why(changedBy({ statements: [] })), "membership");
  const stranger = keyPairFromSeed(Buffer.alloc(32, 7));
  const compared = compareHead(
    { head: headOf(grown(0, 2, "a"), 2, stranger), read: grown(0, 2, "a").read },
    headOf(grown(0, 2, "b"), 2, stranger),
  );
  assert.ok(compared.kind === "forked");
  assert.equal(why(forkEvidenceOf(network, statements, compared.fork) ?? ""), "not-a-member");
});
