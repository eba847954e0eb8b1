/**
 * Reputation: from what was seen of a member, and when, to how much is to be expected of it. It steers whom this node asks, and where it sends work.
 *
 * One fold: each observation adds to sums of what was good and of all that was seen, which halve with time; so neither order nor number of steps
 * matters. Knows: what an observation is worth. Does not know: who is believed; evidence does not come in here but from outside, and beats all of it.
 */
import { type Key, limits } from "../base/index.ts";
import type { Observation, Reputations } from "../contracts/index.ts";

const { floor, priorOf, contributed, contributedAt, wrongWeighs, missedWeighs, kindCharacters, kindsMost, membersMost, aheadMs } =
  limits.reputation;

/** What was good, and all that was seen, as of a moment. */
interface Sums {
  readonly good: number;
  readonly all: number;
}

/** What is known of a member: sums by what they are about, all as of one moment. */
export interface Standing {
  readonly atMs: number;
  readonly sums: ReadonlyMap<string, Sums>;
}

const WORK = "work";
const FETCH = "fetch";
const CHECKED = "checked";
const THERE = "there";
const HITS = "hits";
const HOUR_MS = 3_600_000;

export const UNKNOWN: Standing = { atMs: 0, sums: new Map() };

/** What one observation adds to which sums. */
function addedBy(what: Observation): readonly (readonly [about: string, added: Sums])[] {
  switch (what.kind) {
    case "work": {
      const good = what.outcome === "done" ? promptness(what) : what.outcome === "late" ? 0.5 : 0;
      const added = { good, all: 1 };
      return [
        [WORK, added],
        [workOf(what.work), added],
      ];
    }
    case "fetch":
      if (what.outcome === "gave") return [[FETCH, { good: 1, all: 1 }]];
      // Members tell what they have in so few bits that they are wrong now and then.
      return [[FETCH, { good: 0, all: what.outcome === "missed" ? missedWeighs : 1 }]];
    case "hit":
      return [[HITS, { good: 1, all: 1 }]];
    case "checked":
      return [[CHECKED, what.isSame ? { good: 1, all: 1 } : { good: 0, all: wrongWeighs }]];
    case "seen": {
      const hours = Math.max(0, what.forMs) / HOUR_MS;
      return [[THERE, { good: what.isThere ? hours : 0, all: hours }]];
    }
  }
}

/** In time is as good as can be, and so is what others need that are busy now and then; twice as long as that, half as good. */
function promptness({ expectedMs, tookMs }: { readonly expectedMs: number; readonly tookMs: number }): number {
  const inTimeMs = limits.remote.lateTimes * Math.max(0, expectedMs);
  return tookMs > inTimeMs ? inTimeMs / tookMs : 1;
}

function workOf(kind: string): string {
  return `${WORK} ${kind.slice(0, kindCharacters)}`;
}

/** What is left of something after a while. */
function left(ageMs: number, halfLifeMs: number): number {
  return 2 ** (-ageMs / halfLifeMs);
}

/** One more observation; in whatever order they come, the same comes of it. @param atMs when that was */
export function fold(before: Standing, what: Observation, atMs: number, halfLifeMs: number): Standing {
  const nowMs = before.sums.size === 0 ? atMs : Math.max(before.atMs, atMs);
  const [kept, counts] = [left(nowMs - before.atMs, halfLifeMs), left(nowMs - atMs, halfLifeMs)];
  const sums = new Map([...before.sums].map(([about, { good, all }]) => [about, { good: kept * good, all: kept * all }]));
  for (const [about, added] of addedBy(what)) {
    const { good, all } = sums.get(about) ?? { good: 0, all: 0 };
    sums.set(about, { good: good + counts * added.good, all: all + counts * added.all });
  }
  return { atMs: nowMs, sums: withoutMany(sums) };
}

/** Of kinds of work those of which most was seen. */
function withoutMany(sums: Map<string, Sums>): ReadonlyMap<string, Sums> {
  const kinds = [...sums].filter(([about]) => about.startsWith(`${WORK} `));
  for (const [about] of kinds.toSorted(([, a], [, b]) => b.all - a.all).slice(kindsMost)) sums.delete(about);
  return sums;
}

/** What comes of it; each from 0 to 1, but for `hits`. */
export interface Weights {
  /** Of what it took on, what it did in time. */
  readonly work: number;
  /** The same by kind of work. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Of what it was asked for, what it gave. */
  readonly fetch: number;
  /** Of what it signed and was executed here, too, what came out the same. */
  readonly accuracy: number;
  /** Of the time in which this node could see it, what it was there. */
  readonly presence: number;
  /** What it gave lately that was used. */
  readonly hits: number;
  readonly forFetch: number;
  readonly forWork: (kind: string) => number;
}

/** As of then. Of who is unknown everything good is assumed, but that it has given anything. */
export function weigh({ atMs, sums }: Standing, nowMs: number, halfLifeMs: number): Weights {
  const kept = left(Math.max(0, nowMs - atMs), halfLifeMs);
  const share = (about: string, prior: number, before: number): number => {
    const { good, all } = sums.get(about) ?? { good: 0, all: 0 };
    return (prior * before + kept * good) / (prior + kept * all);
  };
  const work = share(WORK, priorOf.work, 1);
  const ofKind = (kind: string): number => share(workOf(kind), priorOf.work, work);
  const fetch = share(FETCH, priorOf.fetch, 1);
  const accuracy = share(CHECKED, priorOf.checked, 1);
  const presence = share(THERE, priorOf.thereHours, 1);
  const hits = kept * (sums.get(HITS)?.good ?? 0);
  // Who is away each night is of use by day.
  const trusty = accuracy * ((1 + presence) / 2);
  const generous = 1 - contributed + (contributed * hits) / (hits + contributedAt);
  const kinds = [...sums.keys()].filter((about) => about.startsWith(`${WORK} `)).map((about) => about.slice(WORK.length + 1));
  return {
    work,
    kinds: new Map(kinds.map((kind) => [kind, ofKind(kind)])),
    fetch,
    accuracy,
    presence,
    hits,
    forFetch: Math.max(floor, fetch * trusty * generous),
    forWork: (kind) => Math.max(floor, ofKind(kind) * trusty),
  };
}

