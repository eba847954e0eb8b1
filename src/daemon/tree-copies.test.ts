import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Digest, digestOf, type Key, limits, silentLog } from "../base/index.ts";
import type { KeepTree, KeepVerdict } from "../wire/index.ts";
import { TreeCopies } from "./tree-copies.ts";

const KEYS = ["a", "b", "c", "d", "e", "f"].map((name) => digestOf(name));
const PINNER = digestOf("a");
const COPIES = 3;
const SECOND_MS = 1_000;

/** Some members of one network, each of which keeps what it is offered unless it is full. */
class Street {
  readonly nodes: Map<Key, TreeCopies> = new Map();
  readonly present: Set<Key> = new Set(KEYS);
  readonly pinned: Map<Key, Set<Digest>> = new Map(KEYS.map((key) => [key, new Set()]));
  readonly kept: Map<Key, Set<Digest>> = new Map(KEYS.map((key) => [key, new Set()]));
  readonly full: Set<Key> = new Set();
  readonly busy: Set<Key> = new Set();
  /** Members that are there, and linked with nobody just now; asking calls them. */
  readonly unlinked: Set<Key> = new Set();
  readonly called: Key[] = [];
  /** All say that they keep what they are asked about. */
  lying = false;
  nowMs = 0;
  /** Until when members keep what they keep, where nobody says that it is wanted for longer. */
  overMs: number = Number.POSITIVE_INFINITY;

  constructor() {
    for (const self of KEYS) this.nodes.set(self, this.#node(self));
  }

  #node(self: Key): TreeCopies {
    const leaseS = (pinner: Key): number => (pinner === self || this.nowMs < this.overMs ? 100 : limits.treeCopies.askS);
    const tree = (digest: Digest, pinner: Key): KeepTree => ({ digest, codec: "directory", bytes: 1, leaseS: leaseS(pinner), pinner });
    const [pinned, kept] = [nodeOf(this.pinned, self), nodeOf(this.kept, self)];
    return new TreeCopies(
      {
        self,
        present: () => [...this.present].map((key) => ({ key, domain: "home" })),
        isLinked: (key) => !this.unlinked.has(key),
        trees: () => [
          ...[...pinned].map((digest) => tree(digest, self)),
          ...[...kept].filter((digest) => !pinned.has(digest)).map((digest) => tree(digest, PINNER)),
        ],
        offer: async (to, trees) => {
          if (!this.unlinked.has(to)) return trees.map((one) => this.#take(to, one));
          this.called.push(to);
          return trees.map(() => "busy");
        },
        superfluous: ({ root }, pinner) => void (pinner === PINNER && kept.delete(root)),
        isQuiet: () => true,
        log: silentLog,
        now: () => this.nowMs,
      },
      { copies: COPIES },
    );
  }

  #take(to: Key, { digest, leaseS }: KeepTree): KeepVerdict {
    if (!this.present.has(to)) throw new Error("it is not there");
    const kept = nodeOf(this.kept, to);
    if (leaseS === limits.treeCopies.askS) {
      if (to === PINNER && !nodeOf(this.pinned, to).has(digest)) return "refused";
      return this.lying || kept.has(digest) || nodeOf(this.pinned, to).has(digest) ? "kept" : "failed";
    }
    if (leaseS === 0) kept.delete(digest);
    else if (this.full.has(to)) return "full";
    else if (this.busy.has(to)) return "busy";
    else if (!nodeOf(this.pinned, to).has(digest)) kept.add(digest);
    return leaseS === 0 ? "refused" : "kept";
  }

  /** Members that are there and have it. */
  have(root: Digest): Key[] {
    return [...this.present].filter((key) => this.kept.get(key)?.has(root) === true || this.pinned.get(key)?.has(root) === true);
  }

  async pass(seconds: number, atOnce = 1): Promise<void> {
    for (let second = 0; second < seconds; second += atOnce) {
      this.nowMs += atOnce * SECOND_MS;
      for (const [key, node] of this.nodes) if (this.present.has(key)) await node.tick();
    }
  }

  leave(key: Key): void {
    this.present.delete(key);
  }

  come(key: Key): void {
    this.present.add(key);
  }
}

const LOOK_S = limits.treeCopies.lookEveryMs / SECOND_MS;
const ROOT = digestOf("tree");

function nodeOf<T>(map: ReadonlyMap<Key, T>, key: Key | undefined): T {
  const found = map.get(key ?? "");
  assert.ok(found !== undefined);
  return found;
}

test("what is pinned comes to three members besides, is replaced when one goes, and is let go of with the pin", async () => {
  const street = new Street();
  nodeOf(street.pinned, PINNER).add(ROOT);
  await street.pass(2);
  const first = street.have(ROOT);
  assert.ok(first.length >= COPIES && first.includes(PINNER));
  assert.equal(nodeOf(street.nodes, PINNER).holders(ROOT), first.length - 1);

  const gone = first.find((key) => key !== PINNER) ?? "";
  street.leave(gone);
  await street.pass(12);
  assert.equal(street.have(ROOT).length, first.length);
  street.come(gone);
  await street.pass(LOOK_S + 20, 5);
  assert.deepEqual(street.have(ROOT).toSorted(), first.toSorted(), "who stood in keeps it no longer");

  street.leave(PINNER);
  await street.pass(LOOK_S + 20, 5);
  assert.ok(street.have(ROOT).length >= COPIES, "copies outlive the one who pinned it");
  street.come(PINNER);
  await street.pass(20);
  nodeOf(street.pinned, PINNER).delete(ROOT);
  await street.pass(2);
  assert.deepEqual(street.have(ROOT), []);
});

