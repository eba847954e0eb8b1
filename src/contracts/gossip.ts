/**
 * Gossip: short messages from one member to all who want them, wherever in the network they are.
 */
import type { Key } from "../base/index.ts";

export interface Gossip {
  /**
   * Tells all who want the topic. Nobody knows whether and when it reaches them; to those that are connected now it goes at once.
   *
   * @param topic one that this node has subscribed to, limits.gossip.topicCharacters at most
   * @param content limits.gossip.contentBytes at most
   * @throws {RangeError} when topic or content are none of these (programmer error)
   */
  publish(topic: string, content: Uint8Array): void;
  /**
   * Hears what members say: each message once, in any order, its author proved. This node's own are not among them.
   *
   * @param lasting for a topic of which only the last word of each member counts: who comes later hears it, too, and nothing older is heard
   * @param listener throws CairnError frame-invalid when the content makes no sense
   */
  subscribe(topic: string, options: { readonly lasting: boolean }, listener: (author: Key, content: Uint8Array) => void): Disposable;
}
