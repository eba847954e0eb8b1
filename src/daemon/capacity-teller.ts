/**
 * What this node can do for others, told to the network: soon when it has changed, now and then when it has not, and nothing by a node that
 * does no work for others.
 *
 * Knows: what is news, and how often it may be told. Does not know: how it travels, or how a node comes to have a slot.
 */
import { type Key, limits } from "../base/index.ts";
import type { Capacity, Gossip, OwnCapacity } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { groupTopic } from "./presence.ts";

const { tellLeastMs, tellLookMs, tellPerMemberMs, tellRefreshMs } = limits.placement;

export interface CapacityTellerParts {
  readonly gossip: Gossip;
  readonly codec: NetworkCodec;
  readonly self: Key;
  /** How many members there are, this one too. */
  readonly members: () => number;
  readonly own: OwnCapacity;
  /** Called with what members tell, and with what this node does. */
  readonly heard: (capacity: Capacity) => void;
  /** ms, monotonic */
  readonly now: () => number;
}

const NOTHING: Omit<Capacity, "member"> = {
  slots: 0,
  free: 0,
  queue: 0,
  toolchains: [],
  takesToolchains: false,
  platform: "",
  targets: [],
};

export class CapacityTeller implements Disposable {
  readonly #parts: CapacityTellerParts;
  readonly #looks: NodeJS.Timeout;
  #topic = "";
  #subscription: Disposable | undefined;
  #told: { readonly text: string; readonly atMs: number } | undefined;
  #soon: NodeJS.Timeout | undefined;
  #isLeaving = false;

  constructor(parts: CapacityTellerParts) {
    this.#parts = parts;
    // Some changes nobody tells of: this machine's own builds leave more or less to others.
    this.#looks = setInterval(() => this.#changed(), tellLookMs).unref();
    parts.own.onChange(() => this.#changed());
    this.regroup();
  }

  /** Members have come or gone: the group may have changed that hears of this node. */
  regroup(): void {
    const { self, members, gossip, codec, heard } = this.#parts;
    const topic = groupTopic("capacity", self, members());
    if (topic === this.#topic || this.#isLeaving) return;
    this.#subscription?.[Symbol.dispose]();
    this.#topic = topic;
    this.#subscription = gossip.subscribe(topic, { lasting: true }, (author, content) =>
      heard({ member: author, ...codec.decodeWorkCapacity(content) }),
    );
    this.#told = undefined;
    this.#tellSoon();
  }

  /** Others are to send nothing any more. */
  goodbye(): void {
    this.#isLeaving = true;
    this[Symbol.dispose]();
    if (this.#told !== undefined) this.#parts.gossip.publish(this.#topic, this.#parts.codec.encodeWorkCapacity(NOTHING));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#looks);
    clearTimeout(this.#soon);
  }

  /** This node knows at once, others soon. */
  #changed(): void {
    const { self, own, heard } = this.#parts;
    heard({ member: self, ...own.now() });
    this.#tellSoon();
  }

  /** The first change at once, and what follows it a moment later, all together. */
  #tellSoon(): void {
    const { now, members } = this.#parts;
    if (this.#soon !== undefined || this.#isLeaving) return;
    const leastMs = Math.max(tellLeastMs, tellPerMemberMs * members());
    const waitMs = this.#told === undefined ? 0 : Math.max(0, leastMs - (now() - this.#told.atMs));
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.#tell();
    }, waitMs).unref();
  }

  #tell(): void {
    const { gossip, codec, own, now } = this.#parts;
    if (this.#isLeaving) return;
    const capacity = own.now();
    const text = JSON.stringify(capacity);
    const told = this.#told;
    const isNews = told === undefined ? capacity.slots > 0 : told.text !== text || now() - told.atMs >= tellRefreshMs;
    if (!isNews) return;
    this.#told = { text, atMs: now() };
    gossip.publish(this.#topic, codec.encodeWorkCapacity(capacity));
  }
}
