/**
 * Names that are one member's for the whole network: whose each is, and by which epoch.
 *
 * Knows: what epochs gave to whom, and how much anybody may hold. Does not know: who may give what to whom, or what a name stands for.
 */
import { type Digest, type Key, limits, type NameToken } from "../base/index.ts";

/** What the newest statement about a name says. It stays when its owner goes, who holds it no more then. */
export interface Claim {
  readonly owner: Key;
  /** For whom it counts: its owner, or who has given it to another domain's machine that has not claimed it since. */
  readonly payer: Key;
  /** Whether its owner has given it back: it is each author's own. */
  readonly isOpen: boolean;
  /** The epoch that says so; undefined while none does. */
  readonly token: NameToken | undefined;
  /** What the next statement about it has to follow upon: what gave it, or the epoch that says that it was given back or its owner has gone; undefined while no epoch holds it. */
  readonly last: Digest | undefined;
}

/** By name. */
export type Claims = ReadonlyMap<string, Claim>;

/** What the next claim of that name has to say that it follows upon; undefined where no statement can. */
export function latestOf(claims: Claims, name: string): Digest | undefined {
  const claim = claims.get(name);
  return claim === undefined ? "" : claim.last;
}

/** That of the next token: newer than the one before, and as great as it is to be, as far as an epoch may raise it. */
export function tokenNumber(epoch: number, before: number, floor: number): number {
  const least = Math.max(epoch, before + 1);
  return Math.max(least, Math.min(floor, epoch * limits.names.tokenRise));
}

/** Who holds a name now. */
export function holderOf(claims: Claims, name: string, isActive: (key: Key) => boolean): Key | undefined {
  const claim = claims.get(name);
  return claim === undefined || claim.isOpen || !isActive(claim.owner) ? undefined : claim.owner;
}

/** Whether there is room for one more name that counts for that member, which is not among them yet. What was given back counts for whom it did before. */
export function hasRoom(claims: Claims, name: string, payer: Key, domainOf: (key: Key) => string): boolean {
  const { perMember, perMemberEver, perDomain, most } = limits.names.claims;
  const others = [...claims].filter(([one]) => one !== name).map(([, claim]) => claim);
  const domain = domainOf(payer);
  const own = others.filter((claim) => claim.payer === payer);
  const held = own.filter((claim) => !claim.isOpen).length;
  const ofDomain = others.filter((claim) => domainOf(claim.payer) === domain).length;
  return held < perMember && own.length < perMemberEver && ofDomain < perDomain && others.length < most;
}
