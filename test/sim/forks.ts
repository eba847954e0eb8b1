/**
 * Forks: a hostile log shows one history to some witnesses and others to others, as cunningly as it can, and honest ones follow the real rule.
 * A round is what passes between two times that witnesses hear from each other. Hostile witnesses would sign anything and tell nothing: they are
 * left out.
 *
 * Knows: who is shown what, and when. Does not know: what a witness takes (src/trust/witness.ts, src/daemon/log-mirror.ts), or what convicts.
 */
import { silentLog } from "../../src/base/index.ts";
import { MemoryDisk } from "../../src/daemon/log-memory.fixture.ts";
import { LogMirror } from "../../src/daemon/log-mirror.ts";
import { type Fork, type Hash, type Head, isFork, isHead, keyPairFromSeed, leafHash, signHead } from "../../src/trust/index.ts";
import { MemoryTree } from "../../src/trust/merkle.fixture.ts";
import { Chance, stepSeed } from "../system/fuzz-random.ts";

/** How a log tries not to be found out. */
export const STRATEGIES = ["split", "one victim", "run ahead", "stay behind", "late"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface ForksFound {
  readonly seeds: number;
  /** Seeds in which two honest witnesses had seen what does not go together. */
  readonly forked: number;
  /** Of those, seeds in which nobody honest found it. */
  readonly unseen: number;
  /** Rounds of gossip from then on until somebody honest had found it, and until all honest had convicted; the most of all seeds. */
  readonly foundAfter: number;
  readonly convictedAfter: number;
  /** Honest logs that were convicted, of as many. */
  readonly honest: number;
  readonly honestConvicted: number;
  readonly evidenceBytes: number;
}

const ROUNDS = 6;
/** After the last of them, so that what was shown then can be found, too. */
const HEARING = 2;
const hostile = keyPairFromSeed(Buffer.alloc(32, 1));
const honest = keyPairFromSeed(Buffer.alloc(32, 2));

/** An honest witness. */
interface Observer {
  readonly name: string;
  readonly mirror: LogMirror;
  /** Checkpoints that it has cosigned since it told others. */
  fresh: Head[];
  /** What it has found or was told. */
  convicted: Fork | undefined;
  /** What it tells next. */
  toTell: Fork | undefined;
}

/** Leaves do not matter but for being different: made once. */
const leaves = new Map<string, Hash>();
function leafOf(name: string): Hash {
  const known = leaves.get(name) ?? leafHash(Buffer.from(name));
  leaves.set(name, known);
  return known;
}

export async function simulateForks({
  seeds,
  seed,
  strategy,
}: {
  readonly seeds: number;
  readonly seed: number;
  readonly strategy: Strategy;
}): Promise<ForksFound> {
  const total = { seeds, forked: 0, unseen: 0, foundAfter: 0, convictedAfter: 0, honest: 0, honestConvicted: 0, evidenceBytes: 0 };
  for (let at = 0; at < seeds; at++) {
    const world = await World.of(new Chance(stepSeed(seed, at)), strategy);
    await world.run();
    total.honest += 1;
    total.honestConvicted += world.honestConvicted ? 1 : 0;
    if (world.forkedIn === undefined) continue;
    total.forked += 1;
    if (world.foundIn === undefined || world.convictedIn === undefined) total.unseen += 1;
    total.foundAfter = Math.max(total.foundAfter, (world.foundIn ?? ROUNDS + HEARING + 1) - world.forkedIn);
    total.convictedAfter = Math.max(total.convictedAfter, (world.convictedIn ?? ROUNDS + HEARING + 1) - world.forkedIn);
    total.evidenceBytes = Math.max(total.evidenceBytes, world.evidenceBytes);
  }
  return total;
}

class World {
  readonly #chance: Chance;
  readonly #strategy: Strategy;
  readonly #observers: readonly Observer[];
  /** Histories of the hostile log, which begin alike. */
  readonly #branches: readonly MemoryTree[];
  readonly #honest = new MemoryTree();
  /** Which history a witness is shown. */
  readonly #shown: readonly number[];
  /** Entries that all histories begin with. */
  #common: number;
  forkedIn: number | undefined;
  foundIn: number | undefined;
  convictedIn: number | undefined;
  honestConvicted = false;
  evidenceBytes = 0;

  static async of(chance: Chance, strategy: Strategy): Promise<World> {
    const observers = Array.from({ length: between(chance, 2, 7) }, async (_, at): Promise<Observer> => {
      const files = new MemoryDisk();
      return {
        name: `d${at}`,
        mirror: await LogMirror.open({ files, domainOf: () => "any", log: silentLog }),
        fresh: [],
        convicted: undefined,
        toTell: undefined,
      };
    });
    return new World(chance, strategy, await Promise.all(observers));
  }

  private constructor(chance: Chance, strategy: Strategy, observers: readonly Observer[]) {
    this.#chance = chance;
    this.#strategy = strategy;
    this.#observers = observers;
    const common = Array.from({ length: between(chance, 0, 40) }, (_, at) => leafOf(`common ${at}`));
    this.#common = common.length;
    this.#branches = Array.from({ length: strategy === "split" ? between(chance, 2, 3) : 2 }, () => new MemoryTree(common));
    this.#shown = observers.map((_, at) => (strategy === "split" ? chance.below(this.#branches.length) : at === 0 ? 1 : 0));
  }

  async run(): Promise<void> {
    for (let round = 1; round <= ROUNDS + HEARING && this.convictedIn === undefined; round++) {
      if (round <= ROUNDS) this.#grow(round);
      for (const [at, observer] of round <= ROUNDS ? this.#observers.entries() : []) {
        if (this.#isShown(round, at)) await this.#show(observer, hostile, this.#branches[this.#shown[at] ?? 0] ?? this.#honest);
        if (this.#chance.below(3) > 0) await this.#show(observer, honest, this.#honest);
      }
      if (this.forkedIn === undefined && this.#isForked()) this.forkedIn = round - 1; // The gossip of this round is the first.
      this.#gossip();
      if (this.foundIn === undefined && this.#observers.some(({ convicted }) => convicted !== undefined)) this.foundIn = round;
      if (this.#observers.every(({ convicted }) => convicted !== undefined)) this.convictedIn = round;
    }
  }

  #grow(round: number): void {
    for (const [at, branch] of this.#branches.entries()) {
      const isBehind = this.#strategy === "stay behind" && at === 1 && round > 1;
      const most = this.#strategy === "run ahead" && at === 0 ? 600 : 12;
      const more = isBehind ? 0 : between(this.#chance, this.#strategy === "run ahead" && at === 0 ? 300 : 1, most);
      const name = this.#strategy === "late" && round < 3 ? "both" : `branch ${at}`;
      this.#add(branch, name, more);
    }
    // Before it forks, a log that forks late is one.
    if (this.#strategy === "late" && round < 3) this.#level();
    this.#add(this.#honest, "honest", between(this.#chance, 1, 12));
  }

  /** Makes all histories as long as the longest: they are the same so far. */
  #level(): void {
    const size = Math.max(...this.#branches.map((one) => one.size));
    for (const branch of this.#branches) this.#add(branch, "both", size - branch.size);
    this.#common = size;
  }

  #add(tree: MemoryTree, name: string, more: number): void {
    const from = tree.size;
    tree.append(Array.from({ length: more }, (_, at) => leafOf(`${name} ${from + at}`)));
  }

  /** Not everybody is asked each time. */
  #isShown(round: number, at: number): boolean {
    if (this.#strategy === "one victim") return at === 0 ? round === 2 : round !== 2;
    if (this.#strategy === "stay behind") return at === 0 ? round === 1 : true;
    return this.#chance.below(4) > 0;
  }

  async #show(observer: Observer, keys: typeof hostile, tree: MemoryTree): Promise<void> {
    const from = observer.mirror.of(keys.publicKey)?.head.size ?? 0;
    if (tree.size < Math.max(1, from)) return;
    const head = headOf(keys, tree);
    const seen = await observer.mirror.take({ head, leaves: tree.leaves(from, tree.size) });
    if (seen.kind === "grown" || seen.kind === "same") observer.fresh.push(head);
    if (seen.kind === "forked") this.#found(observer, seen.fork);
  }

  /** Whether two honest witnesses have seen what cannot be of one log: different histories, both beyond where they part. */
  #isForked(): boolean {
    const beyond = this.#observers.flatMap(({ mirror }, at) => {
      const size = mirror.of(hostile.publicKey)?.head.size ?? 0;
      return size > this.#common ? [this.#shown[at]] : [];
    });
    return new Set(beyond).size > 1;
  }

  /** All hear of each other: what was cosigned, and what was found. */
  #gossip(): void {
    const told = this.#observers.map((observer) => ({ observer, heads: observer.fresh, fork: observer.toTell }));
    for (const observer of this.#observers) {
      observer.fresh = [];
      observer.toTell = undefined;
    }
    for (const { observer: teller, heads, fork } of told)
      for (const observer of this.#observers) {
        if (observer === teller) continue;
        if (fork !== undefined && isFork(fork)) observer.convicted ??= fork;
        for (const head of heads) {
          const found = isGenuine(head) ? observer.mirror.hear(head, teller.name) : undefined;
          if (found !== undefined) this.#found(observer, found);
        }
      }
  }

  #found(observer: Observer, fork: Fork): void {
    if (!isFork(fork)) throw new Error("what was found shows nothing");
    if (fork.newer.log === honest.publicKey) this.honestConvicted = true;
    this.evidenceBytes = Math.max(this.evidenceBytes, 2 * 340 + 48 * (1 + fork.proof.length));
    if (observer.convicted === undefined) observer.toTell = fork;
    observer.convicted ??= fork;
  }
}

/** Signatures are the dearest of it: each is made and checked once. */
const heads = new Map<string, Head>();
function headOf(keys: typeof hostile, tree: MemoryTree): Head {
  const root = tree.root();
  const name = `${keys.publicKey} ${tree.size} ${hex(root)}`;
  const head = heads.get(name) ?? signHead(keys, tree.size, root);
  if (heads.size > 4_096) heads.clear();
  heads.set(name, head);
  return head;
}

const genuine = new WeakSet<Head>();
function isGenuine(head: Head): boolean {
  if (genuine.has(head)) return true;
  if (!isHead(head)) return false;
  genuine.add(head);
  return true;
}

function between(chance: Chance, least: number, most: number): number {
  return least + chance.below(most - least + 1);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
