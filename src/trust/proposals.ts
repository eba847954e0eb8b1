/**
 * What waits until enough domains have accepted it, and what takes effect then.
 *
 * Knows: whose word about what counts, and what else ends when something takes effect.
 * Does not know: who may say what in the first place; see operations.ts.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import { tokenNumber } from "./claims.ts";
import { agreeAgainst, areEnough, isSmall, jurors, neededOf } from "./council.ts";
import type { Ruling } from "./policy.ts";
import {
  countedDomain,
  type Gift,
  isActive,
  isAdmin,
  isOneDomains,
  type Member,
  type Proposal,
  type Refusal,
  type State,
} from "./state.ts";

export interface Origin {
  readonly id: Digest;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly epoch: number | undefined;
}

export function propose(state: State, id: Digest, by: Key, what: Proposal["what"], sequence?: number): Refusal | undefined {
  // The first domain can put out as many as others let in; of each machine one revocation waits at most.
  const isUnbound = (one: Proposal["what"], author: Key): boolean => one.kind === "revoke" && author === state.council.chair;
  const own = isUnbound(what, by) ? 0 : [...state.proposals.values()].filter((one) => one.by === by && !isUnbound(one.what, by)).length;
  // Of who may give it no word is asked for; nothing of theirs stays here.
  if (own >= limits.proposals && !isAccepted(state, what, new Set([by]))) return "too-many-proposals";
  state.proposals.set(id, {
    by,
    what,
    accepted: new Set([by]),
    ...(sequence !== undefined && { said: new Map([[by, sequence]]) }),
    also: new Set(),
  });
  return undefined;
}

export function addWord(state: State, id: Digest, proposal: Proposal, author: Key, { sequence, epoch }: Origin): Refusal | undefined {
  if (proposal.accepted.has(author)) return "accepted-already";
  state.proposals.set(id, {
    ...proposal,
    accepted: new Set([...proposal.accepted, author]),
    said: new Map(proposal.said).set(author, sequence),
  });
  settle(state, id, epoch);
  return undefined;
}

/** Takes somebody's word off a revocation. The most senior admin that has said it too stands for it from then on, or else the most senior machine. */
export function takeWord(state: State, id: Digest, proposal: Proposal, key: Key): void {
  const accepted = new Set([...proposal.accepted].filter((one) => one !== key));
  const by = proposal.by === key ? mostSenior(state, accepted) : proposal.by;
  if (by === undefined) state.proposals.delete(id);
  else state.proposals.set(id, { ...proposal, by, accepted });
}

/** An admin where there is one; undefined where none of them is a member any more. */
function mostSenior(state: State, keys: ReadonlySet<Key>): Key | undefined {
  const active = [...keys].filter((key) => isActive(state, key));
  const order = (key: Key): number => (isAdmin(state, key) ? 0 : limits.members) + (state.members.get(key)?.rank ?? 0);
  return active.toSorted((a, b) => order(a) - order(b))[0];
}

function isAccepted(state: State, what: Proposal["what"], accepted: ReadonlySet<Key>): boolean {
  const against = domainAgainst(state, what);
  return against === undefined ? areEnough(state.council, accepted) : agreeAgainst(state.council, state.genesisDomain, against, accepted);
}

/** The domain from which something is taken, whose word about it does not count; undefined where enough of all may give it. */
function domainAgainst(state: State, what: Proposal["what"]): string | undefined {
  if (what.kind === "revoke") return countedDomain(state, what.member);
  return what.kind === "claim" && isSmall(state.council) ? countedDomain(state, state.claims.get(what.name)?.owner ?? "") : undefined;
}

/** How many domains must accept something; undefined: a domain, or a policy. */
export function neededFor(state: State, what: Proposal["what"] | undefined): number {
  return what === undefined || domainAgainst(state, what) === undefined ? neededOf(state.council) : askedFor(state, what).length;
}

