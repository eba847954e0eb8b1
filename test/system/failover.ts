/**
 * `npm run failover`: ends coordinators in the middle of builds, again and again: by `kill -9`, by stopping their process, and by pulling out their
 * cable, so that they fall silent and nobody is told. Then ends all machines but one, at random moments.
 *
 * Real daemons: in a round one builds, the others compile for it, one of them holds the lease. Every compile must end well and every object be the
 * compiler's own. How long a unit waited for its place is read from the builder's log; time in which none waited does not count.
 * Knows: who dies when, and what must be true. Does not know: how a place is found.
 */
import assert from "node:assert/strict";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../../bench/statistics.ts";
import { CommandLine } from "../../scripts/command-line.ts";
import { type Logged, Machines, Units } from "./failover-world.ts";
import { Chance, stepSeed } from "./fuzz-random.ts";
import { whyNoLan } from "./lab-lan.ts";

const HELP = `usage: npm run failover -- [options]

Ends coordinators in the middle of builds of real daemons, again and again: in each round one machine builds, three compile for it, and the one that
places work for all is killed, stopped, or cut off. Then ends all machines but one at random moments while two of them build. Prints figures as one line
of JSON for each kind; ends with an error at the first compile that fails or differs from the compiler's.

  --kinds LIST     of rounds: killed, stopped, cut (default: all three)
  --rounds N       builds of each kind, each of which loses a coordinator (default 100)
  --schedules N    times that all machines but one are killed (default 0); each that went well is a line of JSON
  --from N         the number of the first of these, so that one run goes on where another with the same seed has ended (default 1)
  --machines N     of these (default 6)
  --loopback       all of them on loopback, where nothing can be cut; without this each has a namespace and a cable of its own, where there can be such
  --seed N         when they go (default: chosen and printed)
  --help

examples:
  npm run failover -- --rounds 20
  npm run failover -- --rounds 0 --schedules 50 --from 51 --machines 20 --seed 7
`;

/** How a coordinator goes: its process ends; its process stops; its cable is pulled out, so that it goes on alone. */
export const KINDS = ["killed", "stopped", "cut"] as const;
export type Kind = (typeof KINDS)[number];

export interface RoundsOptions {
  readonly kind: Kind;
  /** Whether each machine has a network namespace of its own, or all are on loopback, where nothing can be cut. */
  readonly cabled: boolean;
  readonly rounds: number;
  readonly seed: number;
  readonly progress?: (line: string) => void;
}

export interface Rounds {
  readonly rounds: number;
  /** Compiles that ended well, with the compiler's own object. */
  readonly units: number;
  /** Units of these that other machines compiled. */
  readonly elsewhere: number;
  /** The longest that a unit waited for an answer to where it should be done, from the coordinator's end on; ms, of each round in which one did. */
  readonly waitedMs: readonly number[];
  /** How long the coordinator was waited for with a unit that it had itself, from its end on, the longest; ms, of each round in which it had one. */
  readonly regainedMs: readonly number[];
  /** Of a machine's load when each round began. */
  readonly load: readonly number[];
}

export interface SchedulesOptions {
  readonly schedules: number;
  /** The number of the first. */
  readonly from: number;
  /** As in rounds. */
  readonly cabled: boolean;
  readonly machines: number;
  readonly seed: number;
}

/** One that went well. */
export interface Schedule {
  readonly schedule: number;
  /** The machine that is left. */
  readonly survivor: string;
  /** Compiles that ended well, with the compiler's own object. */
  readonly compiled: number;
  /** Of the machine, when the build began. */
  readonly load: number;
  /** How long those that were killed before took to start again; then until all had found together; then until all was built and all killed. */
  readonly startMs: number;
  readonly meetMs: number;
  readonly buildMs: number;
}

const MACHINES = 4;
const UNITS = 16;
/** More than all cores and slots together, so that one is always waiting for a place. */
const AT_ONCE = 10;
/** From the first compile until a machine goes, at most. */
const LATEST_MS = 700;
/** The same where all but one go, one after the other. */
const SCHEDULE_MS = 3_000;

