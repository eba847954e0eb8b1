/**
 * Gossip: what one node does so that a message reaches all, as a state machine. docs/protocol/gossip.md.
 *
 * Knows: topics, who has which message, who passes messages on. Clock, chance and transport are given, so that the simulator runs this code.
 * Does not know: signatures, bytes, members; whoever calls has checked what arrived.
 */
import { type Key, limits } from "../base/index.ts";
import type { GossipItem, GossipMessage } from "./gossip-item.ts";
import { GossipScores } from "./gossip-scores.ts";
import { GossipTopic } from "./gossip-topic.ts";

const {
  idsAtOnce,
  lazyBeats,
  lazyPeers,
  publishMost,
  recentMost,
  recentMs,
  retestShare,
  seenMost,
  seenMs,
  testMs,
  trusted,
  wantAsks,
  wantMs,
  wantOthers,
  wantsOfOne,
  wantsWaiting,
} = limits.gossip;

export interface GossipMeshParts<Message> {
  readonly self: Key;
  readonly send: (peer: Key, item: GossipItem<Message>) => void;
  /** In [0, 1). */
  readonly random: () => number;
}

/** A message that can still be had here. */
interface Recent<Message> {
  readonly message: Message;
  readonly at: number;
  /** Beats in which its id was told to others. */
  told: number;
  /** Peers that have sent it, or were sent it; saying that one has it is not enough. */
  readonly holders: Set<Key>;
  /** A peer that is not sent it yet, to see whether it passes it on by itself. */
  tested: Key | undefined;
}

/** A message that was asked for. */
interface Wanted {
  /** Who was asked, each once: the first because it told of the message, the last one now. */
  readonly asked: Key[];
  /** Until when the answer may take. */
  until: number;
  /** Who has it, too, and was not asked. */
  readonly others: Set<Key>;
}

export class GossipMesh<Message extends GossipMessage> {
  readonly #parts: GossipMeshParts<Message>;
  readonly #topics = new Map<string, GossipTopic>();
  /** Peer → topics that it wants. */
  readonly #peers = new Map<Key, readonly string[]>();
  readonly #scores = new GossipScores();
  /** Ids → when they came, the eldest first. */
  readonly #seen = new Map<string, number>();
  readonly #recent = new Map<string, Recent<Message>>();
  /** Topics of which the last message of each author is kept → author → id. */
  readonly #lasting = new Map<string, Map<Key, string>>();
  /** Ids that were asked for. */
  readonly #wanted = new Map<string, Wanted>();
  /** Peer → how many of these because it told of them first. */
  readonly #begun = new Map<Key, number>();

  constructor(parts: GossipMeshParts<Message>) {
    this.#parts = parts;
  }

