/**
 * Peer set: with whom to be linked in a network that is larger than what one node is linked with.
 *
 * What keeps a node from being surrounded: it fills a share of its links by its own choice, which nobody else can fill; the choice is
 * spread over domains, then over subnets; it returns first to those whom it was linked with before a restart; it goes on trying others and
 * changes for them where that spreads it better; and it says so when what it reaches is far less than what it knows.
 * After Heilman et al., "Eclipse Attacks on Bitcoin's Peer-to-Peer Network", USENIX Security 2015, section 7.
 * Knows: keys, domains, subnets, times that it is told. Does not know: connections, clocks. The eclipse simulation runs this code.
 */
import type { Key } from "../base/index.ts";

export interface KnownPeer {
  readonly key: Key;
  readonly domain: string;
  /** What tells places apart: peers in one subnet are easily one machine. */
  readonly subnet: string;
}

export interface PeerSetOptions {
  /** Links that this node chooses. */
  readonly outbound: number;
  /** Attempts under way at once. */
  readonly attempts: number;
  /** One of which nothing has come by then has failed: who answers and makes no link must not take the place of others. */
  readonly attemptMs: number;
  /** Peers to return to after a restart. */
  readonly anchors: number;
  /** From one trial of somebody else to the next, once all links are chosen. */
  readonly feelerEveryMs: number;
  /** Who could not be reached is not tried again before. */
  readonly retryMs: number;
  /** Nor is one that let go of this node so soon. */
  readonly shortMs: number;
  /** Being cut off for so long is worth an alarm. */
  readonly alarmAfterMs: number;
}

/** Nobody is linked; or of three domains and more not even a third. */
export type Isolation = "nobody" | "few-domains";

interface Attempt {
  readonly isFeeler: boolean;
  readonly sinceMs: number;
}

/** Of a domain whose peers are all taken or failed, this many are looked at in vain before every one is. */
const LOOKS = 8;
/** Of so many chosen by chance the one in the rarest subnet is taken. */
const COMPARED = 3;

export class PeerSet {
  readonly #random: () => number;
  readonly #options: PeerSetOptions;
  #known = new Map<Key, KnownPeer>();
  #byDomain = new Map<string, readonly KnownPeer[]>();
  /** Peers that this node has chosen and is linked with → since when, in that order. */
  readonly #chosen = new Map<Key, number>();
  /** Those that came by themselves. */
  readonly #came = new Set<Key>();
  /** Attempts under way, in the order in which they began. */
  readonly #trying = new Map<Key, Attempt>();
  readonly #failedAt = new Map<Key, number>();
  #anchors: Key[] = [];
  #feltAt: number;
  /** When this node was last not cut off. */
  #wellAt: number;

  /** @param parts `random` in [0, 1) */
  constructor(parts: { readonly random: () => number }, options: PeerSetOptions, nowMs: number) {
    this.#random = parts.random;
    this.#options = options;
    this.#feltAt = nowMs;
    this.#wellAt = nowMs;
  }

