/**
 * `npm run sim -- copies`: what is left of results when machines that hold copies are killed, two of three at a time, at random.
 *
 * The nodes run src/daemon/replicator.ts; time, members and what an offer leads to are simulated. An offer whose member is killed before it
 * ends fails, as one does whose maker is killed.
 */
import { type Digest, digestOf, type Key, silentLog } from "../../src/base/index.ts";
import type { SharedResult } from "../../src/contracts/index.ts";
import { Replicator } from "../../src/daemon/replicator.ts";
import { resultOf } from "../../src/net/share.fixture.ts";
import { Chance } from "../system/fuzz-random.ts";

const COPIES = 3;
const SECOND_MS = 1_000;
/** Nodes build for so long, and after holders were killed the others have so long to replace them. */
const BUILDING_S = 30;
const SETTLING_S = 180;
const RESULTS_PER_NODE = 12;

export interface CopiesSchedule {
  readonly seed: number;
  readonly nodes: number;
  readonly domains: number;
  /** How many times two of the three holders of something are killed. */
  readonly rounds: number;
}

export interface CopiesFound {
  /** Results that had all their copies before two of their holders were killed, and then nobody had. */
  readonly unavailable: number;
  /** Such results. */
  readonly struck: number;
  /** Results that did not have all their copies again in time, those included that had none. */
  readonly notRepaired: number;
  readonly offers: number;
}

interface SimNode {
  readonly key: Key;
  readonly domain: string;
  readonly shelf: Map<Digest, SharedResult>;
  readonly replicator: Replicator;
  alive: boolean;
}

export async function simulateCopies(schedule: CopiesSchedule): Promise<CopiesFound> {
  const world = new World(schedule);
  for (let second = 0; second < BUILDING_S; second++) await world.pass(RESULTS_PER_NODE / BUILDING_S);
  await world.settle();
  for (let round = 0; round < schedule.rounds; round++) {
    await world.killHolders();
    await world.settle();
  }
  return world.found;
}

class World {
  readonly #chance: Chance;
  readonly #nodes: SimNode[];
  #nowMs = 0;
  #made = 0;
  #offers = 0;
  readonly #lost = new Set<Digest>();
  #struck = 0;

  constructor({ seed, nodes, domains }: CopiesSchedule) {
    this.#chance = new Chance(seed);
    this.#nodes = Array.from({ length: nodes }, (_, i) => this.#node(digestOf(`node ${seed} ${i}`), `domain-${i % domains}`));
  }

  get found(): CopiesFound {
    const all = new Set(this.#live.flatMap(({ shelf }) => [...shelf.keys()]));
    const most = Math.min(COPIES, this.#live.length);
    const lacking = [...all].filter((manifest) => this.#holders(manifest).length < most).length;
    return { unavailable: this.#lost.size, struck: this.#struck, notRepaired: lacking + this.#lost.size, offers: this.#offers };
  }

  get #live(): SimNode[] {
    return this.#nodes.filter(({ alive }) => alive);
  }

  /** A second, in which each node makes a result with this probability. */
  async pass(made: number): Promise<void> {
    this.#nowMs += SECOND_MS;
    for (const node of this.#live) {
      if (this.#chance.below(1_000) < made * 1_000) this.#make(node);
      await node.replicator.tick();
    }
  }

  async settle(): Promise<void> {
    for (let second = 0; second < SETTLING_S; second++) await this.pass(0);
  }

  /** Two of the holders of something die, one some seconds after the other. */
  async killHolders(): Promise<void> {
    const whole = [...new Set(this.#live.flatMap(({ shelf }) => [...shelf.keys()]))].filter(
      (manifest) => this.#holders(manifest).length >= COPIES,
    );
    const [first, second] = shuffled(this.#chance, this.#holders(this.#chance.pick(whole)));
    if (first === undefined || second === undefined) return;
    const before = whole.map((manifest) => ({ manifest, held: this.#holders(manifest) }));
    this.#kill(first);
    for (let wait = this.#chance.below(40); wait > 0; wait--) await this.pass(0.2);
    this.#kill(second);
    for (const { manifest, held } of before) {
      if (held.includes(first) && held.includes(second)) this.#struck++;
      if (this.#holders(manifest).length === 0) this.#lost.add(manifest);
    }
  }

  #kill(node: SimNode): void {
    node.alive = false;
    for (const other of this.#live) other.replicator.lost(node.key);
  }

  #holders(manifest: Digest): SimNode[] {
    return this.#live.filter(({ shelf }) => shelf.has(manifest));
  }

  #make(node: SimNode): void {
    const result = resultOf(`result ${this.#made++}`);
    node.shelf.set(result.manifest, result);
    node.replicator.made(result.manifest);
  }

  #node(key: Key, domain: string): SimNode {
    const shelf = new Map<Digest, SharedResult>();
    const replicator = new Replicator(
      {
        self: key,
        present: () => this.#live,
        isLinked: () => true,
        whoHas: (manifest) => this.#holders(manifest).flatMap((node) => (node.key === key ? [] : [node.key])),
        shelf: {
          results: (manifest) => [shelf.get(manifest)].filter((shared) => shared !== undefined),
          manifestsAfter: (manifest, most) =>
            [...shelf.keys()]
              .filter((one) => one > manifest)
              .toSorted()
              .slice(0, most),
        },
        offer: (to, items) => this.#offer(key, to, items),
        isQuiet: () => this.#chance.percent(70),
        log: silentLog,
        now: () => this.#nowMs,
      },
      { copies: COPIES },
    );
    return { key, domain, shelf, replicator, alive: true };
  }

  async #offer(from: Key, to: Key, items: readonly { readonly manifest: Digest }[]): Promise<("kept" | "busy" | "failed")[]> {
    this.#offers += items.length;
    const [maker, taker] = [from, to].map((key) => this.#live.find((node) => node.key === key));
    if (maker === undefined || taker === undefined || this.#chance.percent(5)) throw new Error("no answer");
    if (this.#chance.percent(10)) return items.map(() => "busy");
    return items.map(({ manifest }) => {
      const shared = maker.shelf.get(manifest);
      if (shared === undefined || this.#chance.percent(2)) return "failed";
      taker.shelf.set(manifest, shared);
      return "kept";
    });
  }
}

function shuffled<T>(chance: Chance, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: chance.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
