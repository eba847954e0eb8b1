/**
 * What this node has seen of each peer's honesty in passing messages on.
 *
 * A peer gains by each test that it passes and loses three times as much by each that it fails, so nobody stays good who passes on less than
 * three quarters; who passes on nothing is put out by its first test. Old judgements fade, so that whoever was slow for a while is asked again.
 * Knows: numbers. Does not know: what a test is; see gossip-mesh.ts.
 */
import { type Key, limits } from "../base/index.ts";

const { scoreMost, scoreLoss, scoreLeast, scoreHalfLifeMs } = limits.gossip;
/** Nearer to nothing than this is nothing. */
const NEGLIGIBLE = 0.05;

export class GossipScores {
  readonly #scores = new Map<Key, number>();
  #fadedAt = 0;

  of(peer: Key): number {
    return this.#scores.get(peer) ?? 0;
  }

  isGood(peer: Key): boolean {
    return this.of(peer) > scoreLeast;
  }

  judge(peer: Key, passed: boolean): void {
    const before = this.of(peer);
    this.#scores.set(peer, passed ? Math.min(scoreMost, before + 1) : Math.max(-2 * scoreLoss, before - scoreLoss));
  }

  /** @param now ms */
  fade(now: number): void {
    const factor = 0.5 ** ((now - this.#fadedAt) / scoreHalfLifeMs);
    this.#fadedAt = now;
    for (const [peer, score] of this.#scores) {
      if (Math.abs(score * factor) < NEGLIGIBLE) this.#scores.delete(peer);
      else this.#scores.set(peer, score * factor);
    }
  }
}
