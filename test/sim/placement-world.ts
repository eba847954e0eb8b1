/**
 * Members that place work with each other, in one process and in simulated time: the code that decides is the daemon's, links and jobs are not.
 *
 * Knows: latencies, slots, who is dead or cut off. Does not know: what is to be shown.
 */
import { setImmediate as settled } from "node:timers/promises";
import { type Digest, digestOf, type Key, limits, type PlacementPattern, silentLog } from "../../src/base/index.ts";
import type { Capacity, Placed, PlacementFrame, Unit } from "../../src/contracts/index.ts";
import { rendezvousOrder } from "../../src/net/rendezvous-hash.ts";
import { Measured, Patterns, type Seats } from "../../src/placement/index.ts";
import { Reputation } from "../../src/trust/index.ts";
import type { Chance } from "../system/fuzz-random.ts";
import { SimClock } from "./clock.ts";

export const TOOLCHAIN: Digest = digestOf("gcc");
const NETWORK = digestOf("network");
/** One way, ms. */
const LATENCY_MS = { least: 1, most: 4 };
/** From the death of a member until its links have ended. */
const CLOSE_MS = { least: 1, most: 30 };
const FOREVER_MS = 1e12;
const FADING = { halfLifeMs: 172_800_000 };
/** More delay than a simulated clock takes goes in pieces. */
const PIECE_MS = 4_000;

export interface NodeOptions {
  readonly pattern: PlacementPattern;
  /** Cores of this machine, all of which others may use, too. */
  readonly cores: number;
  /** ms for each ms that a unit costs. */
  readonly slowness: number;
}

export interface Ran {
  readonly kind: "done" | "busy" | "lost";
}

export class SimNode {
  readonly key: Key;
  readonly patterns: Patterns;
  readonly options: NodeOptions;
  isAlive = true;
  /** Whether nothing comes from or to it, and nobody is told. */
  isCutOff = false;
  running = 0;
  /** Called with whatever it says to others about placing. */
  hear: (frame: PlacementFrame) => void = () => undefined;
  /** Of any unit's inputs, what a member does not have, bytes. */
  lacks: (member: Key) => number | undefined = () => undefined;
  readonly #world: PlacementWorld;
  readonly #waiting: (() => void)[] = [];
  #toldAtMs = -FOREVER_MS;
  #isTelling = false;

  constructor(world: PlacementWorld, key: Key, options: NodeOptions) {
    this.#world = world;
    this.key = key;
    this.options = options;
    const now = (): number => world.now;
    const isLinked = (member: Key): boolean => world.linked(this).some((other) => other.key === member);
    this.patterns = new Patterns(
      {
        self: key,
        measured: new Measured({ now, reputations: new Reputation({ now, isDiscredited: () => false }, FADING) }, FADING),
        isLinked,
        linked: () => world.linked(this).map((other) => other.key),
        mayWork: () => true,
        seats: () => world.seats,
        hasSpoken: () => false,
        lackedBytes: (member) => this.lacks(member),
        bytesPerMs: () => undefined,
        rttMs: () => LATENCY_MS.least + LATENCY_MS.most,
        order: (digest, members) =>
          rendezvousOrder(
            digest,
            members.map((member) => ({ key: member, domain: "" })),
          ).map((one) => one.key),
        send: (to, frame) => world.send(this, to, frame),
        tell: (term) => world.tell(this, (other) => other.patterns.lease.heard(key, term)),
        after: (ms, what) => world.after(this, ms, what),
        random: () => world.random(),
        log: silentLog,
        now: () => world.now,
      },
      { top: 0, network: NETWORK, pattern: options.pattern },
    );
  }

  /** What it can do has changed: it knows at once, others soon. */
  tell(): void {
    this.patterns.told(this.#capacity());
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#world.after(this, Math.max(0, this.#toldAtMs + limits.placement.tellLeastMs - this.#world.now), () => {
      this.#isTelling = false;
      this.#toldAtMs = this.#world.now;
      const capacity = this.#capacity();
      this.#world.tell(this, (other) => other.patterns.told(capacity));
    });
  }

  #capacity(): Capacity {
    const { cores } = this.options;
    return {
      member: this.key,
      slots: cores,
      free: cores - this.running - this.#waiting.length,
      queue: cores,
      toolchains: [TOOLCHAIN],
      takesToolchains: false,
      platform: "linux-x86_64",
      targets: [],
    };
  }

  /** Does a unit of its own; those that run at once share the cores. */
  async compile({ costMs = 0 }: Unit): Promise<void> {
    this.running++;
    this.tell();
    await this.#world.pause(this, costMs * this.options.slowness * Math.max(1, this.running / this.options.cores));
    this.running--;
    this.tell();
  }

  /** Does a unit of somebody else's: now, in a moment, or not at all, as src/daemon/work-slots.ts does. */
  async work({ costMs = 0 }: Unit): Promise<"done" | "busy"> {
    const { cores, slowness } = this.options;
    if (this.running + this.#waiting.length >= 2 * cores) return "busy";
    if (this.running >= cores) {
      const turn = new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.tell();
      await turn;
    }
    this.running++;
    this.tell();
    await this.#world.pause(this, costMs * slowness);
    this.running--;
    this.#waiting.shift()?.();
    this.tell();
    return "done";
  }
}

