/**
 * What this node and one member say about the set of attestations: docs/protocol/attestation-set.md.
 *
 * Knows: what was asked, by whom, and what is still to be said. Does not know: streams, other members, what is in an attestation.
 */
import { Allowance, type AttestationId, CairnError, limits } from "../base/index.ts";
import type { Admission, AttestationSet } from "../contracts/index.ts";
import type { SetFrame, SetRange } from "../wire/index.ts";
import { compare, type Difference, Reconciliation } from "./reconcile.ts";

const bounds = limits.attestationSet;

export interface SetTalkParts {
  readonly set: AttestationSet;
  /** Ids that some member is being asked for. */
  readonly underWay: Set<AttestationId>;
  /** ms, monotonic */
  readonly now: () => number;
  /** There is something to say. */
  readonly ready: () => void;
  /** The member does not keep to the rules. */
  readonly offend: (why: string) => void;
  /** Both have been compared, as far as it went. */
  readonly compared: (outcome: "equal" | "given-up") => void;
}

interface Wanted {
  readonly ids: readonly AttestationId[];
  /** When the last of it has come. */
  heardAt: number;
  received: number;
  unwelcome: number;
  /** Answers that are being verified. */
  admitting: number;
  isComplete: boolean;
  /** Nobody waits for it any more. */
  isLate: boolean;
}

export class SetTalk {
  /** What has passed, for people. */
  readonly counts: { attestationsIn: number; attestationsOut: number; comparisons: number } = {
    attestationsIn: 0,
    attestationsOut: 0,
    comparisons: 0,
  };
  readonly #parts: SetTalkParts;
  readonly #ranges: Allowance;
  readonly #news: Allowance;
  readonly #served: Allowance;
  #session: Reconciliation | undefined;
  #sessionAt = 0;
  /** The question that is to be asked, and since when its answer is awaited. */
  #question: readonly SetRange[] | undefined;
  #askedAt: number | undefined;
  /** What the member has asked. */
  #toCompare: readonly SetRange[] | undefined;
  #toWant: AttestationId[] = [];
  #wanted: Wanted | undefined;
  #toOffer: AttestationId[] = [];
  /** What the member wants, and how much of it has been sent. */
  #toSend: { readonly ids: readonly AttestationId[]; at: number } | undefined;
  #toTell: AttestationId[] = [];
  #isOver = false;

  constructor(parts: SetTalkParts) {
    this.#parts = parts;
    const now = parts.now();
    this.#ranges = new Allowance({ burst: bounds.rangesBurst, perSecond: bounds.rangesPerSecond }, now);
    this.#news = new Allowance({ burst: bounds.newsBurst, perSecond: bounds.newsPerSecond }, now);
    this.#served = new Allowance({ burst: bounds.servedBurst, perSecond: bounds.servedPerSecond }, now);
  }

  get isComparing(): boolean {
    return this.#session !== undefined;
  }

  /** Whether nothing is awaited of the member. */
  get isFree(): boolean {
    return this.#session === undefined && this.#wanted === undefined && this.#askedAt === undefined;
  }

  /** Finds out what the member has and this node has not, and the other way round. */
  compare(): void {
    this.#session = new Reconciliation(this.#parts.set.ids);
    this.#sessionAt = this.#parts.now();
    this.counts.comparisons++;
    this.#ask();
  }

  /** Tells the member what this node has just attested. */
  tell(ids: readonly AttestationId[]): void {
    this.#toTell.push(...ids.slice(0, Math.max(0, bounds.newsWaiting - this.#toTell.length)));
    this.#parts.ready();
  }

