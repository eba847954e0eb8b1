/**
 * How much each author may say, and what of it is news: nobody can make a network repeat what was said before, or talk without end.
 *
 * Knows: numbers of messages, rates. Does not know: what is said.
 */
import { type Key, limits } from "../base/index.ts";

const { authorAtOnce, authorPerSecond, sequencesPerAuthor } = limits.gossip;

/** So many at once, and so many a second after that. */
export class Allowance {
  readonly #perSecond: number;
  readonly #atOnce: number;
  #left: number;
  #at: number;

  /** @param now ms */
  constructor(perSecond: number, atOnce: number, now: number) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#left = atOnce;
    this.#at = now;
  }

  /** @returns whether there were so many left; then they are gone */
  take(count: number, now: number): boolean {
    this.#left = Math.min(this.#atOnce, this.#left + ((now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }
}

interface Author {
  readonly allowance: Allowance;
  /** Numbers of messages that came, all of them above `floor`. */
  readonly sequences: Set<number>;
  floor: number;
}

export class GossipAuthors {
  readonly #authors = new Map<Key, Author>();

  isNews(key: Key, sequence: number): boolean {
    const author = this.#authors.get(key);
    return author === undefined || (sequence > author.floor && !author.sequences.has(sequence));
  }

  /** Takes note of a message that is news. @returns whether its author may say so much */
  admit(key: Key, sequence: number, now: number): boolean {
    let author = this.#authors.get(key);
    if (author === undefined) {
      author = { allowance: new Allowance(authorPerSecond, authorAtOnce, now), sequences: new Set(), floor: -1 };
      this.#authors.set(key, author);
    }
    author.sequences.add(sequence);
    if (author.sequences.size > sequencesPerAuthor) {
      author.floor = Math.min(...author.sequences);
      author.sequences.delete(author.floor);
    }
    return author.allowance.take(1, now);
  }

  /** @returns those who were known and are gone now */
  forget(isGone: (key: Key) => boolean): Key[] {
    const gone = [...this.#authors.keys()].filter(isGone);
    for (const key of gone) this.#authors.delete(key);
    return gone;
  }
}
