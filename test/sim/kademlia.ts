/**
 * `npm run sim -- kademlia`: how many questions one after the other it takes to find where a member is in a large network, when all answer,
 * when a third have just fallen silent, and when one domain has as many machines as it likes wherever it likes.
 *
 * The nodes run the code of src/net/overlay-node.ts; time, chance and what is between them are simulated.
 */
import { hash } from "node:crypto";
import { limits } from "../../src/base/index.ts";
import { compareDistance, idOfMember, type OverlayId } from "../../src/net/overlay-ids.ts";
import { OverlayNode, type Told } from "../../src/net/overlay-node.ts";
import { Chance } from "../system/fuzz-random.ts";
import { SimClock } from "./clock.ts";

export interface KademliaSettings {
  readonly nodes: number;
  /** Trust domains, all of about the same size; 1 is an overlay that knows no domains. */
  readonly domains: number;
  /** Of all nodes, those that stop answering once the network has formed, 0 to 1. */
  readonly silent: number;
  /**
   * Machines of one more domain beside each member that is looked for, nearer to it than anybody honest, and there before it. They tell of
   * each other only. Where there are any, only as many members are looked for as there are lookups.
   */
  readonly liars: number;
  readonly lookups: number;
  readonly seed: number;
}

export interface KademliaResult {
  /** Of each lookup that found its member: questions one after the other, questions, ms. */
  readonly hops: readonly number[];
  readonly questions: readonly number[];
  readonly tookMs: readonly number[];
  /** Lookups that did not find their member. */
  readonly failed: number;
  /** Questions that a node has asked to become part of the network. */
  readonly joining: readonly number[];
  /** Contacts of a node. */
  readonly contacts: readonly number[];
}

/** One way. */
const LATENCY_MS = { least: 20, spread: 20 };
const SILENCE_MS = 2_000;
const ADDRESSES = ["somewhere"];
const JOIN_EVERY_MS = 100;
const LINKS = 8;
const LIARS = "liars";

interface Node {
  readonly key: string;
  readonly overlay: OverlayNode<string>;
  isSilent: boolean;
  asked: number;
}

export function simulateKademlia(settings: KademliaSettings): KademliaResult {
  const simulation = new Simulation(settings);
  simulation.form();
  const joining = simulation.nodes.map(({ asked }) => asked);
  simulation.fallSilent();
  const found = Array.from({ length: settings.lookups }, () => simulation.lookup());
  const successes = found.filter(({ hops }) => hops !== undefined);
  return {
    hops: successes.map(({ hops }) => hops ?? 0),
    questions: successes.map(({ questions }) => questions),
    tookMs: successes.map(({ tookMs }) => tookMs),
    failed: found.length - successes.length,
    joining,
    contacts: simulation.nodes.map(({ overlay }) => overlay.table.size),
  };
}

class Simulation {
  readonly nodes: Node[] = [];
  readonly #settings: KademliaSettings;
  readonly #byKey = new Map<string, Node>();
  readonly #domains = new Map<string, string>();
  readonly #ids = new Map<string, OverlayId>();
  readonly #clock = new SimClock();
  readonly #random: () => number;
  readonly #liars = new Set<string>();

  constructor(settings: KademliaSettings) {
    this.#settings = settings;
    const chance = new Chance(settings.seed);
    this.#random = () => chance.next() / 2 ** 32;
  }

