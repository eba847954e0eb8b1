/**
 * Who may give what an admin alone may not: a new domain its voice, and the network a laxer policy.
 *
 * A stolen key of a junior admin could otherwise make as many domains as a quorum needs, whether those count results or epochs.
 * Knows: what epochs have decided about members. Does not know: what is to be given.
 */
import { type Key, limits } from "../base/index.ts";
import { faultyMost } from "./agreement.ts";

/** What matters here of a member. */
export interface Seat {
  readonly key: Key;
  readonly domain: string;
  readonly rank: number;
  readonly standing: "active" | "revoked" | "left";
  readonly invitedBy: Key | undefined;
  /** Who has put it out. */
  readonly endedBy: Key | undefined;
}

export interface Council {
  /** By domain with a voice, who speaks for it: its most senior machine. */
  readonly speakers: ReadonlyMap<string, Key>;
  /** Who speaks for the first domain, unless it came to that by putting out its own seniors. */
  readonly chair: Key | undefined;
}

/** @param members all that epochs know, by key */
export function councilOf(members: ReadonlyMap<Key, Seat>, genesisDomain: string, hasVoice: (domain: string) => boolean): Council {
  const speakers = new Map<string, Key>();
  const active = [...members.values()].filter(({ standing, domain }) => standing === "active" && hasVoice(domain));
  for (const { domain, key } of active.toSorted((a, b) => a.rank - b.rank)) if (!speakers.has(domain)) speakers.set(domain, key);
  const first = speakers.get(genesisDomain);
  const senior = first === undefined ? undefined : members.get(first);
  const ousted = [...members.values()].filter(({ domain, standing }) => domain === genesisDomain && standing === "revoked");
  const isChair = senior !== undefined && !ousted.some((one) => hasOusted(members, senior, one));
  return { speakers, chair: isChair ? senior.key : undefined };
}

/** Whether those whose word is given are enough. */
export function areEnough({ speakers, chair }: Council, accepted: ReadonlySet<Key>): boolean {
  const given = [...speakers.values()].filter((key) => accepted.has(key)).length;
  return given >= neededOf({ speakers, chair }) || (isSmall({ speakers }) && chair !== undefined && accepted.has(chair));
}

/**
 * Whether all domains but that one agree that a machine of it is put out, where they are so few that none of them may be outvoted; in larger
 * networks an admin's word is enough, and the domains decide when. The first domain's word is the chair's: a junior that has put out its seniors
 * has none.
 */
export function agreeAgainst(council: Council, genesisDomain: string, accused: string, accepted: ReadonlySet<Key>): boolean {
  if (!isSmall(council)) return true;
  return jurors(council, genesisDomain, accused).every((key) => key !== undefined && accepted.has(key));
}

/** Whose word that takes; undefined for that of a domain that has nobody to give it. */
export function jurors({ speakers, chair }: Council, genesisDomain: string, accused: string): readonly (Key | undefined)[] {
  return [...speakers].filter(([domain]) => domain !== accused).map(([domain, key]) => (domain === genesisDomain ? chair : key));
}

/** How many domains must accept, where the chair's word alone is not enough: one of them is honest. */
export function neededOf({ speakers }: Council): number {
  return Math.max(2, faultyMost(speakers.size) + 1);
}

/** Whether there are so few domains that none of them may be outvoted. */
export function isSmall({ speakers }: Pick<Council, "speakers">): boolean {
  return speakers.size < limits.agreement.domainsLeast;
}

/** Whether a member became the most senior because its own hand has put out who was before it. A senior may put out juniors as it likes. */
function hasOusted(members: ReadonlyMap<Key, Seat>, member: Seat, ousted: Seat): boolean {
  const by = ousted.endedBy === undefined ? undefined : members.get(ousted.endedBy);
  if (by === undefined || by.rank < ousted.rank || ousted.rank > member.rank) return false;
  const hand = handOf(members, by, ousted.rank);
  return [...handOf(members, member, ousted.rank)].some((key) => hand.has(key));
}

/** A machine, who let it in, who let that one in, and so on, as far as they are junior to that rank: one key may have made all of them. */
function handOf(members: ReadonlyMap<Key, Seat>, member: Seat, rank: number): ReadonlySet<Key> {
  const hand = new Set<Key>();
  for (let one: Seat | undefined = member; one !== undefined && one.rank > rank && !hand.has(one.key); ) {
    hand.add(one.key);
    one = one.invitedBy === undefined ? undefined : members.get(one.invitedBy);
  }
  return hand;
}
