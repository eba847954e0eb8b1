/**
 * One lookup: from contacts that this node has to those that are responsible for a target, by asking ever nearer ones.
 *
 * Kademlia's iterative lookup (section 2.3), with one difference: whom to ask is chosen by {@link spread}, not by distance alone. The
 * questions of one lookup go to as many domains as there are, so what one domain says or keeps back does not decide where it ends; that is
 * what disjoint paths are for elsewhere (Baumgart & Mies, "S/Kademlia", ICPADS 2007, section 4.2), where domains are not known.
 * Knows: who was told by whom, who answered. Does not know: clocks, streams, who is a member.
 */
import type { Key } from "../base/index.ts";
import { type OverlayId, spread } from "./overlay-ids.ts";
import type { Contact } from "./overlay-table.ts";

export interface LookupOptions {
  /** It ends when this many, the first in order of those who are left, have answered. */
  readonly replicas: number;
  /** Questions under way at once. */
  readonly parallel: number;
  /** Questions altogether. */
  readonly questions: number;
  /** Contacts that are kept in mind. */
  readonly candidates: number;
}

type State = "told" | "asked" | "late" | "answered" | "failed";

interface Candidate<Address> extends Contact<Address> {
  /** Questions one after the other that lead to it, with the one to itself: 1 for this node's own contacts. */
  readonly hops: number;
  state: State;
}

export class Lookup<Address> {
  readonly #target: OverlayId;
  readonly #options: LookupOptions;
  readonly #candidates = new Map<Key, Candidate<Address>>();
  #questions = 0;
  /** See {@link #first}; undefined when it has to be put in order again. */
  #ordered: readonly Candidate<Address>[] | undefined;

  /** @param seeds contacts that this node has */
  constructor(target: OverlayId, seeds: readonly Contact<Address>[], options: LookupOptions) {
    this.#target = target;
    this.#options = options;
    for (const seed of seeds) this.#add(seed, 1);
  }

  /** Questions that were asked. */
  get questions(): number {
    return this.#questions;
  }

  /** Whom to ask now. With none of them and nobody who is still asked, the lookup is over. */
  next(): Contact<Address>[] {
    const asked = [...this.#candidates.values()].filter(({ state }) => state === "asked").length;
    const { parallel, questions } = this.#options;
    const free = Math.max(0, Math.min(parallel - asked, questions - this.#questions));
    const chosen = this.#first()
      .filter(({ state }) => state === "told")
      .slice(0, free);
    for (const candidate of chosen) candidate.state = "asked";
    this.#questions += chosen.length;
    return chosen;
  }

  /** Whether nobody is left to ask or to wait for; to be asked after {@link next}. */
  get isOver(): boolean {
    return this.#first().every(({ state }) => state === "answered" || (state === "told" && this.#questions >= this.#options.questions));
  }

  /** @returns whether it counts: it was asked, and has not answered before */
  answered(key: Key, told: readonly Contact<Address>[]): boolean {
    const candidate = this.#candidates.get(key);
    if (candidate === undefined || (candidate.state !== "asked" && candidate.state !== "late")) return false;
    candidate.state = "answered";
    for (const contact of told) this.#add(contact, candidate.hops + 1);
    return true;
  }

  /** It has not answered for a while: somebody else may be asked meanwhile. */
  late(key: Key): void {
    const candidate = this.#candidates.get(key);
    if (candidate?.state === "asked") candidate.state = "late";
  }

  failed(key: Key): void {
    const candidate = this.#candidates.get(key);
    if (candidate === undefined || candidate.state === "answered") return;
    candidate.state = "failed";
    this.#ordered = undefined;
  }

  hops(key: Key): number | undefined {
    return this.#candidates.get(key)?.hops;
  }

  /** Those who answered, in the order in which they are responsible. */
  found(): Contact<Address>[] {
    return this.#first().filter(({ state }) => state === "answered");
  }

  /** The first in order of those who are left. */
  #first(): readonly Candidate<Address>[] {
    const left = (): Candidate<Address>[] => [...this.#candidates.values()].filter(({ state }) => state !== "failed");
    this.#ordered ??= spread(this.#target, left()).slice(0, this.#options.replicas);
    return this.#ordered;
  }

  #add(contact: Contact<Address>, hops: number): void {
    if (this.#candidates.has(contact.key) || this.#candidates.size >= this.#options.candidates) return;
    this.#candidates.set(contact.key, { ...contact, hops, state: "told" });
    this.#ordered = undefined;
  }
}
