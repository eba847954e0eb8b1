/**
 * Members, invitations and peers as they are told to people and programs.
 *
 * Knows: what is worth telling. Does not know: how it came about, or how it is shown.
 */
import { CairnError, type Key } from "../base/index.ts";
import type { GossipFacts, PeerFacts, ShareFacts } from "../net/index.ts";
import { admins, isAdmin, type Member, type State } from "../trust/index.ts";
import type { EventCounts } from "./network-metrics.ts";
import type { Known, PresenceBoard } from "./presence.ts";

/** Digits of a key that are enough to mean it. */
const KEY_PREFIX = 6;

export function describeMembers(
  state: State,
  self: Key,
  nowMs: number,
  isConnected: (key: Key) => boolean,
  presence: PresenceBoard,
): object {
  const members = [...state.members.values()]
    .toSorted((a, b) => a.rank - b.rank)
    .map((member) => ({
      name: member.name,
      domain: member.domain,
      key: member.key,
      attestationKey: member.attestationKey,
      standing: member.standing,
      admin: isAdmin(state, member.key),
      self: member.key === self,
      connected: isConnected(member.key),
      onTrial: member.standing === "active" && state.domains.get(member.domain)?.hasVoice === false,
      provisional: member.epoch === undefined, // Until an epoch has decided it.
      invitedBy: member.invitedBy === undefined ? null : (state.members.get(member.invitedBy)?.name ?? null),
      since: new Date(member.admittedAtMs).toISOString(),
      presence: member.key === self ? { ...presence.own, ageMs: 0 } : describePresence(presence.of(member.key)),
    }));
  return { network: state.network, name: state.name, epoch: state.epoch.number, members, invitations: describeInvitations(state, nowMs) };
}

/** Those that can still be redeemed, by this node's clock. */
function describeInvitations(state: State, nowMs: number): object[] {
  return [...state.invitations.values()]
    .filter(({ redeemedBy, expiresAtMs }) => redeemedBy === undefined && expiresAtMs > nowMs)
    .filter(({ inviter }) => state.members.get(inviter)?.standing === "active")
    .map(({ inviter, domain, expiresAtMs }) => ({
      inviter: state.members.get(inviter)?.name ?? null,
      domain,
      expiresAt: new Date(expiresAtMs).toISOString(),
    }));
}

/** Null when nothing is known; `{ goodbye: true }` of a machine whose daemon was told to end. */
function describePresence(known: Known | undefined): object | null {
  if (known === undefined) return null;
  return known.kind === "goodbye" ? { goodbye: true } : { ...known.capacity, ageMs: Math.round(known.ageMs) };
}

export function describePeers(
  state: State | undefined,
  peers: readonly PeerFacts[],
  presence: PresenceBoard,
  shared: readonly ShareFacts[],
): object[] {
  const sharing = new Map(shared.map(({ key, ...facts }) => [key, facts]));
  return peers.map((peer) => {
    const member = state?.members.get(peer.key);
    const who = {
      name: member?.name ?? "",
      domain: member?.domain ?? "",
      key: peer.key,
      state: peer.state,
      presence: describePresence(presence.of(peer.key)),
    };
    if (peer.state !== "connected")
      return { ...who, address: peer.addresses[0] ?? null, failures: peer.failures, why: peer.why, knownFrom: peer.sources };
    const { address, direction, relays, ageMs, rttMs, bytesIn, bytesOut } = peer;
    const via = peer.via === undefined ? null : (state?.members.get(peer.via)?.name ?? peer.via);
    const path = relays === 0 ? "direct" : "relayed";
    const exchanged = sharing.get(peer.key) ?? null;
    return {
      ...who,
      sharing: exchanged,
      address,
      path,
      via,
      relays,
      direction,
      connectedMs: Math.round(ageMs),
      rttMs: rttMs ?? null,
      bytesIn,
      bytesOut,
    };
  });
}

/** Counts since the daemon began, but for `connected`; bytes are those of links. */
export function describeMetrics(peers: readonly PeerFacts[], counts: EventCounts, gossip: GossipFacts): object {
  const links = peers.filter((peer) => peer.state === "connected");
  const bytesIn = links.reduce((sum, link) => sum + link.bytesIn, counts.bytesIn);
  const bytesOut = links.reduce((sum, link) => sum + link.bytesOut, counts.bytesOut);
  return { connected: links.length, bytesIn, bytesOut, events: counts.events, reasons: counts.reasons, gossip };
}

/**
 * The member that is called `text`: its name, or the beginning of its key.
 *
 * @throws {CairnError} member-unknown when there is none, or more than one
 */
export function memberCalled(state: State | undefined, text: string): Member {
  const [member, ...more] = membersCalled(state, text);
  if (member === undefined || more.length > 0)
    throw new CairnError("member-unknown", { member: text, matches: member === undefined ? 0 : 1 + more.length });
  return member;
}

/** The same of who belongs to the network still. @throws {CairnError} network-refused when that member was revoked or has left */
export function presentMemberCalled(state: State | undefined, text: string): Member {
  const member = memberCalled(state, text);
  if (member.standing !== "active") throw new CairnError("network-refused", { why: "member-gone" });
  return member;
}

export function membersCalled(state: State | undefined, text: string): Member[] {
  const all = [...(state?.members.values() ?? [])];
  const named = all.filter(({ name }) => name === text);
  return named.length > 0 || text.length < KEY_PREFIX ? named : all.filter(({ key }) => key.startsWith(text.toLowerCase()));
}

/** Whether nobody but this member could decide an epoch. */
export function soleAdmin(state: State | undefined, key: Key): boolean {
  return state !== undefined && admins(state).every((admin) => admin.key === key);
}
