/**
 * Agreement of domains on one value, though some of them lie: Simplex (Chan and Pass, "Simplex Consensus: A Simple and Fast Consensus
 * Protocol", TCC 2023), for a single decision. Votes in, votes and a decision out; no clock, no messages, no keys.
 *
 * A ballot goes from view to view. In each, one domain leads: its `notarize` is the proposal, and others follow it. A quorum of `notarize`
 * lets all who did not give up on the view `finalize`; a quorum of `nullify` lets all pass on without. What a view proposes must be what the
 * newest view notarized of which nobody can show that it was nullified. A quorum of `finalize` decides.
 *
 * Why no two values are decided while at most f = ⌊(n − 1) / 3⌋ of n domains lie: any two quorums share an honest domain. It notarizes once
 * a view, so that a view notarizes one value; and in no view both finalizes and nullifies, so that a view that decided is never nullified,
 * and every later one must propose what it decided.
 * Knows: what may be said next. Does not know: what is decided upon, when a view has lasted too long.
 */
import { type Certificate, type Digest, limits, type Said, type Vote, type VoteKind } from "../base/index.ts";
import { type Equivocation, VoteBook } from "./vote-book.ts";

export interface AgreementParts {
  /** Signs for this node's own domain. */
  readonly sign: (said: Said) => Uint8Array;
  /** Whether that domain has signed that. */
  readonly isSigned: (vote: Vote) => boolean;
  /** Whether a value is known here and may be decided. */
  readonly isValid: (value: Digest) => boolean;
  /** What this node would propose; undefined while it has nothing. */
  readonly fresh: () => Digest | undefined;
}

export interface AgreementOptions {
  readonly domains: number;
  /** The domain for which this node speaks. */
  readonly self: number;
}

/** What a view may propose. */
interface Allowed {
  readonly values: readonly Digest[];
  /** Nothing was notarized that has to be kept: any valid value will do. */
  readonly isFree: boolean;
  /** The view whose certificates tell more, if others have them; the certificates from there on are the ground for a proposal. */
  readonly since: number;
}

/** How many of `domains` may lie. */
export function faultyMost(domains: number): number {
  return Math.floor((domains - 1) / 3);
}

/** So many that any two such sets share more domains than may lie, and no more: who is away shall stop nobody. */
export function quorumOf(domains: number): number {
  return Math.floor((domains + faultyMost(domains)) / 2) + 1;
}

export class Agreement {
  readonly #parts: AgreementParts;
  readonly #options: AgreementOptions;
  readonly #book: VoteBook;
  readonly #own = new Map<number, Map<VoteKind, Vote>>();
  #view = 1;

  constructor(parts: AgreementParts, options: AgreementOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#book = new VoteBook(parts, { domains: options.domains, quorum: quorumOf(options.domains) });
  }

  get view(): number {
    return this.#view;
  }

  get decision(): Certificate | undefined {
    return this.#book.decision;
  }

  /** Grows with everything that is news. */
  get taken(): number {
    return this.#book.taken;
  }

  get equivocations(): readonly Equivocation[] {
    return this.#book.equivocations;
  }

  /** Domains take turns. */
  leaderOf(view: number): number {
    return (view - 1) % this.#options.domains;
  }

