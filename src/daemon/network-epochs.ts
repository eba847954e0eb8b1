/**
 * Epochs as people are told of them: who decided the newest, who decides the next, what waits; and how a member is put out.
 *
 * Knows: what is worth telling. Does not know: how domains agree.
 */
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import {
  askedFor,
  countedDomain,
  isAdmin,
  isLetInBy,
  keepersOfChair,
  type Members,
  type Membership,
  neededFor,
  type Proposal,
  type State,
} from "../trust/index.ts";
import type { Deciding, NetworkAgreement } from "./network-agreement.ts";

/** What came of putting a member out. */
export interface Revoked {
  /** Whether an epoch holds it: it is final. */
  readonly decided: boolean;
  /** Whether members let go of it already. */
  readonly inEffect: boolean;
  /** Domains that agreed; none where an admin decided. */
  readonly domains: readonly string[];
  /** Domains that must agree; 0 where an admin decides. */
  readonly quorum: number;
  /** Where all other domains have to accept it first. */
  readonly waits?: Words;
}

/** Whose word about a revocation there is, and whose it still takes. */
export interface Words {
  /** Domains that have accepted it, and how many must. */
  readonly accepted: readonly string[];
  readonly needed: number;
  /** Each other domain, and the machine that speaks for it; "" where the first domain has nobody who may. */
  readonly missing: readonly { readonly domain: string; readonly member: string }[];
}

/** A member that is to be put out once others have said so, too. */
export interface Waiting extends Words {
  readonly member: string;
  readonly domain: string;
  readonly by: string;
  /** Whether this machine's word is one of those. */
  readonly mayAccept: boolean;
}

/** What waits for the word of other domains, all that have been given counted in, also those that no epoch has yet; what waits for an epoch of four and more is not among it. */
export function waitingWords({ intended: state }: Membership, self: Key): Waiting[] {
  if (state === undefined) return [];
  const nameOf = (key: Key): string => state.members.get(key)?.name ?? "";
  return [...state.proposals.values()].flatMap((proposal) => {
    const { what, by, accepted } = proposal;
    if (what.kind !== "revoke") return [];
    const who = { member: nameOf(what.member), domain: countedDomain(state, what.member), by: nameOf(by) };
    return [{ ...who, ...wordsFor(state, proposal), mayAccept: askedFor(state, what).includes(self) && !accepted.has(self) }];
  });
}

/** Whether a voice for that domain would be the fourth: then no other domain is asked any more whether a machine is put out. */
export function endsUnanimity(state: State | undefined, domain: string): boolean {
  if (state?.isUnanimous !== true || state.council.speakers.has(domain)) return false;
  return state.council.speakers.size === limits.agreement.domainsLeast - 1;
}

/** Who must agree that a machine of another domain is put out; none where it takes no agreement, or four domains and more decide. */
function deciders({ isUnanimous, council, genesisDomain, members }: State): Words["missing"] {
  const { speakers, chair } = council;
  if (!isUnanimous || speakers.size < 2 || speakers.size >= limits.agreement.domainsLeast) return [];
  const speaks = (domain: string, key: Key): Key | undefined => (domain === genesisDomain ? chair : key);
  return [...speakers].map(([domain, key]) => ({ domain, member: members.get(speaks(domain, key) ?? "")?.name ?? "" }));
}

export function describeDeciding(membership: Membership, self: Key, { voices, quorum, ballot }: Deciding): object {
  const { state, decidedBy, fork, undecided } = membership;
  const nameOf = (key: Key): string => state?.members.get(key)?.name ?? "";
  return {
    by: voices.length === 0 ? "admins" : "domains",
    voices: voices.map(({ domain, key }) => ({ domain, member: nameOf(key) })),
    quorum,
    newest:
      decidedBy?.by === "domains" ? { domains: decidedBy.domains } : { admin: decidedBy === undefined ? "" : nameOf(decidedBy.admin) },
    undecided,
    ballot: ballot ?? null,
    revocations: heldBack(membership).map(nameOf),
    together: state === undefined ? [] : deciders(state),
    waiting: waitingWords(membership, self),
    fork: fork ?? null,
  };
}

/** Members that are to be put out once the domains have agreed. */
function heldBack({ state, intended }: Membership): Key[] {
  return [...(state?.members.values() ?? [])].flatMap(({ key, standing }) =>
    standing === "active" && intended?.members.get(key)?.standing === "revoked" ? [key] : [],
  );
}

