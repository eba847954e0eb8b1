/**
 * The words of a network: who belongs to it, and the statements by which members come and go.
 *
 * Keys and ids are lowercase hexadecimal text, signatures are bytes. What statements mean is `trust`'s business, how they look as bytes
 * `wire`'s.
 */
import type { SharingPolicy, ToolchainsAccept } from "./config.ts";
import type { Digest } from "./digest.ts";

/** A public Ed25519 key, 64 hex digits. A member is known by its peer key, which is also its libp2p identity. */
export type Key = string;

/** Two keys that belong together, each vouching for the other. */
export interface Identity {
  readonly peerKey: Key;
  readonly attestationKey: Key;
  /** The peer key's signature over the attestation key. */
  readonly certificate: Uint8Array;
  /** The attestation key's signature over the peer key. */
  readonly possession: Uint8Array;
  /** What people call the machine; see isName. */
  readonly name: string;
}

/** What somebody who holds an invitation's secret asks for. */
export interface JoinRequest {
  readonly network: Digest;
  /** The invitation's public key. */
  readonly invitation: Key;
  readonly identity: Identity;
  /** Signature of the invitation's key: whoever made it knew the secret. */
  readonly byInvitation: Uint8Array;
  /** Signature of the new member's peer key. */
  readonly byPeer: Uint8Array;
}

export interface Genesis {
  readonly kind: "genesis";
  readonly name: string;
  /** The founder's domain; its members decide epochs. */
  readonly domain: string;
  readonly founder: Identity;
  readonly nonce: Uint8Array;
  /** Whether domains are on trial until others accept them; networks of before know nothing of it. */
  readonly hasTrial?: boolean;
  /** Whether two or three domains put out a machine of one of them only together, from the first moment on; domains are on trial then, too. */
  readonly isUnanimous?: boolean;
}

/** What a network has decided for all of its members, each of which may be stricter. What is not said here is left to them. */
export interface NetworkPolicy {
  readonly sharing?: SharingPolicy;
  /** Domains that must vouch for a result, at least. */
  readonly quorum?: number;
  /** Of so many results that enough vouch for, one is executed again, at least. */
  readonly auditOneOf?: number;
  /** Invitations of one member that are open at once, at most. */
  readonly openInvitations?: number;
  readonly toolchains?: ToolchainsAccept;
  /** Ascending; one at least. */
  readonly approvedToolchains?: readonly Digest[];
  /** From then on new domains are on trial, where the network was founded without that. */
  readonly hasTrial?: boolean;
  /** From then on two or three domains put out a machine of one of them only together; new domains are on trial then, too. */
  readonly isUnanimous?: boolean;
}

export interface Epoch {
  readonly kind: "epoch";
  /** 1 follows the genesis. */
  readonly number: number;
  /** Id of the epoch before, or of the genesis. */
  readonly previous: Digest;
  /** Signed statements as bytes, in the order in which they take effect. */
  readonly operations: readonly Uint8Array[];
}

/** What a member does to the network; each takes effect for good when an epoch holds it. */
export type Operation =
  | { readonly kind: "domain"; readonly name: string }
  | { readonly kind: "invite"; readonly key: Key; readonly domain: string; readonly expiresAtMs: number }
  | { readonly kind: "admit"; readonly request: JoinRequest }
  /** `isWithdrawn`: the author wants that no more, while it waits for others. */
  | { readonly kind: "revoke"; readonly member: Key; readonly isWithdrawn?: true }
  | { readonly kind: "leave" }
  /** `number`: one more than that of the policy which it replaces, all of it. */
  | { readonly kind: "policy"; readonly number: number; readonly policy: NetworkPolicy }
  /** Whose a name is from then on, nobody's where there is no owner; `after`: the claim that has given it last, or the epoch since which it is free, "" where none has; `floor`: the token's number is no less. */
  | { readonly kind: "claim"; readonly name: string; readonly owner: Key | undefined; readonly after: Digest; readonly floor?: number }
  /** What an admin alone may not: `statement` is the id of a domain, a policy, a revocation or a claim. */
  | { readonly kind: "accept"; readonly statement: Digest };

export interface Statement {
  /** Id of the genesis; empty in the genesis itself. */
  readonly network: Digest;
  readonly author: Key;
  /** The author's own numbering from 1; 0 in a genesis and in an epoch. */
  readonly sequence: number;
  /** By the author's clock, ms since the epoch of Unix. Clocks may be wrong. */
  readonly atMs: number;
  readonly what: Genesis | Epoch | Operation;
}

/** Where a member may be reached: multiaddrs without the peer. */
export interface Host {
  readonly peerKey: Key;
  readonly addresses: readonly string[];
}

/** What `cairn invite` prints and `cairn join` takes. */
export interface InvitationLine {
  readonly network: Digest;
  readonly secret: Uint8Array;
  /** Who can redeem it, the inviter first. */
  readonly hosts: readonly Host[];
  /** Whether versions of before would not understand what the network has decided. */
  readonly isNewer?: true;
}

/** What a replica has, in short, so that another can tell what it misses. */
export interface Have {
  /** Ids from its newest epoch back, ever further apart, to the genesis. Empty when it has not even that. */
  readonly epochs: readonly Digest[];
  /** Ids of statements that are in no epoch yet. */
  readonly pending: readonly Digest[];
}

/** A name of a machine, domain or network: a label of a host name, so that it can be one. */
export function isName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}
