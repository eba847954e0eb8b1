/**
 * Gossip over the links between members: signed by their authors, checked by everybody who passes them on. docs/protocol/gossip.md.
 *
 * Knows: what a message must be to be taken. Does not know: how it finds its way (gossip-mesh.ts), or what it is about.
 */
import { hash } from "node:crypto";
import { type Key, limits } from "../base/index.ts";
import type { Gossip, Roster } from "../contracts/index.ts";
import type { GossipFrame, NetworkCodec } from "../wire/index.ts";
import { Allowance, GossipAuthors } from "./gossip-authors.ts";
import { GossipMesh } from "./gossip-mesh.ts";
import { GossipOutbox, givenName, type SignedMessage } from "./gossip-outbox.ts";

/** Of an id, in hex digits: 16 bytes. */
const ID_DIGITS = 32;

export interface GossipParts {
  readonly roster: Roster;
  readonly codec: NetworkCodec;
  /** Hands a frame to a peer's link. */
  readonly send: (peer: Key, frame: GossipFrame) => void;
  /** Ends a peer's link: it said what no honest member says. */
  readonly end: (peer: Key, why: string) => void;
  readonly sign: (body: Uint8Array) => Uint8Array;
  readonly isSigned: (author: Key, body: Uint8Array, signature: Uint8Array) => boolean;
  /** What an author said could not be read, or not dealt with. */
  readonly failed: (author: Key, topic: string, error: unknown) => void;
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Counts since the start. */
export interface GossipFacts {
  readonly published: number;
  readonly received: number;
  /** Messages that came once more. */
  readonly repeated: number;
  /** Messages that were not taken, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

interface Subscription {
  readonly lasting: boolean;
  readonly listener: (author: Key, content: Uint8Array) => void;
  /** In a lasting topic: author → number of the last message. */
  readonly newest: Map<Key, number>;
}

export class LinkGossip implements Gossip, Disposable {
  readonly #parts: GossipParts;
  readonly #mesh: GossipMesh<SignedMessage>;
  readonly #outbox: GossipOutbox;
  readonly #authors = new GossipAuthors();
  readonly #allowances = new Map<Key, Allowance>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #dropped = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #sequence: number;
  #published = 0;
  #received = 0;
  #repeated = 0;

  /** @param options `sequence`: greater than any that this node has ever used */
  constructor(parts: GossipParts, options: { readonly sequence: number }) {
    this.#parts = parts;
    this.#sequence = options.sequence;
    this.#outbox = new GossipOutbox(parts.send);
    this.#mesh = new GossipMesh({
      self: parts.roster.self,
      send: (peer, item) => this.#outbox.add(peer, item),
      random: parts.random,
    });
    this.#timer = setInterval(() => this.#mesh.beat(parts.now()), limits.gossip.beatMs);
    this.#timer.unref();
    parts.roster.onChange(() => this.#forgetGone());
  }