  /** @throws {CairnError} frame-invalid when the member does not keep to the rules */
  heard(frame: SetFrame): void {
    switch (frame.kind) {
      case "compare":
        return this.#asked(frame.ranges);
      case "compared": {
        if (this.#askedAt === undefined) throw broken("compared");
        this.#askedAt = undefined;
        if (this.#session !== undefined) this.#learn(this.#session.take(frame.verdicts));
        return this.#goOn();
      }
      case "offer":
        return this.#want(frame.ids);
      case "want":
        if (this.#toSend !== undefined) throw broken("want");
        this.#toSend = { ids: this.#served.take(frame.ids.length, this.#parts.now()) ? frame.ids : [], at: 0 };
        return this.#parts.ready();
      case "attestations":
        return frame.news ? this.#takeNews(frame.attestations) : this.#takeWanted(frame.attestations, frame.complete);
    }
  }

  /** What is to be said next. */
  next(): SetFrame | undefined {
    return this.#answer() ?? this.#nextQuestion() ?? this.#nextWant() ?? this.#nextBodies() ?? this.#nextOffer() ?? this.#nextNews();
  }

  /** To be called now and then: gives up what takes too long. */
  lookForLate(now: number): void {
    const wanted = this.#wanted;
    const isUnanswered = this.#askedAt !== undefined && now - this.#askedAt > bounds.answerMs;
    const isLate = wanted !== undefined && !wanted.isLate && wanted.admitting === 0 && now - wanted.heardAt > bounds.answerMs;
    // Others wait for their turn.
    const isLong = now - this.#sessionAt > bounds.sessionMs;
    if (isLate || (this.#session !== undefined && (isUnanswered || isLong))) this.#giveUp();
  }

  /** The member is not there any more. */
  end(): void {
    this.#isOver = true;
    this.#giveUp();
  }

  #asked(ranges: readonly SetRange[]): void {
    if (this.#toCompare !== undefined || !this.#ranges.take(ranges.length, this.#parts.now())) throw broken("compare");
    this.#toCompare = ranges;
    this.#parts.ready();
  }

  #learn({ lacking, extra }: Difference): void {
    this.#want(lacking);
    this.#toOffer.push(...extra);
  }

  #want(ids: readonly AttestationId[]): void {
    this.#toWant.push(...ids.slice(0, Math.max(0, bounds.wantsWaiting - this.#toWant.length)));
    this.#parts.ready();
  }

  /** Asks about the next ranges as soon as all that was found missing is here. */
  #goOn(): void {
    if (this.#session === undefined || this.#askedAt !== undefined || this.#question !== undefined) return;
    if (this.#wanted === undefined && this.#toWant.length === 0) this.#ask();
    else this.#parts.ready();
  }

  #ask(): void {
    const ranges = this.#session?.next() ?? [];
    if (ranges.length === 0) return this.#finish("equal");
    this.#question = ranges;
    this.#parts.ready();
  }

  #finish(outcome: "equal" | "given-up"): void {
    if (this.#session === undefined) return;
    this.#session = undefined;
    this.#question = undefined;
    this.#parts.compared(outcome);
  }

  #giveUp(): void {
    for (const id of this.#wanted?.ids ?? []) this.#parts.underWay.delete(id);
    if (this.#wanted !== undefined) this.#wanted.isLate = true;
    this.#toWant = [];
    this.#toOffer = [];
    this.#finish("given-up");
  }

  #takeNews(attestations: readonly Uint8Array[]): void {
    if (!this.#news.take(attestations.length, this.#parts.now())) throw broken("news");
    this.#admit(attestations, ({ unwelcome }) => {
      // A member may be new, or just gone. But what is of no use costs as much as what is.
      if (unwelcome > 0 && !this.#news.take(unwelcome, this.#parts.now())) this.#parts.offend("news of strangers");
    });
  }

  #takeWanted(attestations: readonly Uint8Array[], isComplete: boolean): void {
    const wanted = this.#wanted;
    if (wanted === undefined || wanted.isComplete) throw broken("attestations");
    wanted.received += attestations.length;
    if (wanted.received > wanted.ids.length) throw broken("too many");
    wanted.isComplete = isComplete;
    wanted.heardAt = this.#parts.now();
    wanted.admitting++;
    this.#admit(attestations, ({ unwelcome }) => {
      wanted.admitting--;
      wanted.heardAt = this.#parts.now();
      wanted.unwelcome += unwelcome;
      if (wanted.isComplete && wanted.admitting === 0) this.#settle(wanted);
    });
  }

  #settle(wanted: Wanted): void {
    this.#wanted = undefined;
    if (!wanted.isLate) for (const id of wanted.ids) this.#parts.underWay.delete(id);
    if (wanted.unwelcome > bounds.unwelcomeMost) this.#giveUp();
    this.#goOn();
    this.#parts.ready();
  }

  #admit(attestations: readonly Uint8Array[], done: (admission: Admission) => void): void {
    this.counts.attestationsIn += attestations.length;
    this.#parts.set.admit(attestations, (admission) => {
      if (admission.forged > 0 && !this.#isOver) return this.#parts.offend("forged attestations");
      done(admission);
    });
  }

  #answer(): SetFrame | undefined {
    const asked = this.#toCompare;
    if (asked === undefined) return undefined;
    this.#toCompare = undefined;
    return { kind: "compared", verdicts: compare(this.#parts.set.ids, asked) };
  }

  #nextQuestion(): SetFrame | undefined {
    const ranges = this.#question;
    if (ranges === undefined || this.#askedAt !== undefined) return undefined;
    this.#question = undefined;
    this.#askedAt = this.#parts.now();
    return { kind: "compare", ranges };
  }

  #nextWant(): SetFrame | undefined {
    if (this.#wanted !== undefined || this.#toWant.length === 0) return undefined;
    const { set, underWay, now } = this.#parts;
    const ids: AttestationId[] = [];
    for (let id = this.#toWant.pop(); id !== undefined; id = this.#toWant.pop()) {
      if (set.ids.has(id) || underWay.has(id)) continue;
      underWay.add(id);
      if (ids.push(id) === bounds.wantedAtOnce) break;
    }
    if (ids.length === 0) {
      this.#goOn();
      return this.#nextQuestion();
    }
    ids.sort();
    this.#wanted = { ids, heardAt: now(), received: 0, unwelcome: 0, admitting: 0, isComplete: false, isLate: false };
    return { kind: "want", ids };
  }

  #nextBodies(): SetFrame | undefined {
    const sending = this.#toSend;
    if (sending === undefined) return undefined;
    const attestations: Uint8Array[] = [];
    for (let bytes = 0; sending.at < sending.ids.length && bytes < bounds.frameBytes; ) {
      const [body] = this.#parts.set.bodies(sending.ids.slice(sending.at, ++sending.at));
      if (body === undefined) continue; // It has fallen out meanwhile.
      attestations.push(body);
      bytes += body.length;
    }
    const complete = sending.at === sending.ids.length;
    if (complete) this.#toSend = undefined;
    this.counts.attestationsOut += attestations.length;
    return { kind: "attestations", attestations, news: false, complete };
  }

  #nextOffer(): SetFrame | undefined {
    const ids = this.#toOffer.splice(0, bounds.idsAtOnce).toSorted();
    return ids.length === 0 ? undefined : { kind: "offer", ids };
  }

  #nextNews(): SetFrame | undefined {
    const attestations = this.#parts.set.bodies(this.#toTell.splice(0, bounds.frameBytes / limits.attestationBytes));
    if (attestations.length === 0) return undefined;
    this.counts.attestationsOut += attestations.length;
    return { kind: "attestations", attestations, news: true, complete: false };
  }
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
