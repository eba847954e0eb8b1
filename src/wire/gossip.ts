/**
 * What members tell to all of their network, as bytes and back: schema/gossip.proto.
 *
 * Knows: fields and their bounds. Does not know: who may say what, or to whom it goes on.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import {
  GossipBodySchema,
  type GossipFrame as GossipFrameMessage,
  type GossipFrameSchema,
  GossipMessageSchema,
  PresenceSchema,
} from "./generated/gossip_pb.ts";
import { bytesOf, decode, encode, hexOf, type Init, invalid, list, sized } from "./message-fields.ts";

/** Part of a frame of a link. Ids are 32 hex digits. */
export interface GossipFrame {
  /** All that the speaker wants to hear of; undefined when that has not changed. */
  readonly topics: readonly string[] | undefined;
  /** See {@link encodeGossipMessage}. */
  readonly messages: readonly Uint8Array[];
  readonly graft: readonly string[];
  readonly prune: readonly string[];
  readonly have: readonly string[];
  readonly want: readonly string[];
  /** To whom else the speaker's own messages go: 16 hex digits each. */
  readonly given: readonly string[];
}

export interface GossipBody {
  readonly network: Digest;
  readonly author: Key;
  /** A whole number; the author's later messages have greater ones. */
  readonly sequence: number;
  readonly topic: string;
  readonly content: Uint8Array;
}

/** What a machine is and does; counts, but for the units in the names. */
export interface Capacity {
  readonly version: string;
  /** `linux-x64` */
  readonly platform: string;
  readonly cores: number;
  /** Average of the last minute: 1 for each process that ran or wanted to. */
  readonly load: number;
  readonly memoryBytes: number;
  readonly freeBytes: number;
  readonly jobs: number;
  readonly cacheBytes: number;
}

export type Presence = { readonly kind: "here"; readonly capacity: Capacity } | { readonly kind: "goodbye" };

const ID_BYTES = 16;
const SIGNATURE_BYTES = 64;
/** Of a message, for all but its content. */
const OVERHEAD_BYTES = 256;
const VERSION_CHARACTERS = 32;
const { contentBytes, givenBytes, idsAtOnce, messagesPerFrame, publishMost, topicCharacters, topicsPerPeer } = limits.gossip;

export function gossipFrameMessage({ topics, messages, graft, prune, have, want, given }: GossipFrame): Init<typeof GossipFrameSchema> {
  return {
    ...(topics === undefined ? {} : { topics: { topics: [...topics] } }),
    messages: [...messages],
    graft: [...graft],
    prune: [...prune],
    have: have.map(bytesOf),
    want: want.map(bytesOf),
    given: given.map(bytesOf),
  };
}

/** @throws {CairnError} frame-invalid */
export function gossipFrameOf({ topics, messages, graft, prune, have, want, given }: GossipFrameMessage): GossipFrame {
  return {
    topics: topics === undefined ? undefined : topicNames(topics.topics),
    messages: list(messages, messagesPerFrame),
    graft: topicNames(graft),
    prune: topicNames(prune),
    have: list(have, idsAtOnce).map((id) => hexOf(id, ID_BYTES)),
    want: list(want, idsAtOnce).map((id) => hexOf(id, ID_BYTES)),
    given: list(given, publishMost).map((key) => hexOf(key, givenBytes)),
  };
}

/** What an author signs. */
export function encodeGossipBody({ network, author, sequence, topic, content }: GossipBody): Uint8Array {
  return encode(GossipBodySchema, { network: bytesOf(network), author: bytesOf(author), sequence: BigInt(sequence), topic, content });
}

export function encodeGossipMessage(message: { readonly body: Uint8Array; readonly signature: Uint8Array }): Uint8Array {
  return encode(GossipMessageSchema, message);
}

/** @throws {CairnError} frame-invalid */
export function decodeGossipMessage(bytes: Uint8Array): { body: Uint8Array; signature: Uint8Array; said: GossipBody } {
  const { body, signature } = decode(GossipMessageSchema, bytes, contentBytes + OVERHEAD_BYTES);
  const { network, author, sequence, topic, content } = decode(GossipBodySchema, body, contentBytes + OVERHEAD_BYTES);
  if (content.length > contentBytes) throw invalid("content");
  const said = { network: hexOf(network, 32), author: hexOf(author, 32), sequence: count(sequence), topic: topicName(topic), content };
  return { body, signature: sized(signature, SIGNATURE_BYTES), said };
}

export function encodePresence(presence: Presence): Uint8Array {
  if (presence.kind === "goodbye") return encode(PresenceSchema, { what: { case: "goodbye", value: {} } });
  const { version, platform, cores, load, memoryBytes, freeBytes, jobs, cacheBytes } = presence.capacity;
  const value = {
    version: version.slice(0, VERSION_CHARACTERS),
    platform: platform.slice(0, VERSION_CHARACTERS),
    cores,
    loadPercent: Math.round(load * 100),
    memoryBytes: BigInt(memoryBytes),
    freeBytes: BigInt(freeBytes),
    jobs,
    cacheBytes: BigInt(cacheBytes),
  };
  return encode(PresenceSchema, { what: { case: "here", value } });
}

/** @throws {CairnError} frame-invalid */
export function decodePresence(bytes: Uint8Array): Presence {
  const { what } = decode(PresenceSchema, bytes, contentBytes);
  if (what.case === undefined) throw invalid("presence");
  if (what.case === "goodbye") return { kind: "goodbye" };
  const { version, platform, cores, loadPercent, memoryBytes, freeBytes, jobs, cacheBytes } = what.value;
  if (![version, platform].every((text) => /^[\w.+-]{0,32}$/.test(text))) throw invalid("version");
  const bytesCounts = { memoryBytes: count(memoryBytes), freeBytes: count(freeBytes), cacheBytes: count(cacheBytes) };
  return { kind: "here", capacity: { version, platform, cores, load: loadPercent / 100, jobs, ...bytesCounts } };
}

function topicName(topic: string): string {
  if (topic.length > topicCharacters) throw invalid("topic");
  return topic;
}

function topicNames(topics: readonly string[]): string[] {
  return list(topics, topicsPerPeer).map(topicName);
}

function count(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("count");
  return Number(value);
}
