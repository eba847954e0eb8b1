/**
 * `npm run sim -- gossip`: how many hops a message takes to reach all of a large network, and what members do who take part but pass
 * nothing on.
 *
 * The nodes run the code of src/net/gossip-mesh.ts; time, links and chance are simulated.
 */

import { limits } from "../../src/base/index.ts";
import type { GossipItem, GossipMessage } from "../../src/net/gossip-item.ts";
import { GossipMesh } from "../../src/net/gossip-mesh.ts";
import { Chance } from "../system/fuzz-random.ts";
import { SimClock } from "./clock.ts";

export interface GossipSimSettings {
  readonly nodes: number;
  /** Links of each node, on average. */
  readonly links: number;
  /** Of all nodes, those who take everything and pass nothing on, 0 to 1. */
  readonly silent: number;
  /** Messages before those that are measured: time to find out who is silent. */
  readonly before: number;
  readonly messages: number;
  readonly seed: number;
}

/** About each measured message, in the order in which they were sent. */
export interface GossipSimResult {
  /** From the author to the last honest node; what does not reach all has Infinity. */
  readonly hops: number[];
  /** Until the last honest node had it, ms. */
  readonly reachedMs: number[];
  /** Times that it was sent, for each node. */
  readonly copies: number[];
  /** Silent nodes among all that honest nodes have in their meshes, 0 to 1, before the messages and at the end. */
  readonly silentInMesh: { readonly first: number; readonly last: number };
}

const TOPIC = "all";
const LATENCY_MS = { least: 45, spread: 10 };
const BETWEEN_MS = { before: 250, measured: 1_000 };
const SETTLE_MS = 5_000;

interface Node {
  readonly key: string;
  readonly silent: boolean;
  readonly mesh: GossipMesh<GossipMessage>;
}

/** How far one message has come. */
interface Trace {
  readonly id: string;
  readonly hops: Int16Array;
  readonly sentAt: number;
  lastMs: number;
  copies: number;
}

export function simulateGossip(settings: GossipSimSettings): GossipSimResult {
  const simulation = new Simulation(settings);
  simulation.settle();
  const first = simulation.silentInMesh();
  for (let i = 0; i < settings.before; i++) simulation.publish(BETWEEN_MS.before);
  simulation.settle();
  const traces = Array.from({ length: settings.messages }, () => simulation.publish(BETWEEN_MS.measured));
  simulation.settle();
  const honest = simulation.nodes.flatMap(({ silent }, index) => (silent ? [] : [index]));
  return {
    hops: traces.map(({ hops }) => honest.reduce((most, index) => Math.max(most, hops[index] === -1 ? Infinity : (hops[index] ?? 0)), 0)),
    reachedMs: traces.map(({ lastMs, sentAt }) => lastMs - sentAt),
    copies: traces.map(({ copies }) => copies / settings.nodes),
    silentInMesh: { first, last: simulation.silentInMesh() },
  };
}

class Simulation {
  readonly nodes: readonly Node[];
  readonly #clock = new SimClock();
  readonly #random: () => number;
  readonly #traces = new Map<string, Trace>();

  constructor({ nodes, links, silent, seed }: GossipSimSettings) {
    const chance = new Chance(seed);
    this.#random = () => chance.next() / 2 ** 32;
    this.nodes = Array.from({ length: nodes }, (_, index) => this.#node(index, this.#random() < silent));
    for (const [index, node] of this.nodes.entries()) {
      node.mesh.join(TOPIC, false);
      for (let dialled = 0; dialled < links / 2; dialled++) this.#link(index, Math.floor(this.#random() * nodes));
      this.#clock.after(Math.floor(this.#random() * limits.gossip.beatMs), () => this.#beat(node));
    }
  }

  settle(): void {
    this.#clock.run(SETTLE_MS);
  }

  /** An honest node says something, and some time passes. */
  publish(thenMs: number): Trace {
    const honest = this.nodes.filter(({ silent }) => !silent);
    const author = honest[Math.floor(this.#random() * honest.length)];
    if (author === undefined) throw new RangeError("nobody is honest");
    const id = `${this.#traces.size}-${Math.floor(this.#random() * 16).toString(16)}`;
    const trace: Trace = {
      id,
      hops: new Int16Array(this.nodes.length).fill(-1),
      sentAt: this.#clock.now,
      lastMs: this.#clock.now,
      copies: 0,
    };
    trace.hops[Number(author.key)] = 0;
    this.#traces.set(id, trace);
    author.mesh.publish({ id, topic: TOPIC, author: author.key }, this.#clock.now);
    this.#clock.run(thenMs);
    return trace;
  }

  silentInMesh(): number {
    const honest = this.nodes.filter(({ silent }) => !silent);
    const peers = honest.flatMap(({ mesh }) => mesh.meshOf(TOPIC));
    return peers.filter((key) => this.nodes[Number(key)]?.silent === true).length / peers.length;
  }

  #node(index: number, silent: boolean): Node {
    const key = String(index);
    const send = (to: string, item: GossipItem<GossipMessage>): void => {
      if (silent && (item.kind === "message" || item.kind === "have")) return;
      const latency = LATENCY_MS.least + Math.floor(this.#random() * LATENCY_MS.spread);
      this.#clock.after(latency, () => this.#deliver(index, Number(to), item));
    };
    return { key, silent, mesh: new GossipMesh({ self: key, send, random: this.#random }) };
  }

  #link(one: number, other: number): void {
    if (one === other) return;
    this.nodes[one]?.mesh.connected(String(other));
    this.nodes[other]?.mesh.connected(String(one));
  }

  #beat(node: Node): void {
    node.mesh.beat(this.#clock.now);
    this.#clock.after(limits.gossip.beatMs, () => this.#beat(node));
  }

  #deliver(from: number, to: number, item: GossipItem<GossipMessage>): void {
    const node = this.nodes[to];
    if (node === undefined) return;
    if (item.kind !== "message") return node.mesh.told(String(from), item, this.#clock.now);
    const trace = this.#traces.get(item.message.id);
    if (trace === undefined) return;
    trace.copies += 1;
    if (node.mesh.knows(trace.id)) return node.mesh.repeated(String(from), trace.id, item.given);
    trace.hops[to] = (trace.hops[from] ?? 0) + 1;
    if (!node.silent) trace.lastMs = this.#clock.now;
    node.mesh.arrived(String(from), item.message, item.given, this.#clock.now);
  }
}
