/**
 * `npm run sim -- placement`: what becomes of builds when coordinators and other members are killed or cut off, and how even work is spread.
 */
import { limits, type PlacementPattern } from "../../src/base/index.ts";
import { Chance } from "../system/fuzz-random.ts";
import { type Built, build, PlacementWorld, type SimNode, unitsOf } from "./placement-world.ts";

/** Members have met, and one of them holds the lease. */
const SETTLED_MS = 6_000;
const SOON_MS = 2_000;
/** A build that takes longer than this, in simulated time, does not end. */
const PATIENCE_MS = 600_000;

/** What a coordinator's end did to those who build. */
export interface Failover {
  readonly strikes: number;
  /** Of each strike: how long those who asked for a place then, or soon after, waited for it at most; ms. */
  readonly waitedMs: readonly number[];
  /** Of each strike: until all that are left named the same new coordinator; ms. */
  readonly takeoverMs: readonly number[];
  readonly failedBuilds: number;
  readonly builds: number;
}

/**
 * Kills the coordinator, or cuts it off silently, again and again while others build.
 *
 * @param settings `rounds`: worlds of 8 nodes, in each of which 5 coordinators go; `isAgreed`: domains agree on epochs, of which one is decided
 * before each strike, so that terms have one holder each
 */
export async function strikeCoordinators(settings: {
  readonly seed: number;
  readonly rounds: number;
  readonly silently: boolean;
  readonly isAgreed?: boolean;
}): Promise<Failover> {
  const waitedMs: number[] = [];
  const takeoverMs: number[] = [];
  let [builds, failedBuilds] = [0, 0];
  for (let round = 0; round < settings.rounds; round++) {
    const chance = new Chance(settings.seed * 65_537 + round);
    const world = new PlacementWorld(chance);
    const nodes = Array.from({ length: 8 }, () => world.add({ pattern: "hybrid", cores: 2, slowness: 1 }));
    if (settings.isAgreed === true) world.agree();
    await world.run(SETTLED_MS);
    const building = new Map(nodes.map((node) => [node, build(world, node, unitsOf(chance, 400, { least: 40, most: 400 }), 8)]));
    for (let strike = 0; strike < 5; strike++) {
      const strikeMs = 500 + chance.below(1_000);
      if (settings.isAgreed === true) {
        // Now and then so soon that not all have heard of the holder's new term.
        const lateMs = chance.below(strikeMs);
        await world.run(lateMs);
        world.agree();
        await world.run(strikeMs - lateMs);
      } else await world.run(strikeMs);
      const coordinator = coordinatorOf(world);
      if (coordinator === undefined) continue;
      const atMs = world.now;
      if (settings.silently) coordinator.isCutOff = true;
      else world.kill(coordinator);
      await world.run(PATIENCE_MS, () => coordinatorOf(world) !== undefined);
      takeoverMs.push(world.now - atMs);
      await world.run(Math.max(0, SOON_MS - (world.now - atMs)));
      waitedMs.push(Math.max(0, ...[...building].filter(([node]) => isThere(node)).map(([, built]) => waitedSince(built, atMs))));
    }
    const left = [...building].filter(([node]) => isThere(node)).map(([, built]) => built);
    await world.run(PATIENCE_MS, () => left.every(({ endedAtMs }) => endedAtMs !== undefined));
    builds += left.length;
    failedBuilds += left.filter(({ done }) => done < 400).length;
  }
  return { strikes: waitedMs.length, waitedMs, takeoverMs, builds, failedBuilds };
}

export interface Killed {
  readonly schedules: number;
  readonly failedBuilds: number;
  readonly units: number;
  /** Units that were sent and had to be placed anew, or done here. */
  readonly again: number;
}

