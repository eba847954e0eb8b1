/**
 * One topic as one node sees it: who else wants it, and with whom its messages are exchanged eagerly.
 *
 * Knows: how many such peers there should be, and which are the better ones. Does not know: messages.
 */
import { type Key, limits } from "../base/index.ts";
import type { GossipScores } from "./gossip-scores.ts";

const { meshLeast, meshWanted, meshMost, backoffMs } = limits.gossip;

/** Whom to ask to be in each other's mesh, and whom to put out of it. */
export interface MeshChange {
  readonly graft: readonly Key[];
  readonly prune: readonly Key[];
}

export class GossipTopic {
  /** Peers that want the topic. */
  readonly peers: Set<Key> = new Set();
  /** Those of them that are sent each message at once → when that began, ms. */
  readonly mesh: Map<Key, number> = new Map();
  /** Who was put out, or did so, is not asked again before, ms. */
  readonly #backoff = new Map<Key, number>();
  readonly #scores: GossipScores;
  readonly #random: () => number;

  constructor(scores: GossipScores, random: () => number) {
    this.#scores = scores;
    this.#random = random;
  }

  /** With so few peers each is in the mesh, and nobody's silence can keep a message from anybody. */
  get isSmall(): boolean {
    return this.peers.size <= meshMost;
  }

  forget(peer: Key): void {
    this.peers.delete(peer);
    this.mesh.delete(peer);
  }

  /** A peer asks for a place in the mesh. @returns whether it has one now */
  admits(peer: Key, now: number): boolean {
    if (this.mesh.has(peer)) return true;
    const free = this.mesh.size < meshMost && this.#isFit(peer, now);
    if (free) this.mesh.set(peer, now);
    return free;
  }

  /** A peer has put this node out of its mesh, or is put out of this one's. */
  part(peer: Key, now: number): void {
    this.mesh.delete(peer);
    this.#backoff.set(peer, now + backoffMs);
  }

  /** Keeps the mesh in its bounds and free of the silent. The changes have been made when it returns. */
  review(now: number): MeshChange {
    for (const [peer, until] of this.#backoff) if (until <= now) this.#backoff.delete(peer);
    const prune = [...this.mesh.keys()].filter((peer) => !this.#scores.isGood(peer));
    const left = this.mesh.size - prune.length;
    if (left > meshMost) {
      const worstFirst = this.some([...this.mesh.keys()], this.mesh.size).toSorted((a, b) => this.#scores.of(a) - this.#scores.of(b));
      prune.push(...worstFirst.filter((peer) => !prune.includes(peer)).slice(0, left - meshWanted));
    }
    for (const peer of prune) this.part(peer, now);
    const wanted = this.isSmall ? this.peers.size : this.mesh.size < meshLeast ? meshWanted : 0;
    const graft = wanted > this.mesh.size ? this.some(this.#candidates(now), wanted - this.mesh.size) : [];
    for (const peer of graft) this.mesh.set(peer, now);
    return { graft, prune };
  }

  /** `count` of them, at random. */
  some(peers: readonly Key[], count: number): Key[] {
    const pool = [...peers];
    const most = Math.min(count, pool.length);
    for (let i = 0; i < most; i++) {
      const j = i + Math.floor(this.#random() * (pool.length - i));
      const [here, there] = [pool[i], pool[j]];
      if (here === undefined || there === undefined) break;
      pool[i] = there;
      pool[j] = here;
    }
    return pool.slice(0, most);
  }

  #candidates(now: number): Key[] {
    return [...this.peers].filter((peer) => !this.mesh.has(peer) && this.#isFit(peer, now));
  }

  #isFit(peer: Key, now: number): boolean {
    return this.#scores.isGood(peer) && (this.#backoff.get(peer) ?? 0) <= now;
  }
}
