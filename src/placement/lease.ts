/**
 * The lease of the coordinator: who holds it, until when, and whose turn it is when nobody does.
 *
 * Whoever takes it counts one more than all terms that were heard of; of two holders the one with the greater term stands. Nothing needs
 * the lease to be held by one member only: a holder that does not know of its successor is asked by nobody who does, and what it has
 * placed is work that a member does once or twice.
 * Knows: terms, turns, times. Does not know: what a coordinator does, or how words travel.
 */
import { type Key, type Log, limits } from "../base/index.ts";

const { lapseMs, leapMost, listenMs, renewMs, turnMs } = limits.placement.lease;

export interface LeaseParts {
  readonly self: Key;
  /** Whether this node can reach a member now. */
  readonly isLinked: (member: Key) => boolean;
  /** Members in the order in which they should hold the lease, the same for all: of those given. */
  readonly inOrder: (members: readonly Key[]) => readonly Key[];
  /** Members that this node is linked with. */
  readonly linked: () => readonly Key[];
  /** Tells everybody that this node holds the lease. */
  readonly tell: (term: number) => void;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface Held {
  readonly holder: Key;
  readonly term: number;
}

interface Word {
  readonly term: number;
  readonly atMs: number;
}

export class Lease {
  readonly #parts: LeaseParts;
  /** The last word of each member that was ever a holder. */
  readonly #words = new Map<Key, Word>();
  /** Holders that do not answer: nothing counts but a later word of theirs. */
  readonly #silent = new Set<Key>();
  #own: Word | undefined;
  #top: number;
  #vacantSinceMs: number | undefined;
  /** Somebody has just been met who may know of a holder: nothing is taken before. */
  #listenUntilMs = 0;
  #isPaused = false;
  #known: Held | undefined;

  /** @param options `top`: the greatest term that this node heard of before it started */
  constructor(parts: LeaseParts, options: { readonly top: number }) {
    this.#parts = parts;
    this.#top = options.top;
  }

  /** The greatest term that was heard of. */
  get top(): number {
    return this.#top;
  }

  /** Who holds the lease, as far as this node knows. */
  get current(): Held | undefined {
    const { self, now } = this.#parts;
    const others = [...this.#words].filter(([holder, word]) => this.#stands(holder, word)).map(([holder, { term }]) => ({ holder, term }));
    const own = this.#own !== undefined && now() - this.#own.atMs < lapseMs ? [{ holder: self, term: this.#own.term }] : [];
    return [...others, ...own].reduce<Held | undefined>(
      (best, one) => (best === undefined || this.#beats(one, best) ? one : best),
      undefined,
    );
  }

  /** A member has said that it holds the lease. A term far beyond all others would leave no room for more: it is not taken. */
  heard(holder: Key, term: number): void {
    if (holder === this.#parts.self || term > this.#top + leapMost) return;
    const before = this.#words.get(holder);
    if (before !== undefined && term < before.term) return;
    this.#words.set(holder, { term, atMs: this.#parts.now() });
    this.#silent.delete(holder);
    this.#top = Math.max(this.#top, term);
    this.#look();
  }

  /** A holder does not answer. */
  silent(holder: Key): void {
    if (this.#words.has(holder)) this.#silent.add(holder);
    this.#look();
  }

  connected(): void {
    if (this.current === undefined) this.#listenUntilMs = this.#parts.now() + listenMs;
    this.#look();
  }

  lost(): void {
    this.#look();
  }

  /** No member any more. */
  forget(isGone: (member: Key) => boolean): void {
    for (const holder of this.#words.keys()) {
      if (!isGone(holder)) continue;
      this.#words.delete(holder);
      this.#silent.delete(holder);
    }
    this.#look();
  }

  /** While paused this node neither takes nor renews; what others say is heard. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) this.#own = undefined;
    this.#look();
  }

  /** To be called often: renews, or takes what nobody holds when it is this node's turn. */
  beat(): void {
    const { self, linked, now, tell } = this.#parts;
    this.#look();
    const { current } = this;
    if (this.#isPaused) return;
    if (current?.holder === self) {
      if (this.#own !== undefined && now() - this.#own.atMs >= renewMs) {
        this.#own = { term: this.#own.term, atMs: now() };
        tell(this.#own.term);
      }
      return;
    }
    if (current !== undefined || this.#vacantSinceMs === undefined || linked().length === 0) return;
    if (now() < Math.max(this.#listenUntilMs, this.#vacantSinceMs + turnMs * this.#turn())) return;
    this.#own = { term: this.#top + 1, atMs: now() };
    this.#top += 1;
    tell(this.#top);
    this.#look();
  }

  /** How many come before this node. */
  #turn(): number {
    const { self, linked, inOrder } = this.#parts;
    return inOrder([self, ...linked().filter((key) => !this.#silent.has(key))]).indexOf(self);
  }

  #stands(holder: Key, { atMs }: Word): boolean {
    return !this.#silent.has(holder) && this.#parts.isLinked(holder) && this.#parts.now() - atMs < lapseMs;
  }

  #beats(one: Held, other: Held): boolean {
    return one.term === other.term ? this.#parts.inOrder([one.holder, other.holder])[0] === one.holder : one.term > other.term;
  }

  /** Sees whether the holder is another one than before. */
  #look(): void {
    const { self, log, now } = this.#parts;
    const { current } = this;
    if (this.#own !== undefined && current?.holder !== self) this.#own = undefined; // Somebody else has taken it, or this node slept.
    const before = this.#known;
    this.#vacantSinceMs = current === undefined ? (this.#vacantSinceMs ?? now()) : undefined;
    if (before?.holder === current?.holder && before?.term === current?.term) return;
    this.#known = current;
    if (current === undefined) log.event("info", "placement.coordinator-lost", { peer: before?.holder ?? "", term: before?.term ?? 0 });
    else log.event("info", "placement.coordinator", { peer: current.holder, term: current.term, self: current.holder === self });
  }
}
