/**
 * A node in a network: one link with each member, and nobody else. Here its parts are put together.
 *
 * Knows: which part hears of what. Does not know: why somebody is a member; a roster says so. What comes in is in serving.ts, whom to
 * dial in seeker.ts, the ways there in way-finder.ts, who is told what of addresses in whereabouts.ts.
 */
import type { Connection } from "@libp2p/interface";
import { CairnError, type Host, type InvitationLine, type JoinRequest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Discovery, Roster, SavedPeers } from "../contracts/index.ts";
import type { GossipFrame, NetworkCodec } from "../wire/index.ts";
import type { AddressBook } from "./addresses.ts";
import { defaultRouter } from "./default-router.ts";
import { DialBack } from "./dial-back.ts";
import { type Frames, framesOf } from "./frames.ts";
import { Gate } from "./gate.ts";
import { makeLibp2p, type Node } from "./libp2p.ts";
import { Link, type LinkFacts, MEMBER } from "./link.ts";
import { Links } from "./links.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import { natPmp } from "./nat-pmp.ts";
import { type JoinOutcome, Outbound } from "./outbound.ts";
import type { PeerKeeperOptions, SavedAnchors } from "./peer-keeper.ts";
import type { Isolation } from "./peer-set.ts";
import { PortMapping, type PortMappingFacts } from "./port-mapping.ts";
import { type Port, portOf, speaksQuic } from "./ports.ts";
import { chooseQuic } from "./quic-choice.ts";
import { Reachability, type ReachFacts } from "./reachability.ts";
import type { RelayOptions } from "./relay.ts";
import { Routes } from "./routes.ts";
import type { Place } from "./scopes.ts";
import { type AbsentFacts, Seeker } from "./seeker.ts";
import { Serving } from "./serving.ts";
import { Upnp } from "./upnp.ts";
import { WayFinder } from "./way-finder.ts";
import { type OwnPlace, Whereabouts } from "./whereabouts.ts";

export interface NetworkParts {
  readonly roster: Roster;
  readonly saved: SavedPeers;
  /** Makes the sources of hints about where members are. */
  readonly discoveries: (own: OwnPlace) => readonly Discovery[];
  /** A member's trust domain. */
  readonly domainOf: (key: Key) => string;
  readonly anchors: SavedAnchors;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface NetworkOptions {
  /** The peer key's 32 secret bytes. */
  readonly seed: Uint8Array;
  /** Multiaddrs, the wanted ones first; each list is tried when the one before cannot be had. */
  readonly listen: readonly (readonly string[])[];
  /** With how many members to be linked, and how they are chosen when there are more. */
  readonly links: PeerKeeperOptions;
  /** What this node relays for others. */
  readonly relay: RelayOptions;
  /** Whether the router is asked to let members in. */
  readonly portMapping: boolean;
}

/** A member that this node is connected with, or would like to be. */
export type PeerFacts = (LinkFacts & { readonly state: "connected" }) | AbsentFacts;

/** Takes gossip to the members that this node is linked with. */
export interface GossipCarrier {
  readonly send: (key: Key, frame: GossipFrame) => void;
  /** Ends the member's link. */
  readonly end: (key: Key, why: string) => void;
}

export interface PeerChange {
  readonly kind: "connected" | "lost";
  readonly key: Key;
}

/** What one attempt at listening is made with. */
interface OwnOptions extends Pick<NetworkOptions, "links" | "relay" | "portMapping"> {
  readonly listen: readonly string[];
  readonly quicTrouble: string | undefined;
}

export class Network implements AsyncDisposable {
  readonly #parts: NetworkParts;
  readonly #libp2p: Node;
  readonly #gate: Gate;
  readonly #whereabouts: Whereabouts;
  readonly #book: AddressBook;
  readonly #links: Links;
  readonly #serving: Serving;
  readonly #outbound: Outbound;
  readonly #seeker: Seeker;
  readonly #routes: Routes = new Routes();
  readonly #wayFinder: WayFinder;
  readonly #dialBack: DialBack;
  readonly #reachability: Reachability;
  readonly #portMapping: PortMapping | undefined;
  readonly #listeners: ((change: PeerChange) => void)[] = [];
  /** Why this node does not speak QUIC though it was to; undefined when it does, or was not. */
  readonly quicTrouble: string | undefined;
  #hearGossip: (from: Key, frame: GossipFrame) => void = () => undefined;
  #ending = false;

