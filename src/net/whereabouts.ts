/**
 * Whereabouts: where members are, where this node is, who is told what of it, and when any of it changes.
 *
 * Knows: the address book, the sources of hints, this machine's interfaces. Does not know: how to dial, or what a link is made of.
 */
import { multiaddr } from "@multiformats/multiaddr";
import { type Host, type Key, type Log, limits } from "../base/index.ts";
import type { Discovery, Roster, SavedPeers } from "../contracts/index.ts";
import { AddressBook, isUsable } from "./addresses.ts";
import { type Disturbance, type InterfaceAddress, InterfaceWatch, readInterfaces } from "./interfaces.ts";
import { ipOf, isOnLink, type Place, placeOf, scopeOf, toldTo, travels } from "./scopes.ts";

/** What sources of hints may ask of this node. */
export interface OwnPlace {
  interfaces(): readonly InterfaceAddress[];
  /** The TCP port at which this node listens at an address of its own; undefined when it does not. */
  portAt(address: InterfaceAddress): number | undefined;
}

/** Of a link, what matters here. */
interface Told {
  readonly key: Key;
  readonly facts: { readonly address: string };
  send(frame: { readonly kind: "addresses"; readonly hosts: readonly Host[] }): void;
}

export interface WhereaboutsParts {
  readonly roster: Roster;
  readonly saved: SavedPeers;
  readonly log: Log;
  readonly discoveries: (own: OwnPlace) => readonly Discovery[];
  readonly links: () => readonly Told[];
  /** Multiaddrs at which this node really listens now. */
  readonly listening: () => readonly string[];
  /** A member may be at an address; `news` when that was not known before. */
  readonly dialable: (key: Key, news: boolean) => void;
  /** This machine has moved or slept: connections may be dead, and others possible. */
  readonly disturbed: () => void;
}

export class Whereabouts implements OwnPlace, Disposable {
  readonly book: AddressBook;
  readonly #parts: WhereaboutsParts;
  /** Multiaddrs that were asked for. */
  readonly #listen: readonly string[];
  readonly #discoveries: readonly Discovery[];
  readonly #watch: InterfaceWatch;

  constructor(parts: WhereaboutsParts, options: { readonly listen: readonly string[] }) {
    const { roster, saved } = parts;
    this.#parts = parts;
    this.#listen = options.listen;
    this.#watch = new InterfaceWatch({ read: readInterfaces, wallClock: Date.now, disturbed: (what) => this.#disturbed(what) });
    this.book = new AddressBook({
      saved,
      self: roster.self,
      isMember: (key) => roster.standing(key) === "active",
      own: () => this.#watch.current,
    });
    this.#discoveries = parts.discoveries(this);
  }

