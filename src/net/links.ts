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
  readonly connected: (link: Link) => void;
  readonly lost: (key: Key, why: string) => void;
}

export class Links {
  readonly #parts: LinksParts;
  readonly #links = new Map<Key, Link>();

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

  /** Keeps a new link unless a better one is there: of two that were dialled from both sides, the one that the lesser key dialled. */
  adopt(link: Link): void {
    const { key } = link;
    const before = this.#links.get(key);
    const { address, direction } = link.facts;
    const both = before !== undefined && before.facts.direction !== direction;
    if (both && this.#isKeptByBoth(before)) {
      // The other side may have lost what looks alive from here, and be back.
      before.ping(limits.linkProbeMs).catch(() => before.end("silent"));
      return link.end("one link is enough");
    }
    if (before === undefined && this.#links.size >= limits.peers) return link.end("too many links");
    this.#links.set(key, link);
    before?.end("replaced");
    this.#parts.log.event("info", "peer.connected", { peer: key, address, direction });
    this.#parts.connected(link);
    void link.ended.then((why) => this.#ended(link, why));
  }

  #isKeptByBoth(link: Link): boolean {
    return this.#parts.self < link.key === (link.facts.direction === "outbound");
  }

  #ended(link: Link, why: string): void {
    const { key, facts } = link;
    if (this.#links.get(key) !== link) return; // Another one has taken its place.
    this.#links.delete(key);
    const { bytesIn, bytesOut } = facts;
    this.#parts.log.event("info", "peer.disconnected", { peer: key, why, afterMs: Math.round(facts.ageMs), bytesIn, bytesOut });
    this.#parts.lost(key, why);
  }
}
