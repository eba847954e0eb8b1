/**
 * Which records of names stand: forks, replays, what has expired, and whose a claimed name is.
 *
 * Merging is set union, so that the order in which records come does not matter. Knows: records, and what epochs say about names.
 * Does not know: signatures, bytes.
 */
import { type Key, limits, type NameRecord, type NameToken, type SignedName } from "../base/index.ts";
import { nameHolder, type State } from "./state.ts";

/** What one author's records of one name say. */
export type NameSaid =
  | { readonly kind: "root"; readonly record: NameRecord }
  | { readonly kind: "forked"; readonly author: Key; readonly sequence: number }
  | { readonly kind: "expired"; readonly record: NameRecord }
  | { readonly kind: "nothing" };

/** What a claimed name stands for. */
export type ClaimedSaid =
  | NameSaid
  /** Who held it holds it no more. */
  | { readonly kind: "vacant"; readonly owner: Key }
  /** A token as great was seen before, of an epoch that does not stand any more. */
  | { readonly kind: "fenced"; readonly owner: Key; readonly seen: number };

/**
 * What is worth keeping of one author's records of one name, all with a token or all without: those with the greatest token, and of these with
 * the greatest sequence. More than one of them is a fork, of which two are kept as evidence; what is older is a replay, whoever brings it.
 */
export function keepNames(records: readonly SignedName[]): SignedName[] {
  const order = (a: SignedName, b: SignedName): number =>
    (a.record.token?.number ?? 0) - (b.record.token?.number ?? 0) || a.record.sequence - b.record.sequence;
  const greatest = records.reduce<SignedName | undefined>(
    (most, one) => (most === undefined || order(one, most) > 0 ? one : most),
    undefined,
  );
  const different = new Map<string, SignedName>();
  for (const one of records) if (greatest !== undefined && order(one, greatest) === 0) different.set(identityOf(one.record), one);
  return [...different]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one)
    .slice(0, 2);
}

/** @param records of one author and one name, as {@link keepNames} leaves them */
export function nameSaid([first, second]: readonly SignedName[], nowMs: number): NameSaid {
  if (first === undefined) return { kind: "nothing" };
  const { record } = first;
  if (second !== undefined) return { kind: "forked", author: record.author, sequence: record.sequence };
  // Clocks of members may be wrong; the name is good for a little longer rather than gone too early.
  return record.expiresAtMs + limits.clockErrorMs < nowMs ? { kind: "expired", record } : { kind: "root", record };
}

/** Whether a name is one member's, or was its when it went: then it is not each author's own. */
export function isClaimed({ claims }: State, name: string): boolean {
  return claims.get(name)?.isOpen === false;
}

/** Whether a record is by who holds that name now, with the token that says so. */
export function isOwners(state: State, { name, author, token }: NameRecord): boolean {
  return token !== undefined && nameHolder(state, name) === author && isSameToken(state.claims.get(name)?.token, token);
}

/**
 * What a claimed name stands for: what its present owner says with the present token, and nothing else.
 *
 * @param records of that name, of whomever
 */
export function claimedSaid(state: State, fences: Fences, name: string, records: readonly SignedName[], nowMs: number): ClaimedSaid {
  const owner = nameHolder(state, name);
  if (owner === undefined) return { kind: "vacant", owner: state.claims.get(name)?.owner ?? "" };
  const token = state.claims.get(name)?.token;
  if (token === undefined || !fences.lets(name, token, owner)) return { kind: "fenced", owner, seen: fences.seen(name) };
  return nameSaid(keepNames(records.filter(({ record }) => record.name === name && isOwners(state, record))), nowMs);
}

/** A token that was seen, and whose it made the name. */
export interface Fence extends NameToken {
  readonly owner: Key;
}

/**
 * The greatest token of each name that a node has ever seen. What epochs say can be replaced in networks of few domains; what was once seen of a
 * name is not undone by that, or an owner could publish that others had replaced.
 */
export class Fences {
  readonly #seen: Map<string, Fence>;

  /** @param seen what {@link all} told before */
  constructor(seen: Iterable<readonly [string, Fence]> = []) {
    this.#seen = new Map(seen);
  }

  get all(): readonly (readonly [string, Fence])[] {
    return [...this.#seen];
  }

  /** @param state as epochs have decided it @returns whether any of it is news */
  look({ claims }: Pick<State, "claims">): boolean {
    let isNews = false;
    const { most } = limits.names.claims;
    if (this.#seen.size > 2 * most) for (const name of this.#seen.keys()) if (!claims.has(name)) this.#seen.delete(name);
    for (const [name, { token, owner }] of claims) {
      if (token === undefined || token.number <= (this.#seen.get(name)?.number ?? 0)) continue;
      this.#seen.set(name, { ...token, owner });
      isNews = true;
    }
    return isNews;
  }

  /** The number of the greatest; 0 where none was seen. */
  seen(name: string): number {
    return this.#seen.get(name)?.number ?? 0;
  }

  /** Of two epochs of one number, which two admins sign at once, it does not matter which stands where both give the name to the same member. */
  lets(name: string, token: NameToken, owner: Key): boolean {
    const seen = this.#seen.get(name);
    return seen === undefined || token.number > seen.number || (token.number === seen.number && owner === seen.owner);
  }
}

function isSameToken(a: NameToken | undefined, b: NameToken): boolean {
  return a !== undefined && a.number === b.number && a.epoch === b.epoch;
}

function identityOf({ root, codec, issuedAtMs, expiresAtMs, token }: NameRecord): string {
  return `${root} ${codec} ${issuedAtMs} ${expiresAtMs} ${token?.epoch ?? ""}`;
}