  /** Begins to look for members. */
  begin(): void {
    this.#watch.begin();
    for (const discovery of this.#discoveries) discovery.start((hint) => this.#hinted(discovery.source, hint));
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    for (const discovery of this.#discoveries) discovery[Symbol.dispose]();
  }

  interfaces(): readonly InterfaceAddress[] {
    return this.#watch.current;
  }

  portAt({ address, family }: InterfaceAddress): number | undefined {
    for (const listen of this.#listen) {
      const [host, port] = multiaddr(listen).getComponents();
      const isWildcard = host?.value === "0.0.0.0" || host?.value === "::";
      if (host?.name !== family || !(isWildcard || host.value === address)) continue;
      const chosen = port?.value === "0" ? this.#parts.listening().find((one) => one.startsWith(`/${family}/`)) : listen;
      const found = Number(/\/tcp\/(\d+)/.exec(chosen ?? "")?.[1]);
      if (found > 0) return found;
    }
    return undefined;
  }

  /** Where this node may be looked for, by somebody who can be anywhere. */
  announced(): string[] {
    return announced(this.#parts.listening());
  }

  /** Where a peer is, whose end of a connection that is. */
  placeOf(remote: string): Place {
    return placeOf(remote, this.#watch.current);
  }

  /** Addresses of this machine that others could reach, and how many linked members are on its own networks. */
  surroundings(): { outward: string[]; neighbours: number } {
    const own = this.#watch.current.filter(({ internal }) => !internal);
    const isNear = ({ facts }: Told): boolean => isOnLink(ipOf(facts.address) ?? "", own);
    return { outward: own.map(({ address }) => address), neighbours: this.#parts.links().filter(isNear).length };
  }

  /** A link has begun: tells the member where this node is, and where others are. */
  introduce(link: Told): void {
    link.send({
      kind: "addresses",
      hosts: [...this.#selfFor(link), ...this.book.hosts().flatMap((host) => hostFor(link, host, this.#watch))],
    });
  }

  /** What a member says. Of itself it is believed, and told on when it is news; of others where they have said nothing themselves. */
  heard(from: Told, hosts: readonly Host[]): void {
    const place = placeOf(from.facts.address, this.#watch.current);
    for (const { peerKey, addresses } of hosts) {
      const fit = addresses.filter((address) => isUsable(address) && travels(address, place));
      const itself = peerKey === from.key;
      const news = itself ? this.book.learn(peerKey, fit) : this.book.learnIfUnknown(peerKey, fit);
      if (!news) continue;
      this.#parts.log.event("info", "peer.address", { peer: peerKey, addresses: fit.join(" "), source: itself ? "itself" : "member" });
      if (itself) this.#passOn(from.key, { peerKey, addresses: fit });
      this.#parts.dialable(peerKey, true);
    }
  }

  /** Others belong to the network than before. */
  rosterChanged(): void {
    this.book.review();
    for (const discovery of this.#discoveries) discovery.refresh();
  }

  #hinted(source: string, host: Host): void {
    const news = this.book.hint(source, host);
    if (news) this.#parts.log.event("info", "peer.address", { peer: host.peerKey, addresses: host.addresses.join(" "), source });
    // Also when it is not new: whoever announces itself is there now.
    this.#parts.dialable(host.peerKey, news);
  }

  #passOn(from: Key, host: Host): void {
    for (const link of this.#parts.links()) {
      const hosts = link.key === from ? [] : hostFor(link, host, this.#watch);
      if (hosts.length > 0) link.send({ kind: "addresses", hosts });
    }
  }

  #disturbed(what: Disturbance): void {
    const { log, links, disturbed } = this.#parts;
    if (what.kind === "slept") log.event("info", "network.slept", { forMs: what.forMs });
    else log.event("info", "network.changed", { gone: what.gone.join(", "), come: what.come.join(", ") });
    for (const link of links()) for (const host of this.#selfFor(link)) link.send({ kind: "addresses", hosts: [host] });
    for (const discovery of this.#discoveries) discovery.refresh();
    disturbed();
  }

  #selfFor(link: Told): Host[] {
    const addresses = toldTo(placeOf(link.facts.address, this.#watch.current), this.#parts.listening().filter(isUsable), true);
    return addresses.length === 0 ? [] : [{ peerKey: this.#parts.roster.self, addresses }];
  }
}

/** What a member is told of another one; nothing when there is nothing of use to it. */
function hostFor(link: Told, { peerKey, addresses }: Host, { current }: InterfaceWatch): Host[] {
  const told = peerKey === link.key ? [] : toldTo(placeOf(link.facts.address, current), addresses, false);
  return told.length === 0 ? [] : [{ peerKey, addresses: told }];
}

/** What can be said to somebody whose place is not known, such as in an invitation: loopback only where there is nothing else. */
function announced(listening: readonly string[]): string[] {
  const usable = listening.filter(isUsable);
  const wide = usable.filter((address) => !["loopback", "link"].includes(scopeOf(address)));
  return (wide.length > 0 ? wide : usable).slice(0, limits.addressesPerHost);
}