  /**
   * Takes in what others say; and sees what this node can say, now that it may know more values than before.
   *
   * @returns what this node says now and has not said before; it must survive a crash before anybody hears of it
   */
  hear(votes: readonly Vote[], certificates: readonly Certificate[]): Vote[] {
    for (const one of certificates) this.#book.addCertificate(one);
    const { viewsKept, viewsAhead } = limits.agreement;
    for (const one of votes) if (one.view >= this.#view - viewsKept && one.view <= this.#view + viewsAhead) this.#book.add(one);
    return this.#progress();
  }

  /** Whether this node waits no longer for the view that it is in, or may not: after a crash it can be in one that it has finalized. */
  get hasGivenUp(): boolean {
    return this.#hasSaid("nullify", this.#view) || this.#hasSaid("finalize", this.#view);
  }

  /** This node waits no longer for that view. */
  giveUp(view: number): Vote[] {
    if (view !== this.#view || this.decision !== undefined) return [];
    const said = this.hasGivenUp ? [] : [this.#say({ kind: "nullify", view, value: "" })];
    return [...said, ...this.#progress()];
  }

  /** Takes back what this node had said before a crash, so that it says nothing else now. */
  restore(own: readonly Vote[]): void {
    for (const one of own) {
      this.#remember(one);
      this.#book.add(one);
    }
  }

  /** All that this node has ever said in this ballot. */
  own(): Vote[] {
    return [...this.#own.values()].flatMap((kinds) => [...kinds.values()]);
  }

  /** What others need so that this view can end: votes that are here, and what justifies the proposal. */
  status(): { readonly votes: readonly Vote[]; readonly certificates: readonly Certificate[] } {
    const { decision } = this;
    if (decision !== undefined) return { votes: [], certificates: [decision] };
    const { since } = this.#allowed(this.#view);
    const first = Math.max(1, this.#view - limits.agreement.viewsKept);
    const views = Array.from({ length: this.#view - first + 1 }, (_, i) => first + i);
    // Of views that are over, what finalizes them.
    const votes = views.flatMap((view) => this.#book.open(view).filter(({ kind }) => view === this.#view || kind === "finalize"));
    return { votes, certificates: this.certificates(since) };
  }

  /** Certificates of that view and those after it, the oldest first; of the last view perhaps one more than the most. */
  certificates(from: number, most: number = limits.agreement.certificatesPerFrame): Certificate[] {
    if (this.decision !== undefined) return [this.decision];
    const found: Certificate[] = [];
    for (let view = Math.max(1, from); view < this.#view && found.length < most; view++)
      for (const kind of ["notarize", "nullify"] as const) {
        const certificate = this.#book.certificate(kind, view);
        if (certificate !== undefined) found.push(certificate);
      }
    return found;
  }

  /** What this node has to keep so as to be in the same view after a crash, and able to justify what it proposes though all have crashed. */
  needed(): Certificate[] {
    return this.certificates(this.#allowed(this.#view).since, Number.POSITIVE_INFINITY);
  }

  /** The first view of which this node would like to see certificates of others. */
  get lacksFrom(): number {
    const { since } = this.#allowed(this.#view);
    return this.#proposals().length > 0 && !this.#hasSaid("notarize", this.#view) ? Math.max(1, since) : this.#view;
  }

  /** Values that matter still: proposed in this view, or notarized in one that others may build upon. */
  values(): Digest[] {
    const { values } = this.#allowed(this.#view);
    const decided = this.decision?.value;
    return [...this.#proposals(), ...values, ...(decided === undefined || decided === "" ? [] : [decided])];
  }

  #progress(): Vote[] {
    const said: Vote[] = [];
    while (this.decision === undefined && this.#view < limits.agreement.views) {
      const view = Math.max(this.#view, this.#book.passed);
      const notarized = this.#book.certificate("notarize", view);
      if (notarized !== undefined || this.#book.certificate("nullify", view) !== undefined) {
        if (notarized !== undefined && !this.#hasSaid("nullify", view) && !this.#hasSaid("finalize", view))
          said.push(this.#say({ kind: "finalize", view, value: notarized.value }));
        this.#enter(view + 1);
        continue;
      }
      const value = this.#choice(view);
      if (value === undefined || this.#hasSaid("notarize", view)) break;
      said.push(this.#say({ kind: "notarize", view, value }));
    }
    return said;
  }

  #enter(view: number): void {
    this.#view = view;
    this.#book.prune(view - limits.agreement.viewsKept);
  }

  /** What this node would notarize. */
  #choice(view: number): Digest | undefined {
    const { values, isFree } = this.#allowed(view);
    if (this.leaderOf(view) === this.#options.self) return values[0] ?? (isFree ? this.#parts.fresh() : undefined);
    return this.#proposals().find((value) => (values.includes(value) || isFree) && this.#parts.isValid(value));
  }

  /** What the leader of this view wants; more than one thing only if it lies. */
  #proposals(): Digest[] {
    return this.#book.said("notarize", this.#view, this.leaderOf(this.#view)).map(({ value }) => value);
  }

  #allowed(view: number): Allowed {
    const values: Digest[] = [];
    for (let before = view - 1; before >= 1; before--) {
      const notarized = this.#book.certificate("notarize", before);
      if (notarized !== undefined && !values.includes(notarized.value)) values.push(notarized.value);
      if (this.#book.certificate("nullify", before) === undefined) return { values, isFree: false, since: before };
    }
    return { values, isFree: true, since: 1 };
  }

  #hasSaid(kind: VoteKind, view: number): boolean {
    return this.#own.get(view)?.has(kind) === true;
  }

  #say(said: Said): Vote {
    const vote: Vote = { ...said, domain: this.#options.self, signature: this.#parts.sign(said) };
    this.#remember(vote);
    this.#book.add(vote);
    return vote;
  }

  #remember(vote: Vote): void {
    const kinds = this.#own.get(vote.view) ?? new Map<VoteKind, Vote>();
    this.#own.set(vote.view, kinds.set(vote.kind, vote));
  }
}