  get facts(): GossipFacts {
    const dropped = Object.fromEntries(this.#dropped);
    return { published: this.#published, received: this.#received, repeated: this.#repeated, dropped };
  }

  publish(topic: string, content: Uint8Array): void {
    if (!this.#subscriptions.has(topic)) throw new RangeError(`not subscribed to ${topic}`);
    if (content.length > limits.gossip.contentBytes) throw new RangeError(`${content.length} bytes are too many for gossip`);
    const { roster, codec, sign, now } = this.#parts;
    this.#sequence += 1;
    const body = codec.encodeGossipBody({ network: roster.network, author: roster.self, sequence: this.#sequence, topic, content });
    const bytes = codec.encodeGossipMessage({ body, signature: sign(body) });
    this.#published += 1;
    this.#mesh.publish({ id: idOf(bytes), topic, author: roster.self, bytes }, now());
  }

  subscribe(topic: string, { lasting }: { lasting: boolean }, listener: (author: Key, content: Uint8Array) => void): Disposable {
    if (topic.length > limits.gossip.topicCharacters || this.#subscriptions.has(topic))
      throw new RangeError(`cannot subscribe to ${topic}`);
    this.#subscriptions.set(topic, { lasting, listener, newest: new Map() });
    this.#mesh.join(topic, lasting);
    return {
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(topic);
        this.#mesh.leave(topic);
      },
    };
  }

  connected(peer: Key): void {
    this.lost(peer); // Its link may have been replaced by another.
    const { linkAtOnce, linkPerSecond } = limits.gossip;
    this.#allowances.set(peer, new Allowance(linkPerSecond, linkAtOnce, this.#parts.now()));
    this.#mesh.connected(peer);
  }

  lost(peer: Key): void {
    this.#allowances.delete(peer);
    this.#outbox.lost(peer);
    this.#mesh.lost(peer, this.#parts.now());
  }

  /** @throws {CairnError} frame-invalid when a message makes no sense: then the link should end */
  received(from: Key, { topics, messages, given, graft, prune, have, want }: GossipFrame): void {
    const now = this.#parts.now();
    const allowance = this.#allowances.get(from);
    if (allowance === undefined) return undefined; // Lost just now.
    if (!allowance.take(messages.length + have.length + want.length, now)) return this.#parts.end(from, "too much gossip");
    if (topics !== undefined) this.#mesh.told(from, { kind: "topics", topics }, now);
    for (const topic of graft) this.#mesh.told(from, { kind: "graft", topic }, now);
    const served = given.length === 0 ? [] : [...this.#allowances.keys()].filter((peer) => given.includes(givenName(peer)));
    for (const bytes of messages) this.#message(from, bytes, served, now);
    for (const topic of prune) this.#mesh.told(from, { kind: "prune", topic }, now);
    if (have.length > 0) this.#mesh.told(from, { kind: "have", ids: have }, now);
    if (want.length > 0) this.#mesh.told(from, { kind: "want", ids: want }, now);
    return undefined;
  }

  /** What was published goes out now, and not in a moment. */
  flush(): void {
    this.#outbox.flush();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#outbox[Symbol.dispose]();
  }

  #message(from: Key, bytes: Uint8Array, given: readonly Key[], now: number): void {
    const id = idOf(bytes);
    this.#outbox.spare(from, id);
    if (this.#mesh.knows(id)) {
      this.#repeated += 1;
      return this.#mesh.repeated(from, id, given);
    }
    const { roster, codec, isSigned, end } = this.#parts;
    const { body, signature, said } = codec.decodeGossipMessage(bytes);
    const { author, sequence, topic, content } = said;
    const subscription = this.#subscriptions.get(topic);
    if (said.network !== roster.network) return end(from, "gossip of another network");
    if (author === roster.self) return this.#drop("own"); // From before a restart.
    if (roster.standing(author) !== "active") return this.#drop("author-unknown");
    if (subscription === undefined) return this.#drop("topic-unknown");
    if (!this.#authors.isNews(author, sequence) || sequence <= (subscription.newest.get(author) ?? -1)) return this.#drop("old");
    // Whoever passes a message on has checked it: nobody honest sends this.
    if (!isSigned(author, body, signature)) return end(from, "forged gossip");
    if (!this.#authors.admit(author, sequence, now)) {
      this.#mesh.ignore(id, now);
      return this.#drop("author-says-too-much");
    }
    if (subscription.lasting) subscription.newest.set(author, sequence);
    this.#received += 1;
    this.#mesh.arrived(from, { id, topic, author, bytes }, given, now);
    // What a topic's content means is not checked by whoever passes it on: its link must not suffer.
    try {
      subscription.listener(author, content);
    } catch (error) {
      this.#drop("failed");
      this.#parts.failed(author, topic, error);
    }
  }

  #drop(why: string): void {
    this.#dropped.set(why, (this.#dropped.get(why) ?? 0) + 1);
  }

  #forgetGone(): void {
    const { roster } = this.#parts;
    for (const author of this.#authors.forget((key) => roster.standing(key) !== "active")) {
      this.#mesh.forgetAuthor(author);
      for (const { newest } of this.#subscriptions.values()) newest.delete(author);
    }
  }
}

function idOf(bytes: Uint8Array): string {
  return hash("sha256", bytes).slice(0, ID_DIGITS);
}