/** Ends the coordinator in the middle of each of some builds. @throws at the first compile that fails or differs */
export async function rounds({ kind, cabled, rounds: count, seed, progress = () => undefined }: RoundsOptions): Promise<Rounds> {
  const chance = new Chance(seed);
  await using machines = await Machines.start(machineNames(MACHINES), cabled);
  const units = await Units.of(UNITS);
  const found = { units: 0, elsewhere: 0, waitedMs: [] as number[], regainedMs: [] as number[], load: [] as number[] };
  for (let round = 0; round < count; round++) {
    const coordinator = await machines.coordinator();
    const name = chance.pick(machines.names.filter((one) => one !== coordinator));
    const builder = machines.of(name);
    const key = await machines.keyOf(coordinator, name);
    const before = (await builder.counters()).built_elsewhere ?? 0;
    found.load.push(loadavg()[0] ?? 0);
    const logged = machines.follow(name);
    const building = units.compile(builder, `round_${kind}_${seed}_${round}`, AT_ONCE);
    building.catch(() => undefined); // Told below, once the machine is back.
    await sleep(50 + chance.below(LATEST_MS));
    const struckAtMs = Date.now();
    await strike(machines, coordinator, kind);
    try {
      found.units += await building;
    } finally {
      await restore(machines, coordinator, kind);
    }
    found.elsewhere += ((await builder.counters()).built_elsewhere ?? 0) - before;
    const since = logged().filter(({ ms }) => ms >= struckAtMs);
    const [waited, regained] = [waits(since, struckAtMs), givenUp(since, key, struckAtMs)];
    if (waited.length > 0) found.waitedMs.push(Math.max(...waited));
    if (regained.length > 0) found.regainedMs.push(Math.max(...regained));
    progress(
      `${kind} ${round + 1} of ${count}: waited ${found.waitedMs.at(-1)} ms; ${regained.length} units given up, after ${regained.join(", ")} ms`,
    );
  }
  machines.wentWell();
  return { rounds: count, ...found };
}

/** How long each unit that asked for a place since then, or was waiting for one, did so from then on. */
function waits(since: readonly Logged[], fromMs: number): number[] {
  return since
    .filter(({ event }) => event === "placement.sent" || event === "placement.here")
    .map(({ ms, waitedMs }) => Math.min(ms - fromMs, millisecondsOf(waitedMs)));
}

/** How long it had each unit, from then on, that it is known to have lost, or that has been begun elsewhere as well. */
function givenUp(since: readonly Logged[], member: string, fromMs: number): number[] {
  const first = new Map<unknown, number>();
  for (const { event, ms, ...facts } of since) {
    const isOver = event === "remote.late" || (event === "remote.ended" && facts["outcome"] === "lost");
    if (!isOver || facts["member"] !== member || first.has(facts["source"])) continue;
    first.set(facts["source"], Math.min(ms - fromMs, millisecondsOf(facts["tookMs"])));
  }
  return [...first.values()];
}

function millisecondsOf(fact: unknown): number {
  assert.ok(typeof fact === "number" && Number.isFinite(fact), `logged as a time: ${String(fact)}`);
  return fact;
}

async function strike(machines: Machines, name: string, kind: Kind): Promise<void> {
  if (kind === "killed") await machines.of(name).stopDaemon("SIGKILL");
  else if (kind === "stopped") process.kill(machines.of(name).pid, "SIGSTOP");
  else machines.plug(name, false);
}

async function restore(machines: Machines, name: string, kind: Kind): Promise<void> {
  if (kind === "killed") await machines.of(name).startDaemon();
  else if (kind === "stopped") process.kill(machines.of(name).pid, "SIGCONT");
  else machines.plug(name, true);
}

/**
 * Again and again all machines but one are killed, each at a random moment, while that one and one of the others build. The compiles of both must end
 * well. Whoever was killed is started again for the next schedule. What happens in each follows from the seed and its number.
 *
 * @throws at the first compile that fails or differs
 */
