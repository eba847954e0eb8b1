/**
 * What one operation changes about who belongs to a network.
 *
 * Knows: the rules, docs/protocol/membership.md. They look at nothing but the state and the operation: no clock, no order of arrival.
 * Does not know: in which order operations are applied; see membership.ts.
 */
import { type Digest, type JoinRequest, type Key, limits, type Operation, type Statement } from "../base/index.ts";
import { hasRoom, latestOf } from "./claims.ts";
import { councilOf, isSmall } from "./council.ts";
import { invitationsUnder, isLaxer } from "./policy.ts";
import { addWord, end, give, type Origin, propose, rule, settle, takeWord } from "./proposals.ts";
import {
  admins,
  hasVoice,
  type Invitation,
  isActive,
  isAdmin,
  isLetInBy,
  isOneDomains,
  type Member,
  nameHolder,
  type Refusal,
  type State,
} from "./state.ts";
import type { Checked } from "./statements.ts";

/**
 * Applies one operation to `state`, or leaves it as it is and tells why.
 *
 * @param epoch the number of the epoch that holds the operation, undefined while none does
 */
export function applyOperation(state: State, { id, statement, bytes }: Checked, epoch: number | undefined): Refusal | undefined {
  const { author, sequence, what } = statement;
  if (statement.network !== state.network || what.kind === "genesis" || what.kind === "epoch") return "other-network";
  if (!isActive(state, author)) return "not-a-member";
  if (state.used.get(author)?.has(sequence) === true) return "sequence-used";
  const refusal = applyWhat(state, statement, what, { id, sequence, bytes, epoch });
  if (refusal !== undefined) return refusal;
  const used = state.used.get(author) ?? new Set();
  state.used.set(author, used.add(sequence));
  return undefined;
}

function applyWhat(state: State, statement: Statement, what: Operation, origin: Origin): Refusal | undefined {
  switch (what.kind) {
    case "domain":
      return applyDomain(state, statement.author, what.name, origin);
    case "invite":
      return applyInvite(state, statement, what, origin.bytes);
    case "admit":
      return applyAdmit(state, statement, what.request, origin);
    case "revoke":
      return what.isWithdrawn === true
        ? applyWithdrawal(state, statement, what.member)
        : applyRevoke(state, statement.author, what.member, origin);
    case "leave":
      end(state, statement.author, { standing: "left", endedBy: undefined }, origin.epoch);
      return undefined;
    case "policy":
      return applyPolicy(state, statement.author, what, origin);
    case "claim":
      return applyClaim(state, statement.author, what, origin);
    case "accept":
      return applyAccept(state, statement.author, what.statement, origin);
  }
}

function applyDomain(state: State, author: Key, name: string, { id, bytes, epoch }: Origin): Refusal | undefined {
  if (!isAdmin(state, author)) return "not-an-admin";
  if (state.domains.has(name)) return "domain-exists";
  if (state.domains.size >= limits.domains) return "too-many-domains";
  const refusal = state.hasTrial ? propose(state, id, author, { kind: "domain", name }) : undefined;
  if (refusal !== undefined) return refusal;
  state.domains.set(name, { name, founder: author, taken: false, hasVoice: !state.hasTrial, bytes });
  settle(state, id, epoch);
  return undefined;
}

function applyPolicy(
  state: State,
  author: Key,
  { number, policy }: Extract<Operation, { kind: "policy" }>,
  { id, epoch }: Origin,
): Refusal | undefined {
  if (!isAdmin(state, author)) return "not-an-admin";
  // Whoever proposes has seen what it replaces: of two at once one is refused, and says so.
  if (number !== state.policy.number + 1) return "policy-changed";
  const { rules } = state.policy;
  if (!isLaxer(policy, rules)) {
    if (!isLaxer(rules, policy)) return "policy-same";
    rule(state, { number, rules: policy, statement: id, by: author, epoch });
    return undefined;
  }
  const refusal = propose(state, id, author, { kind: "policy", number, policy });
  if (refusal === undefined) settle(state, id, epoch);
  return refusal;
}

