/**
 * A replica of a network's membership: the best chain of epochs that is known, and what is in no epoch yet.
 *
 * Two replicas that were given the same statements, in any order and any number of times, are equal: of two epochs that follow the same
 * one the rule's order decides, and what a losing epoch held is pending again.
 *
 * Knows: statements, and which are missing elsewhere. Does not know: peers, files, clocks.
 */
import { type Digest, digestOf, type Genesis, type Have, type Key, limits, type Operation, ownBytes } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import type { EpochRule } from "./epoch-rule.ts";
import { foldEpoch, foldPending, readOperations, trimPending } from "./fold.ts";
import type { KeyPair } from "./keys.ts";
import { applyOperation, copyState, type Refusal, type State, stateOf } from "./state.ts";
import { type Checked, type Invalid, idOf, readStatement, signStatement } from "./statements.ts";

export interface MembershipParts {
  readonly codec: MembershipCodec;
  readonly rule: EpochRule;
}

/** What became of a statement that was given to a replica. */
export type Taken = Invalid | "added" | "known" | "other-network" | "too-many-pending" | "epoch-invalid" | "epoch-lost";

export interface Merged {
  /** Signed statements that are new here and hold; others should have them. */
  readonly added: readonly Uint8Array[];
  /** Why others were dropped, one each. */
  readonly refused: readonly Taken[];
}

export type Issued =
  | { readonly kind: "issued"; readonly checked: Checked }
  | { readonly kind: "refused"; readonly why: Refusal | "too-many-pending" | "too-many-operations" };

/** A link of the chain. The first is the genesis. */
interface Link {
  readonly checked: Checked;
  readonly operations: readonly Checked[];
}

/** Epochs whose predecessor has not arrived yet. */
const WAITING_EPOCHS = 64;

export class Membership {
  readonly network: Digest;
  readonly #parts: MembershipParts;
  readonly #chain: Link[] = [];
  /** Ids in the chain, those of operations in its epochs included. */
  readonly #inChain = new Set<Digest>();
  readonly #waiting = new Map<Digest, Link>();
  #pending = new Map<Digest, Checked>();
  #decided: State | undefined;
  #provisional: State | undefined;
  #applied: readonly Checked[] = [];
  /** Something was taken in since the state was last folded. */
  #stale = false;
  #summary: Digest;

  /** A replica that knows nothing but its network's id, which is enough to recognise the genesis. */
  constructor(parts: MembershipParts, network: Digest) {
    this.#parts = parts;
    this.network = network;
    this.#summary = digestOf("");
  }

  /** Makes a network. Its id is the id of the genesis. */
  static found(parts: MembershipParts, keys: KeyPair, genesis: Genesis, atMs: number): Membership {
    const checked = signStatement(parts.codec, keys, { network: "", sequence: 0, atMs, what: genesis });
    const membership = new Membership(parts, checked.id);
    membership.merge([checked.bytes]);
    return membership;
  }

  /** What holds, provisional operations included. Undefined before the genesis has arrived. */
  get state(): State | undefined {
    return this.#provisional;
  }

  /** What epochs have decided. */
  get decided(): State | undefined {
    return this.#decided;
  }

  /** How many operations wait for an epoch and could be in it. */
  get undecided(): number {
    return this.#applied.length;
  }

  /** Digest of everything that this replica has. */
  get summary(): Digest {
    return this.#summary;
  }

