/**
 * Placement in a network that runs: its patterns among the gossip, streams and clocks of this node.
 *
 * Knows: which part hears of what, what is kept on disk. Does not know: how a place is chosen.
 */
import { type Digest, type Key, type Log, limits, type PlacementPattern } from "../base/index.ts";
import type { OwnCapacity, Placement, PlacementFrame, Reputations, Slots, Unit } from "../contracts/index.ts";
import { MemberTalk, type Network, rendezvousOrder } from "../net/index.ts";
import { Measured, Patterns, type Seats } from "../placement/index.ts";
import type { Members } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { CapacityTeller } from "./capacity-teller.ts";
import type { NetworkGossip } from "./network-gossip.ts";

export interface NetworkPlacementParts {
  readonly network: Network;
  readonly members: Members;
  readonly gossip: NetworkGossip;
  readonly codec: NetworkCodec;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
  readonly domainOf: (key: Key) => string;
  /** Whose terms of the lease are whose; docs/protocol/placement.md. */
  readonly seats: () => Seats;
  /** Whether a unit of this node's may go to a member. */
  readonly mayWork: (member: Key, unit: Unit) => boolean;
  /** See OwnViewParts. */
  readonly hasSpoken: (member: Key, request: Digest) => boolean;
  /** See OwnViewParts. */
  readonly lackedBytes: (member: Key, contents: ReadonlyMap<Digest, number>) => number | undefined;
  readonly bytesPerMs: (member: Key) => number | undefined;
  /** What this node can do for others. */
  readonly capacity: OwnCapacity;
  readonly reputations: Reputations;
  readonly log: Log;
}

export interface PlacementSettings {
  readonly pattern: PlacementPattern;
  /** How often a node with work to place checks whether the coordinator answers. */
  readonly healthCheckMs: number;
}

/** After which what was measured counts half. */
export interface Fading {
  readonly halfLifeMs: number;
}

const LEASE = "coordinator";
const KEPT_TERM = "placement-term";
const PROTOCOL = "/cairn/placement/1";
const KEPT_MEASURED = "placement-measured";

export class NetworkPlacement implements Disposable {
  readonly #parts: NetworkPlacementParts;
  readonly #patterns: Patterns;
  readonly #measured: Measured;
  readonly #teller: CapacityTeller;
  readonly #timers = new DisposableStack();
  #checks: NodeJS.Timeout;
  #keptTerm: number;

  static async start(parts: NetworkPlacementParts, settings: PlacementSettings & Fading): Promise<NetworkPlacement> {
    const { network, codec, log } = parts;
    let placement: NetworkPlacement | undefined;
    const hear = (from: Key, frame: PlacementFrame): void => placement?.heard(from, frame);
    const { encodePlacementFrame: encode, decodePlacementFrame: decode } = codec;
    const talk = await MemberTalk.start(
      { network, log, encode, decode, hear, now: () => performance.now() },
      { protocol: PROTOCOL, ...limits.placement },
    );
    placement = new NetworkPlacement(parts, talk, settings);
    return placement;
  }