export async function* schedules({ schedules: count, from, cabled, machines: size, seed }: SchedulesOptions): AsyncGenerator<Schedule> {
  const names = machineNames(size);
  await using machines = await Machines.start(names, cabled);
  const units = await Units.of(UNITS);
  let dead: readonly string[] = [];
  for (let schedule = from; schedule < from + count; schedule++) {
    const chance = new Chance(stepSeed(seed, schedule));
    const survivor = chance.pick(names);
    const others = names.filter((name) => name !== survivor);
    const builders = [survivor, chance.pick(others)];
    const strikes = others.map((name) => ({ name, afterMs: chance.below(SCHEDULE_MS) }));
    const beganMs = performance.now();
    await machines.startAgain(dead);
    const startedMs = performance.now();
    await machines.coordinator();
    const togetherMs = performance.now();
    const load = loadavg()[0] ?? 0;
    const building = Promise.all(
      builders.map((name) => units.compile(machines.of(name), `schedule_${seed}_${schedule}_${name}`, AT_ONCE / builders.length)),
    );
    const killing = Promise.all(
      strikes.map(async ({ name, afterMs }) => {
        await sleep(afterMs);
        await machines.of(name).stopDaemon("SIGKILL");
      }),
    );
    await Promise.allSettled([building, killing]); // Nothing is killed any more while machines are disposed of.
    const [compiled] = await Promise.all([building, killing]);
    dead = others;
    const tookMs = [startedMs - beganMs, togetherMs - startedMs, performance.now() - togetherMs].map(Math.round);
    const [startMs = 0, meetMs = 0, buildMs = 0] = tookMs;
    yield { schedule, survivor, compiled: compiled.reduce((sum, one) => sum + one, 0), load, startMs, meetMs, buildMs };
  }
  machines.wentWell();
}

function machineNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `machine${i}`);
}

function figures(some: readonly number[]): object {
  const sorted = some.toSorted((a, b) => a - b);
  return { rounds: sorted.length, median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), most: sorted.at(-1) };
}

if (import.meta.main) {
  const line = new CommandLine("failover", HELP);
  const { values } = line.read({
    options: {
      kinds: { type: "string", default: KINDS.join(",") },
      rounds: { type: "string", default: "100" },
      schedules: { type: "string", default: "0" },
      from: { type: "string", default: "1" },
      machines: { type: "string", default: "6" },
      loopback: { type: "boolean", default: false },
      seed: { type: "string" },
    },
  });
  const kinds = values.kinds.split(",").map((name) => KINDS.find((kind) => kind === name) ?? line.fail(`there is no kind ${name}`));
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : line.whole("seed", values.seed, 0);
  const [count, times] = [line.whole("rounds", values.rounds, 0), line.whole("schedules", values.schedules, 0)];
  const [size, from] = [line.whole("machines", values.machines, 2), line.whole("from", values.from, 1)];
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const why = values.loopback ? "all are on loopback" : whyNoLan();
  const cabled = why === undefined;
  progress(`seed ${seed}; ${why ?? "each machine has a cable of its own"}`);
  for (const kind of count === 0 ? [] : kinds) {
    if (kind === "cut" && !cabled) {
      progress("nothing is cut where there are no cables");
      continue;
    }
    const { waitedMs, regainedMs, load, ...counts } = await rounds({ kind, cabled, rounds: count, seed, progress });
    const facts = { waitedMs: figures(waitedMs), regainedMs: figures(regainedMs), load: figures(load) };
    process.stdout.write(`${JSON.stringify({ kind, cabled, seed, ...counts, ...facts })}\n`);
  }
  if (times > 0) {
    const all = schedules({ schedules: times, from, cabled, machines: size, seed });
    for await (const one of all) process.stdout.write(`${JSON.stringify({ seed, machines: size, cabled, ...one })}\n`);
  }
}
