/**
 * Overlay: finds members whose address this node does not know, or not any more, by asking other members; docs/protocol/overlay.md.
 *
 * Knows: when to make this node known, whom to look for. Does not know: how a lookup goes, or what becomes of an address that was found.
 */
import type { Connection } from "@libp2p/interface";
import { type Digest, type Host, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { MemberStream } from "./member-stream.ts";
import type { PeerChange } from "./network.ts";
import { AddressWords, type SignedAddresses } from "./overlay-addresses.ts";
import { OverlayDirectory } from "./overlay-directory.ts";
import type { OverlayDiscovery } from "./overlay-discovery.ts";
import { idOfMember } from "./overlay-ids.ts";
import { type Answer, type FoundMember, OverlayNode, type Question, type Told } from "./overlay-node.ts";
import { ProviderRecords } from "./overlay-providers.ts";
import { OVERLAY, OverlayStreams, STREAMS_PER_MEMBER } from "./overlay-streams.ts";
import type { Contact } from "./overlay-table.ts";
import { pauseMs } from "./redial.ts";
import type { Place } from "./scopes.ts";
import { type Prefix, prefixBytes, prefixesIn } from "./share-prefixes.ts";

/** What it needs of the network. */
export interface OverlayNetwork {
  readonly addresses: readonly string[];
  serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void>;
  open(key: Key, protocol: string, deadlineMs: number): Promise<MemberStream>;
  visit(host: Host, protocol: string, deadlineMs: number): Promise<MemberStream>;
  placeOf(connection: Connection): Place;
  onPeers(listener: (change: PeerChange) => void): void;
  peers(): readonly { readonly key: Key; readonly state: string }[];
  connected(key: Key): boolean;
  /** Members that are not connected, and of whom no address is known, or none that works. */
  missing(): readonly Key[];
  /** Links this node with a member for what it has. */
  call(key: Key): void;
}

export interface OverlayParts {
  readonly network: OverlayNetwork;
  readonly roster: Roster;
  readonly domainOf: (key: Key) => string;
  /** Hears what is found. */
  readonly discovery: OverlayDiscovery;
  /** Requests that this node has results of. */
  readonly manifests: () => readonly Digest[];
  /** Whether it is the overlay's to know who has results of what. */
  readonly isDirectory: () => boolean;
  readonly codec: NetworkCodec;
  readonly sign: (body: Uint8Array) => Uint8Array;
  readonly isSigned: (key: Key, body: Uint8Array, signature: Uint8Array) => boolean;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** ms since 1970 */
  readonly wallClock: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** How the overlay stands, for people. */
export interface OverlayFacts {
  readonly contacts: number;
  /** What members have told that they have. */
  readonly provided: number;
  readonly questionsOut: number;
  readonly questionsIn: number;
  /** Lookups for a member that found it, and that did not. */
  readonly found: number;
  readonly missed: number;
}

/** A member that was looked for. */
interface Sought {
  readonly failures: number;
  /** When it is due again. */
  readonly until: number;
  /** When the member said what was found last, ms since 1970: what is not newer has not helped. */
  readonly issuedAtMs: number;
}

const { againFirstMs, againMostMs, lookMs, questionMs, renewMs } = limits.overlay;
const AGAIN = { firstMs: againFirstMs, mostMs: againMostMs };

export class Overlay implements Disposable {
  readonly #parts: OverlayParts;
  readonly #node: OverlayNode<SignedAddresses>;
  readonly #words: AddressWords;
  readonly #streams: OverlayStreams;
  readonly #directory: OverlayDirectory<SignedAddresses>;
  readonly #records = new ProviderRecords();
  readonly #sought = new Map<Key, Sought>();
  readonly #timer: NodeJS.Timeout;
  readonly #counts = { questionsOut: 0, questionsIn: 0, found: 0, missed: 0 };
  /** What this node had said of itself when it last made itself known, and when that was. */
  #known: { readonly text: string; readonly at: number } | undefined;
  #isJoining = false;
  #isLooking = false;

  static async start(parts: OverlayParts): Promise<Overlay> {
    const overlay = new Overlay(parts);
    await parts.network.serve(OVERLAY, STREAMS_PER_MEMBER, (stream) => void overlay.#streams.serve(stream));
    parts.network.onPeers(({ kind, key }) => void (kind === "connected" && overlay.#linked(key)));
    for (const { key, state } of parts.network.peers()) if (state === "connected") overlay.#linked(key);
    return overlay;
  }

  private constructor(parts: OverlayParts) {
    const { network, roster, domainOf, random } = parts;
    this.#parts = parts;
    const isMember = (key: Key): boolean => this.#isMember(key);
    this.#words = new AddressWords({ ...parts, network: roster.network, self: roster.self, listening: () => network.addresses, isMember });
    this.#streams = new OverlayStreams({
      ...parts,
      open: (key, addresses) => this.#open(key, addresses),
      answer: (question, from) => this.#answer(question, from),
      isLinked: (key) => network.connected(key),
    });
    this.#node = new OverlayNode<SignedAddresses>({
      self: roster.self,
      idOf: (key) => idOfMember(roster.network, key),
      domainOf,
      isMember,
      ask: (contact, question, done) => void this.#ask(contact, question, done),
      after: (delayMs, what) => void setTimeout(what, delayMs).unref(),
      random,
    });
    this.#directory = new OverlayDirectory({
      ...parts,
      node: this.#node,
      network: roster.network,
      call: (key) => network.call(key),
      isLinked: (key) => network.connected(key),
    });
    roster.onChange(() => {
      this.#node.table.retain(isMember);
      this.#streams.retain(isMember);
      this.#records.review(isMember, parts.now());
    });
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
  }

  get facts(): OverlayFacts {
    return { ...this.#counts, contacts: this.#node.table.size, provided: this.#records.size };
  }

  /** This node has results of these now. */
  provide(manifests: readonly Digest[]): void {
    if (this.#parts.isDirectory()) this.#directory.provide(manifests);
  }

  /** Nobody that this node is linked with has results of this. Returns at once. */
  want(manifest: Digest): void {
    if (this.#parts.isDirectory()) this.#directory.want(manifest);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#streams[Symbol.dispose]();
  }

  #isMember(key: Key): boolean {
    return this.#parts.roster.standing(key) === "active";
  }

  #linked(key: Key): void {
    this.#node.heard({ key, addresses: [] });
  }

  #look(): void {
    const { roster } = this.#parts;
    if (roster.standing(roster.self) !== "active" || this.#node.table.size === 0) return;
    this.#makeKnown();
    this.#seek();
    if (this.#parts.isDirectory()) this.#directory.look();
  }

  /** Makes this node known to those who are responsible for telling where it is, when it should be and now and then. */
  #makeKnown(): void {
    const { network, now, log } = this.#parts;
    const text = network.addresses.join(" ");
    if (this.#isJoining || (this.#known?.text === text && now() - this.#known.at < renewMs)) return;
    this.#isJoining = true;
    const before = this.#counts.questionsOut;
    this.#known = { text, at: now() };
    this.#records.review((key) => this.#isMember(key), now());
    this.#node.join((neighbours) => {
      this.#isJoining = false;
      if (neighbours === 0) this.#known = { text, at: now() - renewMs + againFirstMs }; // Nobody heard it.
      log.event("info", "overlay.joined", { contacts: this.#node.table.size, questions: this.#counts.questionsOut - before });
    });
  }

  /** Looks for one of the members that are missing, if it is anybody's turn. */
  #seek(): void {
    if (this.#isLooking) return;
    const { network, now } = this.#parts;
    const missing = new Set(network.missing());
    for (const key of this.#sought.keys()) if (!missing.has(key)) this.#sought.delete(key);
    const due = [...missing].filter((key) => (this.#sought.get(key)?.until ?? 0) <= now());
    const key = due[Math.floor(this.#parts.random() * due.length)];
    if (key === undefined) return;
    this.#isLooking = true;
    const before = this.#sought.get(key) ?? { failures: 0, until: 0, issuedAtMs: 0 };
    const isNews = (addresses: readonly SignedAddresses[]): boolean => newest(addresses) > before.issuedAtMs;
    this.#node.findMember(key, isNews, (found) => {
      this.#isLooking = false;
      this.#ended(key, before, found);
    });
  }

  #ended(key: Key, before: Sought, { member, hops, questions }: FoundMember<SignedAddresses>): void {
    const { log, discovery, now, random } = this.#parts;
    const until = now() + pauseMs(before.failures, random(), AGAIN);
    const issuedAtMs = Math.max(before.issuedAtMs, newest(member?.addresses ?? []));
    this.#sought.set(key, { failures: before.failures + 1, until, issuedAtMs });
    this.#counts[member === undefined ? "missed" : "found"] += 1;
    log.event("info", member === undefined ? "overlay.missed" : "overlay.found", { peer: key, hops, questions });
    if (member !== undefined) discovery.found({ peerKey: key, addresses: member.addresses.flatMap(({ addresses }) => addresses) });
  }

  /** @param done is told undefined when the member does not answer */
  async #ask(
    contact: Contact<SignedAddresses>,
    { target, wanted, provided }: Question,
    done: (answer: Answer<SignedAddresses> | undefined) => void,
  ): Promise<void> {
    const { codec, log } = this.#parts;
    this.#counts.questionsOut += 1;
    let answer: Answer<SignedAddresses> | undefined;
    const ask = ({ connection }: MemberStream): Uint8Array =>
      codec.encodeOverlayQuestion({ speaker: this.#self(connection), target, wanted: packed(wanted), provided: packed(provided) });
    const answered = (bytes: Uint8Array, { connection }: MemberStream): void => {
      const { speaker, known, providers } = codec.decodeOverlayAnswer(bytes);
      const place = this.#parts.network.placeOf(connection);
      this.#heard(contact.key, speaker, place);
      answer = {
        known: this.#words.read(known, place),
        providers: providers.map(({ key, manifests }) => ({ key, manifests: [...prefixesIn(manifests)] })),
      };
    };
    try {
      const addresses = contact.addresses.flatMap((word) => word.addresses);
      await this.#streams.ask(contact.key, addresses, ask, answered);
    } catch (error) {
      log.event("debug", "overlay.ask-failed", { peer: contact.key, why: reasonOf(error) });
    }
    done(answer);
  }

  /** @throws {CairnError} frame-invalid */
  #answer(bytes: Uint8Array, { key, connection }: MemberStream): Uint8Array {
    const { codec, network, now } = this.#parts;
    const { speaker, target, wanted, provided } = codec.decodeOverlayQuestion(bytes);
    this.#counts.questionsIn += 1;
    const place = network.placeOf(connection);
    this.#heard(key, speaker, place);
    const tellable = ({ addresses }: Told<SignedAddresses>): SignedAddresses[] => this.#words.tellable(addresses, place, false);
    const known = this.#node.answer(key, target, (told) => tellable(told).length > 0).flatMap(tellable);
    if (provided.length > 0) this.#records.add(key, prefixesIn(provided), now());
    const providers = this.#records.providers(prefixesIn(wanted), now()).filter((provider) => provider.key !== key);
    return codec.encodeOverlayAnswer({
      speaker: this.#self(connection),
      known: known.map((word) => word.bytes),
      providers: providers.map((provider) => ({ key: provider.key, manifests: packed(provider.manifests) })),
    });
  }

  #self(connection: Connection): Uint8Array[] {
    return this.#words.tellable(this.#words.own(), this.#parts.network.placeOf(connection), true).map(({ bytes }) => bytes);
  }

  /** What a member says of itself; of anybody else it says nothing this way. */
  #heard(from: Key, speaker: readonly Uint8Array[], place: Place): void {
    const said = this.#words.read(speaker, place).find(({ key }) => key === from);
    // Who can only ask, and not be asked, is of no use as a contact.
    if (said !== undefined || this.#parts.network.connected(from)) this.#node.heard(said ?? { key: from, addresses: [] });
  }

  async #open(key: Key, addresses: readonly string[]): Promise<MemberStream> {
    const { network, log } = this.#parts;
    if (network.connected(key)) return network.open(key, OVERLAY, questionMs);
    const stream = await network.visit({ peerKey: key, addresses }, OVERLAY, questionMs);
    log.event("debug", "overlay.visited", { peer: key, address: stream.connection.remoteAddr.toString() });
    return stream;
  }
}

/** When the last of it was said, ms since 1970; 0 for nothing. */
function newest(said: readonly SignedAddresses[]): number {
  return Math.max(0, ...said.map(({ issuedAtMs }) => issuedAtMs));
}

/** As they travel. */
function packed(prefixes: readonly Prefix[]): Uint8Array {
  return prefixBytes(BigUint64Array.from(prefixes).toSorted());
}
