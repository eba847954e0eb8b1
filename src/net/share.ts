/**
 * Share: results and blobs between this node and the members it is linked with, docs/protocol/exchange.md.
 *
 * Knows: one channel for each link, and who said to have what. Does not know: what results mean, where they are kept, whom to believe.
 */
import { CairnError, type Digest, FairTurns, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { AttestationSet, Exchange, FrameChannel, FrameLanes, Given, Shelf, Wish } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import type { PeerChange } from "./network.ts";
import { Offences } from "./offences.ts";
import { SetSync } from "./set-sync.ts";
import type { SetTalk } from "./set-talk.ts";
import { Announcer } from "./share-announcer.ts";
import { Budget } from "./share-budget.ts";
import { channelOf } from "./share-channel.ts";
import { Claims } from "./share-claims.ts";
import type { ShareCounts } from "./share-dialogue.ts";
import { Fetcher } from "./share-fetch.ts";
import { ShareMember } from "./share-member.ts";
import { Summaries } from "./share-summaries.ts";

export const SHARE = "/cairn/share/1";

/** What it needs of the network. */
export interface ShareNetwork {
  readonly self: Key;
  serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void>;
  readonly open: OpenStream;
  onPeers(listener: (change: PeerChange) => void): void;
  peers(): readonly { readonly key: Key; readonly state: string }[];
  connected(key: Key): boolean;
  /** The last round trip to a member; undefined when there was none. */
  rttMs(key: Key): number | undefined;
}

export interface ShareParts {
  readonly network: ShareNetwork;
  readonly shelf: Shelf;
  /** What of it a member may see; without it, all. */
  readonly shelfFor?: (member: Key) => Shelf;
  readonly attestations: AttestationSet;
  readonly codec: NetworkCodec;
  readonly log: Log;
  readonly lanes: FrameLanes;
  /** ms, monotonic */
  readonly now: () => number;
}

/** Sharing with a member, as its channel stands. */
export interface ShareFacts extends Readonly<ShareCounts> {
  readonly key: Key;
  readonly ageMs: number;
  /** Requests that the member says it has results of. */
  readonly manifests: number;
  /** How long it is not asked, since it often had not what it said. */
  readonly leftAloneMs: number;
  /** What has passed about the set of attestations. */
  readonly attestations: SetTalk["counts"];
}

const NOTHING: Given = { shared: [], blobs: new Map(), following: [] };

/** The first one may still be on its way out when the next comes. */
const STREAMS_PER_MEMBER = 2;
/** How often it is looked whose copy of the set of attestations is to be compared, and who is late. */
const SET_LOOK_MS = 1_000;

export class Share implements Exchange, Disposable {
  readonly #parts: ShareParts;
  readonly #announcer: Announcer;
  readonly #summaries = new Summaries();
  readonly #sync: SetSync;
  readonly #looking: NodeJS.Timeout;
  readonly #fetcher: Fetcher;
  readonly #turns = new FairTurns();
  readonly #budgets = {
    reading: new Budget(limits.shareReadAheadBytes, this.#turns),
    large: new Budget(limits.shareReadBytes, this.#turns),
  };
  readonly #members = new Map<Key, ShareMember>();
  readonly #reopening = new Map<Key, NodeJS.Timeout>();
  readonly #offences: Offences;
  readonly #claims: Claims;
  #isOver = false;

  /** Shares with members that are linked now, or will be. */
  static async start(parts: ShareParts): Promise<Share> {
    const share = new Share(parts);
    await parts.network.serve(SHARE, STREAMS_PER_MEMBER, (stream) => share.#accept(stream));
    parts.lanes.onOpened((channel) => share.#acceptLane(channel));
    parts.network.onPeers(({ kind, key }) => (kind === "connected" ? share.#linked(key) : share.#lost(key)));
    for (const { key, state } of parts.network.peers()) if (state === "connected") share.#linked(key);
    return share;
  }

  private constructor(parts: ShareParts) {
    this.#parts = parts;
    this.#announcer = new Announcer(parts.shelf);
    this.#offences = new Offences(parts, { pauseMs: limits.shareReopenMs });
    this.#claims = new Claims(parts);
    const { network, attestations, now } = parts;
    this.#sync = new SetSync({ self: network.self, set: attestations, now, random: Math.random });
    this.#looking = setInterval(() => this.#sync.look(), SET_LOOK_MS).unref();
    this.#fetcher = new Fetcher((key) => this.#open(key));
  }

  get isOffered(): boolean {
    return [...this.#members.keys()].some((key) => this.#summaries.size(key) > 0);
  }

  whoHas(manifest: Digest): readonly Key[] {
    const found = this.#summaries.whoHas(manifest).filter((key) => !this.isLeftAlone(key));
    if (found.length < 2) return found;
    const far = (key: Key): number => this.#parts.network.rttMs(key) ?? Number.POSITIVE_INFINITY;
    return found
      .map((key) => ({ key, rttMs: far(key) }))
      .toSorted((a, b) => (a.rttMs === b.rttMs ? 0 : a.rttMs - b.rttMs))
      .map(({ key }) => key);
  }

  /** Whether it is better not to ask a member now: often it had not what it had said. */
  isLeftAlone(key: Key): boolean {
    return this.#claims.leftAloneMs(key) > 0;
  }

  async results(from: Key, manifest: Digest, wish: Wish, signal: AbortSignal): Promise<Given> {
    return (await this.#open(from)?.results.results(manifest, wish, signal)) ?? NOTHING;
  }

  blobs(
    from: readonly Key[],
    wanted: readonly { readonly digest: Digest; readonly size: number }[],
    take: (digest: Digest, bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<readonly Digest[]> {
    return this.#fetcher.blobs(from, wanted, take, signal);
  }

  /** A member has given something that nobody can use, whoever it is from. */
  vain(key: Key): void {
    if (!this.#claims.vain(key)) return;
    this.#parts.log.event("warn", "share.left-alone", { peer: key, forMs: Math.round(this.#claims.leftAloneMs(key)) });
  }

  /** It has given what an honest member cannot have. */
  lied(key: Key, what: string): void {
    this.#members.get(key)?.lied(what);
  }

  /** Members that this node shares with now. */
  facts(): ShareFacts[] {
    return [...this.#members.values()].map((member) => {
      const { key, ageMs, counts, attestations } = member;
      const leftAloneMs = Math.round(this.#claims.leftAloneMs(key));
      return { ...counts, key, ageMs, manifests: this.#summaries.size(key), attestations, leftAloneMs };
    });
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearInterval(this.#looking);
    for (const timer of this.#reopening.values()) clearTimeout(timer);
    for (const member of this.#members.values()) member.end("this node stops");
    this.#announcer[Symbol.dispose]();
  }

  #open(key: Key): ShareMember | undefined {
    const member = this.#members.get(key);
    return member?.isOpen === true ? member : undefined;
  }

  /** There is a link, or another one than before: the lesser key opens a channel over it. */
  #linked(key: Key): void {
    if (this.#isOpener(key)) void this.#reach(key, 0);
    else if (this.#open(key) === undefined) this.#members.get(key)?.end("another link");
  }

  #lost(key: Key): void {
    clearTimeout(this.#reopening.get(key));
    this.#reopening.delete(key);
    this.#members.get(key)?.end("no link");
  }

  #isOpener(key: Key): boolean {
    return this.#parts.network.self < key;
  }

  /** @param failures attempts before this one that came to nothing */
  async #reach(key: Key, failures: number): Promise<void> {
    const { network, log } = this.#parts;
    clearTimeout(this.#reopening.get(key));
    this.#reopening.delete(key);
    try {
      if (this.#offences.pauseMs(key) > 0) throw new CairnError("peer-absent", { why: "has broken the rules" });
      this.#adopt(channelOf(await network.open(key, SHARE, limits.helloDeadlineMs)), "outbound");
    } catch (error) {
      log.event("debug", "share.not-opened", { peer: key, why: reasonOf(error) });
      // It may have been linked before it began to serve.
      this.#reachLater(key, Math.min(limits.shareReopenMs, limits.shareRetryMs * 2 ** failures), failures + 1);
    }
  }

  #reachLater(key: Key, pauseMs: number, failures: number): void {
    if (this.#isOver || this.#reopening.has(key) || !this.#parts.network.connected(key)) return;
    const timer = setTimeout(() => void this.#reach(key, failures), Math.max(pauseMs, this.#offences.pauseMs(key)));
    this.#reopening.set(key, timer.unref());
  }

  #accept(stream: MemberStream): void {
    const { key } = stream;
    const why = this.#isOver
      ? "this node stops"
      : this.#isOpener(key)
        ? "not yours to open"
        : this.#offences.pauseMs(key) > 0
          ? "too soon"
          : undefined;
    if (why === undefined) return this.#adopt(channelOf(stream), "inbound");
    this.#parts.log.event("info", "share.refused", { peer: key, why });
    return stream.stream.abort(new Error(why));
  }

  #acceptLane(channel: FrameChannel): void {
    const member = this.#open(channel.key);
    if (member === undefined) return channel.end("no link");
    return member.answerOn(channel);
  }

  #adopt(channel: FrameChannel, direction: "inbound" | "outbound"): void {
    const { key } = channel;
    const { shelf: whole, shelfFor, codec, now, log, lanes } = this.#parts;
    const shelf = shelfFor?.(key) ?? whole;
    if (this.#isOver) return channel.end("this node stops");
    this.#members.get(key)?.end("replaced");
    this.#summaries.forget(key);
    const member = new ShareMember(
      {
        shelf,
        codec,
        log,
        now,
        lanes,
        announcer: this.#announcer,
        budgets: this.#budgets,
        earned: (bytes) => this.#turns.earn(key, bytes),
        sync: this.#sync,
        heard: (frame) => this.#summaries.take(key, frame),
        claims: (manifest) => this.#summaries.isNamed(key, manifest),
        held: () => this.#claims.held(key),
        vain: () => this.vain(key),
        ended: (ended, why, offence) => this.#ended(ended, why, offence),
      },
      channel,
    );
    this.#members.set(key, member);
    log.event("info", "share.opened", { peer: key, direction });
    this.#sync.look();
  }

  #ended(member: ShareMember, why: string, isOffence: boolean): void {
    const { key, counts, ageMs } = member;
    const { bytesIn, bytesOut, results, blobs, late, missed } = counts;
    const facts = { peer: key, why, afterMs: Math.round(ageMs), bytesIn, bytesOut, results, blobs, late, missed };
    this.#parts.log.event(isOffence ? "warn" : "info", isOffence ? "share.cut-off" : "share.closed", facts);
    if (isOffence) this.#offences.offended(key);
    if (this.#members.get(key) !== member) return;
    this.#members.delete(key);
    this.#summaries.forget(key);
    if (this.#isOpener(key)) this.#reachLater(key, limits.shareReopenMs, 0);
  }
}
