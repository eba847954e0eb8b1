/**
 * Who belongs to a network, what waits there, and what can be asked about that.
 *
 * Knows: nothing but what operations have made of it; no clock, no order of arrival.
 * Does not know: what operations may change, see operations.ts; in which order they are applied, see membership.ts.
 */
import { type Digest, type Key, type NetworkPolicy } from "../base/index.ts";
import { type Claim, holderOf } from "./claims.ts";
import { type Council, councilOf } from "./council.ts";
import { NO_RULING, type Ruling } from "./policy.ts";
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
export interface Gift {
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
  /** Whether versions of before stay behind: the genesis or an epoch says what they do not read, or the next one will. */
  isNewer: boolean;
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
    isNewer: isUnanimous,
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

export function hasVoice({ domains }: State, domain: string): boolean {
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

/** A domain's own machines, and what is theirs, are its own affair; one on trial is still the first's. */
export function isOneDomains(state: State, author: Key, target: Key): boolean {
  return countedDomain(state, author) === countedDomain(state, target);
}

export function isActive(state: State, key: Key): boolean {
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

/** Whether one machine let in the other, or who did, and so on: whoever has its key may have made them. */
export function isLetInBy({ members }: Pick<State, "members">, key: Key, host: Key): boolean {
  for (let by = members.get(key)?.invitedBy; by !== undefined; by = members.get(by)?.invitedBy) if (by === host) return true;
  return false;
}

/** Who holds a claimed name; undefined where nobody has claimed it, or who did holds it no more. */
export function nameHolder(state: State, name: string): Key | undefined {
  return holderOf(state.claims, name, (key) => isActive(state, key));
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