  /** @throws {CairnError} network-unavailable when no address can be listened on */
  static async start(parts: NetworkParts, options: NetworkOptions): Promise<Network> {
    const gate = new Gate({ log: parts.log, now: parts.now });
    const quic = await chooseQuic(options.listen);
    if (quic.trouble !== undefined) parts.log.event("warn", "network.quic-unavailable", { why: quic.trouble });
    let failure: unknown;
    for (const wanted of options.listen) {
      const listen = quic.make === undefined ? wanted.filter((address) => !speaksQuic(address)) : wanted;
      const libp2p = await makeLibp2p(
        { refuses: (ip, isClaimed) => gate.denies(ip, isClaimed), isFamiliar: (ip) => gate.isFamiliar(ip) },
        { seed: options.seed, listen, quic: quic.make },
      );
      try {
        const network = new Network(parts, libp2p, gate, { ...options, listen, quicTrouble: quic.trouble });
        await network.#begin();
        return network;
      } catch (error) {
        failure = error;
        await libp2p.stop();
        parts.log.event("warn", "network.listen-failed", { addresses: listen.join(" "), why: reasonOf(error) });
      }
    }
    throw new CairnError("network-unavailable", { addresses: options.listen.flat().join(" "), why: reasonOf(failure) }, failure);
  }

