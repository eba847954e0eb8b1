/**
 * Votes of one ballot, and the certificates that a quorum of them makes. Each domain counts once for each thing that it says.
 *
 * What a domain may say twice is bounded: who says more than two things at once in one view is heard no further.
 * Knows: what was said, and who contradicts itself. Does not know: what follows from it, or how a signature is checked.
 */
import { type Certificate, limits, type Said, type Vote, type VoteKind } from "../base/index.ts";

/** Two things that one domain said and no honest one says both of. */
export interface Equivocation {
  readonly domain: number;
  readonly votes: readonly [Vote, Vote];
}

/** Of one view: who said what, by kind, value and domain. */
interface Page {
  readonly votes: Readonly<Record<VoteKind, Map<string, Map<number, Vote>>>>;
  /** The first of each kind; there is a second of one kind only where more domains lie than is assumed. */
  readonly certificates: Map<VoteKind, Certificate>;
}

export interface VoteBookParts {
  /** Whether that domain has signed that. */
  readonly isSigned: (vote: Vote) => boolean;
}

export interface VoteBookOptions {
  readonly domains: number;
  readonly quorum: number;
}

/** Two values of one kind are one too many already, and show that. */
const VALUES_PER_DOMAIN = 2;
const KINDS = ["notarize", "nullify", "finalize"] as const;

export class VoteBook {
  readonly #parts: VoteBookParts;
  readonly #options: VoteBookOptions;
  readonly #pages = new Map<number, Page>();
  readonly #equivocations = new Map<number, Equivocation>();
  /** The greatest view that can be left. */
  #passed = 0;
  #decision: Certificate | undefined;
  #taken = 0;

  constructor(parts: VoteBookParts, options: VoteBookOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** The greatest view with a certificate by which it can be left; 0 when there is none. */
  get passed(): number {
    return this.#passed;
  }

  /** How much was news and held so far. */
  get taken(): number {
    return this.#taken;
  }

  get decision(): Certificate | undefined {
    return this.#decision;
  }

  /** At most one for each domain. */
  get equivocations(): readonly Equivocation[] {
    return [...this.#equivocations.values()];
  }

  /** @returns whether it is news, and holds */
  add(vote: Vote): boolean {
    if (!this.#isPossible(vote)) return false;
    const page = this.#page(vote.view);
    const { kind, view, value, domain } = vote;
    const same = page.votes[kind].get(value) ?? new Map<number, Vote>();
    if (same.has(domain)) return false;
    const others = saidBy(page, domain);
    if (others.filter((one) => one.kind === kind).length >= VALUES_PER_DOMAIN || !this.#parts.isSigned(vote)) return false;
    const against = others.find((one) => contradicts(one, vote));
    if (against !== undefined && !this.#equivocations.has(domain)) this.#equivocations.set(domain, { domain, votes: [against, vote] });
    page.votes[kind].set(value, same.set(domain, vote));
    this.#taken += 1;
    if (same.size >= this.#options.quorum) this.#keep(page, { kind, view, value, votes: votesOf(same) });
    return true;
  }

  /** @returns whether it is news, and holds */
  addCertificate({ kind, view, value, votes }: Certificate): boolean {
    const page = this.#pages.get(view);
    if (page?.certificates.has(kind) === true || votes.length < this.#options.quorum || votes.length > this.#options.domains) return false;
    if (new Set(votes.map(({ domain }) => domain)).size < votes.length) return false;
    const known = page?.votes[kind].get(value);
    for (const { domain, signature } of votes) {
      const vote = { kind, view, value, domain, signature };
      if (!this.#isPossible(vote)) return false;
      const same = known?.get(domain);
      // A signature of these keys is one; another one for the same is checked like any.
      if ((same === undefined || !isSame(same.signature, signature)) && !this.#parts.isSigned(vote)) return false;
    }
    this.#keep(this.#page(view), { kind, view, value, votes });
    return true;
  }

  certificate(kind: VoteKind, view: number): Certificate | undefined {
    return this.#pages.get(view)?.certificates.get(kind);
  }

  /** What a domain says in a view, of one kind. */
  said(kind: VoteKind, view: number, domain: number): Vote[] {
    const page = this.#pages.get(view);
    return page === undefined ? [] : saidBy(page, domain).filter((one) => one.kind === kind);
  }

  /** All votes of a view that no certificate of the same kind makes superfluous. */
  open(view: number): Vote[] {
    const page = this.#pages.get(view);
    if (page === undefined) return [];
    return KINDS.flatMap((kind) => (page.certificates.has(kind) ? [] : [...page.votes[kind].values()].flatMap((by) => [...by.values()])));
  }

  /** Forgets votes, but no certificate, of views before that one. */
  prune(view: number): void {
    for (const [number, page] of this.#pages) if (number < view) for (const kind of KINDS) page.votes[kind].clear();
  }

  #isPossible({ kind, view, value, domain }: Said & { readonly domain: number }): boolean {
    return domain < this.#options.domains && view >= 1 && view <= limits.agreement.views && (kind === "nullify") === (value === "");
  }

  #page(view: number): Page {
    const page = this.#pages.get(view) ?? newPage();
    this.#pages.set(view, page);
    return page;
  }

  #keep(page: Page, certificate: Certificate): void {
    const { kind, view } = certificate;
    if (page.certificates.has(kind)) return;
    page.certificates.set(kind, certificate);
    this.#taken += 1;
    if (kind === "finalize") this.#decision ??= certificate;
    else this.#passed = Math.max(this.#passed, view);
  }
}

function newPage(): Page {
  return { votes: { notarize: new Map(), nullify: new Map(), finalize: new Map() }, certificates: new Map() };
}

function saidBy(page: Page, domain: number): Vote[] {
  const found: Vote[] = [];
  for (const kind of KINDS)
    for (const by of page.votes[kind].values()) {
      const vote = by.get(domain);
      if (vote !== undefined) found.push(vote);
    }
  return found;
}

/** Of one domain, in one view. To notarize and to nullify is no contradiction: who waits no longer may still see what it waited for. */
function contradicts(one: Said, other: Said): boolean {
  if (one.kind === other.kind) return one.value !== other.value;
  return one.kind !== "notarize" && other.kind !== "notarize";
}

function votesOf(by: ReadonlyMap<number, Vote>): Certificate["votes"] {
  return [...by.values()].map(({ domain, signature }) => ({ domain, signature })).toSorted((a, b) => a.domain - b.domain);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one === other || Buffer.compare(one, other) === 0;
}
