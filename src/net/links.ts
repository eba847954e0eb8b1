/**
 * The links of this node, one a member.
 *
 * Knows: which of two links to the same member stays, and how many there may be. Does not know: what is said on them.
 */
import { type Key, type Log, limits } from "../base/index.ts";
import type { Link } from "./link.ts";

export interface LinksParts {
  readonly self: Key;
  readonly log: Log;
  /** There is a link with a member now, or another one than before. */
  readonly connected: (link: Link) => void;
  readonly lost: (key: Key, why: string) => void;
  /** Links at once. */
  readonly most: number;
}

export class Links {
  readonly #parts: LinksParts;
  readonly #links = new Map<Key, Link>();
  /** Links that take the place of those in use once the other side has been heard on them, or when those in use end. */
  readonly #next = new Map<Key, Link>();

  /** Links that others have replaced, the latest last, as long as something goes over them. */
  readonly #retired = new Map<Key, Link[]>();

  constructor(parts: LinksParts) {
    this.#parts = parts;
  }

  get(key: Key): Link | undefined {
    return this.#links.get(key);
  }

  has(key: Key): boolean {
    return this.#links.has(key);
  }

  all(): Link[] {
    return [...this.#links.values()];
  }

  /**
   * Keeps a new link unless a better one is there. Direct is better than relayed. Of two of a kind that were dialled from both sides the
   * one is better that the lesser key dialled; of two from the same side, the newer.
   */
  adopt(link: Link): void {
    const before = this.#links.get(link.key);
    if (before === undefined) {
      if (this.#links.size >= this.#parts.most) return link.end("too many links");
      return this.#install(link, "connected");
    }
    if (this.#isBetter(before, link)) return this.#doubt(before, link);
    if (before.facts.relays === 0) return this.#replace(before, link);
    // A way that was found while another one works is tried before it is relied on.
    if (this.#reserve(link)) void link.heard.then(() => this.#promote(link));
  }

  /** A link may be dead without a sign of it: if it does not answer, it is let go of. */
  probe(key: Key): void {
    const link = this.#links.get(key);
    link?.proven().catch(() => link.end("silent"));
  }

  /** A new link is no better. But the other side may have lost what looks alive from here, and be back: then the new one is the next. */
  #doubt(before: Link, link: Link): void {
    const waits = this.#reserve(link);
    before.proven().then(
      () => waits && this.#next.get(link.key) === link && link.end("one link is enough"),
      // It may only be slow: what is under way on it may still finish.
      () => (waits && this.#next.get(link.key) === link ? this.#promote(link) : before.end("silent")),
    );
  }

  #isBetter(before: Link, link: Link): boolean {
    const [known, fresh] = [before.facts, link.facts];
    if ((known.relays === 0) !== (fresh.relays === 0)) return known.relays === 0;
    return known.direction !== fresh.direction && this.#parts.self < before.key === (known.direction === "outbound");
  }

  /** @returns whether it is the next one now */
  #reserve(link: Link): boolean {
    const { key } = link;
    const rival = this.#next.get(key);
    if (rival !== undefined && this.#isBetter(rival, link)) {
      link.end("one link is enough");
      return false;
    }
    this.#next.set(key, link);
    rival?.end("replaced");
    void link.ended.then(() => this.#next.get(key) === link && this.#next.delete(key));
    return true;
  }

  #promote(link: Link): void {
    const { key } = link;
    const before = this.#links.get(key);
    if (this.#next.get(key) !== link) return;
    this.#next.delete(key);
    this.#install(link, before === undefined ? "connected" : "moved");
    if (before !== undefined) this.#retire(before);
  }

  /** Only so many to a member: libp2p refuses more connections of one peer, and one must be left to connect anew. */
  #retire(link: Link): void {
    const { key } = link;
    const retired = [...(this.#retired.get(key) ?? []), link];
    while (retired.length > limits.retiredPerPeer) retired.shift()?.end("replaced");
    this.#retired.set(key, retired);
    void link.retire();
    void link.ended.then(() => {
      const left = (this.#retired.get(key) ?? []).filter((other) => other !== link);
      if (left.length > 0) this.#retired.set(key, left);
      else this.#retired.delete(key);
    });
  }

  #replace(before: Link, link: Link): void {
    this.#install(link, "connected");
    before.end("replaced");
  }

  #install(link: Link, how: "connected" | "moved"): void {
    const { key } = link;
    const { address, direction, relays, via } = link.facts;
    this.#links.set(key, link);
    this.#parts.log.event("info", `peer.${how}`, { peer: key, address, direction, relays, ...(via !== undefined && { via }) });
    this.#parts.connected(link);
    void link.ended.then((why) => this.#ended(link, why));
  }

  #ended(link: Link, why: string): void {
    const { key, facts } = link;
    if (this.#links.get(key) !== link) return; // Another one has taken its place.
    this.#links.delete(key);
    const { bytesIn, bytesOut, relays } = facts;
    const told = { peer: key, why, relays, afterMs: Math.round(facts.ageMs), bytesIn, bytesOut };
    this.#parts.log.event("info", "peer.disconnected", told);
    const next = this.#next.get(key);
    if (next !== undefined) this.#promote(next);
    else this.#parts.lost(key, why);
  }
}
