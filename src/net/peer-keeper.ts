/**
 * Peer keeper: has the peer set decide with whom this node is linked, once there are more members than links; in smaller networks
 * everybody is linked with everybody. In both it tells when the node is cut off.
 *
 * Knows: members, their places, when to ask the peer set. Does not know: how it decides, or how to dial.
 */
import { type Key, type Log, limits } from "../base/index.ts";
import { type Isolation, type KnownPeer, PeerSet, type PeerSetOptions } from "./peer-set.ts";
import { subnetOf } from "./scopes.ts";

/** Keys that survive a restart. */
export interface SavedAnchors {
  load(): readonly Key[];
  save(keys: readonly Key[]): void;
}

export interface PeerKeeperParts {
  /** All members but this node. */
  readonly others: () => readonly Key[];
  readonly domainOf: (key: Key) => string;
  /** Undefined when no address is known. */
  readonly addressOf: (key: Key) => string | undefined;
  readonly anchors: SavedAnchors;
  /** Members with whom to be linked, one attempt each. */
  readonly dial: (key: Key) => void;
  /** There is a better use for this link. */
  readonly letGo: (key: Key) => void;
  /** Ends a link that shows no sign of life. */
  readonly probe: (key: Key) => void;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface PeerKeeperOptions extends PeerSetOptions {
  /** Links of a node. */
  readonly most: number;
  /** Links above that, for a while. */
  readonly guests: number;
  readonly guestMs: number;
}

export class PeerKeeper implements Disposable {
  readonly #parts: PeerKeeperParts;
  readonly #options: PeerKeeperOptions;
  readonly #set: PeerSet;
  /** Links that others began → since when, in that order. */
  readonly #came = new Map<Key, number>();
  #timer: NodeJS.Timeout | undefined;
  #saved = "";
  #isolation: Isolation | undefined;

  constructor(parts: PeerKeeperParts, options: PeerKeeperOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#set = new PeerSet(parts, options, parts.now());
  }

  begin(): void {
    this.#set.return(this.#parts.anchors.load());
    this.#timer = setInterval(() => this.look(), limits.peerLookMs);
    this.#timer.unref();
    this.look();
  }

  /** Why this node must be thought to be cut off. */
  get isolation(): Isolation | undefined {
    return this.#isolation;
  }

  /** Whether there are more members than links. */
  get chooses(): boolean {
    return this.#parts.others().length > this.#options.most;
  }

  linked(key: Key, outbound: boolean): void {
    if (outbound) this.#came.delete(key);
    else this.#came.set(key, this.#parts.now());
    const dropped = this.#set.linked(key, outbound, this.#parts.now());
    if (dropped !== undefined) this.#parts.letGo(dropped);
    if (!outbound && this.#crowd() > 0) this.#test();
  }

  lost(key: Key): void {
    this.#came.delete(key);
    this.#set.lost(key, this.#parts.now());
  }

  failed(key: Key): void {
    this.#set.failed(key, this.#parts.now());
  }

  /** Looks who is known, whom to dial, and whether this node is cut off. */
  look(): void {
    const { others, now, dial } = this.#parts;
    const known = others().flatMap((key) => this.#describe(key));
    this.#set.know(known);
    if (this.chooses) {
      for (const key of this.#set.wanted(now())) dial(key);
      this.#makeRoom();
    }
    this.#keepAnchors();
    this.#judge();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** How many more came than there is room for. */
  #crowd(): number {
    return this.chooses ? this.#came.size - (this.#options.most - this.#options.outbound) : 0;
  }

  /** One of those that came has to show that it lives: a dead one makes room without anybody's loss. */
  #test(): void {
    const came = [...this.#came.keys()];
    const tested = came[Math.floor(this.#parts.random() * came.length)];
    if (tested !== undefined) this.#parts.probe(tested);
  }

  /** Those for whom there is no room go, the youngest first, once they have had the time to hear who else there is. */
  #makeRoom(): void {
    const { letGo, now } = this.#parts;
    const surplus = this.#set.surplus();
    if (surplus !== undefined) letGo(surplus);
    const settled = [...this.#came].filter(([, sinceMs]) => now() - sinceMs >= this.#options.guestMs).map(([key]) => key);
    const crowd = Math.max(0, this.#crowd());
    for (const key of settled.slice(Math.max(0, settled.length - crowd))) letGo(key);
  }

  #describe(key: Key): KnownPeer[] {
    const address = this.#parts.addressOf(key);
    return address === undefined ? [] : [{ key, domain: this.#parts.domainOf(key), subnet: subnetOf(address) }];
  }

  #keepAnchors(): void {
    const anchors = this.#set.anchors();
    // With nobody left those of before are still the best there are.
    if (anchors.length === 0 || anchors.toSorted().join() === this.#saved) return;
    this.#saved = anchors.toSorted().join();
    this.#parts.anchors.save(anchors);
  }

  #judge(): void {
    const isolation = this.#set.isolation(this.#parts.now());
    if (isolation === this.#isolation) return;
    this.#isolation = isolation;
    if (isolation === undefined) this.#parts.log.event("info", "network.rejoined");
    else this.#parts.log.event("warn", "network.isolated", { why: isolation });
  }
}
