/**
 * This node's view of the members, and what it does as one of them: issue operations, let in who holds an invitation, decide epochs.
 *
 * Knows: its own key pair. Clock and listeners are given. Does not know: connections, files.
 */
import { type Digest, type Have, type JoinRequest, type Key, limits, type Operation } from "../base/index.ts";
import type { MembershipCodec, Redeemed, Roster, Standing } from "../contracts/index.ts";
import { accusedBy } from "./accused.ts";
import type { EpochRule } from "./epoch-rule.ts";
import type { KeyPair } from "./keys.ts";
import type { Issued, Membership } from "./membership.ts";
import type { State } from "./state.ts";
import { isJoinRequest } from "./statements.ts";

const NOBODY: ReadonlySet<Key> = new Set();

export interface MembersParts {
  readonly membership: Membership;
  readonly codec: MembershipCodec;
  readonly rule: EpochRule;
  readonly keys: KeyPair;
  /** ms since the epoch of Unix; may be wrong by limits.clockErrorMs */
  readonly now: () => number;
}

export class Members implements Roster {
  readonly network: Digest;
  readonly self: Key;
  readonly #parts: MembersParts;
  readonly #listeners: ((added: readonly Uint8Array[]) => void)[] = [];
  #accused: { readonly of: State; readonly keys: ReadonlySet<Key> } | undefined;

  constructor(parts: MembersParts) {
    this.#parts = parts;
    this.network = parts.membership.network;
    this.self = parts.keys.publicKey;
  }

  /** Undefined while the genesis has not arrived. */
  get state(): State | undefined {
    return this.#parts.membership.state;
  }

  standing(key: Key): Standing {
    return this.state?.members.get(key)?.standing ?? "unknown";
  }

  /** Peer keys of those that somebody of this node's domain wants put out, while others have yet to agree. The same set while nothing changes. */
  get accused(): ReadonlySet<Key> {
    const { state, intended } = this.#parts.membership;
    if (state === undefined || intended === undefined) return NOBODY;
    if (this.#accused?.of !== intended) this.#accused = { of: intended, keys: accusedBy(this.self, state, intended) };
    return this.#accused.keys;
  }

  /** Whether a member belongs to whom this node belongs to. */
  isOfOwnDomain(key: Key): boolean {
    const domain = this.standing(key) === "active" ? this.state?.members.get(key)?.domain : undefined;
    return domain !== undefined && domain === this.state?.members.get(this.self)?.domain;
  }

  others(): Key[] {
    return [...(this.state?.members.values() ?? [])]
      .filter(({ key, standing }) => standing === "active" && key !== this.self)
      .map(({ key }) => key);
  }

  proof(): Uint8Array[] {
    return this.#parts.membership.proof(this.self);
  }

  convince(key: Key, proof: readonly Uint8Array[]): boolean {
    if (!this.#parts.membership.wouldAdmit(key, proof)) return false;
    this.take(proof);
    return this.standing(key) === "active";
  }

  take(statements: readonly Uint8Array[]): void {
    this.#changing((membership) => membership.merge(statements).added);
  }

  summary(): Digest {
    return this.#parts.membership.summary;
  }

  have(): Have {
    return this.#parts.membership.have();
  }

  missing(theirs: Have): Uint8Array[] {
    return this.#parts.membership.missing(theirs);
  }

  onChange(listener: (added: readonly Uint8Array[]) => void): void {
    this.#listeners.push(listener);
  }

  issue(what: Operation): Issued {
    let issued: Issued = { kind: "refused", why: "not-a-member" };
    this.#changing((membership) => {
      issued = membership.issue(this.#parts.keys, what, this.#parts.now());
      return issued.kind === "issued" ? [issued.checked.bytes] : [];
    });
    return issued;
  }

  redeem(request: JoinRequest): Redeemed {
    const { state } = this;
    const invitation = state?.invitations.get(request.invitation);
    const { peerKey } = request.identity;
    if (state === undefined || request.network !== this.network) return { kind: "refused", reason: "stranger" };
    // First what costs little: anybody may ask.
    if (invitation === undefined) return { kind: "refused", reason: "invitation-unknown" };
    if (!isJoinRequest(this.#parts.codec, request)) return { kind: "refused", reason: "stranger" };
    // Asked again because the first answer was lost.
    if (invitation.redeemedBy === peerKey && this.standing(peerKey) === "active") return { kind: "admitted" };
    // Between two clocks there is doubt, and the guest has the benefit of it; our own we believe.
    const doubtMs = invitation.inviter === this.self ? 0 : limits.clockErrorMs;
    if (this.#parts.now() > invitation.expiresAtMs + doubtMs) return { kind: "refused", reason: "invitation-expired" };
    const issued = this.issue({ kind: "admit", request });
    return issued.kind === "issued" ? { kind: "admitted" } : { kind: "refused", reason: issued.why };
  }

  /**
   * How many of those who may decide the next epoch, and are in `present`, should try before this node; undefined when it may not, or
   * nothing waits.
   */
  turn(present: (key: Key) => boolean): number | undefined {
    const { membership, rule } = this.#parts;
    if (membership.undecided === 0 || membership.decided === undefined) return undefined;
    const waiting = rule.proposers(membership.decided).filter((key) => key === this.self || present(key));
    const turn = waiting.indexOf(this.self);
    return turn < 0 ? undefined : turn;
  }

  /** Decides what waits, if this node may. @returns whether it did */
  decide(): boolean {
    let decided = false;
    this.#changing((membership) => {
      const epoch = membership.decide(this.#parts.keys, this.#parts.now());
      decided = epoch !== undefined;
      return epoch === undefined ? [] : [epoch.bytes];
    });
    return decided;
  }

  #changing(change: (membership: Membership) => readonly Uint8Array[]): void {
    const before = this.summary();
    const added = change(this.#parts.membership);
    if (added.length > 0 || this.summary() !== before) for (const listener of this.#listeners) listener(added);
  }
}