function applyClaim(
  state: State,
  author: Key,
  { name, owner, after, floor = 0 }: Extract<Operation, { kind: "claim" }>,
  { id, epoch }: Origin,
): Refusal | undefined {
  // What was refused does not take effect when the name is free again, and nobody queues for it.
  if (latestOf(state.claims, name) !== after) return "claim-changed";
  // What follows is for the next epoch: each has one owner of a name.
  if (epoch !== undefined && state.claims.get(name)?.token?.epoch === state.epoch.id) return "claim-changed";
  if (owner !== undefined && !isActive(state, owner)) return state.members.has(owner) ? "member-gone" : "member-unknown";
  const holder = nameHolder(state, name);
  if (holder === undefined ? owner !== author : !mayPutOut(state, author, holder)) return "not-the-owner";
  const payer = payerOf(state, author, name, owner);
  if (owner !== undefined && payer === undefined && owner !== holder) return "too-many-names";
  if (holder === undefined || isOneDomains(state, author, holder) || (isSmall(state.council) && !state.isUnanimous)) {
    give(state, { name, owner, payer, floor }, { id, epoch });
    return undefined;
  }
  const refusal = propose(state, id, author, { kind: "claim", name, owner, payer, floor });
  if (refusal === undefined) settle(state, id, epoch);
  return refusal;
}

/** For whom a claim counts: who gives a name to another domain's machine, which was not asked, uses up none of its room. Undefined where there is no room. */
function payerOf(state: State, author: Key, name: string, owner: Key | undefined): Key | undefined {
  // By their domains as they are called: one on trial uses up none of the first domain's, either.
  const domainOf = (key: Key): string => state.members.get(key)?.domain ?? "";
  if (owner === undefined) return undefined;
  const payer = domainOf(owner) === domainOf(author) ? owner : author;
  return hasRoom(state.claims, name, payer, domainOf) ? payer : undefined;
}

function applyAccept(state: State, author: Key, statement: Digest, origin: Origin): Refusal | undefined {
  const [id, proposal] = [...state.proposals].find(([one, { also }]) => one === statement || also.has(statement)) ?? [];
  if (id === undefined || proposal === undefined || !isActive(state, proposal.by)) return "proposal-unknown";
  if (![...state.council.speakers.values()].includes(author)) return "not-a-speaker";
  return addWord(state, id, proposal, author, origin);
}

function applyInvite(
  state: State,
  { author, atMs }: Statement,
  { key, domain: name, expiresAtMs }: Extract<Operation, { kind: "invite" }>,
  bytes: Uint8Array,
): Refusal | undefined {
  const domain = state.domains.get(name);
  if (domain === undefined) return "domain-unknown";
  const own = state.members.get(author)?.domain === name;
  // Who made it says who comes first: otherwise another admin could take the voice that was meant for somebody.
  const mayBegin = isAdmin(state, author) && !domain.taken && (!state.hasTrial || domain.founder === author);
  if (!own && !mayBegin) return domain.taken || isAdmin(state, author) ? "domain-foreign" : "not-an-admin";
  if (state.invitations.has(key)) return "invitation-exists";
  if (expiresAtMs <= atMs || expiresAtMs - atMs > limits.invitationMs) return "invitation-too-long";
  // By the author's own clock: whoever sets it forward to have more of them makes invitations that nobody redeems (see applyAdmit).
  const invited = state.invited.get(author) ?? [];
  const open = invited.filter((one) => isOpen(state.invitations.get(one), atMs));
  if (open.length >= invitationsUnder(state.policy.rules)) return "too-many-invitations";
  state.invited.set(author, [...invited, key]);
  state.invitations.set(key, { key, inviter: author, domain: name, issuedAtMs: atMs, expiresAtMs, redeemedBy: undefined, bytes });
  return undefined;
}

function isOpen(invitation: Invitation | undefined, atMs: number): boolean {
  return invitation !== undefined && invitation.redeemedBy === undefined && invitation.expiresAtMs > atMs;
}

function applyAdmit(state: State, statement: Statement, request: JoinRequest, origin: Origin): Refusal | undefined {
  const invitation = state.invitations.get(request.invitation);
  if (invitation === undefined) return "invitation-unknown";
  if (invitation.redeemedBy !== undefined) return "invitation-used";
  if (!isActive(state, invitation.inviter)) return "inviter-gone";
  // Two clocks, each wrong by as much as clocks may be.
  const late = statement.atMs > invitation.expiresAtMs + 2 * limits.clockErrorMs;
  const early = statement.atMs < invitation.issuedAtMs - 2 * limits.clockErrorMs;
  if (late || early) return "invitation-expired";
  const { peerKey, attestationKey, name } = request.identity;
  if (state.keys.has(peerKey) || state.keys.has(attestationKey)) return "key-used";
  if (state.members.size >= limits.members) return "too-many-members";
  const member: Member = {
    key: peerKey,
    attestationKey,
    name: freeName(state, name),
    domain: invitation.domain,
    invitedBy: invitation.inviter,
    rank: state.members.size,
    admittedAtMs: statement.atMs,
    standing: "active",
    endedBy: undefined,
    epoch: origin.epoch,
    admission: origin.bytes,
  };
  state.members.set(peerKey, member);
  state.names.add(member.name);
  state.keys.add(peerKey).add(attestationKey);
  state.invitations.set(invitation.key, { ...invitation, redeemedBy: peerKey });
  const domain = state.domains.get(invitation.domain);
  if (domain !== undefined) state.domains.set(domain.name, { ...domain, taken: true });
  return undefined;
}

