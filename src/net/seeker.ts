/**
 * Seeker: whom to dial. In a small network every member, in a large one those whom the peer keeper chooses; again when a link is lost, when
 * something new is known of where a member is, and when this machine has moved.
 *
 * Knows: who is linked, who is wanted, why somebody could not be reached. Does not know: how a member is reached.
 */
import { type Key, type Log, reasonOf } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { AddressBook } from "./addresses.ts";
import { CLOSED_BY_PEER, type Link } from "./link.ts";
import type { Links } from "./links.ts";
import { PeerKeeper, type PeerKeeperOptions, type SavedAnchors } from "./peer-keeper.ts";
import type { Isolation } from "./peer-set.ts";
import { Redial } from "./redial.ts";

export interface SeekerParts {
  readonly roster: Roster;
  readonly book: AddressBook;
  readonly links: Links;
  /** Links this node with a member. @throws when that fails */
  readonly reach: (key: Key) => Promise<void>;
  /** A member's trust domain. */
  readonly domainOf: (key: Key) => string;
  readonly anchors: SavedAnchors;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** A member with whom this node would like to be linked, and is not. */
export interface AbsentFacts {
  readonly key: Key;
  readonly state: "unreachable" | "connecting";
  readonly failures: number;
  readonly addresses: readonly string[];
  /** Where the addresses are known from, the most reliable first. */
  readonly sources: readonly string[];
  readonly why: string;
}

export class Seeker implements Disposable {
  readonly #parts: SeekerParts;
  readonly #redial: Redial;
  readonly #keeper: PeerKeeper;
  /** Why a member could not be reached the last time. */
  readonly #troubles = new Map<Key, string>();
  /** Members that are dialled for what they have. */
  readonly #called = new Set<Key>();
  /** Since when members are linked. */
  readonly #since = new Map<Key, number>();
  readonly #shortMs: number;
  #ending = false;

  constructor(parts: SeekerParts, options: PeerKeeperOptions) {
    const { roster, book, links } = parts;
    this.#parts = parts;
    this.#shortMs = options.shortMs;
    this.#redial = new Redial({ ...parts, dial: (key) => this.#dial(key) });
    const keeping = {
      ...parts,
      others: (): readonly Key[] => roster.others(),
      addressOf: (key: Key): string | undefined => book.host(key)?.addresses[0],
      dial: (key: Key): void => this.#redial.want(key, true),
      letGo: (key: Key): void => void links.get(key)?.close("others are of more use"),
      probe: (key: Key): void => links.probe(key),
    };
    this.#keeper = new PeerKeeper(keeping, options);
  }

  begin(): void {
    this.#keeper.begin();
    this.seek();
  }

  [Symbol.dispose](): void {
    this.#ending = true;
    this.#redial[Symbol.dispose]();
    this.#keeper[Symbol.dispose]();
  }

  /** Why this node must be thought to be cut off; undefined when it need not. */
  get isolation(): Isolation | undefined {
    return this.#keeper.isolation;
  }

  /** Whether there are more members than this node is linked with. */
  get chooses(): boolean {
    return this.#keeper.chooses;
  }

  /** Why a member could not be reached the last time; undefined when it could, or was not looked for. */
  trouble(key: Key): string | undefined {
    return this.#troubles.get(key);
  }

  absent(): AbsentFacts[] {
    const { roster, links } = this.#parts;
    return roster.others().flatMap((key) => (links.has(key) ? [] : [this.#describe(key)]));
  }

  /**
   * Members that are not linked, of whom no address is known, or none that works. In a network in which this node chooses its links, only
   * those of whom none is known, or who were called: there are others to choose.
   */
  missing(): Key[] {
    const { roster, links, book } = this.#parts;
    const isLost = (key: Key): boolean => this.#redial.failures(key) > 0 || this.#called.has(key) || !book.knows(key);
    return roster.others().filter((key) => !links.has(key) && isLost(key));
  }

  /**
   * Links this node with a member for what it has. The link takes a place among those that others began, so that nobody gets among those
   * that this node chooses by having something.
   */
  call(key: Key): void {
    const { roster, links } = this.#parts;
    if (this.#ending || links.has(key) || roster.standing(key) !== "active") return;
    this.#called.add(key);
    this.#redial.want(key, true);
  }

  /** Looks for every member whose address is known. */
  seek(): void {
    const { roster, links, book } = this.#parts;
    if (this.#ending || roster.standing(roster.self) !== "active") return;
    if (this.#keeper.chooses) return this.#keeper.look();
    for (const key of roster.others())
      if (!links.has(key) && (book.host(key) !== undefined || links.all().length > 0)) this.#redial.want(key, false);
  }

  /** A member may be at an address; `news` when that was not known before. */
  dialable(key: Key, news: boolean): void {
    const { roster, links } = this.#parts;
    if (this.#ending || roster.standing(key) !== "active") return;
    if (!links.has(key)) {
      if (!this.#keeper.chooses || this.#called.has(key)) this.#redial.want(key, true);
    } else if (news) links.probe(key); // It may have moved, and the link be dead.
  }

  /** This machine has moved or slept. */
  disturbed(): void {
    for (const { key } of this.#parts.links.all()) this.#parts.links.probe(key);
    this.#redial.hurry();
  }

  linked({ key, facts }: Link): void {
    this.#troubles.delete(key);
    this.#redial.connected(key);
    this.#since.set(key, this.#parts.now());
    const isCalled = this.#called.delete(key);
    this.#keeper.linked(key, facts.direction === "outbound" && !isCalled);
    this.seek(); // It may lead to others, whose addresses are not known or of no use here.
  }

  lost(key: Key, why: string): void {
    this.#keeper.lost(key);
    const isShort = why === CLOSED_BY_PEER && this.#parts.now() - (this.#since.get(key) ?? 0) < this.#shortMs;
    this.#since.delete(key);
    if (this.#ending || this.#parts.roster.standing(key) !== "active") return;
    this.#troubles.set(key, why);
    if (!this.#keeper.chooses) {
      // One that has fewer links than there are members chooses, and this node only comes and goes there.
      if (isShort) return this.#redial.ended(key);
      this.#redial.lasted(key);
      return this.#redial.lost(key);
    }
    this.#redial.forget(key);
    this.#keeper.look(); // Somebody else may take its place.
  }

  /** Who is no member any more is not looked for. */
  forget(key: Key): void {
    this.#called.delete(key);
    this.#redial.forget(key);
  }

  #describe(key: Key): AbsentFacts {
    const { book } = this.#parts;
    const failures = this.#redial.failures(key);
    const addresses = book.host(key)?.addresses ?? [];
    const why = this.#troubles.get(key) ?? (addresses.length === 0 ? "no address known" : "");
    const state = failures > 0 || addresses.length === 0 ? "unreachable" : "connecting";
    return { key, state, failures, addresses, sources: book.sources(key), why };
  }

  /** @returns whether no further attempt is needed */
  async #dial(key: Key): Promise<boolean> {
    const { roster, links, reach, log } = this.#parts;
    if (this.#ending || links.has(key) || roster.standing(key) !== "active") return true;
    try {
      await reach(key);
      // A connection that is there may be the one whose link has ended, which goes a moment later.
      return links.has(key) || this.#keeper.chooses;
    } catch (error) {
      const why = reasonOf(error);
      this.#troubles.set(key, why);
      log.event("info", "peer.dial-failed", { peer: key, why, failures: this.#redial.failures(key) + 1 });
      this.#keeper.failed(key);
      if (this.#keeper.chooses) this.#redial.forget(key);
      return this.#keeper.chooses;
    }
  }
}