  /** @param lasting whether the last message of each author is for those, too, who come later */
  join(topic: string, lasting: boolean): void {
    if (this.#topics.has(topic)) return;
    const joined = new GossipTopic(this.#scores, this.#parts.random);
    this.#topics.set(topic, joined);
    if (lasting) this.#lasting.set(topic, new Map());
    for (const [peer, topics] of this.#peers) if (topics.includes(topic)) joined.peers.add(peer);
    this.#tellTopics(this.#peers.keys());
  }

  leave(topic: string): void {
    const left = this.#topics.get(topic);
    if (left === undefined) return;
    for (const peer of left.mesh.keys()) this.#parts.send(peer, { kind: "prune", topic });
    this.#topics.delete(topic);
    this.#lasting.delete(topic);
    for (const [id, { message }] of this.#recent) if (message.topic === topic) this.#recent.delete(id);
    this.#tellTopics(this.#peers.keys());
  }

  connected(peer: Key): void {
    this.#peers.set(peer, []);
    this.#tellTopics([peer]);
  }

  /** What it was asked for is asked of others: they tell only once what they have. */
  lost(peer: Key, now: number): void {
    this.#peers.delete(peer);
    for (const topic of this.#topics.values()) topic.forget(peer);
    for (const { others } of this.#wanted.values()) others.delete(peer);
    this.#askOthers(({ asked }) => asked.at(-1) === peer, now);
  }

  /** Peers with which the topic's messages are exchanged eagerly. */
  meshOf(topic: string): Key[] {
    return [...(this.#topics.get(topic)?.mesh.keys() ?? [])];
  }

  knows(id: string): boolean {
    return this.#seen.has(id);
  }

  /** A message of this node's own: to everybody who is near, not to the mesh alone. */
  publish(message: Message, now: number): void {
    const topic = this.#topics.get(message.topic);
    if (topic === undefined) return;
    const recent = this.#keep(message, now);
    const others = [...topic.peers].filter((peer) => !topic.mesh.has(peer));
    const given = [...topic.mesh.keys(), ...topic.some(others, publishMost - topic.mesh.size)];
    for (const peer of given) this.#give(peer, recent, given);
  }

  /**
   * A message that is new here, from a peer; it is passed on.
   *
   * @param given to whom else its author says to give it. Others could keep a message from somebody by saying so; the author need not say it at all.
   */
  arrived(from: Key, message: Message, given: readonly Key[], now: number): void {
    const topic = this.#topics.get(message.topic);
    if (topic === undefined || this.#seen.has(message.id)) return;
    this.#endWant(message.id);
    const recent = this.#keep(message, now);
    recent.holders.add(from);
    const served = from === message.author ? given : [];
    const targets = [...topic.mesh.keys()].filter((peer) => peer !== from && !served.includes(peer));
    recent.tested = this.#chooseTested(topic, targets, message.id, now);
    for (const peer of targets) if (peer !== recent.tested) this.#give(peer, recent, []);
  }

  /** A message that nobody here wants, and that is not to be looked at again. */
  ignore(id: string, now: number): void {
    this.#endWant(id);
    this.#seen.set(id, now);
  }

  /** A message that is known already has come once more. @param given see {@link arrived} */
  repeated(from: Key, id: string, given: readonly Key[]): void {
    const recent = this.#recent.get(id);
    if (recent === undefined) return;
    recent.holders.add(from);
    // Whoever has it of the author, who gave it to this node too, need not pass it on.
    if (from === recent.message.author && recent.tested !== undefined && given.includes(recent.tested)) recent.tested = undefined;
  }

  /** Anything but a message. */
  told(from: Key, item: Exclude<GossipItem<Message>, { kind: "message" }>, now: number): void {
    switch (item.kind) {
      case "topics":
        return this.#heardTopics(from, item.topics, now);
      case "graft":
        if (this.#topics.get(item.topic)?.admits(from, now) !== true) this.#parts.send(from, { kind: "prune", topic: item.topic });
        return undefined;
      case "prune":
        return this.#topics.get(item.topic)?.part(from, now);
      case "have":
        return this.#heardOf(from, item.ids, now);
      case "want":
        for (const id of item.ids) {
          const recent = this.#recent.get(id);
          if (recent !== undefined) this.#give(from, recent, []);
        }
        return undefined;
    }
  }

  /** What somebody said last is not told to others any more. */
  forgetAuthor(author: Key): void {
    for (const last of this.#lasting.values()) {
      const id = last.get(author);
      last.delete(author);
      if (id !== undefined) this.#recent.delete(id);
    }
  }

  /** What is done now and then: judging, keeping the mesh, telling of messages, forgetting. Called every limits.gossip.beatMs. */
  beat(now: number): void {
    this.#scores.fade(now);
    this.#endTests(now);
    for (const [name, topic] of this.#topics) this.#review(name, topic, now);
    this.#tellOthers(now);
    this.#forget(now);
  }

  #keep(message: Message, now: number): Recent<Message> {
    this.#seen.set(message.id, now);
    const recent: Recent<Message> = { message, at: now, told: 0, holders: new Set(), tested: undefined };
    this.#recent.set(message.id, recent);
    const last = this.#lasting.get(message.topic);
    const before = last?.get(message.author);
    if (before !== undefined) this.#recent.delete(before);
    last?.set(message.author, message.id);
    return recent;
  }

  #give(peer: Key, recent: Recent<Message>, given: readonly Key[]): void {
    recent.holders.add(peer);
    this.#parts.send(peer, { kind: "message", message: recent.message, given });
  }

  /**
   * One peer of the mesh must get the message from others and pass it on to this node, or it passes nothing on. That tells a silent peer from
   * one that was merely slower than this node, which counting what each delivers cannot. Of two peers only one may test the other
   * with one message, or both would wait.
   */
  #chooseTested(topic: GossipTopic, targets: readonly Key[], id: string, now: number): Key | undefined {
    if (topic.isSmall) return undefined;
    const even = id.charCodeAt(id.length - 1) % 2 === 0;
    const { self } = this.#parts;
    const may = targets.filter((peer) => self < peer === even && now - (topic.mesh.get(peer) ?? now) >= 2 * testMs);
    // Whom one knows least comes first; those who have passed some tests are left in peace mostly, for each test makes messages slower.
    const [peer] = topic.some(may, may.length).toSorted((a, b) => this.#scores.of(a) - this.#scores.of(b));
    if (peer === undefined || (this.#scores.of(peer) >= trusted && this.#parts.random() >= retestShare)) return undefined;
    return peer;
  }

  #endTests(now: number): void {
    for (const recent of this.#recent.values()) {
      const { tested, at, message } = recent;
      if (tested === undefined || now - at < testMs) continue;
      recent.tested = undefined;
      if (this.#topics.get(message.topic)?.mesh.has(tested) !== true) continue;
      this.#scores.judge(tested, recent.holders.has(tested));
      // Whoever could not get it otherwise should not suffer for being tested.
      if (!recent.holders.has(tested)) this.#give(tested, recent, []);
    }
  }

  #review(name: string, topic: GossipTopic, now: number): void {
    const { graft, prune } = topic.review(now);
    for (const peer of prune) this.#parts.send(peer, { kind: "prune", topic: name });
    for (const peer of graft) this.#parts.send(peer, { kind: "graft", topic: name });
  }

  /** Tells some peers what there was lately, if they are not known to have it, so that whoever missed it can ask. */
  #tellOthers(now: number): void {
    const fresh = new Map<string, Recent<Message>[]>();
    for (const recent of this.#recent.values()) {
      if (recent.told >= lazyBeats || now - recent.at > recentMs) continue;
      recent.told += 1;
      const others = fresh.get(recent.message.topic);
      if (others === undefined) fresh.set(recent.message.topic, [recent]);
      else others.push(recent);
    }
    for (const [name, messages] of fresh) {
      const topic = this.#topics.get(name);
      for (const peer of topic?.some([...topic.peers], lazyPeers) ?? [])
        this.#tellIds(
          peer,
          messages.filter(({ holders }) => !holders.has(peer)).map(({ message }) => message.id),
        );
    }
  }

  #tellIds(peer: Key, ids: readonly string[]): void {
    for (let at = 0; at < ids.length; at += idsAtOnce) this.#parts.send(peer, { kind: "have", ids: ids.slice(at, at + idsAtOnce) });
  }

  #forget(now: number): void {
    this.#askOthers(({ until }) => until <= now, now);
    for (const [id, at] of this.#seen) {
      if (now - at < seenMs && this.#seen.size <= seenMost) break;
      if (!this.#isLast(this.#recent.get(id)?.message)) this.#seen.delete(id);
    }
    for (const [id, { at, message }] of this.#recent) {
      if (now - at < recentMs && this.#recent.size <= recentMost) break;
      if (!this.#isLast(message)) this.#recent.delete(id);
    }
  }

  #isLast(message: Message | undefined): boolean {
    return message !== undefined && this.#lasting.get(message.topic)?.get(message.author) === message.id;
  }

  #heardTopics(from: Key, topics: readonly string[], now: number): void {
    if (!this.#peers.has(from)) return;
    const before = this.#peers.get(from) ?? [];
    this.#peers.set(from, topics);
    for (const [name, topic] of this.#topics) {
      if (!topics.includes(name)) topic.forget(from);
      else if (!before.includes(name)) {
        topic.peers.add(from);
        if (topic.isSmall) this.#review(name, topic, now); // Nobody waits for the next beat.
        this.#tellIds(from, [...(this.#lasting.get(name)?.values() ?? [])]);
      }
    }
  }

  #heardOf(from: Key, ids: readonly string[], now: number): void {
    for (const id of ids) {
      const wanted = this.#wanted.get(id);
      if (wanted !== undefined && wanted.others.size < wantOthers && !wanted.asked.includes(from)) wanted.others.add(from);
    }
    const begun = this.#begun.get(from) ?? 0;
    const room = Math.min(wantsOfOne - begun, wantsWaiting - this.#wanted.size);
    const news = [...new Set(ids)].filter((id) => !this.#seen.has(id) && !this.#wanted.has(id)).slice(0, room);
    if (news.length === 0) return;
    for (const id of news) this.#wanted.set(id, { asked: [from], until: now + wantMs, others: new Set() });
    this.#begun.set(from, begun + news.length);
    this.#parts.send(from, { kind: "want", ids: news });
  }

  /** The id came, or is not waited for any more. */
  #endWant(id: string): void {
    const [first] = this.#wanted.get(id)?.asked ?? [];
    if (first === undefined) return;
    this.#wanted.delete(id);
    const left = (this.#begun.get(first) ?? 1) - 1;
    if (left > 0) this.#begun.set(first, left);
    else this.#begun.delete(first);
  }

  /**
   * Asks others for what has not come, chosen by chance, so that nobody is sure to be asked before them by telling early. What nobody else has,
   * and what a few did not give, is forgotten until somebody tells of it.
   */
  #askOthers(isOver: (wanted: Wanted) => boolean, now: number): void {
    const asks = new Map<Key, string[]>();
    for (const [id, wanted] of this.#wanted) {
      if (!isOver(wanted)) continue;
      const others = [...wanted.others];
      const next = others[Math.floor(this.#parts.random() * others.length)];
      if (next === undefined || wanted.asked.length >= wantAsks) {
        this.#endWant(id);
        continue;
      }
      wanted.others.delete(next);
      wanted.asked.push(next);
      wanted.until = now + wantMs;
      asks.set(next, [...(asks.get(next) ?? []), id]);
    }
    for (const [peer, ids] of asks)
      for (let at = 0; at < ids.length; at += idsAtOnce) this.#parts.send(peer, { kind: "want", ids: ids.slice(at, at + idsAtOnce) });
  }

  #tellTopics(peers: Iterable<Key>): void {
    const topics = [...this.#topics.keys()];
    for (const peer of peers) this.#parts.send(peer, { kind: "topics", topics });
  }
}
