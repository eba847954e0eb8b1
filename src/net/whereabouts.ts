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
import { Inviters } from "./inviters.ts";
import { type Port, portOf, TRANSPORTS } from "./ports.ts";
import { ipOf, isOnLink, type Place, placeOf, scopeOf, toldTo, travels } from "./scopes.ts";

/** What sources of hints may ask of this node. */
export interface OwnPlace {
  interfaces(): readonly InterfaceAddress[];
  /** The port at which this node listens at an address of its own, the first of TRANSPORTS that is spoken there; undefined when it does not. */
  portAt(address: InterfaceAddress): Port | undefined;
  /** Keys that are looked for though they are no members as far as this node knows: they may let it in. */
  sought(): readonly Key[];
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
  /** Those at which members are thought to reach it, and others at which they do. */
  readonly reached: () => readonly string[];
  /** A member may be at an address; `news` when that was not known before. */
  readonly dialable: (key: Key, news: boolean) => void;
  /** This machine has moved or slept: connections may be dead, and others possible. */
  readonly disturbed: () => void;
}

export class Whereabouts implements OwnPlace, Disposable {
  readonly book: AddressBook;
  readonly #inviters: Inviters = new Inviters();
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

  sought(): readonly Key[] {
    return this.#inviters.keys;
  }

  /** While `during` goes on, those whom an invitation names are looked for as members are. */
  async withInviters<T>(keys: readonly Key[], during: (inviters: Inviters) => Promise<T>): Promise<T> {
    this.#inviters.expect(keys);
    for (const discovery of this.#discoveries) discovery.refresh();
    return during(this.#inviters).finally(() => this.#inviters.expect([]));
  }

  portAt({ address, family }: InterfaceAddress): Port | undefined {
    const at = this.#listen.flatMap((listen) => {
      const host = multiaddr(listen).getComponents()[0];
      const isWildcard = host?.value === "0.0.0.0" || host?.value === "::";
      const wanted = host?.name === family && (isWildcard || host.value === address) ? portOf(listen) : undefined;
      if (wanted === undefined || wanted.port > 0) return wanted ?? [];
      const chosen = this.#parts
        .listening()
        .filter((one) => one.startsWith(`/${family}/`))
        .map(portOf);
      return chosen.find((one) => one?.speaks === wanted.speaks) ?? [];
    });
    return TRANSPORTS.flatMap((transport) => at.find(({ speaks }) => speaks === transport) ?? [])[0];
  }

  /** Where this node may be looked for, by somebody whose place is not known, as with an invitation. */
  announced(): string[] {
    const { listening, reached } = this.#parts;
    const isWide = (address: string): boolean => !["loopback", "link"].includes(scopeOf(address));
    const [usable, wide] = [reached().filter(isUsable), reached().filter((address) => isUsable(address) && isWide(address))];
    // Loopback only where there is nothing else to listen on.
    return (listening().some(isWide) ? wide : usable).slice(0, limits.addressesPerHost);
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

  /** Those of this node's addresses that mean something where a member is, and whether that is near. */
  seenFrom(link: Told): { readonly addresses: readonly string[]; readonly near: boolean } {
    const place = placeOf(link.facts.address, this.#watch.current);
    return { addresses: toldTo(place, this.#parts.listening().filter(isUsable), true), near: place.near };
  }

  /** This node is somewhere else than it has told: an empty list takes back what was told before. */
  tellAgain(): void {
    for (const link of this.#parts.links()) link.send({ kind: "addresses", hosts: [this.#selfFor(link)] });
  }

  /** A link has begun: tells the member where this node is, and where others are. */
  introduce(link: Told): void {
    link.send({
      kind: "addresses",
      hosts: [this.#selfFor(link), ...this.book.hosts().flatMap((host) => hostFor(link, host, this.#watch))],
    });
  }

  /** What a member says. Of itself it is believed, and told on when it is news; of others where they have said nothing themselves. */
  heard(from: Told, hosts: readonly Host[]): void {
    const place = placeOf(from.facts.address, this.#watch.current);
    for (const { peerKey, addresses } of hosts) {
      const fit = addresses.filter((address) => isUsable(address) && travels(address, place));
      const itself = peerKey === from.key;
      if (itself && addresses.length === 0) this.book.withdraw(peerKey);
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
    this.#inviters.take(host);
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
    const { log, disturbed } = this.#parts;
    if (what.kind === "slept") log.event("info", "network.slept", { forMs: what.forMs });
    else log.event("info", "network.changed", { gone: what.gone.join(", "), come: what.come.join(", ") });
    this.tellAgain();
    for (const discovery of this.#discoveries) discovery.refresh();
    disturbed();
  }

  #selfFor(link: Told): Host {
    const addresses = toldTo(placeOf(link.facts.address, this.#watch.current), this.#parts.reached().filter(isUsable), true);
    return { peerKey: this.#parts.roster.self, addresses };
  }
}

/** What a member is told of another one; nothing when there is nothing of use to it. */
function hostFor(link: Told, { peerKey, addresses }: Host, { current }: InterfaceWatch): Host[] {
  const told = peerKey === link.key ? [] : toldTo(placeOf(link.facts.address, current), addresses, false);
  return told.length === 0 ? [] : [{ peerKey, addresses: told }];
}