/** Whose word about it counts. */
export function askedFor(state: State, what: Proposal["what"]): readonly (Key | undefined)[] {
  const against = domainAgainst(state, what);
  return against === undefined ? [...state.council.speakers.values()] : jurors(state.council, state.genesisDomain, against);
}

/** What enough have accepted takes effect. */
export function settle(state: State, id: Digest, epoch: number | undefined): void {
  const proposal = state.proposals.get(id);
  if (proposal === undefined || !isActive(state, proposal.by) || !isAccepted(state, proposal.what, proposal.accepted)) return;
  state.proposals.delete(id);
  const { by, what, accepted } = proposal;
  if (what.kind === "revoke") return end(state, what.member, { standing: "revoked", endedBy: by, agreedBy: accepted }, epoch);
  if (what.kind === "claim") return give(state, what, { id, epoch });
  if (what.kind === "policy") return rule(state, { number: what.number, rules: what.policy, statement: id, by, epoch });
  const domain = state.domains.get(what.name);
  if (domain !== undefined) state.domains.set(domain.name, { ...domain, hasVoice: true });
}

export function rule(state: State, ruling: Ruling): void {
  state.policy = ruling;
  state.isUnanimous ||= ruling.rules.isUnanimous === true;
  // Whoever could make domains with a voice would have four of them, where nobody is asked any more.
  state.hasTrial ||= state.isUnanimous || ruling.rules.hasTrial === true;
  // What was proposed in the place of the policy before is about something else now.
  for (const [id, { what }] of state.proposals) if (what.kind === "policy") state.proposals.delete(id);
}

export function give(
  state: State,
  { name, owner, payer = state.claims.get(name)?.payer ?? owner, floor }: Gift,
  { id, epoch }: Pick<Origin, "id" | "epoch">,
): void {
  const before = state.claims.get(name);
  const last = owner ?? before?.owner;
  if (last === undefined || payer === undefined) return;
  const token = epoch === undefined ? undefined : { number: tokenNumber(epoch, before?.token?.number ?? 0, floor), epoch: state.epoch.id };
  // The statement, not its epoch: what follows holds where another epoch has the same. For what is given back nobody is to queue.
  const next = owner === undefined ? token?.epoch : token && id;
  state.claims.set(name, { owner: last, payer, isOpen: owner === undefined, token, last: next });
  // What else was proposed for it is about another owner now; but no domain ends what others want by giving the name to itself once more.
  const isKept = owner !== undefined && before !== undefined && !before.isOpen && isOneDomains(state, owner, before.owner);
  for (const [id, { what }] of state.proposals)
    if (what.kind === "claim" && what.name === name && !(isKept && what.owner !== owner)) state.proposals.delete(id);
}

export function end(state: State, key: Key, how: Pick<Member, "standing" | "endedBy" | "agreedBy">, epoch: number | undefined): void {
  const member = state.members.get(key);
  if (member === undefined) return;
  state.members.set(key, { ...member, ...how });
  // Nobody can have signed what follows upon that: who had queued for a name of theirs does not get it.
  const last = epoch === undefined ? undefined : state.epoch.id;
  for (const [name, claim] of state.claims) if (claim.owner === key && !claim.isOpen) state.claims.set(name, { ...claim, last });
  for (const [id, proposal] of state.proposals) {
    if (isMoot(state, proposal, key)) state.proposals.delete(id);
    else if (proposal.what.kind === "revoke" && proposal.accepted.has(key)) takeWord(state, id, proposal, key);
  }
}

/** Whether nothing is left of a proposal when that member has gone. */
function isMoot({ claims }: State, { by, what }: Proposal, gone: Key): boolean {
  switch (what.kind) {
    case "domain":
      return false;
    case "policy":
      return by === gone;
    case "revoke":
      return what.member === gone;
    case "claim":
      return by === gone || what.owner === gone || claims.get(what.name)?.owner === gone;
  }
}
