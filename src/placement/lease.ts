/**
 * The lease of the coordinator: who holds it, until when, and whose turn it is when nobody does.
 *
 * Whoever takes it counts more than all terms that were heard of; of two holders the one with the greater term stands. Nothing needs
 * the lease to be held by one member only: a holder that does not know of its successor is asked by nobody who does, and what it has
 * placed is work that a member does once or twice.
 *
 * Where domains agree on epochs, a term names its epoch and, by its place among that epoch's members, its only holder. So no two members hold
 * one term, whoever can hear whom; and no term of an epoch reaches one of the next, which a part of the network cannot decide alone.
 * Knows: terms, turns, times. Does not know: what a coordinator does, or how words travel.
 */
import { type Key, type Log, limits } from "../base/index.ts";

const { lapseMs, leapMost, leapOfSeat, listenMs, renewMs, termsOfEpoch, turnMs } = limits.placement.lease;

/** Whose terms are whose. */
export interface Seats {
  /** The number of the newest epoch. */
  readonly epoch: number;
  /** Its members, in an order that all know who have that epoch; empty where domains did not agree on it. */
  readonly keys: readonly Key[];
}

export interface LeaseParts {
  readonly self: Key;
  /** Whether this node can reach a member now. */
  readonly isLinked: (member: Key) => boolean;
  /** Members in the order in which they should hold the lease, the same for all: of those given. */
  readonly inOrder: (members: readonly Key[]) => readonly Key[];
  /** Members that this node is linked with. */
  readonly linked: () => readonly Key[];
  readonly seats: () => Seats;
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
  /** Words that cannot be judged yet, or hold no more: one of each member. The epoch may be on its way. */
  readonly #early = new Map<Key, number>();
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

  /** A member has said that it holds the lease. */
  heard(holder: Key, term: number): void {
    if (holder === this.#parts.self) return;
    if (!this.#mayHold(holder, term)) {
      // Whoever was away while many were counted comes to it step by step, as the holder repeats it.
      if (this.#isSeats(holder, term)) this.#top = this.#farthest;
      return void this.#early.set(holder, term);
    }
    this.#early.delete(holder);
    const before = this.#words.get(holder);
    if (before !== undefined && term < before.term && this.#counts(holder, before)) return;
    this.#words.set(holder, { term, atMs: this.#parts.now() });
    this.#silent.delete(holder);
    this.#top = Math.max(this.#reached, term);
    this.#look();
  }

  /** A holder does not answer, or not by that term. It may have told of a greater one since. */
  silent(holder: Key, term: number): void {
    if (this.#words.get(holder)?.term === term) this.#silent.add(holder);
    this.#look();
  }

  /** An epoch was decided: what was told by it already holds now, and a holder goes on by one of its terms. */
  seated(): void {
    for (const [holder, term] of this.#early) this.heard(holder, term);
    const { self } = this.#parts;
    if (this.#own !== undefined && !this.#mayHold(self, this.#own.term)) this.#take();
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
    for (const holder of this.#early.keys()) if (isGone(holder)) this.#early.delete(holder);
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
    this.#take();
  }

  #take(): void {
    const { now, tell } = this.#parts;
    const term = this.#next();
    this.#own = term === undefined ? undefined : { term, atMs: now() };
    if (term !== undefined) {
      this.#top = term;
      tell(term);
    }
    this.#look();
  }

  /** The least term of this node's that is greater than all; undefined where it has none, as one has who is in no epoch yet. */
  #next(): number | undefined {
    const { self, seats } = this.#parts;
    const { epoch, keys } = seats();
    if (keys.length === 0) return this.#top + 1;
    const place = keys.indexOf(self);
    const least = this.#reached + 1 - epoch * termsOfEpoch;
    const nth = least + ((place - (least % keys.length) + keys.length) % keys.length);
    return place < 0 || nth >= termsOfEpoch ? undefined : epoch * termsOfEpoch + nth;
  }

  /** The greatest term that counts: of the epoch, where domains agreed on it. */
  get #reached(): number {
    const { epoch, keys } = this.#parts.seats();
    const isOfEpoch = Math.floor(this.#top / termsOfEpoch) === epoch;
    return keys.length === 0 || isOfEpoch ? this.#top : epoch * termsOfEpoch - 1;
  }

  /** Without agreement anybody may hold any; never one far beyond all others, which would leave no room for more. */
  #mayHold(holder: Key, term: number): boolean {
    const { epoch, keys } = this.#parts.seats();
    if (keys.length === 0) return term <= Math.max(this.#top, epoch * termsOfEpoch) + leapMost;
    return this.#isSeats(holder, term) && term <= this.#farthest;
  }

  /** Where domains agreed on the epoch: whether the term is of it, and that member's. */
  #isSeats(holder: Key, term: number): boolean {
    const { epoch, keys } = this.#parts.seats();
    return Math.floor(term / termsOfEpoch) === epoch && keys[(term % termsOfEpoch) % keys.length] === holder;
  }

  /** The greatest term of the epoch that is believed now. */
  get #farthest(): number {
    const { epoch, keys } = this.#parts.seats();
    return Math.min(this.#reached + leapOfSeat * keys.length, (epoch + 1) * termsOfEpoch - 1);
  }

  /** Whether an earlier word of a member is one that a later one must not fall behind: it has not lapsed, and is not of an epoch that is over. */
  #counts(holder: Key, { term, atMs }: Word): boolean {
    return this.#parts.now() - atMs < lapseMs && this.#mayHold(holder, term);
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
