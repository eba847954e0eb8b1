/**
 * Who belongs to a network, and what one operation changes about that.
 *
 * Knows: the rules, docs/protocol/membership.md. They look at nothing but the state and the operation: no clock, no order of arrival.
 * Does not know: in which order operations are applied; see membership.ts.
 */
import { type Digest, type JoinRequest, type Key, limits, type NetworkPolicy, type Operation, type Statement } from "../base/index.ts";
import { type Claim, hasRoom, holderOf, latestOf, tokenNumber } from "./claims.ts";
import { agreeAgainst, areEnough, type Council, councilOf, isSmall, jurors, neededOf } from "./council.ts";
import { invitationsUnder, isLaxer, NO_RULING, type Ruling } from "./policy.ts";
import type { Checked } from "./statements.ts";

export interface Member {
  readonly key: Key;
  readonly attestationKey: Key;
  /** Unique: the name it asked for, with a number behind it where that was taken. */
  readonly name: string;
  readonly domain: string;
  /** Undefined for the founder. */
  readonly invitedBy: Key | undefined;
  /** 0 for the founder, then in the order of admission. */
  readonly rank: number;
  /** By the clock of who admitted it, ms since the epoch of Unix. */
  readonly admittedAtMs: number;
  readonly standing: "active" | "revoked" | "left";
  /** Who has put it out. */
  readonly endedBy: Key | undefined;
  /** Where several had to agree: all who have said so. */
  readonly agreedBy?: ReadonlySet<Key>;
  /** The number of the epoch that admitted it; undefined while it is only provisional. */
  readonly epoch: number | undefined;
  /** The signed admission; of the founder, the genesis. */
  readonly admission: Uint8Array;
}

export interface Invitation {
  readonly key: Key;
  readonly inviter: Key;
  readonly domain: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly redeemedBy: Key | undefined;
  readonly bytes: Uint8Array;
}

export interface Domain {
  readonly name: string;
  readonly founder: Key;
  /** Once somebody belongs to it, only its own members invite into it. */
  readonly taken: boolean;
  /** Whether it counts by itself. One on trial does not: what its machines say counts as the first domain's, whose admin made it. */
  readonly hasVoice: boolean;
  /** The signed statement that made it; of the first domain, the genesis. */
  readonly bytes: Uint8Array;
}

/** Whose a name is to be, and what its token is no less than. */
interface Gift {
  readonly name: string;
  readonly owner: Key | undefined;
  /** For whom it counts; undefined: for whom it did. */
  readonly payer: Key | undefined;
  readonly floor: number;
}

/** What waits to be accepted. */
export interface Proposal {
  readonly by: Key;
  readonly what:
    | { readonly kind: "domain"; readonly name: string }
    | { readonly kind: "policy"; readonly number: number; readonly policy: NetworkPolicy }
    | { readonly kind: "revoke"; readonly member: Key }
    | ({ readonly kind: "claim" } & Gift);
  /** Peer keys of those who speak for a domain and have. */
  readonly accepted: ReadonlySet<Key>;
  /** The number of the statement by which each has said so: an older withdrawal takes back no newer word. */
  readonly said?: ReadonlyMap<Key, number>;
  /** Where several want the same machine put out: the ids of what the others said, which may be accepted as well. */
  readonly also: ReadonlySet<Digest>;
}

/** Treated as immutable by everyone but {@link applyOperation}, which changes a copy of its caller's. */
export interface State {
  readonly network: Digest;
  readonly name: string;
  /** Its active members are admins. */
  readonly genesisDomain: string;
  /** 0 and the network's id after the genesis. */
  readonly epoch: { readonly number: number; readonly id: Digest };
  readonly members: Map<Key, Member>;
  readonly names: Set<string>;
  /** Every key that a member has or had. */
  readonly keys: Set<Key>;
  readonly domains: Map<string, Domain>;
  readonly invitations: Map<Key, Invitation>;
  /** Keys of the invitations that a member made. */
  readonly invited: Map<Key, readonly Key[]>;
  /** Numbers that each author has used. */
  readonly used: Map<Key, Set<number>>;
  /** By the id of the statement. */
  readonly proposals: Map<Digest, Proposal>;
  readonly claims: Map<string, Claim>;
  policy: Ruling;
  /** Whether new domains are on trial until others accept them. */
  hasTrial: boolean;
  /** Whether two or three domains put out a machine of one of them only together. */
  isUnanimous: boolean;
  /** As the newest epoch has it. */
  readonly council: Council;
}