/**
 * Whom to ask first: who is near and has a good name, by lot, so that of about equal ones each has its turn and a bad one a small chance. Who is
 * twice as far away or has half the reputation comes first a quarter as often.
 *
 * @param draw in [0, 1)
 */
export function askingOrder(
  members: readonly { readonly key: Key; readonly rttMs: number | undefined; readonly weight: number }[],
  draw: () => number,
): Key[] {
  return members
    .map(({ key, rttMs, weight }) => {
      const costMs = (limits.reputation.answerMs + (rttMs ?? limits.reputation.unknownRttMs)) / weight;
      return { key, at: -Math.log(1 - draw()) * costMs ** 2 };
    })
    .toSorted((a, b) => a.at - b.at)
    .map(({ key }) => key);
}

export interface ReputationParts {
  /** ms since the epoch: what is kept outlives the daemon */
  readonly now: () => number;
  /** Who was found to have signed what is not so: its good name is worth nothing. */
  readonly isDiscredited: (member: Key) => boolean;
}

/** The reputations of all members, as many as are kept. */
export class Reputation implements Reputations {
  readonly #parts: ReputationParts;
  readonly #halfLifeMs: number;
  /** With whom this node had to do last comes last. */
  readonly #standings = new Map<Key, Standing>();
  #isChanged = false;

  constructor(parts: ReputationParts, options: { readonly halfLifeMs: number }) {
    this.#parts = parts;
    this.#halfLifeMs = options.halfLifeMs;
  }

  /** Whether there is something that {@link save} has not told of yet. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  observe(member: Key, what: Observation): void {
    const isSeen = what.kind === "seen";
    // All are seen one after the other: where there are more than places, each would push out the one that is seen next.
    if (isSeen && !this.#standings.has(member) && this.#standings.size >= membersMost) return;
    const now = this.#parts.now();
    const before = this.#standings.get(member) ?? UNKNOWN;
    // A clock that was far ahead, and was set right, must not make all that comes count for nothing.
    const anchored = before.atMs > now + aheadMs ? { ...before, atMs: now } : before;
    if (!isSeen) this.#standings.delete(member);
    this.#standings.set(member, fold(anchored, what, now, this.#halfLifeMs));
    while (this.#standings.size > membersMost) this.#standings.delete(this.#leastKnown());
    this.#isChanged = true;
  }

  /** Of whom nothing is known but whether it was there, or else the one with which this node had to do the longest ago. */
  #leastKnown(): Key {
    const [eldest = ""] = this.#standings.keys();
    for (const [member, { sums }] of this.#standings) if ([...sums.keys()].every((about) => about === THERE)) return member;
    return eldest;
  }

  forWork(member: Key, work: string): number {
    return this.#parts.isDiscredited(member) ? floor : this.of(member).forWork(work);
  }

  forFetch(member: Key): number {
    return this.#parts.isDiscredited(member) ? floor : this.of(member).forFetch;
  }

  /** By what was seen alone: what evidence says of a member is not in it. */
  of(member: Key): Weights {
    return weigh(this.#standings.get(member) ?? UNKNOWN, this.#parts.now(), this.#halfLifeMs);
  }

  /** Forgets all of whom this is not true. */
  keepOnly(isKept: (member: Key) => boolean): void {
    for (const member of this.#standings.keys()) if (!isKept(member)) this.#isChanged = this.#standings.delete(member);
  }

  /** For {@link restore}, after a restart. */
  save(): string {
    this.#isChanged = false;
    const rows = [...this.#standings].map(([member, { atMs, sums }]) => [
      member,
      Math.round(atMs),
      ...[...sums].flatMap(([about, { good, all }]) => [about, Number(good.toPrecision(6)), Number(all.toPrecision(6))]),
    ]);
    return JSON.stringify(rows);
  }

  /** Takes back what {@link save} said; what makes no sense is left out. */
  restore(text: string): void {
    for (const row of parse(text).slice(-membersMost)) {
      if (!Array.isArray(row)) continue;
      const [member, atMs, ...rest] = row as readonly unknown[];
      const sums = readSums(rest);
      if (typeof member === "string" && isAmount(atMs) && sums !== undefined)
        this.#standings.set(member, { atMs, sums: withoutMany(sums) });
    }
  }
}

function parse(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return []; // Everybody is unknown, then.
  }
}

/** Three in turn: about what, what was good, all. */
function readSums(row: readonly unknown[]): Map<string, Sums> | undefined {
  const sums = new Map<string, Sums>();
  for (let at = 0; at < row.length; at += 3) {
    const [about, good, all] = row.slice(at, at + 3);
    if (typeof about !== "string" || !isAmount(good) || !isAmount(all) || good > all) return undefined;
    sums.set(about, { good, all });
  }
  return sums;
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
