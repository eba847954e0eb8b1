/**
 * Who is there and what their machines can do: told to the network by gossip, little and only when it has changed.
 *
 * Knows: what is worth telling, and when. Does not know: how it travels, or how it is shown.
 */
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import { type Key, limits } from "../base/index.ts";
import type { Gossip } from "../contracts/index.ts";
import type { Capacity, NetworkCodec, Presence } from "../wire/index.ts";
import { version } from "./version.ts";

const { leastMs, membersPerGroup, refreshMs, staleMs } = limits.presence;
/** A change is worth telling from an eighth of the cores, a sixteenth of the memory, an eighth of the cache. */
const STEPS = { load: 8, memory: 16, cache: 8 };
/** Where an eighth is next to nothing. */
const LEAST_STEP = { load: 0.25, cacheBytes: 64 * 1024 ** 2 };

/** What the daemon does just now; the rest of a capacity is asked of the system. */
export type Work = Pick<Capacity, "jobs" | "cacheBytes">;

/** What is known of a member: its capacity and how old that is, or that it said goodbye. */
export type Known = { readonly kind: "here"; readonly capacity: Capacity; readonly ageMs: number } | { readonly kind: "goodbye" };

export interface PresenceParts {
  readonly gossip: Gossip;
  readonly codec: NetworkCodec;
  readonly self: Key;
  /** How many members there are, this one too. */
  readonly members: () => number;
  readonly work: () => Work;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Told {
  readonly presence: Presence;
  readonly at: number;
  /** The link with the member has ended since, without a goodbye. */
  isLost: boolean;
}

export class PresenceBoard implements Disposable {
  readonly #parts: PresenceParts;
  readonly #known = new Map<Key, Told>();
  readonly #timer: NodeJS.Timeout;
  #topic = "";
  #subscription: Disposable | undefined;
  #told: { readonly capacity: Capacity; readonly at: number } | undefined;
  #isLeaving = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#tell(), leastMs);
    this.#timer.unref();
    this.regroup();
  }

  get own(): Capacity {
    return capacityNow(this.#parts.work());
  }

  of(key: Key): Known | undefined {
    const known = this.#known.get(key);
    if (known === undefined || known.isLost) return undefined;
    const ageMs = this.#parts.now() - known.at;
    if (known.presence.kind === "goodbye") return { kind: "goodbye" };
    return ageMs > staleMs ? undefined : { kind: "here", capacity: known.presence.capacity, ageMs };
  }

  /** The link with a member has ended: what it told is of the past, until it is back or others pass on what it says next. */
  lost(key: Key): void {
    const known = this.#known.get(key);
    if (known?.presence.kind === "here") known.isLost = true;
  }

  connected(key: Key): void {
    const known = this.#known.get(key);
    if (known?.presence.kind === "goodbye") this.#known.delete(key);
    else if (known !== undefined) known.isLost = false;
  }

  /** Members have come or gone: the group may have changed in which this node tells of itself. */
  regroup(): void {
    const topic = presenceTopic(this.#parts.self, this.#parts.members());
    if (topic === this.#topic || this.#isLeaving) return;
    this.#subscription?.[Symbol.dispose]();
    this.#topic = topic;
    this.#subscription = this.#parts.gossip.subscribe(topic, { lasting: true }, (author, content) => {
      this.#known.set(author, { presence: this.#parts.codec.decodePresence(content), at: this.#parts.now(), isLost: false });
      for (const eldest of this.#known.keys()) {
        if (this.#known.size <= 2 * membersPerGroup) break;
        this.#known.delete(eldest);
      }
    });
    this.#told = undefined;
    this.#tell();
  }

  /** Others need not find out by themselves. */
  goodbye(): void {
    this[Symbol.dispose]();
    this.#isLeaving = true;
    this.#parts.gossip.publish(this.#topic, this.#parts.codec.encodePresence({ kind: "goodbye" }));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const { gossip, codec, now } = this.#parts;
    const capacity = this.own;
    const told = this.#told;
    if (told !== undefined && now() - told.at < refreshMs && !isNews(told.capacity, capacity)) return;
    this.#told = { capacity, at: now() };
    gossip.publish(this.#topic, codec.encodePresence({ kind: "here", capacity }));
  }
}

/** In a large network members hear of a part of the others only, the same for all who are in that part. */
export function presenceTopic(key: Key, members: number): string {
  return groupTopic("presence", key, members);
}

/** The topic of a group of members, for what each of them tells the others of the group. */
export function groupTopic(what: string, key: Key, members: number): string {
  const groups = 2 ** Math.max(0, Math.ceil(Math.log2(members / membersPerGroup)));
  return `${what}/${Number.parseInt(key.slice(0, 8), 16) % groups}/${groups}`;
}

function isNews(before: Capacity, now: Capacity): boolean {
  const loadStep = Math.max(LEAST_STEP.load, now.cores / STEPS.load);
  const cacheStep = Math.max(LEAST_STEP.cacheBytes, before.cacheBytes / STEPS.cache);
  return (
    now.jobs !== before.jobs ||
    Math.abs(now.load - before.load) >= loadStep ||
    Math.abs(now.freeBytes - before.freeBytes) >= now.memoryBytes / STEPS.memory ||
    Math.abs(now.cacheBytes - before.cacheBytes) >= cacheStep
  );
}

function capacityNow(work: Work): Capacity {
  return {
    version,
    platform: `${process.platform}-${process.arch}`,
    cores: availableParallelism(),
    load: loadavg()[0] ?? 0,
    memoryBytes: totalmem(),
    freeBytes: freemem(),
    ...work,
  };
}
