import assert from "node:assert/strict";
import { test } from "node:test";
import { placementCompliance } from "../../test/compliance/placement.ts";
import { PlacementWorld, type SimNode, TOOLCHAIN } from "../../test/sim/placement-world.ts";
import { Chance } from "../../test/system/fuzz-random.ts";
import { digestOf, limits } from "../base/index.ts";
import type { Placed, PlacementFrame, Unit } from "../contracts/index.ts";

const { lapseMs, leapMost } = limits.placement.lease;
const SETTLED_MS = 6_000;

placementCompliance("hybrid");
placementCompliance("mesh");
placementCompliance("overlay");

async function hybrids(members: number): Promise<{ world: PlacementWorld; nodes: SimNode[] }> {
  const world = new PlacementWorld(new Chance(7));
  const nodes = Array.from({ length: members }, () => world.add({ pattern: "hybrid", cores: 2, slowness: 1 }));
  await world.run(SETTLED_MS);
  return { world, nodes };
}

function holdersOf(nodes: readonly SimNode[]): Set<string | undefined> {
  return new Set(nodes.filter(({ isAlive, isCutOff }) => isAlive && !isCutOff).map(({ patterns }) => patterns.coordinator?.holder));
}

test("all name the same coordinator, who renews; who comes later names it, too; when it dies all name another, with a greater term", async () => {
  const { world, nodes } = await hybrids(6);
  const [holder] = holdersOf(nodes);
  assert.ok(holder !== undefined && holdersOf(nodes).size === 1);
  await world.run(2 * lapseMs);
  assert.deepEqual([...holdersOf(nodes)], [holder]);
  const term = nodes[0]?.patterns.coordinator?.term ?? 0;
  const dead = nodes.find(({ key }) => key === holder);
  assert.ok(dead !== undefined);
  world.kill(dead);
  await world.run(SETTLED_MS);
  const [next] = holdersOf(nodes);
  assert.ok(next !== undefined && next !== holder && holdersOf(nodes).size === 1);
  const alive = nodes.find(({ isAlive }) => isAlive);
  assert.ok((alive?.patterns.coordinator?.term ?? 0) > term);
});

test("a coordinator that is cut off and comes back is asked by nobody, and gives up its lease when it hears of the next", async () => {
  const { world, nodes } = await hybrids(5);
  const old = nodes.find(({ key }) => key === nodes[0]?.patterns.coordinator?.holder);
  const other = nodes.find((node) => node !== old);
  assert.ok(old !== undefined && other !== undefined);
  old.isCutOff = true;
  // Somebody builds, and so finds out.
  const unit = { key: digestOf("unit"), kind: "c", costMs: 500, inputBytes: 1, toolchain: TOOLCHAIN, platform: "linux-x86_64" };
  void other.patterns.place(unit, { running: 9, cores: 2 }, [], new AbortController().signal);
  await world.run(SETTLED_MS);
  const [next] = holdersOf(nodes);
  assert.ok(next !== undefined && next !== old.key && holdersOf(nodes).size === 1);
  assert.equal(old.patterns.coordinator?.holder, old.key);
  old.isCutOff = false;
  await world.run(20_000); // The next one renews its lease.
  assert.deepEqual([...holdersOf(nodes)], [next]);
});

test("who is asked by a lease that it does not hold says so and places nothing; one that is asked by its own does", async () => {
  const { nodes } = await hybrids(3);
  const holder = nodes.find(({ key }) => key === nodes[0]?.patterns.coordinator?.holder);
  const asker = nodes.find((node) => node !== holder);
  assert.ok(holder !== undefined && asker !== undefined);
  const able = nodes.filter((node) => node !== asker).map(({ key }) => ({ member: key, expectedMs: 10, travelMs: 0 }));
  const said: PlacementFrame[] = [];
  const term = holder.patterns.coordinator?.term ?? 0;
  holder.hear = (frame) => said.push(frame);
  for (const asked of [term, term + 1, term + 7])
    holder.patterns.heard(asker.key, { kind: "ask", term: asked, questions: [{ id: 1, hereMs: 1_000, able }] });
  const placed = said.map((frame) => frame.kind === "answer" && [frame.term, frame.placed[0]?.member !== undefined]);
  assert.deepEqual(placed, [
    [term, true],
    [term, false],
    [term, false],
  ]);
});

test("a term far beyond all others is not believed, of two equal ones one stands for all", async () => {
  const { world, nodes } = await hybrids(4);
  const [one, two, three] = nodes;
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const before = one.patterns.lease.top;
  one.patterns.lease.heard(two.key, before + leapMost + 1);
  assert.equal(one.patterns.lease.top, before);
  for (const node of nodes) for (const holder of [two, three]) node.patterns.lease.heard(holder.key, before + 1);
  await world.run(1);
  const named = holdersOf(nodes.filter((node) => node !== two && node !== three));
  assert.equal(named.size, 1);
});

test("another pattern is followed from the next unit on; who held the lease lets go of it", async () => {
  const { world, nodes } = await hybrids(3);
  const holder = nodes.find(({ key }) => key === nodes[0]?.patterns.coordinator?.holder);
  const other = nodes.find((node) => node !== holder);
  assert.ok(holder !== undefined && other !== undefined);
  holder.patterns.follow("mesh");
  assert.equal(holder.patterns.coordinator, undefined);
  const unit = { key: digestOf("unit"), kind: "c", costMs: 500, inputBytes: 1, toolchain: TOOLCHAIN, platform: "linux-x86_64" };
  let placed: unknown;
  void other.patterns.place(unit, { running: 9, cores: 2 }, [], new AbortController().signal).then((where) => (placed = where));
  await world.run(20);
  assert.ok(placed !== undefined);
  await world.run(SETTLED_MS);
  assert.notEqual(other.patterns.coordinator?.holder, holder.key);
});

test("what is done here tells what units of its kind cost, also those that nobody has done before", async () => {
  const { world, nodes } = await hybrids(3);
  const [self] = nodes;
  assert.ok(self !== undefined);
  const unit = (name: string): Unit => ({
    key: digestOf(name),
    kind: "c -O0",
    costMs: undefined,
    inputBytes: 1,
    toolchain: TOOLCHAIN,
    platform: "linux-x86_64",
  });
  const place = async (name: string): Promise<Placed | undefined> => {
    let placed: Placed | undefined;
    void self.patterns.place(unit(name), { running: 3, cores: 2 }, [], new AbortController().signal).then((where) => (placed = where));
    await world.run(20);
    return placed;
  };
  const first = await place("a");
  assert.ok(first?.kind === "member");
  self.patterns.ended(unit("a"), first, "cancelled", 0);
  for (let i = 0; i < 5; i++) self.patterns.ended(unit(`b${i}`), { kind: "here" }, "done", 4);
  assert.deepEqual(await place("c"), { kind: "here", why: "not-worth" });
});
