/**
 * A node in a network: dials members, lets members in, keeps one link with each, and nobody else.
 *
 * Knows: connections and what happens to them, each an event in the log. Does not know: why somebody is a member; a roster says so.
 */
import type { Connection, MultiaddrConnection, Stream } from "@libp2p/interface";
import { CairnError, type Host, type InvitationLine, type JoinRequest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Discovery, Roster, SavedPeers } from "../contracts/index.ts";
import type { GossipFrame, NetworkCodec } from "../wire/index.ts";
import type { AddressBook } from "./addresses.ts";
import { type Frames, framesOf } from "./frames.ts";
import { Gate } from "./gate.ts";
import { answerHello, HANDSHAKE } from "./handshake.ts";
import { makeLibp2p, type Node } from "./libp2p.ts";
import { Link, type LinkFacts, MEMBER } from "./link.ts";
import { Links } from "./links.ts";
import type { MemberStream } from "./member-stream.ts";
import { type JoinOutcome, Outbound } from "./outbound.ts";
import { keyOf } from "./peer-id.ts";
import { PeerKeeper, type PeerKeeperOptions, type SavedAnchors } from "./peer-keeper.ts";
import type { Isolation } from "./peer-set.ts";
import { Redial } from "./redial.ts";
import { Routes } from "./routes.ts";
import { ipOf, isOnLink } from "./scopes.ts";
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
}

/** A member that this node is connected with, or would like to be. */
export type PeerFacts =
  | (LinkFacts & { readonly state: "connected" })
  | {
      readonly key: Key;
      readonly state: "unreachable" | "connecting";
      readonly failures: number;
      readonly addresses: readonly string[];
      /** Where the addresses are known from, the most reliable first. */
      readonly sources: readonly string[];
      readonly why: string;
    };

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
interface OwnOptions {
  readonly listen: readonly string[];
  readonly links: PeerKeeperOptions;
}

export class Network implements AsyncDisposable {
  readonly #parts: NetworkParts;
  readonly #libp2p: Node;
  readonly #gate: Gate;
  readonly #whereabouts: Whereabouts;
  readonly #book: AddressBook;
  readonly #links: Links;
  readonly #outbound: Outbound;
  readonly #redial: Redial;
  readonly #keeper: PeerKeeper;
  readonly #routes: Routes = new Routes();
  readonly #wayFinder: WayFinder;
  /** Why a member could not be reached the last time. */
  readonly #troubles = new Map<Key, string>();
  readonly #listeners: ((change: PeerChange) => void)[] = [];
  #hearGossip: (from: Key, frame: GossipFrame) => void = () => undefined;
  #ending = false;

