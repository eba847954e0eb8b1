/**
 * Who belongs to a network, and what one operation changes about that.
 *
 * Knows: the rules, docs/protocol/membership.md. They look at nothing but the state and the operation: no clock, no order of arrival.
 * Does not know: in which order operations are applied; see membership.ts.
 */
import { type Digest, type JoinRequest, type Key, limits, type Operation, type Statement } from "../base/index.ts";
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
  /** The signed statement that made it; of the first domain, the genesis. */
  readonly bytes: Uint8Array;
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
  | "member-foreign";

/** @returns undefined when the statement is no genesis */
export function stateOf(genesis: Checked): State | undefined {
  const { what, author, atMs } = genesis.statement;
  if (what.kind !== "genesis") return undefined;
  const { founder, domain, name } = what;
  const member: Member = {
    key: author,
    attestationKey: founder.attestationKey,
    name: founder.name,
    domain,
    invitedBy: undefined,
    rank: 0,
    admittedAtMs: atMs,
    standing: "active",
    epoch: 0,
    admission: genesis.bytes,
  };
  return {
    network: genesis.id,
    name,
    genesisDomain: domain,
    epoch: { number: 0, id: genesis.id },
    members: new Map([[author, member]]),
    names: new Set([founder.name]),
    keys: new Set([author, founder.attestationKey]),
    domains: new Map([[domain, { name: domain, founder: author, taken: true, bytes: genesis.bytes }]]),
    invitations: new Map(),
    invited: new Map(),
    used: new Map(),
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
  };
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
export function applyOperation(state: State, { statement, bytes }: Checked, epoch: number | undefined): Refusal | undefined {
  const { author, sequence, what } = statement;
  if (statement.network !== state.network || what.kind === "genesis" || what.kind === "epoch") return "other-network";
  if (!isActive(state, author)) return "not-a-member";
  if (state.used.get(author)?.has(sequence) === true) return "sequence-used";
  const refusal = applyWhat(state, statement, what, { bytes, epoch });
  if (refusal !== undefined) return refusal;
  const used = state.used.get(author) ?? new Set();
  state.used.set(author, used.add(sequence));
  return undefined;
}

interface Origin {
  readonly bytes: Uint8Array;
  readonly epoch: number | undefined;
}

function applyWhat(state: State, statement: Statement, what: Operation, origin: Origin): Refusal | undefined {
  switch (what.kind) {
    case "domain":
      return applyDomain(state, statement.author, what.name, origin.bytes);
    case "invite":
      return applyInvite(state, statement, what, origin.bytes);
    case "admit":
      return applyAdmit(state, statement, what.request, origin);
    case "revoke":
      return applyRevoke(state, statement.author, what.member);
    case "leave":
      end(state, statement.author, "left");
      return undefined;
  }
}

function applyDomain(state: State, author: Key, name: string, bytes: Uint8Array): Refusal | undefined {
  if (!isAdmin(state, author)) return "not-an-admin";
  if (state.domains.has(name)) return "domain-exists";
  if (state.domains.size >= limits.domains) return "too-many-domains";
  state.domains.set(name, { name, founder: author, taken: false, bytes });
  return undefined;
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
  if (!own && !(isAdmin(state, author) && !domain.taken)) return domain.taken ? "domain-foreign" : "not-an-admin";
  if (state.invitations.has(key)) return "invitation-exists";
  if (expiresAtMs <= atMs || expiresAtMs - atMs > limits.invitationMs) return "invitation-too-long";
  // By the author's own clock: whoever sets it forward to have more of them makes invitations that nobody redeems (see applyAdmit).
  const invited = state.invited.get(author) ?? [];
  const open = invited.filter((one) => isOpen(state.invitations.get(one), atMs));
  if (open.length >= limits.openInvitations) return "too-many-invitations";
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

function applyRevoke(state: State, author: Key, target: Key): Refusal | undefined {
  const member = state.members.get(target);
  if (member === undefined) return "member-unknown";
  if (member.standing !== "active") return "member-gone";
  if (!isAdmin(state, author) && state.members.get(author)?.domain !== member.domain) return "member-foreign";
  end(state, target, "revoked");
  return undefined;
}

function end(state: State, key: Key, standing: "revoked" | "left"): void {
  const member = state.members.get(key);
  if (member !== undefined) state.members.set(key, { ...member, standing });
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

/** Members by their attestation keys. A state that is seen outside its room does not change any more. */
const signers = new WeakMap<State, ReadonlyMap<Key, Member>>();

function signersOf(state: State): ReadonlyMap<Key, Member> {
  const known = signers.get(state);
  if (known !== undefined) return known;
  const made = new Map([...state.members.values()].map((member) => [member.attestationKey, member]));
  signers.set(state, made);
  return made;
}