  private constructor(parts: NetworkParts, libp2p: Node, gate: Gate, options: OwnOptions) {
    this.#parts = parts;
    this.#libp2p = libp2p;
    this.#gate = gate;
    this.quicTrouble = options.quicTrouble;
    const whereabouts = {
      ...parts,
      links: (): Link[] => this.#links.all(),
      listening: (): string[] => this.listening,
      reached: (): string[] => this.#reachability.announced(),
      dialable: (key: Key, news: boolean): void => {
        this.#wayFinder.paths.expect(key);
        this.#seeker.dialable(key, news);
        if (news) this.#wayFinder.paths.heard(key);
      },
      disturbed: (): void => {
        this.#reachability.forget();
        this.#portMapping?.renew();
        this.#wayFinder.paths.disturbed();
        this.#seeker.disturbed();
      },
    };
    this.#whereabouts = new Whereabouts(whereabouts, options);
    this.#book = this.#whereabouts.book;
    this.#links = new Links({
      self: parts.roster.self,
      log: parts.log,
      connected: (link) => this.#connected(link),
      lost: (key, why) => this.#lost(key, why),
      most: options.links.most + options.links.guests,
    });
    const { roster, codec, log } = parts;
    // A link notices by itself that its connection has ended, and others may know another way.
    const ended = (key: Key): void => void (this.#links.has(key) || this.#seeker.seek());
    this.#serving = new Serving({ libp2p, gate, roster, codec, log, ended });
    const adopt = (key: Key, connection: Connection, frames: Frames): void => this.#adopt(key, connection, frames);
    this.#outbound = new Outbound({ libp2p, gate, book: this.#book, roster, codec, log, adopt });
    const reach = (key: Key): Promise<void> => this.#wayFinder.paths.reach(key);
    this.#seeker = new Seeker({ ...parts, book: this.#book, links: this.#links, reach }, options.links);
    const finding = {
      ...parts,
      self: parts.roster.self,
      ways: libp2p.services.ways,
      routes: this.#routes,
      outbound: this.#outbound,
      open: (...asked: Parameters<OpenStream>): Promise<MemberStream> => this.open(...asked),
      host: (key: Key): Host | undefined => this.#book.host(key),
      links: (): Link[] => this.#links.all(),
      linkWith: (key: Key): Link | undefined => this.#links.get(key),
      missing: (): Key[] => this.#seeker.missing(),
    };
    this.#wayFinder = new WayFinder(finding, options.relay);
    this.#dialBack = new DialBack({ ...finding, libp2p, gate, interfaces: () => this.#whereabouts.interfaces() });
    this.#reachability = new Reachability({
      ...parts,
      ask: (key, addresses, dataPort) => this.#dialBack.ask(key, addresses, dataPort),
      probers: () => this.#direct().map((link) => ({ key: link.key, ...this.#whereabouts.seenFrom(link) })),
      seen: () => this.#wayFinder.seen(),
      mapped: () => this.#portMapping?.addresses() ?? [],
      listening: () => this.listening,
      changed: () => this.#whereabouts.tellAgain(),
    });
    const mapping = { ...parts, router: defaultRouter, mappers: [natPmp, new Upnp()], changed: (): void => this.#reachability.soon() };
    if (options.portMapping) this.#portMapping = new PortMapping({ ...mapping, ports: () => this.#ports() });
  }

  /** Multiaddrs at which this node listens. */
  get listening(): string[] {
    return this.#libp2p.services.ways.listening();
  }

  /** Where members look for this node: multiaddrs. */
  get addresses(): string[] {
    return this.#whereabouts.announced();
  }

  /** This node and members that it is connected with, for an invitation: where somebody new may ask. */
  hosts(most: number): Host[] {
    const others = this.#book.hosts().filter(({ peerKey }) => this.#links.has(peerKey));
    const self = { peerKey: this.#parts.roster.self, addresses: this.addresses };
    return [...(self.addresses.length > 0 ? [self] : []), ...others].slice(0, most);
  }

  peers(): PeerFacts[] {
    return [...this.#links.all().map((link) => ({ ...link.facts, state: "connected" as const })), ...this.#seeker.absent()];
  }

  /** Multiaddrs at which a member may be reached: the one at which it is connected, then those that are known. */
  addressesOf(key: Key): string[] {
    const link = this.#links.get(key);
    return [...(link === undefined ? [] : [link.facts.address]), ...(this.#book.host(key)?.addresses ?? [])];
  }

  /** Why this node must be thought to be cut off; undefined when it need not. */
  get isolation(): Isolation | undefined {
    return this.#seeker.isolation;
  }

  /** Addresses of this machine that others could reach, and how many linked members are on its own networks. */
  surroundings(): { outward: string[]; neighbours: number } {
    return this.#whereabouts.surroundings();
  }

  /** At which of its addresses members reach this node. */
  get reach(): ReachFacts {
    return this.#reachability.facts;
  }

  /** What became of asking the router to let members in; undefined when it is not asked. */
  get portMapping(): PortMappingFacts | undefined {
    return this.#portMapping?.facts;
  }

  /** The data plane takes connections at a port of this machine. */
  listensToo(port: number): void {
    if (port === this.reach.dataPort) return;
    this.#reachability.listensToo(port);
    this.#portMapping?.renew();
  }

  /** Whether a member may reach the data plane here, as far as others have tried. */
  reachesData(key: Key): boolean {
    const link = this.#links.get(key);
    return this.reach.data !== false || (link !== undefined && this.#whereabouts.seenFrom(link).near);
  }

  connected(key: Key): boolean {
    return this.#links.has(key);
  }

  get self(): Key {
    return this.#parts.roster.self;
  }

  /** The last round trip to a member; undefined when there was none. */
  rttMs(key: Key): number | undefined {
    return this.#links.get(key)?.facts.rttMs;
  }

  /**
   * One round trip to a member that is connected.
   *
   * @returns ms
   * @throws {CairnError} peer-absent, peer-silent
   */
  async ping(key: Key, deadlineMs: number): Promise<number> {
    return this.#required(key).ping(deadlineMs);
  }

  /** See {@link Serving.serve}. */
  serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void> {
    return this.#serving.serve(protocol, most, accept);
  }

  /**
   * A stream to a member that is connected, which serves the protocol.
   *
   * @throws {CairnError} peer-absent; and whatever libp2p says when the member does not serve the protocol or not in time
   */
  async open(key: Key, protocol: string, deadline: number | AbortSignal): Promise<MemberStream> {
    return this.#open(key, this.#required(key).connection, protocol, deadline);
  }

  /**
   * A stream to a member without a link, over a connection of its own, which the caller ends. See {@link Outbound.visit}.
   *
   * @throws when the member cannot be reached, or does not serve the protocol, or not in time
   */
  visit(host: Host, protocol: string, deadlineMs: number): Promise<MemberStream> {
    return this.#outbound.visit(host, (connection) => this.#open(host.peerKey, connection, protocol, deadlineMs));
  }

  /** Where a peer is, as its end of a connection shows. */
  placeOf(connection: Connection): Place {
    return this.#whereabouts.placeOf(connection.remoteAddr.toString());
  }

  /** See {@link Seeker.call}. */
  call(key: Key): void {
    this.#seeker.call(key);
  }

  /** Whether there are more members than this node is linked with. */
  get choosesLinks(): boolean {
    return this.#seeker.chooses;
  }

  /** See {@link Seeker.missing}. */
  missing(): readonly Key[] {
    return this.#seeker.missing();
  }

  /** Calls `listener` after each change of what members this node is linked with. */
  onPeers(listener: (change: PeerChange) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Carries gossip over the links.
   *
   * @param hear called with what arrives; throws when it makes no sense, which ends the link
   */
  carryGossip(hear: (from: Key, frame: GossipFrame) => void): GossipCarrier {
    this.#hearGossip = hear;
    return {
      send: (key, gossip) => this.#links.get(key)?.send({ kind: "gossip", gossip }),
      end: (key, why) => this.#links.get(key)?.end(why),
    };
  }

  /** See {@link Outbound.join}. */
  join(line: InvitationLine, request: JoinRequest, signal: AbortSignal): Promise<JoinOutcome> {
    const keys = line.hosts.map(({ peerKey }) => peerKey);
    return this.#whereabouts.withInviters(keys, (inviters) => this.#outbound.join(line, request, inviters, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#seeker[Symbol.dispose]();
    this.#reachability[Symbol.dispose]();
    this.#wayFinder.paths[Symbol.dispose]();
    this.#whereabouts[Symbol.dispose]();
    await Promise.all(this.#links.all().map((link) => link.close("this node stops")));
    await this.#portMapping?.[Symbol.asyncDispose]();
    this.#gate[Symbol.dispose]();
    await this.#libp2p.stop();
    this.#parts.log.event("info", "network.stopped");
  }

  async #begin(): Promise<void> {
    await this.#serving.begin();
    await this.serve(MEMBER, 1, ({ key, stream, connection }) => this.#adopt(key, connection, framesOf(stream, limits.memberFrameBytes)));
    await this.#wayFinder.serve((protocol, most, accept) => this.serve(protocol, most, accept));
    await this.#dialBack.serve((protocol, most, accept) => this.serve(protocol, most, accept));
    await this.#libp2p.start();
    this.#parts.roster.onChange((added) => this.#changed(added));
    this.#parts.log.event("info", "network.listening", { addresses: this.addresses.join(" ") });
    this.#whereabouts.begin();
    this.#seeker.begin();
    this.#portMapping?.renew();
  }

  #connected(link: Link): void {
    this.#wayFinder.paths.linked(link);
    this.#whereabouts.introduce(link);
    this.#seeker.linked(link);
    this.#reachability.soon();
    for (const listener of this.#listeners) listener({ kind: "connected", key: link.key });
  }

  #lost(key: Key, why: string): void {
    this.#wayFinder.paths.forget(key);
    for (const listener of this.#listeners) listener({ kind: "lost", key });
    this.#seeker.lost(key, why);
  }

  /** The roster has changed: tell everybody, then let go of those who no longer belong. */
  #changed(added: readonly Uint8Array[]): void {
    for (const link of this.#links.all()) link.sendStatements(added);
    const { roster } = this.#parts;
    // Who is still being let in knows nobody yet.
    const inside = roster.standing(roster.self) !== "unknown";
    const isGone = (key: Key): boolean => inside && roster.standing(key) !== "active";
    for (const link of this.#links.all()) {
      if (!isGone(link.key)) continue;
      this.#seeker.forget(link.key);
      void link.close(roster.standing(link.key));
    }
    this.#gate.expel((key, connection) => isGone(key) && this.#links.get(key)?.connection !== connection);
    this.#whereabouts.rosterChanged();
    this.#seeker.seek();
  }

  async #open(key: Key, connection: Connection, protocol: string, deadline: number | AbortSignal): Promise<MemberStream> {
    const signal = typeof deadline === "number" ? AbortSignal.timeout(deadline) : deadline;
    const stream = await connection.newStream(protocol, { signal });
    this.#parts.log.event("debug", "stream.opened", { peer: key, protocol, direction: "outbound" });
    return { key, stream, connection };
  }

  /** @throws {CairnError} peer-absent */
  #required(key: Key): Link {
    const link = this.#links.get(key);
    if (link === undefined) throw new CairnError("peer-absent", { why: this.#seeker.trouble(key) ?? "not connected" });
    return link;
  }

  /** TCP ports that members need: the links', and the data plane's once it listens. */
  #ports(): Port[] {
    const { dataPort } = this.reach;
    const links = this.listening
      .filter((address) => address.startsWith("/ip4/") && !speaksQuic(address))
      .flatMap((address) => portOf(address) ?? []);
    const all = [...links, ...(dataPort > 0 ? [{ port: dataPort, speaks: "tcp" as const }] : [])];
    return [...new Map(all.map((one) => [one.port, one])).values()];
  }

  #direct(): Link[] {
    return this.#links.all().filter(({ facts }) => facts.relays === 0);
  }

  #adopt(key: Key, connection: Connection, frames: Frames): void {
    const { roster, codec, now } = this.#parts;
    const heard = (from: Link, hosts: readonly Host[]): void => this.#whereabouts.heard(from, hosts);
    const gossip = (from: Key, frame: GossipFrame): void => this.#hearGossip(from, frame);
    const doubt = (silent: Link): void => void this.#wayFinder.paths.doubt(silent);
    const watch = (of: Connection, arrived: () => void): void => this.#libp2p.services.ways.watch(of, arrived);
    const link = new Link({ roster, codec, now, heard, gossip, doubt, watch }, key, connection, frames, this.#routes.of(connection));
    this.#links.adopt(link);
  }
}