export class PlacementWorld {
  readonly nodes: SimNode[] = [];
  /** Frames of placement that were sent. */
  frames = 0;
  /** Who may hold which term; see Lease. */
  seats: Seats = { epoch: 0, keys: [] };
  readonly #chance: Chance;
  readonly #clock = new SimClock();
  /** Dead node → those whose links with it have ended. */
  readonly #closed = new Map<SimNode, Set<SimNode>>();
  /** Node → called with each node whose link with it has ended. */
  readonly #onLost = new Map<SimNode, Set<(node: SimNode) => void>>();
  #happened = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** ms */
  get now(): number {
    return this.#clock.now;
  }

  /** An epoch is decided that all have: domains agree on it, and each node there is is a member. */
  agree(): void {
    this.seats = { epoch: this.seats.epoch + 1, keys: this.nodes.map(({ key }) => key) };
    for (const { isAlive, patterns } of this.nodes) if (isAlive) patterns.seated();
  }

  add(options: NodeOptions): SimNode {
    const node = new SimNode(this, digestOf(`node ${this.nodes.length}`), options);
    this.nodes.push(node);
    for (const one of this.nodes) one.patterns.connected();
    this.#beat(node);
    node.tell();
    return node;
  }

  /** In [0, 1). */
  random(): number {
    return this.#chance.next() / 2 ** 32;
  }

  /** Lets time pass. */
  async run(forMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled(); // What was decided without waiting is known.
    for (const end = this.now + forMs; this.now < end && !isOver(); ) {
      const before = this.#happened;
      this.#clock.run(1);
      if (this.#happened !== before) await settled();
    }
  }

  /** Members that a node takes to be there. One that is cut off seems to be. */
  linked(node: SimNode): SimNode[] {
    return this.nodes.filter((other) => other !== node && (other.isAlive || !this.#closed.get(other)?.has(node)));
  }

  /** A machine goes out, or its daemon is killed: the others' links end. */
  kill(node: SimNode): void {
    node.isAlive = false;
    const closed = new Set<SimNode>();
    this.#closed.set(node, closed);
    for (const other of this.nodes)
      if (other !== node)
        this.after(other, this.#between(CLOSE_MS), () => {
          closed.add(other);
          other.patterns.lost(node.key);
          for (const lost of this.#onLost.get(other) ?? []) lost(node);
        });
  }

  /** Sends a unit to a member and waits for what comes of it, for so long at most. */
  async workFor(asker: SimNode, member: Key, unit: Unit, deadlineMs: number): Promise<Ran> {
    const worker = this.nodes.find(({ key }) => key === member);
    if (worker === undefined || !this.linked(asker).includes(worker)) return { kind: "lost" };
    const { promise, resolve } = Promise.withResolvers<Ran>();
    const lost = (node: SimNode): void => void (node === worker && resolve({ kind: "lost" }));
    const listeners = this.#onLost.get(asker) ?? new Set<(node: SimNode) => void>();
    this.#onLost.set(asker, listeners.add(lost));
    using _ = this.after(asker, deadlineMs, () => resolve({ kind: "lost" }));
    this.#carry(asker, worker, () => {
      void worker.work(unit).then((kind) => this.#carry(worker, asker, () => resolve({ kind })));
    });
    const ran = await promise;
    listeners.delete(lost);
    return ran;
  }

  send(from: SimNode, to: Key, frame: PlacementFrame): void {
    this.frames++;
    from.hear(frame);
    const other = this.nodes.find(({ key }) => key === to);
    if (other !== undefined) this.#carry(from, other, () => other.patterns.heard(from.key, frame));
  }

  tell(from: SimNode, what: (other: SimNode) => void): void {
    for (const other of this.linked(from)) this.#carry(from, other, () => what(other));
  }

  /** Nothing happens on a machine that is dead. */
  after(node: SimNode, ms: number, what: () => void): Disposable {
    let isOff = false;
    const wait = (leftMs: number): void =>
      this.#clock.after(Math.min(leftMs, PIECE_MS), () => {
        if (isOff || !node.isAlive) return;
        if (leftMs > PIECE_MS) return wait(leftMs - PIECE_MS);
        this.#happened++;
        what();
      });
    wait(Math.max(0, Math.round(ms)));
    return {
      [Symbol.dispose]: () => {
        isOff = true;
      },
    };
  }