function freeName(state: State, wanted: string): string {
  if (!state.names.has(wanted)) return wanted;
  for (let number = 2; ; number++) {
    const suffix = `-${number}`;
    const name = `${wanted.slice(0, 63 - suffix.length)}${suffix}`;
    if (!state.names.has(name)) return name;
  }
}

function applyRevoke(state: State, author: Key, target: Key, origin: Origin): Refusal | undefined {
  const member = state.members.get(target);
  if (member === undefined) return "member-unknown";
  if (member.standing !== "active") return "member-gone";
  if (!mayPutOut(state, author, target)) return "member-foreign";
  const { id, sequence, epoch } = origin;
  if (!state.isUnanimous || isOneDomains(state, author, target)) {
    end(state, target, { standing: "revoked", endedBy: author }, epoch);
    return undefined;
  }
  const [said, waiting] = [...state.proposals].find(([, { what }]) => what.kind === "revoke" && what.member === target) ?? [];
  // Of what several want of one machine none waits for words that another one got.
  if (said !== undefined && waiting !== undefined)
    return addWord(state, said, { ...waiting, also: new Set([...waiting.also, id]) }, author, origin);
  const refusal = propose(state, id, author, { kind: "revoke", member: target }, sequence);
  if (refusal === undefined) settle(state, id, epoch);
  return refusal;
}

/** Whether somebody's word against a member is any at all. */
function mayPutOut(state: State, author: Key, target: Key): boolean {
  return isAdmin(state, author) || state.members.get(author)?.domain === state.members.get(target)?.domain;
}

/** Whoever has said that a machine is put out may take that back as long as it waits for others. */
function applyWithdrawal(state: State, { author, sequence }: Statement, target: Key): Refusal | undefined {
  const [id, proposal] = [...state.proposals].find(([, { what }]) => what.kind === "revoke" && what.member === target) ?? [];
  if (id === undefined || proposal?.accepted.has(author) !== true) return "proposal-unknown";
  if ((proposal.said?.get(author) ?? 0) > sequence) return "proposal-unknown";
  takeWord(state, id, proposal, author);
  return undefined;
}

/**
 * Who could put out that machine so that somebody speaks for the first domain afterwards; undefined where `by` can, or it makes no difference.
 * Who put out its own seniors speaks for nobody, see council.ts.
 */
export function keepersOfChair(state: State, member: Key, by: Key): readonly Key[] | undefined {
  const gone = state.members.get(member);
  const { hasTrial, council, genesisDomain } = state;
  if (gone === undefined || !hasTrial || !isSmall(council) || council.chair === undefined || !isAdmin(state, by)) return undefined;
  const leavesChair = (endedBy: Key): boolean => {
    const members = new Map(state.members).set(member, { ...gone, standing: "revoked", endedBy });
    return councilOf(members, genesisDomain, (domain) => hasVoice(state, domain)).chair !== undefined;
  };
  if (gone.domain !== genesisDomain || leavesChair(by)) return undefined;
  const keepers = admins(state).flatMap(({ key }) => (key !== member && leavesChair(key) ? [key] : []));
  const others = keepers.filter((key) => !isLetInBy(state, key, member));
  return others.length > 0 ? others : keepers;
}

/** The same at the end of an epoch: who speaks for whom follows from what it decided, and with them what of that which waits is enough. */
export function seated(state: State): State {
  const next = withCouncil(state);
  for (const id of next.proposals.keys()) settle(next, id, next.epoch.number);
  return withCouncil(next);
}

function withCouncil(state: State): State {
  const council = councilOf(state.members, state.genesisDomain, (domain) => hasVoice(state, domain));
  // What waited for other domains' words would need none from now on. Whoever still wants it says so again, and all domains decide.
  if (!isSmall(council)) for (const [id, { what }] of state.proposals) if (what.kind === "revoke") state.proposals.delete(id);
  return { ...state, council };
}
