/**
 * What has been measured of members: how long they take for work of each kind, and who is left alone for a while because it let this one down.
 *
 * Knows: figures that fade with time. Does not know: who is there, what is to be done, or what else a member is known for; it tells what it sees.
 */
import { type Key, limits } from "../base/index.ts";
import type { Reputations } from "../contracts/index.ts";
import { Costs } from "./costs.ts";

const { costMost, kindCharacters, recentMost, restFirstMs, restMostMs, rowsMost, refusedMs } = limits.placement.measured;

/** Sums of a linear regression of time taken over cost, each observation with the weight that is left of it. */
interface Row {
  weight: number;
  cost: number;
  took: number;
  costCost: number;
  costTook: number;
  atMs: number;
}

interface Rest {
  /** Failures since the last success. */
  readonly inRow: number;
  readonly untilMs: number;
}

/** What was said of a member before it has been measured. */
export interface Prior {
  /** For all but the work itself. */
  readonly overheadMs: number;
}

/** `kind` of the row that is about all kinds of a member. */
const ALL = "";
/** What stood for this machine beside members' keys, in versions before. */
const HERE = "here";
/** Of what nobody knew what it costs, and that took more times as long there as others of its kind do here, it is not known whose fault that is. */
const GUESSED_TIMES = 4;
/** Weight of what is believed of a member of which nothing is known. */
const PRIOR_WEIGHT = 1;

export class Measured {
  /** What units cost here. */
  readonly costs: Costs = new Costs();
  readonly #now: () => number;
  readonly #reputations: Reputations;
  readonly #halfLifeMs: number;
  /** Key of the member and kind → figures, those that were used last at the end. */
  readonly #rows = new Map<string, Row>();
  readonly #rests = new Map<Key, Rest>();
  /** Member and toolchain → until when it is not asked again. */
  readonly #refused = new Map<string, number>();
  #isChanged = false;

  /** @param parts `now`: ms since the epoch: what is kept outlives the daemon */
  constructor(parts: { readonly now: () => number; readonly reputations: Reputations }, options: { readonly halfLifeMs: number }) {
    this.#now = parts.now;
    this.#reputations = parts.reputations;
    this.#halfLifeMs = options.halfLifeMs;
  }

  /** Whether there is something that {@link save} has not told of yet. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** A member has done something. @param costMs what it takes here */
  done(member: Key, kind: string, costMs: number, tookMs: number): void {
    // Of who was never measured nothing was expected.
    const expectedMs = this.#rows.has(rowName(member, ALL)) ? this.#line(member, kind, costMs, { overheadMs: 0 }) : tookMs;
    this.#did(member, kind, { costMs, tookMs, expectedMs });
  }

  /**
   * A member has done something of which nobody knew what it costs. It is compared with what others of its kind take here, within bounds: it may be
   * another thing than these.
   *
   * @param ranMs what it took there once it ran
   */
  doneUnknown(member: Key, kind: string, tookMs: number, ranMs: number): void {
    const workMs = Math.min(ranMs, tookMs);
    const costMs = this.costs.usual(kind) ?? workMs;
    const boundedMs = Math.min(Math.max(workMs, costMs / GUESSED_TIMES), GUESSED_TIMES * costMs);
    const countedMs = tookMs - workMs + boundedMs;
    this.#did(member, kind, { costMs, tookMs: countedMs, expectedMs: countedMs }); // Nothing was expected.
  }