  pause(node: SimNode, ms: number): Promise<void> {
    return new Promise((resolve) => this.after(node, ms, resolve));
  }

  #carry(from: SimNode, to: SimNode, what: () => void): void {
    if (!from.isAlive || from.isCutOff) return;
    this.after(to, this.#between(LATENCY_MS), () => void (to.isCutOff || what()));
  }

  #beat(node: SimNode): void {
    const { beatMs } = limits.placement.lease;
    const every = (ms: number, what: () => void): void =>
      void this.after(node, ms, () => {
        what();
        every(ms, what);
      });
    every(beatMs, () => node.patterns.beat());
    every(limits.placement.health.everyMs, () => node.patterns.check());
    every(limits.placement.tellRefreshMs, () => node.tell());
  }

  #between({ least, most }: { readonly least: number; readonly most: number }): number {
    return least + this.#chance.below(most - least + 1);
  }
}

/** What a build did with its units. */
export interface Built {
  done: number;
  here: number;
  /** Times that something was sent anew, or done here after all. */
  again: number;
  lost: number;
  busy: number;
  /** Of each place: when it was asked for, and how long that took; ms. */
  readonly places: { readonly atMs: number; readonly tookMs: number; readonly placed: Placed }[];
  endedAtMs: number | undefined;
}

/** Between two looks for room. */
const WAIT_MS = 20;

/** Members that are tried for one unit before it is done here. */
const TRIES = 2;

/** A build of one node as `make -j` runs it: so many units at once, each placed, sent or done here, and done here when nothing else comes of it. */
export function build(world: PlacementWorld, node: SimNode, units: readonly Unit[], atOnce: number): Built {
  const built: Built = { done: 0, here: 0, again: 0, lost: 0, busy: 0, places: [], endedAtMs: undefined };
  const waiting = [...units];
  const lane = async (): Promise<void> => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) await compile(world, node, unit, built);
  };
  void Promise.all(Array.from({ length: atOnce }, lane)).then(() => {
    built.endedAtMs = world.now;
  });
  return built;
}

async function compile(world: PlacementWorld, node: SimNode, unit: Unit, built: Built): Promise<void> {
  const tried: Key[] = [];
  for (;;) {
    const atMs = world.now;
    const here = { running: node.running, cores: node.options.cores };
    const placed =
      tried.length < TRIES ? await node.patterns.place(unit, here, tried, new AbortController().signal) : ({ kind: "here" } as const);
    built.places.push({ atMs, tookMs: world.now - atMs, placed });
    const startedMs = world.now;
    if (placed.kind === "here" && "why" in placed && placed.why === "busy") {
      // As src/flows/dispatch.ts does: a moment later somebody may have room, or a core be idle.
      await world.pause(node, WAIT_MS);
      continue;
    }
    if (placed.kind === "here") {
      await node.compile(unit);
      node.patterns.ended(unit, placed, "done", world.now - startedMs);
      built.done++;
      built.here++;
      return;
    }
    const ran = await world.workFor(node, placed.member, unit, 4 * (unit.costMs ?? 0) + 2_000);
    node.patterns.ended(unit, placed, ran.kind, world.now - startedMs);
    if (ran.kind === "done") {
      built.done++;
      return;
    }
    built.again++;
    built[ran.kind]++;
    tried.push(placed.member);
  }
}

export function unitsOf(chance: Chance, count: number, costMs: { readonly least: number; readonly most: number }): Unit[] {
  return Array.from({ length: count }, () => {
    const cost = costMs.least + chance.below(costMs.most - costMs.least + 1);
    return {
      key: digestOf(`unit ${chance.next()} ${cost}`),
      kind: "c++ -O2",
      costMs: cost,
      inputBytes: 20_000,
      toolchain: TOOLCHAIN,
      platform: "linux-x86_64",
    };
  });
}