  private constructor(
    parts: NetworkPlacementParts,
    talk: MemberTalk<PlacementFrame>,
    { pattern, healthCheckMs, halfLifeMs }: PlacementSettings & Fading,
  ) {
    this.#parts = parts;
    const { network, members, gossip, codec, kept, seats, mayWork, hasSpoken, lackedBytes, bytesPerMs, capacity, log } = parts;
    this.#timers.use(talk);
    this.#measured = new Measured({ now: Date.now, reputations: parts.reputations }, { halfLifeMs });
    this.#measured.restore(kept.setting(KEPT_MEASURED) ?? "");
    this.#keptTerm = Number(kept.setting(KEPT_TERM) ?? 0);
    this.#patterns = new Patterns(
      {
        self: members.self,
        measured: this.#measured,
        isLinked: (member) => network.connected(member),
        mayWork,
        seats,
        hasSpoken,
        lackedBytes,
        bytesPerMs,
        linked: () => members.others().filter((member) => network.connected(member)),
        rttMs: (member) => network.rttMs(member),
        order: (digest, some) => this.#order(digest, some),
        send: (to, frame) => talk.send(to, frame),
        tell: (term) => gossip.gossip.publish(LEASE, codec.encodeCoordinatorLease(term)),
        after,
        random: Math.random,
        log,
        now: () => performance.now(),
      },
      { top: this.#keptTerm, network: members.network, pattern },
    );
    const patterns = this.#patterns;
    gossip.gossip.subscribe(LEASE, { lasting: true }, (author, content) => {
      patterns.lease.heard(author, codec.decodeCoordinatorLease(content));
      this.#keepTerm();
    });
    this.#teller = new CapacityTeller({
      gossip: gossip.gossip,
      codec,
      self: members.self,
      members: () => members.others().length + 1,
      own: capacity,
      heard: (told) => patterns.told(told),
      now: () => performance.now(),
    });
    network.onPeers(({ kind, key }) => (kind === "connected" ? patterns.connected() : patterns.lost(key)));
    members.onChange(() => {
      patterns.forget((key) => key !== members.self && members.standing(key) !== "active");
      patterns.seated();
      this.#teller.regroup();
    });
    this.#every(limits.placement.lease.beatMs, () => {
      patterns.beat();
      this.#keepTerm();
    });
    this.#every(limits.placement.measured.saveEveryMs, () => this.#save());
    this.#checks = setInterval(() => patterns.check(), healthCheckMs).unref();
  }

  get placement(): Placement & Slots {
    return this.#patterns;
  }

  /** A member has said something on its stream. */
  heard(from: Key, frame: PlacementFrame): void {
    this.#patterns.heard(from, frame);
  }

  /** From now on, without a restart. */
  follow({ pattern, healthCheckMs }: PlacementSettings): void {
    clearInterval(this.#checks);
    this.#checks = setInterval(() => this.#patterns.check(), healthCheckMs).unref();
    if (pattern === this.#patterns.pattern) return;
    this.#patterns.follow(pattern);
    this.#parts.log.event("info", "placement.pattern", { pattern });
  }

  /** For `cairn peers`: who places for this node, and what each member can do. */
  describe(nameOf: (key: Key) => string): object {
    const { pattern, coordinator, placedForOthers } = this.#patterns;
    const { self } = this.#parts.members;
    const held = coordinator && {
      key: coordinator.holder,
      name: nameOf(coordinator.holder),
      self: coordinator.holder === self,
      term: coordinator.term,
    };
    return { pattern, coordinator: held ?? null, placedForOthers };
  }

  /** Null of a member that does no work for others, as far as is known. */
  slotsOf(member: Key): object | null {
    const capacity = this.#patterns.capacities.of(member);
    if (capacity === undefined || capacity.slots === 0) return null;
    const { slots, toolchains, takesToolchains, platform, targets } = capacity;
    return { slots, free: this.#patterns.capacities.free(member), toolchains: toolchains.length, takesToolchains, platform, targets };
  }

  [Symbol.dispose](): void {
    this.#teller.goodbye();
    clearInterval(this.#checks);
    this.#timers.dispose();
    this.#save();
  }

  #order(digest: Digest, some: readonly Key[]): Key[] {
    return rendezvousOrder(
      digest,
      some.map((key) => ({ key, domain: this.#parts.domainOf(key) })),
    ).map(({ key }) => key);
  }

  #every(ms: number, what: () => void): void {
    const timer = setInterval(what, ms).unref();
    this.#timers.defer(() => clearInterval(timer));
  }

  #keepTerm(): void {
    const { top } = this.#patterns.lease;
    if (top === this.#keptTerm) return;
    this.#keptTerm = top;
    this.#parts.kept.set(KEPT_TERM, String(top));
  }

  #save(): void {
    if (this.#measured.isChanged) this.#parts.kept.set(KEPT_MEASURED, this.#measured.save());
  }
}

function after(ms: number, what: () => void): Disposable {
  if (ms === 0) {
    const immediate = setImmediate(what);
    return { [Symbol.dispose]: () => clearImmediate(immediate) };
  }
  const timer = setTimeout(what, ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
