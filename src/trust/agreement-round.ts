/**
 * One ballot as it runs on a node that speaks for a domain: when to give up on a view, what to tell others, which epochs are at hand.
 *
 * Whatever is lost is said again: votes and certificates travel with whoever has them, and all of it any number of times.
 * Knows: the times that it is told. Does not know: clocks, connections, or what makes an epoch valid.
 */
import { type AgreementFrame, type Certificate, type Digest, limits, type Vote } from "../base/index.ts";
import { Agreement, type AgreementOptions, type AgreementParts } from "./agreement.ts";
import type { Equivocation } from "./vote-book.ts";

export interface RoundParts extends Pick<AgreementParts, "sign" | "isSigned"> {
  /** What a proposed epoch is called, and whether it may be decided. */
  readonly read: (value: Uint8Array) => { readonly id: Digest; readonly isValid: boolean } | undefined;
  /** An epoch that this node would propose; undefined while it has nothing to decide. */
  readonly fresh: () => { readonly id: Digest; readonly bytes: Uint8Array } | undefined;
}

export interface RoundOptions extends AgreementOptions {
  /** The epoch before, by which the ballot is known. */
  readonly previous: Digest;
  readonly viewMs: number;
  readonly repeatMs: number;
}

/** What is to be sent. What this node signed in it must be on disk before. */
export interface RoundNews {
  readonly toAll: AgreementFrame | undefined;
  readonly toSender: AgreementFrame | undefined;
}

/** What survives a crash. */
export interface SavedRound {
  readonly own: readonly Vote[];
  readonly certificates: readonly Certificate[];
  readonly values: readonly Uint8Array[];
}

const NOTHING: RoundNews = { toAll: undefined, toSender: undefined };

export class AgreementRound {
  readonly previous: Digest;
  readonly #parts: RoundParts;
  readonly #options: RoundOptions;
  readonly #agreement: Agreement;
  readonly #values = new Map<Digest, { readonly bytes: Uint8Array; readonly isValid: boolean }>();
  #own: Digest | undefined;
  #enteredMs: number;
  #saidMs: number;
  /** Times that this node has repeated itself since it heard any news. */
  #repeated = 0;
  #isUp = false;
  #taken = 0;
  /** The view that was entered then. */
  #timed = 1;

  constructor(parts: RoundParts, options: RoundOptions, nowMs: number) {
    this.previous = options.previous;
    this.#parts = parts;
    this.#options = options;
    this.#enteredMs = nowMs;
    this.#saidMs = nowMs;
    const { sign, isSigned } = parts;
    const isValid = (value: Digest): boolean => this.#values.get(value)?.isValid === true;
    this.#agreement = new Agreement({ sign, isSigned, isValid, fresh: () => this.#fresh() }, options);
  }

  get view(): number {
    return this.#agreement.view;
  }

  get leader(): number {
    return this.#agreement.leaderOf(this.view);
  }

  get equivocations(): readonly Equivocation[] {
    return this.#agreement.equivocations;
  }

  /** What was decided, once the epoch itself is here as well. */
  get decision(): { readonly certificate: Certificate; readonly bytes: Uint8Array } | undefined {
    const certificate = this.#agreement.decision;
    const value = certificate && this.#values.get(certificate.value);
    return certificate === undefined || value === undefined ? undefined : { certificate, bytes: value.bytes };
  }

  /** How many things this node has signed in this ballot: what grew must be saved before it is sent. */
  get signed(): number {
    return this.#agreement.own().length;
  }

  /** Whether there is something to decide. A domain that has nothing to decide and hears of nothing neither speaks nor gives up. */
  get isAwake(): boolean {
    return this.#fresh() !== undefined || [...this.#values.values()].some(({ isValid }) => isValid);
  }