  #did(member: Key, kind: string, { costMs, tookMs, expectedMs }: { costMs: number; tookMs: number; expectedMs: number }): void {
    this.#reputations.observe(member, { kind: "work", work: kind, outcome: "done", expectedMs, tookMs });
    this.#observe(rowName(member, kind), costMs, tookMs);
    this.#observe(rowName(member, ALL), costMs, tookMs);
    this.#rests.delete(member);
  }

  /** A member has not done something in time: it takes at least as long as has been waited. */
  late(member: Key, kind: string, costMs: number, waitedMs: number): void {
    this.#observe(rowName(member, kind), costMs, waitedMs);
    this.#reputations.observe(member, { kind: "work", work: kind, outcome: "late" });
  }

  /** This machine has done something itself. @param tookMs of one core */
  doneHere(kind: string, tookMs: number): void {
    this.costs.observe(kind, tookMs);
    this.#isChanged = true;
  }

  /** A member has let this one down. It is left alone for a while, longer each time until it does well; what is lost meanwhile was sent before. */
  lost(member: Key, kind: string): void {
    this.#reputations.observe(member, { kind: "work", work: kind, outcome: "lost" });
    if (this.#isLeftAlone(member)) return;
    const inRow = (this.#rests.get(member)?.inRow ?? 0) + 1;
    this.#rests.delete(member);
    this.#rests.set(member, { inRow, untilMs: this.#now() + Math.min(restMostMs, restFirstMs * 2 ** (inRow - 1)) });
    trim(this.#rests, rowsMost);
  }

  /** A member does not do such work: the next unit would be refused like this one. */
  refused(member: Key, toolchain: string): void {
    const name = rowName(member, toolchain);
    this.#refused.delete(name);
    this.#refused.set(name, this.#now() + refusedMs);
    trim(this.#refused, rowsMost);
  }

  /** A member has a toolchain now, whatever it refused before. */
  has(member: Key, toolchain: string): void {
    this.#refused.delete(rowName(member, toolchain));
  }

  /** Whether a member should not be asked just now. */
  rests(member: Key, toolchain: string): boolean {
    return this.#isSoon(this.#refused.get(rowName(member, toolchain)), refusedMs) || this.#isLeftAlone(member);
  }

  #isLeftAlone(member: Key): boolean {
    return this.#isSoon(this.#rests.get(member)?.untilMs, restMostMs);
  }

  /** A clock that was set back must not keep anybody away for longer than was meant. */
  #isSoon(untilMs: number | undefined, mostMs: number): boolean {
    const now = this.#now();
    return untilMs !== undefined && untilMs > now && untilMs <= now + mostMs;
  }

  /**
   * How long a member is expected to take, all that belongs to it included: what is known of the kind, before that of the member, before
   * that of nobody. Who lets others down takes so much longer: what it was given has to be done again.
   *
   * @param costMs what it takes here
   * @returns ms
   */
  expected(member: Key, kind: string, costMs: number, prior: Prior): number {
    return this.#line(member, kind, costMs, prior) * (2 - this.reliability(member, kind));
  }

  /** When all goes well. */
  #line(member: Key, kind: string, costMs: number, { overheadMs }: Prior): number {
    const own = { overheadMs, slowness: 1 };
    const ofMember = fit(this.#faded(rowName(member, ALL)), costMs, own);
    const ofKind = fit(this.#faded(rowName(member, kind)), costMs, ofMember);
    return ofKind.overheadMs + ofKind.slowness * costMs;
  }

  /** Of what the member takes on, the share that it is expected to do; above 0, at most 1. */
  reliability(member: Key, kind: string): number {
    return this.#reputations.forWork(member, kind);
  }

  /** For {@link restore}, after a restart. */
  save(): string {
    this.#isChanged = false;
    const rows = [...this.#rows].map(([name, { weight, cost, took, costCost, costTook, atMs }]) => [
      name,
      ...[weight, cost, took, costCost, costTook].map((sum) => Number(sum.toPrecision(6))),
      Math.round(atMs),
    ]);
    return JSON.stringify({ rows, costs: this.costs.save() });
  }

  /** Takes back what {@link save} said; what makes no sense is left out. */
  restore(text: string): void {
    this.costs.restore(listIn(text, "costs"));
    for (const [name, weight, cost, took, costCost, costTook, atMs] of listIn(text, "rows").filter(isRow).slice(-rowsMost)) {
      if (weight <= 0) continue;
      // Of this machine versions before kept the mean, of actions in time of processors.
      if (name.startsWith(`${HERE} `)) this.costs.observe(name.slice(HERE.length + 1), took / weight);
      else this.#rows.set(name, { weight, cost, took, costCost, costTook, atMs });
    }
  }

  #observe(name: string, costMs: number, tookMs: number): void {
    const cost = Math.min(costMs, costMost);
    const took = Math.min(tookMs, costMost);
    const row = this.#faded(name) ?? { weight: 0, cost: 0, took: 0, costCost: 0, costTook: 0, atMs: 0 };
    // Of what was measured lately enough is remembered to even out chance, and no more: a machine may be busy from now on.
    const kept = Math.min(1, (recentMost - 1) / Math.max(row.weight, 1));
    this.#rows.delete(name);
    this.#rows.set(name, {
      weight: kept * row.weight + 1,
      cost: kept * row.cost + cost,
      took: kept * row.took + took,
      costCost: kept * row.costCost + cost * cost,
      costTook: kept * row.costTook + cost * took,
      atMs: this.#now(),
    });
    trim(this.#rows, rowsMost);
    this.#isChanged = true;
  }

  #faded(name: string): Row | undefined {
    const row = this.#rows.get(name);
    if (row === undefined) return undefined;
    const left = 2 ** (-Math.max(0, this.#now() - row.atMs) / this.#halfLifeMs);
    return {
      weight: left * row.weight,
      cost: left * row.cost,
      took: left * row.took,
      costCost: left * row.costCost,
      costTook: left * row.costTook,
      atMs: row.atMs,
    };
  }
}

interface Line {
  readonly overheadMs: number;
  /** ms for each ms that it costs here. */
  readonly slowness: number;
}

/**
 * The line through what was observed, and through what was believed before at a cost of 0 and at the one that is asked about.
 * Neither part is below 0: nobody is done before he has begun.
 */
function fit(row: Row | undefined, costMs: number, before: Line): Line {
  if (row === undefined) return before;
  const there = before.overheadMs + before.slowness * costMs;
  const weight = row.weight + 2 * PRIOR_WEIGHT;
  const cost = (row.cost + PRIOR_WEIGHT * costMs) / weight;
  const took = (row.took + PRIOR_WEIGHT * (before.overheadMs + there)) / weight;
  const variance = (row.costCost + PRIOR_WEIGHT * costMs * costMs) / weight - cost * cost;
  const covariance = (row.costTook + PRIOR_WEIGHT * costMs * there) / weight - cost * took;
  const slowness = variance > Number.EPSILON * cost * cost ? Math.max(0, covariance / variance) : before.slowness;
  const overheadMs = took - slowness * cost;
  return overheadMs >= 0 ? { overheadMs, slowness } : { overheadMs: 0, slowness: cost > 0 ? took / cost : before.slowness };
}

function rowName(member: string, what: string): string {
  return `${member} ${what.slice(0, kindCharacters)}`;
}

function trim(map: Map<string, unknown>, most: number): void {
  for (const eldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(eldest);
  }
}

function listIn(text: string, name: "rows" | "costs"): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    const list: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
    return Array.isArray(list) ? list : [];
  } catch {
    return []; // Measured anew, then.
  }
}

/** A name and numbers that are none below 0. */
function isRow(line: unknown): line is [string, number, number, number, number, number, number] {
  return (
    Array.isArray(line) &&
    typeof line[0] === "string" &&
    line.length === ROW_LENGTH &&
    line.slice(1).every((value) => typeof value === "number" && Number.isFinite(value) && value >= 0)
  );
}

const ROW_LENGTH = 7;