/** Why an operation changes nothing. */
export type Refusal =
  | "other-network"
  | "not-a-member"
  | "sequence-used"
  | "not-an-admin"
  | "domain-exists"
  | "domain-unknown"
  | "domain-foreign"
  | "too-many-domains"
  | "invitation-exists"
  | "invitation-too-long"
  | "too-many-invitations"
  | "invitation-unknown"
  | "invitation-used"
  | "invitation-expired"
  | "inviter-gone"
  | "key-used"
  | "too-many-members"
  | "member-unknown"
  | "member-gone"
  | "member-foreign"
  | "policy-changed"
  | "policy-same"
  | "too-many-proposals"
  | "proposal-unknown"
  | "not-a-speaker"
  | "accepted-already"
  | "claim-changed"
  | "not-the-owner"
  | "too-many-names";

/** @returns undefined when the statement is no genesis */
export function stateOf(genesis: Checked): State | undefined {
  const { what, author, atMs } = genesis.statement;
  if (what.kind !== "genesis") return undefined;
  const { founder, domain, name, hasTrial = false, isUnanimous = false } = what;
  const member: Member = {
    key: author,
    attestationKey: founder.attestationKey,
    name: founder.name,
    domain,
    invitedBy: undefined,
    rank: 0,
    admittedAtMs: atMs,
    standing: "active",
    endedBy: undefined,
    epoch: 0,
    admission: genesis.bytes,
  };
  const members = new Map([[author, member]]);
  return {
    network: genesis.id,
    name,
    genesisDomain: domain,
    epoch: { number: 0, id: genesis.id },
    members,
    names: new Set([founder.name]),
    keys: new Set([author, founder.attestationKey]),
    domains: new Map([[domain, { name: domain, founder: author, taken: true, hasVoice: true, bytes: genesis.bytes }]]),
    invitations: new Map(),
    invited: new Map(),
    used: new Map(),
    proposals: new Map(),
    claims: new Map(),
    policy: NO_RULING,
    hasTrial: hasTrial || isUnanimous,
    isUnanimous,
    council: councilOf(members, domain, () => true),
  };
}