test("whoever comes and goes, and whoever is full: in the end three have it, or all who take it", async () => {
  const step = fc.record({ key: fc.constantFrom(...KEYS), what: fc.constantFrom("leave", "come", "full", "wait"), s: fc.nat({ max: 60 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const street = new Street();
      nodeOf(street.pinned, PINNER).add(ROOT);
      for (const { key, what, s } of steps) {
        if (what === "leave" && key !== PINNER) street.leave(key);
        if (what === "come") street.come(key);
        if (what === "full" && !nodeOf(street.kept, key).has(ROOT)) street.full.add(key);
        await street.pass(s);
      }
      await street.pass(2 * LOOK_S + 60, 10);
      const takers = [...street.present].filter((key) => key === PINNER || !street.full.has(key) || nodeOf(street.kept, key).has(ROOT));
      assert.ok(street.have(ROOT).length >= Math.min(COPIES, takers.length), `${street.have(ROOT).length} of ${takers.length}`);
    }),
    { numRuns: 10 },
  );
});

test("who is busy for ever is passed over, and holds up nothing else, however much there is", async () => {
  const street = new Street();
  const roots = Array.from({ length: limits.replication.itemsPerOffer + 10 }, (_, i) => digestOf(`tree ${i}`));
  for (const root of roots) nodeOf(street.pinned, PINNER).add(root);
  const others = KEYS.filter((key) => key !== PINNER);
  const [busy = ""] = others;
  street.busy.add(busy);
  await street.pass(10);
  const copied = (root: Digest): number => street.have(root).filter((key) => key !== PINNER).length;
  assert.ok(
    roots.every((root) => copied(root) >= COPIES - 2),
    "the last ones have their turn",
  );
  await street.pass(limits.treeCopies.busyMs / SECOND_MS + 60, 20);
  assert.ok(
    roots.every((root) => copied(root) >= COPIES - 1),
    "another one stands in",
  );
});

test("holders whose links come and go are not called again each time", async () => {
  const street = new Street();
  nodeOf(street.pinned, PINNER).add(ROOT);
  await street.pass(2);
  const holders = street.have(ROOT).filter((key) => key !== PINNER);
  for (const key of holders) street.unlinked.add(key);
  const stranger = KEYS.find((key) => key !== PINNER && !holders.includes(key)) ?? "";
  street.leave(stranger);
  await street.pass(LOOK_S / 4);
  street.come(stranger);
  await street.pass(LOOK_S / 4);
  assert.deepEqual(street.called, []);
  await street.pass(LOOK_S);
  assert.ok(
    holders.every((key) => street.called.includes(key)),
    "now and then they are",
  );
});

test("who is not linked hears of what is not pinned any more as soon as it is linked again", async () => {
  const street = new Street();
  nodeOf(street.pinned, PINNER).add(ROOT);
  await street.pass(2);
  const [holder = ""] = street.have(ROOT).filter((key) => key !== PINNER);
  street.unlinked.add(holder);
  nodeOf(street.pinned, PINNER).delete(ROOT);
  await street.pass(3);
  assert.deepEqual(street.have(ROOT), [holder]);
  assert.ok(street.called.includes(holder));
  street.unlinked.delete(holder);
  await street.pass(2);
  assert.deepEqual(street.have(ROOT), []);
});

test("copies that are kept for longer than their time stay, whatever others say, until who has pinned it is back", async () => {
  const street = new Street();
  nodeOf(street.pinned, PINNER).add(ROOT);
  await street.pass(2);
  street.leave(PINNER);
  await street.pass(LOOK_S + 20, 5);
  const holders = street.have(ROOT);
  assert.ok(holders.length >= COPIES);
  street.overMs = street.nowMs;
  street.lying = true;
  await street.pass(10 * LOOK_S, 20);
  assert.deepEqual(street.have(ROOT), holders);

  nodeOf(street.pinned, PINNER).delete(ROOT);
  street.come(PINNER);
  await street.pass(LOOK_S + 20, 5);
  assert.deepEqual(street.have(ROOT), [], "it is not pinned any more");
});

test("whoever of those with copies comes and goes when their time is up: one is left", async () => {
  const step = fc.record({ key: fc.constantFrom(...KEYS), what: fc.constantFrom("leave", "come"), s: fc.nat({ max: 700 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const street = new Street();
      nodeOf(street.pinned, PINNER).add(ROOT);
      await street.pass(2);
      street.leave(PINNER);
      await street.pass(20);
      street.overMs = street.nowMs;
      for (const { key, what, s } of steps) {
        if (what === "leave") street.leave(key);
        else if (key !== PINNER) street.come(key);
        await street.pass(s, 5);
      }
      assert.ok(KEYS.some((key) => nodeOf(street.kept, key).has(ROOT)));
    }),
    { numRuns: 20 },
  );
});