  /** Takes in signed statements; what does not hold, or nobody here understands, is dropped. */
  merge(statements: readonly Uint8Array[]): Merged {
    const added: Uint8Array[] = [];
    const refused: Taken[] = [];
    for (const bytes of statements) {
      const outcome = this.#take(bytes);
      if (outcome === "added") added.push(bytes);
      else if (outcome !== "known") refused.push(outcome);
    }
    if (this.#stale) this.#refold();
    return { added, refused };
  }

  /**
   * Signs an operation with the author's next number and takes it in, unless it could not take effect.
   *
   * @param atMs the author's clock
   */
  issue(keys: KeyPair, what: Operation, atMs: number): Issued {
    const state = this.#provisional;
    if (state === undefined) return { kind: "refused", why: "not-a-member" };
    const own = [...this.#pending.values()].filter(({ statement }) => statement.author === keys.publicKey);
    if (own.length >= limits.pendingPerMember) return { kind: "refused", why: "too-many-pending" };
    const used = [...(state.used.get(keys.publicKey) ?? []), ...own.map(({ statement }) => statement.sequence)];
    const sequence = used.reduce((most, one) => Math.max(most, one), 0) + 1;
    if (sequence > limits.operationsPerMember) return { kind: "refused", why: "too-many-operations" };
    const checked = signStatement(this.#parts.codec, keys, { network: this.network, sequence, atMs, what });
    const refusal = applyOperation(copyState(state), checked, undefined);
    if (refusal !== undefined) return { kind: "refused", why: refusal };
    this.merge([checked.bytes]);
    return { kind: "issued", checked };
  }

  /** Signs an epoch over what waits for one. Undefined when nothing does, or these keys may not. */
  decide(keys: KeyPair, atMs: number): Checked | undefined {
    const before = this.#decided;
    if (before === undefined || this.#applied.length === 0 || before.epoch.number >= limits.epochs) return undefined;
    const operations: Uint8Array[] = [];
    let room = limits.epochBytes - limits.statementBytes;
    for (const { bytes } of this.#applied.slice(0, limits.operationsPerEpoch)) {
      room -= bytes.length + 8;
      if (room < 0) break;
      operations.push(bytes);
    }
    const what = { kind: "epoch", number: before.epoch.number + 1, previous: before.epoch.id, operations } as const;
    const checked = signStatement(this.#parts.codec, keys, { network: this.network, sequence: 0, atMs, what });
    if (!this.#parts.rule.decides(before, checked)) return undefined;
    this.merge([checked.bytes]);
    return checked;
  }

  /** Everything that another replica needs to become equal to this one, in an order in which it can be understood. */
  statements(): { readonly id: Digest; readonly bytes: Uint8Array }[] {
    return [...this.#chain.map(({ checked }) => checked), ...this.#pending.values()].map(({ id, bytes }) => ({ id, bytes }));
  }

  have(): Have {
    const epochs: Digest[] = [];
    for (let back = 0, step = 1; back < this.#chain.length; back += step) {
      epochs.push(this.#chain.at(-1 - back)?.checked.id ?? "");
      if (back >= 8) step *= 2;
    }
    const genesis = this.#chain[0]?.checked.id;
    if (genesis !== undefined && epochs.at(-1) !== genesis) epochs.push(genesis);
    return { epochs, pending: [...this.#pending.keys()] };
  }

  missing(theirs: Have): Uint8Array[] {
    const known = new Set(theirs.epochs);
    const shared = this.#chain.findLastIndex(({ checked }) => known.has(checked.id));
    const pending = new Set(theirs.pending);
    return [
      ...this.#chain.slice(shared + 1).map(({ checked }) => checked.bytes),
      ...[...this.#pending.values()].filter(({ id }) => !pending.has(id)).map(({ bytes }) => bytes),
    ];
  }

  /** The statements that admitted a member, and those who let it in, the oldest first: for somebody who knows only the elders. */
  proof(key: Key): Uint8Array[] {
    const state = this.#provisional;
    const found: Uint8Array[] = [];
    let room = limits.helloBytes / 2;
    for (let member = state?.members.get(key); member?.invitedBy !== undefined; member = state?.members.get(member.invitedBy)) {
      const read = readStatement(this.#parts.codec, member.admission);
      const what = read.kind === "checked" ? read.checked.statement.what : undefined;
      const invitation = what?.kind === "admit" ? state?.invitations.get(what.request.invitation) : undefined;
      const domain = state?.domains.get(member.domain);
      const needed = [domain?.bytes, invitation?.bytes, member.admission].filter(
        (bytes) => bytes !== undefined && bytes !== this.#chain[0]?.checked.bytes,
      );
      const fresh = needed.filter((bytes): bytes is Uint8Array => bytes !== undefined && !found.includes(bytes));
      room -= fresh.reduce((sum, bytes) => sum + bytes.length, 0);
      if (room < 0) break;
      found.unshift(...fresh);
    }
    return found;
  }

  /** Whether these statements, taken in, would make that key's holder an active member. Changes nothing. */
  wouldAdmit(key: Key, statements: readonly Uint8Array[]): boolean {
    if (this.#decided === undefined) return false;
    const read = statements.map((bytes) => readStatement(this.#parts.codec, bytes));
    const checked = read.flatMap((one) => (one.kind === "checked" ? [one.checked] : []));
    return foldPending(this.#decided, [...this.#pending.values(), ...checked]).state.members.get(key)?.standing === "active";
  }

  #take(bytes: Uint8Array): Taken {
    const id = idOf(this.#parts.codec, bytes);
    if (id === undefined) return "malformed";
    if (this.#inChain.has(id) || this.#pending.has(id) || this.#waiting.has(id)) return "known";
    const read = readStatement(this.#parts.codec, ownBytes(bytes)); // It is kept, and the frame that it came in is not.
    if (read.kind === "invalid") return read.why;
    const { checked } = read;
    const { what } = checked.statement;
    if (what.kind === "genesis") return this.#begin(checked);
    if (checked.statement.network !== this.network) return "other-network";
    if (what.kind !== "epoch") {
      if (this.#pending.size > 2 * limits.pendingOperations) return "too-many-pending";
      this.#pending.set(id, checked);
      this.#stale = true;
      return "added";
    }
    const operations = readOperations(this.#parts.codec, checked);
    if (operations === undefined) return "inner-signature";
    return this.#attach({ checked, operations });
  }

  #begin(genesis: Checked): Taken {
    if (genesis.id !== this.network || this.#chain.length > 0) return "other-network";
    this.#decided = stateOf(genesis);
    this.#push({ checked: genesis, operations: [] });
    this.#attachWaiting(genesis.id);
    return "added";
  }

  /** Puts an epoch where it belongs, or lets it wait for the one before it. */
  #attach(link: Link): Taken {
    const { what } = link.checked.statement;
    const at = what.kind === "epoch" ? this.#chain.findLastIndex(({ checked }) => checked.id === what.previous) : -1;
    if (at < 0) {
      const [oldest] = this.#waiting.keys();
      if (oldest !== undefined && this.#waiting.size >= WAITING_EPOCHS) this.#waiting.delete(oldest);
      this.#waiting.set(link.checked.id, link);
      this.#release([link]);
      return "added";
    }
    const rival = this.#chain[at + 1];
    // Seniority does not change, so the newest state tells as well who is preferred: folding the past anew is left to those who win.
    if (rival !== undefined && this.#decided !== undefined && this.#parts.rule.prefers(this.#decided, rival.checked, link.checked)) {
      this.#release([link]);
      return "epoch-lost";
    }
    const before = this.#stateAt(at);
    const after = before === undefined ? undefined : foldEpoch(this.#parts.rule, before, link.checked, link.operations);
    if (after === undefined) {
      this.#release([link]);
      return "epoch-invalid";
    }
    const lost = this.#chain.splice(at + 1);
    for (const { checked, operations } of lost) for (const one of [checked, ...operations]) this.#inChain.delete(one.id);
    this.#decided = after;
    this.#push(link);
    this.#release(lost);
    this.#attachWaiting(link.checked.id);
    return "added";
  }

  /** Takes up what waited for that epoch; of several, each in turn. */
  #attachWaiting(previous: Digest): void {
    for (const link of this.#waiting.values()) {
      const { what } = link.checked.statement;
      if (what.kind !== "epoch" || what.previous !== previous) continue;
      this.#waiting.delete(link.checked.id);
      this.#attach(link);
    }
  }

  #push(link: Link): void {
    this.#chain.push(link);
    for (const { id } of [link.checked, ...link.operations]) this.#inChain.add(id);
    this.#stale = true;
  }

  /** Operations outlive an epoch that is not in the chain: what it would have decided waits for another one. */
  #release(lost: readonly Link[]): void {
    for (const { operations } of lost) for (const one of operations) this.#pending.set(one.id, one);
    this.#stale = true;
  }

  /** The state after the link at that place. Only a rival in the past makes folding anew necessary. */
  #stateAt(at: number): State | undefined {
    if (at === this.#chain.length - 1) return this.#decided;
    const [genesis, ...epochs] = this.#chain.slice(0, at + 1);
    let state = genesis === undefined ? undefined : stateOf(genesis.checked);
    for (const { checked, operations } of epochs) state = state && foldEpoch(this.#parts.rule, state, checked, operations);
    return state;
  }

  #refold(): void {
    this.#stale = false;
    for (const id of this.#pending.keys()) if (this.#inChain.has(id)) this.#pending.delete(id);
    if (this.#decided === undefined) return;
    const { state } = foldPending(this.#decided, this.#pending.values());
    this.#pending = trimPending(this.#decided, state, this.#pending.values());
    const folded = foldPending(this.#decided, this.#pending.values());
    this.#provisional = folded.state;
    this.#applied = folded.applied;
    this.#summary = digestOf([this.#chain.at(-1)?.checked.id ?? "", ...[...this.#pending.keys()].toSorted()].join("\n"));
  }
}