export interface RevokeParts {
  readonly members: Members;
  readonly membership: Membership;
  readonly agreement: Pick<NetworkAgreement, "deciding" | "until">;
}

/** Decides what waits at once, when this node may: that should not wait for others. Otherwise others are waited for, but not for long. */
export async function untilDecided({ members, agreement }: RevokeParts, isOver: () => boolean): Promise<void> {
  if (members.turn(() => false) === 0) members.decide();
  else await agreement.until(isOver, limits.agreement.decidedWithinMs);
}

/** @throws {CairnError} network-refused: nobody would speak for the first domain afterwards */
function keepChair({ state }: Membership, key: Key, self: Key): void {
  const keepers = state && keepersOfChair(state, key, self);
  if (state === undefined || keepers === undefined) return;
  throw new CairnError("network-refused", {
    why: "chair-lost",
    ...(keepers.length > 0 && keepers.every((one) => isLetInBy(state, one, key)) && { doubted: true }),
    members: keepers.map((one) => state.members.get(one)?.name ?? "").join(" "),
  });
}

/**
 * Takes back this machine's word that a member be put out.
 *
 * @throws {CairnError} network-refused
 * @returns whose word there is still, where others want it
 */
export function withdraw({ members, membership }: Omit<RevokeParts, "agreement">, key: Key): Words | undefined {
  const issued = members.issue({ kind: "revoke", member: key, isWithdrawn: true });
  if (issued.kind === "refused") throw new CairnError("network-refused", { why: issued.why });
  if (members.turn(() => false) === 0) members.decide();
  const { intended } = membership;
  const waiting = proposalOf(intended, key);
  return intended && waiting && wordsFor(intended, waiting[1]);
}

/**
 * @param isForced also where nobody speaks for the first domain afterwards
 * @throws {CairnError} network-refused
 */
export async function revoke(parts: RevokeParts, key: Key, isForced = false): Promise<Revoked> {
  const { members, membership, agreement } = parts;
  if (!isForced) keepChair(membership, key, members.self);
  const { quorum } = agreement.deciding;
  // Asked again because the first answer came before the decision, or because others had asked for it.
  const others = heldBack(membership).includes(key) ? "held-back" : proposalOf(membership.intended, key);
  // Its own domain puts it out at once, whatever others wait for.
  const asked = members.isOfOwnDomain(key) ? undefined : others;
  if (asked !== "held-back") {
    const { state } = membership;
    // An admin's own word stays when who was the first to say it has gone.
    const isOwnWord = asked === undefined || (state !== undefined && isAdmin(state, members.self));
    const issued = members.issue(isOwnWord ? { kind: "revoke", member: key } : { kind: "accept", statement: asked[0] });
    if (issued.kind === "refused" && !(asked !== undefined && AGAIN.has(issued.why)))
      throw new CairnError("network-refused", { why: issued.why });
  }
  const isOver = (state: State | undefined): boolean => state?.members.get(key)?.standing !== "active";
  // Where an admin decides, members let go of it before.
  if (quorum > 0 || members.turn(() => false) === 0) await untilDecided(parts, () => isOver(membership.decided));
  const decided = isOver(membership.decided);
  const { decidedBy } = membership;
  const domains = decided && decidedBy?.by === "domains" ? decidedBy.domains : [];
  const waiting = decided ? undefined : proposalOf(membership.intended, key);
  return {
    decided,
    inEffect: isOver(membership.state),
    domains,
    quorum,
    ...(waiting && membership.intended && { waits: wordsFor(membership.intended, waiting[1]) }),
  };
}

/** Who has no word to add, or has given it, only wants to know how it stands. */
const AGAIN: ReadonlySet<string> = new Set(["accepted-already", "not-a-speaker"]);

/** That a member be put out, which others have to accept. */
function proposalOf(state: State | undefined, key: Key): [Digest, Proposal] | undefined {
  return [...(state?.proposals ?? [])].find(([, { what }]) => what.kind === "revoke" && what.member === key);
}

export function wordsFor(state: State, { what, accepted }: Pick<Proposal, "what" | "accepted">): Words {
  const { speakers } = state.council;
  const given = [...speakers].flatMap(([domain, key]) => (accepted.has(key) ? [domain] : []));
  const missing = askedFor(state, what).flatMap((key) => {
    if (key === undefined) return [{ domain: state.genesisDomain, member: "" }];
    return accepted.has(key) ? [] : [{ domain: countedDomain(state, key), member: state.members.get(key)?.name ?? "" }];
  });
  return { accepted: given, needed: neededFor(state, what), missing };
}