  /** Until {@link tick} has anything to do, if nobody says anything before, ms. */
  dueInMs(nowMs: number): number {
    const viewEndsMs = this.#agreement.hasGivenUp ? Number.POSITIVE_INFINITY : this.#enteredMs + this.#viewMs();
    return Math.max(0, Math.min(viewEndsMs, this.#saidMs + this.#repeatMs()) - nowMs);
  }

  /** Another who speaks for a domain says that. */
  hear(frame: AgreementFrame, nowMs: number): RoundNews {
    const hadDecided = this.#agreement.decision !== undefined;
    const before = this.view;
    let said = this.#agreement.hear(frame.votes, frame.certificates);
    if (this.#takeValues(frame.values)) said = [...said, ...this.#agreement.hear([], [])];
    this.#enter(nowMs);
    this.#wake(nowMs);
    this.#forget();
    const toSender = this.#answer(frame);
    const isNews = this.view > before || (!hadDecided && this.#agreement.decision !== undefined);
    return { toAll: this.#announce(said, isNews, nowMs), toSender };
  }

  /** Time has passed, or there may be something to decide now. */
  tick(nowMs: number): RoundNews {
    if (this.#agreement.decision !== undefined && this.decision !== undefined) return NOTHING; // Who asks is answered.
    const before = this.view;
    let said = this.#agreement.hear([], []);
    this.#enter(nowMs);
    if (!this.#wake(nowMs)) return NOTHING;
    if (nowMs - this.#enteredMs >= this.#viewMs()) said = [...said, ...this.#agreement.giveUp(this.view)];
    this.#enter(nowMs);
    if (!this.#isDue(nowMs)) return { toAll: this.#announce(said, this.view > before, nowMs), toSender: undefined };
    this.#saidMs = nowMs;
    return { toAll: this.#frame(this.#agreement.status()), toSender: undefined };
  }

  save(): SavedRound {
    const bytes = this.#agreement.values().flatMap((value) => this.#values.get(value)?.bytes ?? []);
    return { own: this.#agreement.own(), certificates: this.#agreement.needed(), values: bytes };
  }

  /** After a crash, before anything else. */
  restore({ own, certificates, values }: SavedRound): void {
    this.#agreement.restore(own);
    this.#agreement.hear([], certificates);
    this.#takeValues(values);
  }

  /** The first view begins when there is something to decide. @returns whether there is */
  #wake(nowMs: number): boolean {
    if (this.#isUp || !this.isAwake) return this.#isUp;
    this.#isUp = true;
    this.#enteredMs = nowMs;
    return true;
  }

  /** Who hears nothing new speaks ever more seldom: perhaps too few are there. */
  #isDue(nowMs: number): boolean {
    if (this.#agreement.taken > this.#taken) this.#repeated = 0;
    this.#taken = this.#agreement.taken;
    const isDue = nowMs - this.#saidMs >= this.#repeatMs();
    if (isDue) this.#repeated += 1;
    return isDue;
  }

  #repeatMs(): number {
    const { repeatGrowth, repeatMostMs } = limits.agreement;
    return Math.min(repeatMostMs, this.#options.repeatMs * repeatGrowth ** this.#repeated);
  }

  #viewMs(): number {
    const { viewGrowth, viewMostMs } = limits.agreement;
    return Math.min(viewMostMs, this.#options.viewMs * viewGrowth ** (this.view - 1));
  }

  #enter(nowMs: number): void {
    if (this.view === this.#timed) return;
    this.#timed = this.view;
    this.#enteredMs = nowMs;
  }

  #fresh(): Digest | undefined {
    if (this.#own !== undefined && this.#values.get(this.#own)?.isValid === true) return this.#own;
    const made = this.#parts.fresh();
    if (made !== undefined) this.#values.set(made.id, { bytes: made.bytes, isValid: true });
    this.#own = made?.id ?? [...this.#values].find(([, { isValid }]) => isValid)?.[0];
    return this.#own;
  }

  /** @returns whether there was one that was missing */
  #takeValues(values: readonly Uint8Array[]): boolean {
    if (values.length === 0) return false;
    let isNews = false;
    const wanted = new Set(this.#wanted());
    for (const bytes of values) {
      if (wanted.size === 0) break;
      const read = this.#parts.read(bytes);
      if (read === undefined || !wanted.delete(read.id)) continue;
      this.#values.set(read.id, { bytes, isValid: read.isValid });
      isNews = true;
    }
    return isNews;
  }

  #wanted(): Digest[] {
    return this.#agreement.values().filter((value) => !this.#values.has(value));
  }

  /** Keeps no epoch that nobody can build upon any more. */
  #forget(): void {
    if (this.#values.size <= VALUES_KEPT) return;
    const needed = new Set([...this.#agreement.values(), this.#own]);
    for (const value of this.#values.keys()) if (!needed.has(value)) this.#values.delete(value);
  }

  /** @returns what this node has just said, with what justifies it */
  #announce(said: readonly Vote[], isNews: boolean, nowMs: number): AgreementFrame | undefined {
    if (said.length === 0 && !isNews) return undefined;
    this.#saidMs = nowMs;
    return this.#frame({ votes: said, certificates: this.#agreement.status().certificates }, this.#proposed(said));
  }

  /** The epoch that this node has just proposed. */
  #proposed(said: readonly Vote[]): Uint8Array[] {
    const { self } = this.#options;
    return said.flatMap(({ kind, view, value }) => {
      const known = kind === "notarize" && this.#agreement.leaderOf(view) === self ? this.#values.get(value) : undefined;
      return known === undefined ? [] : [known.bytes];
    });
  }

  #answer({ from, wants, certificates }: AgreementFrame): AgreementFrame | undefined {
    const isBehind = from > 0 && (from < this.view || this.#agreement.decision !== undefined);
    const isDone = certificates.some(({ kind }) => kind === "finalize");
    const values = wants.flatMap((value) => this.#values.get(value)?.bytes ?? []).slice(0, limits.agreement.valuesPerFrame);
    const news = isBehind && !isDone ? this.#agreement.certificates(from) : [];
    return news.length === 0 && values.length === 0
      ? undefined
      : { ...this.#frame({ votes: [], certificates: news }, values), from: 0, wants: [] };
  }

  #frame(said: Pick<AgreementFrame, "votes" | "certificates">, values: readonly Uint8Array[] = []): AgreementFrame {
    const from = this.#agreement.decision === undefined ? this.#agreement.lacksFrom : 0;
    return { previous: this.previous, from, ...said, values, wants: this.#wanted() };
  }
}

/** Beyond so many, those that matter no more are dropped. */
const VALUES_KEPT = 8;