/** Of so many nodes, some of which build, all but one of those are killed at random moments. */
export async function killAllButOne(settings: {
  readonly seed: number;
  readonly schedules: number;
  readonly nodes: number;
  readonly pattern: PlacementPattern;
}): Promise<Killed> {
  let [failedBuilds, units, again] = [0, 0, 0];
  const each = 40;
  for (let schedule = 0; schedule < settings.schedules; schedule++) {
    const chance = new Chance(settings.seed * 65_537 + schedule);
    const world = new PlacementWorld(chance);
    const nodes = Array.from({ length: settings.nodes }, () => world.add({ pattern: settings.pattern, cores: 2, slowness: 1 }));
    await world.run(chance.below(SETTLED_MS));
    const survivor = chance.pick(nodes);
    const builders = [survivor, ...nodes.filter((node) => node !== survivor).slice(0, 4)];
    const [built] = builders.map((node) => build(world, node, unitsOf(chance, each, { least: 100, most: 900 }), 16));
    for (const node of nodes) if (node !== survivor) world.after(survivor, chance.below(6_000), () => world.kill(node));
    await world.run(PATIENCE_MS, () => built?.endedAtMs !== undefined);
    if (built?.done !== each) failedBuilds++;
    units += each;
    again += built?.again ?? 0;
  }
  return { schedules: settings.schedules, failedBuilds, units, again };
}

export interface Spread {
  /** How long the builds took over how long they would take if no core was ever idle; at least 1. */
  readonly overIdeal: number;
  /** Units that were sent and came back undone. */
  readonly busyShare: number;
  readonly framesPerUnit: number;
}

/**
 * Builds of some members at once, spread over all.
 *
 * @param settings `slowness` of each member's machine: its units take so many times as long
 */
export async function spread(settings: {
  readonly seed: number;
  readonly pattern: PlacementPattern;
  readonly slowness: readonly number[];
  readonly builders: number;
}): Promise<Spread> {
  const chance = new Chance(settings.seed);
  const world = new PlacementWorld(chance);
  const cores = 2;
  const nodes = settings.slowness.map((slowness) => world.add({ pattern: settings.pattern, cores, slowness }));
  await world.run(SETTLED_MS);
  // What each machine is good for has been seen in builds before.
  const warming = build(
    world,
    nodes[0] ?? world.add({ pattern: settings.pattern, cores, slowness: 1 }),
    unitsOf(chance, 150, COSTS),
    1.5 * cores * nodes.length,
  );
  await world.run(PATIENCE_MS, () => warming.endedAtMs !== undefined);
  const [startMs, before] = [world.now, world.frames];
  const count = 300;
  const works = nodes.slice(0, settings.builders).map((node) => ({ node, units: unitsOf(chance, count, COSTS) }));
  const built = works.map(({ node, units }) => build(world, node, units, Math.ceil((1.5 * cores * nodes.length) / settings.builders)));
  await world.run(PATIENCE_MS, () => built.every(({ endedAtMs }) => endedAtMs !== undefined));
  const costMs = works.flatMap(({ units }) => units).reduce((sum, { costMs: cost = 0 }) => sum + cost, 0);
  const idealMs = costMs / settings.slowness.reduce((sum, slowness) => sum + cores / slowness, 0);
  const units = count * settings.builders;
  return {
    overIdeal: (world.now - startMs) / idealMs,
    busyShare: built.reduce((sum, { busy }) => sum + busy, 0) / units,
    framesPerUnit: (world.frames - before) / units,
  };
}

const COSTS = { least: 200, most: 1_800 };

function isThere(node: SimNode): boolean {
  return node.isAlive && !node.isCutOff;
}

/** The one that all that are there name. */
function coordinatorOf(world: PlacementWorld): SimNode | undefined {
  const there = world.nodes.filter(isThere);
  const [first, ...others] = there.map(({ patterns }) => patterns.coordinator?.holder);
  return others.every((holder) => holder === first) ? there.find(({ key }) => key === first) : undefined;
}

/** The longest that somebody waited who asked then, had asked before, or asked soon after. */
function waitedSince({ places }: Built, atMs: number): number {
  const some = places.filter((place) => place.atMs + place.tookMs >= atMs && place.atMs < atMs + SOON_MS);
  return Math.max(0, ...some.map((place) => Math.min(place.tookMs, place.atMs + place.tookMs - atMs)));
}

/** No place is waited for longer than a question may take, and the moment in which it is asked. */
export const PLACE_MOST_MS: number = limits.placement.answerMs + 5;
