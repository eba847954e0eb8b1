import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf, limits, silentLog } from "../base/index.ts";
import { Pins } from "../store/index.ts";
import { KeptTrees } from "./kept-trees.ts";
import { Wanted } from "./network-trees.ts";

const NETWORK = digestOf("network");
const TREE = { root: digestOf("tree"), codec: "raw" } as const;
const [SELF, ALICE, BOB, TELLER] = ["self", "alice", "bob", "teller"].map((name) => digestOf(name)) as [string, string, string, string];

/** A copy whose time is up, and what is asked about it. */
function overdue(t: TestContext, claims: readonly (readonly [from: string, pinner: string])[]) {
  const directory = mkdtempSync(join(tmpdir(), "cairn-wanted-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const pins = Pins.open({ log: silentLog }, { file: join(directory, "pins") });
  const kept = KeptTrees.open({ log: silentLog, pins, now: Date.now }, { file: join(directory, "kept") });
  t.after(() => kept[Symbol.asyncDispose]());
  for (const [from, pinner] of claims) kept.put({ ...TREE, network: NETWORK, bytes: 1, blobs: [TREE.root] }, { from, pinner, untilMs: 1 });
  const active = new Set([ALICE, BOB, TELLER]);
  const present = new Set<string>();
  const store = {
    has: () => Promise.resolve(true),
    read: () => Promise.resolve({ kind: "miss" } as const),
    write: () => Promise.reject(new Error("nothing is written")),
    sizeOf: () => 1,
    directory,
    hasRoom: () => true,
  };
  const wanted = new Wanted({
    local: { store, pins, kept, isQuiet: () => true, capacityBytes: 1 },
    id: NETWORK,
    self: SELF,
    results: { pinned: () => undefined, settledAs: () => undefined, bring: () => Promise.resolve("refused") },
    isActive: (key) => active.has(key),
    record: { present: () => [...present].map((key) => ({ key, domain: "home" })) },
  });
  const asked = (): (string | number)[][] => wanted.list().map(({ pinner, leaseS }) => [pinner, leaseS]);
  return { kept, pins, active, present, asked, isHeld: () => kept.get(TREE) !== undefined };
}

const { askS } = limits.treeCopies;

test("of a copy whose time is up each member that has pinned it is asked, those that are there first, and ends its own claim alone", (t) => {
  const { kept, present, asked, isHeld } = overdue(t, [
    [ALICE, ALICE],
    [BOB, BOB],
  ]);
  assert.deepEqual(asked(), [[ALICE, askS]]);
  present.add(BOB);
  assert.deepEqual(asked(), [[BOB, askS]]);
  kept.unclaim(TREE, BOB);
  assert.deepEqual([asked(), isHeld()], [[[ALICE, askS]], true]);
  kept.unclaim(TREE, ALICE);
  assert.deepEqual([asked(), isHeld()], [[], false]);
});

test("a copy whose time is up stays while the same is pinned here, and is asked about afterwards", (t) => {
  const { pins, asked, isHeld } = overdue(t, [[ALICE, ALICE]]);
  pins.add({ root: TREE.root, kind: "blob", name: "b", blobs: [TREE.root], atMs: 1 });
  assert.deepEqual([asked(), isHeld()], [[[SELF, limits.treeCopies.leaseMs / 1_000]], true]);
  pins.remove(TREE.root);
  assert.deepEqual([asked(), isHeld()], [[[ALICE, askS]], true]);
});

test("it goes when who has pinned it, or who told of that, is no member any more", (t) => {
  for (const gone of [ALICE, TELLER]) {
    const { active, asked, isHeld } = overdue(t, [[TELLER, ALICE]]);
    assert.deepEqual(asked(), [[ALICE, askS]]);
    active.delete(gone);
    assert.deepEqual([asked(), isHeld()], [[], false]);
  }
});