  /** @throws {CairnError} network-unavailable when no address can be listened on */
  static async start(parts: NetworkParts, options: NetworkOptions): Promise<Network> {
    const gate = new Gate({ log: parts.log, now: parts.now });
    const gater = { denyInboundConnection: (incoming: MultiaddrConnection): boolean => gate.denies(incoming) };
    let failure: unknown;
    for (const listen of options.listen) {
      const libp2p = await makeLibp2p(gater, { seed: options.seed, listen });
      try {
        const network = new Network(parts, libp2p, gate, { ...options, listen });
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
    const whereabouts = {
      ...parts,
      links: (): Link[] => this.#links.all(),
      listening: (): string[] => libp2p.services.ways.listening(),
      dialable: (key: Key, news: boolean): void => this.#dialable(key, news),
      disturbed: (): void => this.#disturbed(),
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
    const adopt = (key: Key, connection: Connection, frames: Frames): void => this.#adopt(key, connection, frames);
    this.#outbound = new Outbound({ libp2p, gate, book: this.#book, roster, codec, log, adopt });
    this.#redial = new Redial({ ...parts, dial: (key) => this.#dial(key) });
    const keeping = {
      ...parts,
      others: (): readonly Key[] => roster.others(),
      addressOf: (key: Key): string | undefined => this.#book.host(key)?.addresses[0],
      dial: (key: Key): void => this.#redial.want(key, true),
      letGo: (key: Key): void => void this.#links.get(key)?.close("others are of more use"),
      probe: (key: Key): void => this.#links.probe(key),
    };
    this.#keeper = new PeerKeeper(keeping, options.links);
    this.#wayFinder = new WayFinder({
      ...parts,
      self: parts.roster.self,
      ways: libp2p.services.ways,
      routes: this.#routes,
      outbound: this.#outbound,
      open: (key, protocol, deadlineMs) => this.open(key, protocol, deadlineMs),
      host: (key) => this.#book.host(key),
      links: () => this.#links.all(),
      linkWith: (key) => this.#links.get(key),
    });
  }

  /** Where this node listens: multiaddrs. */
  get addresses(): string[] {
    return this.#whereabouts.announced();
  }

  /** This node and members that it is connected with, for an invitation: where somebody new may ask. */
  hosts(most: number): Host[] {
    const others = this.#book.hosts().filter(({ peerKey }) => this.#links.has(peerKey));
    return [this.#self(), ...others].slice(0, most);
  }

  peers(): PeerFacts[] {
    const absent = this.#parts.roster.others().filter((key) => !this.#links.has(key));
    return [
      ...this.#links.all().map((link) => ({ ...link.facts, state: "connected" as const })),
      ...absent.map((key) => {
        const failures = this.#redial.failures(key);
        const addresses = this.#book.host(key)?.addresses ?? [];
        const why = this.#troubles.get(key) ?? (addresses.length === 0 ? "no address known" : "");
        return {
          key,
          state: failures > 0 || addresses.length === 0 ? ("unreachable" as const) : ("connecting" as const),
          failures,
          addresses,
          sources: this.#book.sources(key),
          why,
        };
      }),
    ];
  }

  /** Multiaddrs at which a member may be reached: the one at which it is connected, then those that are known. */
  addressesOf(key: Key): string[] {
    const link = this.#links.get(key);
    return [...(link === undefined ? [] : [link.facts.address]), ...(this.#book.host(key)?.addresses ?? [])];
  }

  /** Why this node must be thought to be cut off; undefined when it need not. */
  get isolation(): Isolation | undefined {
    return this.#keeper.isolation;
  }

  /** Addresses of this machine that others could reach, and how many linked members are on its own networks. */
  surroundings(): { outward: string[]; neighbours: number } {
    const own = this.#whereabouts.interfaces().filter(({ internal }) => !internal);
    const isNear = ({ facts }: Link): boolean => isOnLink(ipOf(facts.address) ?? "", own);
    return { outward: own.map(({ address }) => address), neighbours: this.#links.all().filter(isNear).length };
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

  /**
   * Lets members open streams of a protocol to this node; anybody else's connection ends when it tries.
   *
   * @param most streams of this protocol that one member may have open
   */
  async serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void> {
    const handler = (stream: Stream, connection: Connection): void => {
      const key = this.#gate.provenBy(connection);
      if (key === undefined) return this.#gate.refuse(connection, "stream before handshake");
      this.#parts.log.event("debug", "stream.opened", { peer: key, protocol, direction: "inbound" });
      accept({ key, stream, connection });
    };
    await this.#libp2p.handle(protocol, handler, { maxInboundStreams: most, maxOutboundStreams: most });
  }

  /**
   * A stream to a member that is connected, which serves the protocol.
   *
   * @throws {CairnError} peer-absent; and whatever libp2p says when the member does not serve the protocol or not in time
   */
  async open(key: Key, protocol: string, deadlineMs: number): Promise<MemberStream> {
    const { connection } = this.#required(key);
    const stream = await connection.newStream(protocol, { signal: AbortSignal.timeout(deadlineMs) });
    this.#parts.log.event("debug", "stream.opened", { peer: key, protocol, direction: "outbound" });
    return { key, stream, connection };
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
    return this.#outbound.join(line, request, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#redial[Symbol.dispose]();
    this.#keeper[Symbol.dispose]();
    this.#wayFinder.paths[Symbol.dispose]();
    this.#whereabouts[Symbol.dispose]();
    await Promise.all(this.#links.all().map((link) => link.close("this node stops")));
    this.#gate[Symbol.dispose]();
    await this.#libp2p.stop();
    this.#parts.log.event("info", "network.stopped");
  }

  async #begin(): Promise<void> {
    const libp2p = this.#libp2p;
    libp2p.addEventListener("connection:open", ({ detail }) => this.#opened(detail));
    libp2p.addEventListener("connection:close", ({ detail }) => this.#closed(detail));
    const one = { maxInboundStreams: 1, maxOutboundStreams: 1 };
    await libp2p.handle(HANDSHAKE, (stream, connection) => this.#greeted(stream, connection), one);
    await libp2p.handle(MEMBER, (stream, connection) => this.#linked(stream, connection), one);
    await this.#wayFinder.serve((protocol, most, accept) => this.serve(protocol, most, accept));
    await libp2p.start();
    this.#parts.roster.onChange((added) => this.#changed(added));
    this.#parts.log.event("info", "network.listening", { addresses: this.addresses.join(" ") });
    this.#whereabouts.begin();
    this.#keeper.begin();
    this.#seek();
  }

  /** Somebody says hello. */
  async #greeted(stream: Stream, connection: Connection): Promise<void> {
    const key = keyOf(connection.remotePeer);
    if (key === undefined) return this.#gate.refuse(connection, "other-kind-of-key");
    try {
      const welcomed = (): void => {
        this.#gate.prove(connection, key);
        this.#parts.log.event("debug", "peer.welcomed", { peer: key, address: connection.remoteAddr.toString() });
      };
      const answer = await answerHello(this.#parts, framesOf(stream, limits.helloBytes), key, welcomed);
      if (answer.kind === "refused") this.#gate.refuseSoon(connection, answer.reason);
    } catch (error) {
      this.#gate.refuse(connection, reasonOf(error));
    }
  }

  /** A member opens its link. */
  #linked(stream: Stream, connection: Connection): void {
    const key = this.#gate.provenBy(connection);
    if (key === undefined) return this.#gate.refuse(connection, "link before handshake");
    this.#adopt(key, connection, framesOf(stream, limits.memberFrameBytes));
  }

  #connected(link: Link): void {
    this.#troubles.delete(link.key);
    this.#redial.connected(link.key);
    this.#keeper.linked(link.key, link.facts.direction === "outbound");
    this.#wayFinder.paths.linked(link);
    this.#whereabouts.introduce(link);
    this.#seek(); // It may lead to others, whose addresses are not known or of no use here.
    for (const listener of this.#listeners) listener({ kind: "connected", key: link.key });
  }

  #lost(key: Key, why: string): void {
    this.#wayFinder.paths.forget(key);
    this.#keeper.lost(key);
    for (const listener of this.#listeners) listener({ kind: "lost", key });
    if (this.#ending || this.#parts.roster.standing(key) !== "active") return;
    this.#troubles.set(key, why);
    if (!this.#keeper.chooses) return this.#redial.lost(key);
    this.#redial.forget(key);
    this.#keeper.look(); // Somebody else may take its place.
  }

  #opened(connection: Connection): void {
    this.#gate.opened(connection);
    if (this.#libp2p.getConnections(connection.remotePeer).length >= limits.connectionsPerPeer)
      this.#gate.refuse(connection, "too-many-connections");
  }

  #closed(connection: Connection): void {
    const key = this.#gate.provenBy(connection);
    this.#gate.closed(connection);
    if (key === undefined) {
      // libp2p remembers everybody who ever spoke; strangers come without end.
      this.#libp2p.peerStore.delete(connection.remotePeer).catch(() => undefined);
      return;
    }
    // A link notices by itself, after what had arrived on it was read.
    if (!this.#links.has(key)) this.#seek();
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
      this.#redial.forget(link.key);
      void link.close(roster.standing(link.key));
    }
    this.#gate.expel((key) => isGone(key) && !this.#links.has(key));
    this.#whereabouts.rosterChanged();
    this.#seek();
  }

  /** Looks for every member whose address is known. */
  #seek(): void {
    if (this.#ending || this.#parts.roster.standing(this.#parts.roster.self) !== "active") return;
    if (this.#keeper.chooses) return this.#keeper.look();
    for (const key of this.#parts.roster.others())
      if (!this.#links.has(key) && (this.#book.host(key) !== undefined || this.#links.all().length > 0)) this.#redial.want(key, false);
  }

  /** A member may be at an address; `news` when that was not known before. */
  #dialable(key: Key, news: boolean): void {
    if (this.#ending || this.#parts.roster.standing(key) !== "active") return;
    if (!this.#links.has(key)) {
      if (!this.#keeper.chooses) this.#redial.want(key, true);
    } else if (news) this.#links.probe(key); // It may have moved, and the link be dead.
  }

  /** This machine has moved or slept. */
  #disturbed(): void {
    for (const { key } of this.#links.all()) this.#links.probe(key);
    this.#redial.hurry();
  }

  /** @returns whether no further attempt is needed */
  async #dial(key: Key): Promise<boolean> {
    const { roster, log } = this.#parts;
    if (this.#ending || this.#links.has(key) || roster.standing(key) !== "active") return true;
    try {
      await this.#wayFinder.paths.reach(key);
      return true;
    } catch (error) {
      const why = reasonOf(error);
      this.#troubles.set(key, why);
      log.event("info", "peer.dial-failed", { peer: key, why, failures: this.#redial.failures(key) + 1 });
      this.#keeper.failed(key);
      if (this.#keeper.chooses) this.#redial.forget(key);
      return this.#keeper.chooses;
    }
  }

  /** @throws {CairnError} peer-absent */
  #required(key: Key): Link {
    const link = this.#links.get(key);
    if (link === undefined) throw new CairnError("peer-absent", { why: this.#troubles.get(key) ?? "not connected" });
    return link;
  }

  #self(): Host {
    return { peerKey: this.#parts.roster.self, addresses: this.addresses };
  }

  #adopt(key: Key, connection: Connection, frames: Frames): void {
    const { roster, codec, now } = this.#parts;
    const heard = (from: Link, hosts: readonly Host[]): void => this.#whereabouts.heard(from, hosts);
    const gossip = (from: Key, frame: GossipFrame): void => this.#hearGossip(from, frame);
    const doubt = (silent: Link): void => void this.#wayFinder.paths.doubt(silent);
    const link = new Link({ roster, codec, now, heard, gossip, doubt }, key, connection, frames, this.#routes.of(connection));
    this.#links.adopt(link);
  }
}