  /** All peers there are; what is told replaces what was told before. */
  know(peers: readonly KnownPeer[]): void {
    this.#known = new Map(peers.map((peer) => [peer.key, peer]));
    this.#byDomain = Map.groupBy(peers, ({ domain }) => domain);
    for (const key of this.#failedAt.keys()) if (!this.#known.has(key)) this.#failedAt.delete(key);
    for (const key of this.#trying.keys()) if (!this.#known.has(key)) this.#trying.delete(key);
  }

  /** Those to return to first, from {@link anchors} of an earlier run. */
  return(anchors: readonly Key[]): void {
    this.#anchors = anchors.slice(0, this.#options.anchors);
  }

  /** A link has begun. @returns whom to let go of for it, if anybody */
  linked(key: Key, outbound: boolean, nowMs: number): Key | undefined {
    const isFeeler = this.#trying.get(key)?.isFeeler === true;
    this.#trying.delete(key);
    this.#failedAt.delete(key);
    if (!outbound) {
      if (!this.#chosen.has(key)) this.#came.add(key);
      return undefined;
    }
    this.#came.delete(key);
    this.#chosen.set(key, nowMs);
    return isFeeler && this.#chosen.size > this.#options.outbound ? this.#leastWanted(key) : undefined;
  }

  lost(key: Key, nowMs: number): void {
    const sinceMs = this.#chosen.get(key);
    if (sinceMs !== undefined && nowMs - sinceMs < this.#options.shortMs) this.#failedAt.set(key, nowMs);
    this.#chosen.delete(key);
    this.#came.delete(key);
  }

  failed(key: Key, nowMs: number): void {
    this.#trying.delete(key);
    this.#failedAt.set(key, nowMs);
  }

  /** Whom to dial now; each is `linked` or `failed` some time after, or counts as failed. */
  wanted(nowMs: number): Key[] {
    for (const [key, { sinceMs }] of this.#trying) if (nowMs - sinceMs >= this.#options.attemptMs) this.failed(key, nowMs);
    const chosen: Key[] = [];
    const free = (): number => this.#options.outbound - this.#chosen.size - this.#trying.size;
    while (this.#trying.size < this.#options.attempts && free() > 0) {
      const key = this.#nextAnchor(nowMs) ?? this.#choose(nowMs);
      if (key === undefined) return chosen;
      this.#trying.set(key, { isFeeler: false, sinceMs: nowMs });
      chosen.push(key);
    }
    const isTime = nowMs - this.#feltAt >= this.#options.feelerEveryMs;
    const feeler = chosen.length === 0 && this.#trying.size === 0 && isTime ? this.#choose(nowMs) : undefined;
    if (feeler === undefined) return chosen;
    this.#feltAt = nowMs;
    this.#trying.set(feeler, { isFeeler: true, sinceMs: nowMs });
    return [feeler];
  }

  /** Whom to let go of when more are chosen than should be, as after a network has grown. */
  surplus(): Key | undefined {
    return this.#chosen.size > this.#options.outbound ? this.#youngestOfMost([...this.#chosen.keys()]) : undefined;
  }

  /** Whom to return to after a restart: those who stayed longest, of as many domains as there are. */
  anchors(): Key[] {
    const eldest = [...this.#chosen.keys()];
    const firsts = [...Map.groupBy(eldest, (key) => this.#domain(key)).values()].flatMap(([first]) => first ?? []);
    return [...new Set([...firsts, ...eldest])].slice(0, this.#options.anchors);
  }

  /** Why this node must be thought to be cut off; undefined when it need not. To be asked now and then: it tells only what lasts. */
  isolation(nowMs: number): Isolation | undefined {
    const now = this.#isolationNow();
    if (now === undefined) this.#wellAt = nowMs;
    return nowMs - this.#wellAt >= this.#options.alarmAfterMs ? now : undefined;
  }

  #isolationNow(): Isolation | undefined {
    if (this.#known.size === 0) return undefined;
    if (this.#chosen.size + this.#came.size === 0) return "nobody";
    // Anybody can fill the other links; but where all can be linked with all, nobody needs to choose.
    const telling = this.#known.size <= this.#options.outbound ? [...this.#chosen.keys(), ...this.#came] : [...this.#chosen.keys()];
    const domains = new Set(telling.map((key) => this.#domain(key)));
    const all = this.#byDomain.size;
    return all >= 3 && 3 * domains.size <= all && domains.size < this.#options.outbound / 2 ? "few-domains" : undefined;
  }

  #domain(key: Key): string {
    return this.#known.get(key)?.domain ?? "";
  }

  #isFree(key: Key, nowMs: number): boolean {
    const failedAt = this.#failedAt.get(key);
    return (
      !this.#chosen.has(key) &&
      !this.#came.has(key) &&
      !this.#trying.has(key) &&
      (failedAt === undefined || nowMs - failedAt >= this.#options.retryMs)
    );
  }

  #nextAnchor(nowMs: number): Key | undefined {
    for (let key = this.#anchors.shift(); key !== undefined; key = this.#anchors.shift())
      if (this.#known.has(key) && this.#isFree(key, nowMs)) return key;
    return undefined;
  }

  /** Somebody of a domain of which this node has chosen fewest, in a subnet that is rare among those chosen. */
  #choose(nowMs: number): Key | undefined {
    const taken = [...this.#chosen.keys(), ...this.#trying.keys()];
    const domains = countBy(taken, (key) => this.#domain(key));
    const subnets = countBy(taken, (key) => this.#known.get(key)?.subnet ?? "");
    const inTurn = [...this.#byDomain.keys()]
      .map((domain) => ({ domain, count: domains.get(domain) ?? 0, lot: this.#random() }))
      .toSorted((a, b) => a.count - b.count || a.lot - b.lot);
    for (const { domain } of inTurn) {
      const found = this.#freeIn(this.#byDomain.get(domain) ?? [], nowMs);
      const [rarest] = found.toSorted((a, b) => (subnets.get(a.subnet) ?? 0) - (subnets.get(b.subnet) ?? 0));
      if (rarest !== undefined) return rarest.key;
    }
    return undefined;
  }

  /** A few by chance; all are looked at only when chance finds none. */
  #freeIn(peers: readonly KnownPeer[], nowMs: number): KnownPeer[] {
    const found: KnownPeer[] = [];
    for (let look = 0; look < LOOKS && found.length < COMPARED; look++) {
      const peer = peers[Math.floor(this.#random() * peers.length)];
      if (peer !== undefined && this.#isFree(peer.key, nowMs)) found.push(peer);
    }
    if (found.length > 0) return found;
    const free = peers.filter(({ key }) => this.#isFree(key, nowMs));
    return free.length === 0 ? [] : [free[Math.floor(this.#random() * free.length)] ?? free[0]].flatMap((peer) => peer ?? []);
  }

  /** One who was only tried stays where that spreads the links better: for the youngest of the domain that has most. */
  #leastWanted(tried: Key): Key {
    const others = [...this.#chosen.keys()].filter((key) => key !== tried);
    const domains = countBy(others, (key) => this.#domain(key));
    const most = Math.max(...domains.values());
    return (domains.get(this.#domain(tried)) ?? 0) + 1 >= most ? tried : (this.#youngestOfMost(others) ?? tried);
  }

  /** Of the domain that has most of these, the one that was chosen last. */
  #youngestOfMost(chosen: readonly Key[]): Key | undefined {
    const domains = countBy(chosen, (key) => this.#domain(key));
    const most = Math.max(...domains.values());
    return chosen.findLast((key) => domains.get(this.#domain(key)) === most);
  }
}

function countBy<T>(items: readonly T[], group: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(group(item), (counts.get(group(item)) ?? 0) + 1);
  return counts;
}
