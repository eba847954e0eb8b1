/**
 * What every pattern of placement does: a suite that each of them runs, among members that come, go and fall silent, in simulated time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Key, limits, type PlacementPattern } from "../../src/base/index.ts";
import type { Placed, Unit } from "../../src/contracts/index.ts";
import { build, PlacementWorld, type SimNode, TOOLCHAIN, unitsOf } from "../sim/placement-world.ts";
import { Chance } from "../system/fuzz-random.ts";

const { answerMs } = limits.placement;
/** Members have met, and told what they can do. */
const SETTLED_MS = 6_000;
/** Every core runs something. */
const BUSY = { running: 12, cores: 2 };
const SEEDS = 12;

/** @param pattern what each member follows */
export function placementCompliance(pattern: PlacementPattern): void {
  const anybody = new AbortController().signal;
  const unit = (name: string, facts: Partial<Unit> = {}): Unit => ({
    key: digestOf(name),
    kind: "c++ -O2",
    costMs: 500,
    inputBytes: 10_000,
    toolchain: TOOLCHAIN,
    platform: "linux-x86_64",
    ...facts,
  });

  async function world(seed: number, members: number): Promise<{ world: PlacementWorld; nodes: SimNode[]; chance: Chance }> {
    const chance = new Chance(seed);
    const made = new PlacementWorld(chance);
    const nodes = Array.from({ length: members }, () => made.add({ pattern, cores: 2, slowness: 1 }));
    await made.run(SETTLED_MS);
    return { world: made, nodes, chance };
  }

  /** Where a node's unit goes, and how long that took to say. */
  async function place(
    made: PlacementWorld,
    node: SimNode,
    what: Unit,
    tried: readonly Key[] = [],
    here = BUSY,
  ): Promise<{ placed: Placed; tookMs: number }> {
    const atMs = made.now;
    let found: Placed | undefined;
    void node.patterns.place(what, here, tried, anybody).then((placed) => (found = placed));
    await made.run(10 * answerMs, () => found !== undefined);
    assert.ok(found !== undefined, "no place within ten times the time");
    return { placed: found, tookMs: made.now - atMs };
  }

  test(`${pattern}: with an idle core, with nobody there, and for what is small, it is here, and nobody is asked`, async () => {
    const { world: made, nodes } = await world(1, 4);
    const [first] = nodes;
    assert.ok(first !== undefined);
    const before = made.frames;
    assert.deepEqual((await place(made, first, unit("a"), [], { running: 1, cores: 2 })).placed, { kind: "here", why: "core-idle" });
    assert.deepEqual((await place(made, first, unit("b", { costMs: 2 }))).placed, { kind: "here", why: "not-worth" });
    const others = nodes.slice(1).map(({ key }) => key);
    assert.deepEqual((await place(made, first, unit("c"), others)).placed, { kind: "here", why: "nobody" });
    assert.deepEqual((await place(made, first, unit("d", { toolchain: digestOf("clang") }))).placed, { kind: "here", why: "nobody" });
    assert.equal(made.frames, before);
    const { world: alone, nodes: one } = await world(1, 1);
    assert.ok(one[0] !== undefined);
    assert.deepEqual((await place(alone, one[0], unit("e"))).placed, { kind: "here", why: "nobody" });
  });

  test(`${pattern}: whoever is chosen is there, was not tried and has the toolchain; and it is said in time, whoever dies or falls silent`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { world: made, nodes, chance } = await world(seed, 8);
      const [self, ...others] = nodes;
      assert.ok(self !== undefined);
      for (let i = 0; i < 25; i++) {
        if (chance.percent(12)) made.kill(chance.pick(others));
        if (chance.percent(8)) chance.pick(others).isCutOff = true;
        if (chance.percent(30)) await made.run(chance.below(1_500));
        const tried = others.filter(() => chance.percent(25)).map(({ key }) => key);
        const what = unit(`${seed} ${i}`);
        const thereBefore = new Set(made.linked(self).map(({ key }) => key));
        const { placed, tookMs } = await place(made, self, what, tried);
        assert.ok(tookMs <= answerMs + 1, `seed ${seed}: ${tookMs} ms`);
        if (placed.kind === "member") {
          assert.ok(thereBefore.has(placed.member) && !tried.includes(placed.member), `seed ${seed}`);
          self.patterns.ended(what, placed, chance.pick(["done", "busy", "lost", "late", "cancelled", "refused"]), 600);
        }
        assert.ok(placed.why !== undefined);
      }
    }
  });

  test(`${pattern}: units do not go where there is no room, and the room is there again when they are done`, async () => {
    const { world: made, nodes } = await world(3, 4);
    const [self] = nodes;
    assert.ok(self !== undefined);
    const given = new Map<Key, number>();
    let under = 0;
    for (let i = 0; i < 40; i++) {
      const what = unit(`unit ${i}`, { costMs: 4_000 });
      const { placed: where } = await place(made, self, what, [], { running: 60, cores: 2 });
      if (where.kind === "here") continue;
      given.set(where.member, (given.get(where.member) ?? 0) + 1);
      under++;
      void made.workFor(self, where.member, what, 60_000).then(({ kind }) => {
        self.patterns.ended(what, where, kind, 4_000);
        under--;
      });
    }
    // Two slots each, and as many may wait; one more may be on its way when a member says that it has room.
    assert.deepEqual(
      [...given.values()].filter((count) => count > 5),
      [],
    );
    assert.equal(given.size, 3);
    await made.run(60_000, () => under === 0);
    assert.equal(under, 0);
    assert.equal((await place(made, self, unit("again"))).placed.kind, "member");
  });

  test(`${pattern}: of members that are alike who has the inputs gets the units, until it has no room for so long as the bytes take`, async () => {
    const inputBytes = 1_000 * limits.placement.bytesPerMs;
    const contents = new Map([[digestOf("header"), inputBytes]]);
    const firsts: Key[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { world: made, nodes } = await world(seed, 3);
      const [self, ...others] = nodes;
      const [having, lacking] = seed % 2 === 0 ? others : others.toReversed();
      assert.ok(self !== undefined && having !== undefined && lacking !== undefined);
      self.lacks = (member) => (member === having.key ? 0 : undefined);
      const given: Key[] = [];
      for (let i = 0; i < 12; i++) {
        const { placed } = await place(made, self, unit(`unit ${i}`, { inputBytes, contents }));
        if (placed.kind === "member") given.push(placed.member);
      }
      const [first] = given;
      assert.ok(first !== undefined && given.includes(lacking.key), `seed ${seed}`);
      if (first === having.key) firsts.push(first);
    }
    // Who decides by lot draws the other now and then, once in nine times.
    assert.ok(firsts.length >= 0.75 * SEEDS, `${firsts.length} of ${SEEDS}`);
  });

  test(`${pattern}: who does not wait any more gets no answer, and what it was given is free again`, async () => {
    const { world: made, nodes } = await world(4, 3);
    const [self] = nodes;
    assert.ok(self !== undefined);
    await assert.rejects(self.patterns.place(unit("a"), BUSY, [], AbortSignal.abort(new Error("gone"))), /gone/);
    for (let i = 0; i < 60; i++) {
      const gone = new AbortController();
      const asked = self.patterns.place(unit(`unit ${i}`), BUSY, [], gone.signal);
      const settled = asked.then(
        (where) => self.patterns.ended(unit(`unit ${i}`), where, "cancelled", 1),
        (error: unknown) => assert.match(String(error), /gone/),
      );
      await made.run(i % 4);
      gone.abort(new Error("gone"));
      await made.run(20);
      await settled;
    }
    await made.run(1_000);
    assert.equal((await place(made, self, unit("b"))).placed.kind, "member");
  });

  test(`${pattern}: builds of several members at once end, with every unit done, and keep all machines busy`, async () => {
    const { world: made, nodes, chance } = await world(5, 6);
    const built = nodes.slice(0, 2).map((node) => build(made, node, unitsOf(chance, 60, { least: 200, most: 800 }), 12));
    await made.run(120_000, () => built.every(({ endedAtMs }) => endedAtMs !== undefined));
    for (const { done, here } of built) {
      assert.equal(done, 60);
      assert.ok(here < 45, `${here} of 60 here, where others had nothing to do`);
    }
  });
}
