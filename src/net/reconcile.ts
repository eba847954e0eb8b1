/**
 * Range-based set reconciliation: two who have sorted sets find out what each has and the other has not, by comparing what ranges add up
 * to, and parting those that differ.
 *
 * One asks about ranges, in rounds; the other answers each by itself and remembers nothing. Who asks goes depth first, so that what one
 * round has brought is there before the next range is looked at.
 * Knows: sorted ids, and how much may be asked. Does not know: members, time, what an id names.
 * @see Meyer, "Range-Based Set Reconciliation", SRDS 2023; https://github.com/hoytech/negentropy for what its messages are like elsewhere
 */
import { type AttestationId, CairnError, LAST_BOUND, limits } from "../base/index.ts";
import type { IdRanges } from "../contracts/index.ts";
import type { RangeVerdict, SetRange } from "../wire/index.ts";

const { leaf, partsMost, rangesAtOnce, rangesPerSession, idsAtOnce, most } = limits.attestationSet;

/** What somebody who has asked is told about ranges. */
export function compare(own: IdRanges, asked: readonly SetRange[]): RangeVerdict[] {
  let many = 0;
  return asked.map((range): RangeVerdict => {
    const here = own.sumOf(range.from, range.to);
    if (here.count === range.count && here.sum === range.sum) return { kind: "same" };
    if (here.count > leaf) {
      // Who has nothing there needs all of it, as far as it fits in one answer.
      if (range.count > 0 || many + here.count > idsAtOnce) return { kind: "parts", ranges: partsOf(own, range, here.count) };
      many += here.count;
    }
    return { kind: "ids", ids: own.list(range.from, range.to) };
  });
}

/** What one round of questions has shown. */
export interface Difference {
  /** Ids that the other has and this node has not; and the other way round. */
  readonly lacking: readonly AttestationId[];
  readonly extra: readonly AttestationId[];
}

/** The side that asks, through all of its rounds. */
export class Reconciliation {
  readonly #own: IdRanges;
  /** Where both may differ, the last range first. */
  readonly #open: Bounds[] = [{ from: "", to: LAST_BOUND }];
  #asked: readonly Bounds[] = [];
  #total = 0;

  constructor(own: IdRanges) {
    this.#own = own;
  }

  /** The ranges to ask about now; none when there is nothing more to find out. */
  next(): SetRange[] {
    this.#asked = this.#open.splice(-rangesAtOnce).toReversed();
    this.#total += this.#asked.length;
    return this.#asked.map(({ from, to }) => ({ from, to, ...this.#own.sumOf(from, to) }));
  }

  /**
   * Takes the answer to what was asked last.
   *
   * @throws {CairnError} frame-invalid when it is no answer to that, or goes on without an end
   */
  take(verdicts: readonly RangeVerdict[]): Difference {
    const asked = this.#asked;
    this.#asked = [];
    if (verdicts.length !== asked.length) throw broken("verdicts");
    const lacking: AttestationId[] = [];
    const extra: AttestationId[] = [];
    for (const [at, range] of asked.entries()) {
      const verdict = verdicts[at];
      if (verdict === undefined || verdict.kind === "same") continue;
      if (verdict.kind === "parts") this.#part(range, verdict.ranges);
      else {
        if (verdict.ids.some((id) => id < range.from || id >= range.to)) throw broken("ids");
        const theirs = new Set(verdict.ids);
        lacking.push(...verdict.ids.filter((id) => !this.#own.has(id)));
        extra.push(...this.#own.list(range.from, range.to).filter((id) => !theirs.has(id)));
      }
    }
    // Nobody has a set that takes so many questions.
    if (this.#total + this.#open.length > rangesPerSession) throw broken("ranges");
    return { lacking, extra };
  }

  #part(range: Bounds, parts: readonly SetRange[]): void {
    let from = range.from;
    for (const part of parts) {
      if (part.from !== from || part.count > most) throw broken("parts");
      from = part.to;
    }
    if (parts.length < 2 || from !== range.to) throw broken("parts");
    for (const part of parts.toReversed()) {
      const here = this.#own.sumOf(part.from, part.to);
      if (here.count !== part.count || here.sum !== part.sum) this.#open.push({ from: part.from, to: part.to });
    }
  }
}

interface Bounds {
  readonly from: AttestationId;
  readonly to: AttestationId;
}

/** A range of more than limits.attestationSet.leaf ids in parts that hold about the same number each. */
function partsOf(own: IdRanges, { from, to }: Bounds, count: number): SetRange[] {
  const first = own.rank(from);
  const parts = Math.min(partsMost, Math.ceil(count / leaf));
  const bounds = [from];
  for (let part = 1; part < parts; part++) {
    const rank = first + Math.floor((part * count) / parts);
    const bound = between(own.at(rank - 1), own.at(rank));
    if (bound > (bounds.at(-1) ?? "") && bound < to) bounds.push(bound);
  }
  return bounds.map((bound, at) => {
    const end = bounds[at + 1] ?? to;
    return { from: bound, to: end, ...own.sumOf(bound, end) };
  });
}

/** The shortest bound that parts two ids that follow each other, in whole bytes. */
function between(before: AttestationId | undefined, after: AttestationId | undefined): AttestationId {
  if (before === undefined || after === undefined) return "";
  let common = 0;
  while (before[common] === after[common]) common++;
  return after.slice(0, 2 * Math.floor(common / 2) + 2);
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