  /** One after the other joins. */
  form(): void {
    const { nodes, domains, liars, lookups } = this.#settings;
    const joinHonest = (name: string, count: number): void => {
      for (let at = 0; at < count; at++) this.#join(`${name}${at}`, `d${Math.floor(this.#random() * domains)}`);
    };
    if (liars === 0) return joinHonest("n", nodes);
    joinHonest("n", nodes - lookups);
    for (let at = 0; at < lookups; at++) for (const liar of this.#beside(`w${at}`, liars)) this.#join(liar, LIARS);
    return joinHonest("w", lookups);
  }

  fallSilent(): void {
    for (const node of this.nodes) node.isSilent = this.#random() < this.#settings.silent;
  }

  /** Somebody who answers looks for somebody else who does. */
  lookup(): { hops: number | undefined; questions: number; tookMs: number } {
    const honest = this.nodes.filter(({ key }) => !this.#liars.has(key));
    const asker = this.#pick(honest);
    const wanted = this.#pick(honest.filter(({ key }) => key !== asker.key && (this.#liars.size === 0 || key.startsWith("w"))));
    const begunAt = this.#clock.now;
    const outcomes: { hops: number | undefined; questions: number; tookMs: number }[] = [];
    asker.overlay.findMember(
      wanted.key,
      () => true,
      ({ member, hops, questions }) => {
        outcomes.push({ hops: member === undefined ? undefined : hops, questions, tookMs: this.#clock.now - begunAt });
      },
    );
    for (;;) {
      const [outcome] = outcomes;
      if (outcome !== undefined) return outcome;
      this.#clock.run(10);
    }
  }

  #pick(nodes: readonly Node[]): Node {
    const answering = nodes.filter(({ isSilent }) => !isSilent);
    const node = answering[Math.floor(this.#random() * answering.length)];
    if (node === undefined) throw new RangeError("nobody answers");
    return node;
  }

  #join(key: string, domain: string): void {
    this.#domains.set(key, domain);
    const node = this.#node(key);
    for (const { key: known } of this.#links()) node.overlay.heard({ key: known, addresses: ADDRESSES });
    if (domain === LIARS) this.#liars.add(key);
    this.nodes.push(node);
    this.#byKey.set(key, node);
    node.overlay.join(() => undefined);
    this.#clock.run(JOIN_EVERY_MS);
  }

  /** With whom a node is linked when it joins: a few, of as many domains, as src/net/peer-set.ts has it. */
  #links(): Node[] {
    const byDomain = new Map<string, Node>();
    for (let tried = 0; tried < 4 * LINKS && byDomain.size < LINKS && this.nodes.length > 0; tried++) {
      const node = this.nodes[Math.floor(this.#random() * this.nodes.length)];
      if (node !== undefined) byDomain.set(this.#settings.domains === 1 ? node.key : (this.#domains.get(node.key) ?? ""), node);
    }
    return [...byDomain.values()];
  }

  #node(key: string): Node {
    const node: Node = {
      key,
      isSilent: false,
      asked: 0,
      overlay: new OverlayNode<string>({
        self: key,
        idOf: (one) => this.#idOf(one),
        domainOf: (one) => (this.#settings.domains === 1 ? "" : (this.#domains.get(one) ?? "")),
        isMember: (one) => this.#domains.has(one),
        ask: (contact, { target }, done) => {
          node.asked += 1;
          this.#ask(node, contact.key, target, (known) => done(known && { known, providers: [] }));
        },
        after: (delayMs, what) => this.#clock.after(delayMs, what),
        random: this.#random,
      }),
    };
    return node;
  }

  #ask(from: Node, to: string, target: OverlayId | undefined, done: (told: readonly Told<string>[] | undefined) => void): void {
    const node = this.#byKey.get(to);
    const latency = (): number => LATENCY_MS.least + Math.floor(this.#random() * LATENCY_MS.spread);
    if (node === undefined || node.isSilent) return this.#clock.after(SILENCE_MS, () => done(undefined));
    return this.#clock.after(latency(), () => {
      node.overlay.heard({ key: from.key, addresses: ADDRESSES });
      const told = target !== undefined && this.#liars.has(to) ? this.#lie(target) : node.overlay.answer(from.key, target, () => true);
      this.#clock.after(latency(), () => done(told));
    });
  }

  /** The nearest liars, and nobody else. */
  #lie(target: OverlayId): Told<string>[] {
    const nearest = [...this.#liars].toSorted((a, b) => compareDistance(target, this.#idOf(a), this.#idOf(b)));
    return nearest.slice(0, limits.overlay.answerMost).map((key) => ({ key, addresses: ADDRESSES }));
  }

  /** Keys that were tried until they stood beside a member. */
  #beside(key: string, count: number): string[] {
    const id = this.#idOf(key);
    const tried = Array.from({ length: 64 * count }, (_, at) => `liar-${key}-${at}`);
    const ids = new Map(tried.map((one) => [one, this.#idOf(one)]));
    const far = new Uint8Array(id.length);
    const idIn = (one: string): OverlayId => ids.get(one) ?? far;
    return tried.toSorted((a, b) => compareDistance(id, idIn(a), idIn(b))).slice(0, count);
  }

  #idOf(key: string): OverlayId {
    const known = this.#ids.get(key) ?? idOfMember(hash("sha256", "simulated"), key);
    this.#ids.set(key, known);
    return known;
  }
}