export function copyState(state: State, epoch: State["epoch"] = state.epoch): State {
  return {
    ...state,
    epoch,
    members: new Map(state.members),
    names: new Set(state.names),
    keys: new Set(state.keys),
    domains: new Map(state.domains),
    invitations: new Map(state.invitations),
    invited: new Map(state.invited),
    used: new Map([...state.used].map(([key, numbers]) => [key, new Set(numbers)])),
    proposals: new Map(state.proposals),
    claims: new Map(state.claims),
  };
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

function hasVoice({ domains }: State, domain: string): boolean {
  return domains.get(domain)?.hasVoice === true;
}

/** The domain as which a member's word counts; "" of who is none. One on trial counts as the first. */
export function countedDomain(state: State, key: Key): string {
  const domain = state.members.get(key)?.domain;
  if (domain === undefined) return "";
  return hasVoice(state, domain) ? domain : state.genesisDomain;
}

/**
 * Whether a member's word adds a voice for that reader. One of a domain on trial does for readers of its own domain alone: whoever made it
 * would give away the first domain's voice with it.
 *
 * @param reader undefined where all readers are to come to the same
 */
export function countsFor(state: State, key: Key, reader: Key | undefined): boolean {
  const domain = state.members.get(key)?.domain;
  if (domain === undefined) return false;
  return hasVoice(state, domain) || (reader !== undefined && state.members.get(reader)?.domain === domain);
}

function isActive(state: State, key: Key): boolean {
  return state.members.get(key)?.standing === "active";
}

export function isAdmin(state: State, key: Key): boolean {
  const member = state.members.get(key);
  return member?.standing === "active" && member.domain === state.genesisDomain;
}

/** Active members of the first domain, the most senior first. */
export function admins(state: State): Member[] {
  return [...state.members.values()].filter(({ key }) => isAdmin(state, key)).toSorted((a, b) => a.rank - b.rank);
}

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

interface Origin {
  readonly id: Digest;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly epoch: number | undefined;
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

/** Who holds a claimed name; undefined where nobody has claimed it, or who did holds it no more. */
export function nameHolder(state: State, name: string): Key | undefined {
  return holderOf(state.claims, name, (key) => isActive(state, key));
}

function give(
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

function applyAccept(state: State, author: Key, statement: Digest, origin: Origin): Refusal | undefined {
  const [id, proposal] = [...state.proposals].find(([one, { also }]) => one === statement || also.has(statement)) ?? [];
  if (id === undefined || proposal === undefined || !isActive(state, proposal.by)) return "proposal-unknown";
  if (![...state.council.speakers.values()].includes(author)) return "not-a-speaker";
  return addWord(state, id, proposal, author, origin);
}

function addWord(state: State, id: Digest, proposal: Proposal, author: Key, { sequence, epoch }: Origin): Refusal | undefined {
  if (proposal.accepted.has(author)) return "accepted-already";
  state.proposals.set(id, {
    ...proposal,
    accepted: new Set([...proposal.accepted, author]),
    said: new Map(proposal.said).set(author, sequence),
  });
  settle(state, id, epoch);
  return undefined;
}

function propose(state: State, id: Digest, by: Key, what: Proposal["what"], sequence?: number): Refusal | undefined {
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

/** Whether one machine let in the other, or who did, and so on: whoever has its key may have made them. */
export function isLetInBy({ members }: Pick<State, "members">, key: Key, host: Key): boolean {
  for (let by = members.get(key)?.invitedBy; by !== undefined; by = members.get(by)?.invitedBy) if (by === host) return true;
  return false;
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
function settle(state: State, id: Digest, epoch: number | undefined): void {
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

function rule(state: State, ruling: Ruling): void {
  state.policy = ruling;
  state.isUnanimous ||= ruling.rules.isUnanimous === true;
  // Whoever could make domains with a voice would have four of them, where nobody is asked any more.
  state.hasTrial ||= state.isUnanimous || ruling.rules.hasTrial === true;
  // What was proposed in the place of the policy before is about something else now.
  for (const [id, { what }] of state.proposals) if (what.kind === "policy") state.proposals.delete(id);
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

/** A domain's own machines, and what is theirs, are its own affair; one on trial is still the first's. */
function isOneDomains(state: State, author: Key, target: Key): boolean {
  return countedDomain(state, author) === countedDomain(state, target);
}

/** Whoever has said that a machine is put out may take that back as long as it waits for others. */
function applyWithdrawal(state: State, { author, sequence }: Statement, target: Key): Refusal | undefined {
  const [id, proposal] = [...state.proposals].find(([, { what }]) => what.kind === "revoke" && what.member === target) ?? [];
  if (id === undefined || proposal?.accepted.has(author) !== true) return "proposal-unknown";
  if ((proposal.said?.get(author) ?? 0) > sequence) return "proposal-unknown";
  takeWord(state, id, proposal, author);
  return undefined;
}

/** Takes somebody's word off a revocation. The most senior admin that has said it too stands for it from then on, or else the most senior machine. */
function takeWord(state: State, id: Digest, proposal: Proposal, key: Key): void {
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

function end(state: State, key: Key, how: Pick<Member, "standing" | "endedBy" | "agreedBy">, epoch: number | undefined): void {
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

function isOpen(invitation: Invitation | undefined, atMs: number): boolean {
  return invitation !== undefined && invitation.redeemedBy === undefined && invitation.expiresAtMs > atMs;
}

function freeName(state: State, wanted: string): string {
  if (!state.names.has(wanted)) return wanted;
  for (let number = 2; ; number++) {
    const suffix = `-${number}`;
    const name = `${wanted.slice(0, 63 - suffix.length)}${suffix}`;
    if (!state.names.has(name)) return name;
  }
}

/** The member whose attestation key that is or was; undefined for one that no member ever had. */
export function signerIn(state: State, signer: Key): Member | undefined {
  return signersOf(state).get(signer);
}

/** The domain as which that key's word counts; "" of a stranger's. */
export function signersDomain(state: State, signer: Key): string {
  const member = signerIn(state, signer);
  return member === undefined ? "" : countedDomain(state, member.key);
}

/** Members by their attestation keys. A state that is seen outside its room does not change any more. */
const signers = new WeakMap<State, ReadonlyMap<Key, Member>>();

function signersOf(state: State): ReadonlyMap<Key, Member> {
  const known = signers.get(state);
  if (known !== undefined) return known;
  const made = new Map([...state.members.values()].map((member) => [member.attestationKey, member]));
  signers.set(state, made);
  return made;
}
