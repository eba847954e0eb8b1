/**
 * A replica of a network's membership: the best chain of epochs that is known, and what is in no epoch yet.
 *
 * Two replicas that were given the same statements, in any order and any number of times, are equal: of two epochs of admins that follow the
 * same one the rule's order decides, and what a losing epoch held is pending again. What domains agreed on outdoes all epochs of admins beside
 * it or before it, and is never replaced: two such decisions, which only exist where more domains lie than is assumed, split the network.
 *
 * Knows: statements, and which are missing elsewhere. Does not know: peers, files, clocks.
 */
import { type Digest, digestOf, type Genesis, type Have, type Key, limits, type Operation, ownBytes } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { decidedBy, type Electorate, electorateOf } from "./electorate.ts";
import type { Decided, EpochRule } from "./epoch-rule.ts";
import { type FoldedEpoch, foldEpoch, foldPending, isHeldBack, readOperations, trimPending } from "./fold.ts";
import type { KeyPair } from "./keys.ts";
import { applyOperation } from "./operations.ts";
import { copyState, isAdmin, type Refusal, type State, stateOf } from "./state.ts";
import { type Checked, type Invalid, idOf, readStatement, signStatement } from "./statements.ts";

export interface MembershipParts {
  readonly codec: MembershipCodec;
  readonly rule: EpochRule;
}

/** What became of a statement that was given to a replica. */
export type Taken = Invalid | "added" | "known" | "other-network" | "too-many-pending" | "epoch-invalid" | "epoch-lost" | "epoch-forked";

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
  /** Of the genesis, the founder; undefined of an epoch that is not in the chain. */
  readonly decided?: Decided;
}

/** Who decides what follows an epoch; nobody, where the epoch itself does not hold. */
type Deciders = Electorate | "admins" | "nobody";

/** Epochs whose predecessor has not arrived yet, or that lost. */
const WAITING_EPOCHS = 64;

export class Membership {
  readonly network: Digest;
  readonly #parts: MembershipParts;
  readonly #chain: Link[] = [];
  /** Ids in the chain, those of operations in its epochs included. */
  readonly #inChain = new Set<Digest>();
  readonly #waiting = new Map<Digest, Link>();
  /** Of epochs that were folded once: what does not hold upon them is refused without folding the past anew, which anybody could ask for. */
  readonly #deciders = new WeakMap<Checked, Deciders>();
  #pending = new Map<Digest, Checked>();
  #decided: State | undefined;
  #provisional: State | undefined;
  /** The same with what waits for the domains' agreement. */
  #intended: State | undefined;
  #fork: { readonly number: number; readonly ids: readonly [Digest, Digest] } | undefined;
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

  /** What the state will be when all that waits is decided. */
  get intended(): State | undefined {
    return this.#intended;
  }

  /** Who decided the newest epoch. */
  get decidedBy(): Decided | undefined {
    return this.#chain.at(-1)?.decided;
  }

  /** Two epochs in one place, both signed by a quorum of domains: more of them lie than is assumed, and people must see to it. */
  get fork(): { readonly number: number; readonly ids: readonly [Digest, Digest] } | undefined {
    return this.#fork;
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
    // What others want of a machine, and have to wait for, keeps its own domain from nothing.
    const before = isOwnAffair(state, keys.publicKey, what) ? state : (this.#intended ?? state);
    const refusal = applyOperation(copyState(before), checked, undefined);
    if (refusal !== undefined) return { kind: "refused", why: refusal };
    this.merge([checked.bytes]);
    return { kind: "issued", checked };
  }

  /** Signs an epoch over what waits for one. Undefined when nothing does, or these keys may not alone. */
  decide(keys: KeyPair, atMs: number): Checked | undefined {
    if (this.#decided === undefined || !this.#parts.rule.proposers(this.#decided).includes(keys.publicKey)) return undefined;
    const checked = this.propose(keys, atMs);
    if (checked !== undefined) this.merge([checked.bytes]);
    return checked;
  }

  /** The same, for others to agree to: nothing is decided by it. Undefined when nothing waits. */
  propose(keys: KeyPair, atMs: number): Checked | undefined {
    const before = this.#decided;
    if (before === undefined || this.#applied.length === 0 || before.epoch.number >= limits.epochs) return undefined;
    const operations: Uint8Array[] = [];
    let room = limits.epochBytes - limits.statementBytes - limits.agreement.decisionBytes;
    for (const { bytes } of this.#applied.slice(0, limits.operationsPerEpoch)) {
      room -= bytes.length + 8;
      if (room < 0) break;
      operations.push(bytes);
    }
    const what = { kind: "epoch", number: before.epoch.number + 1, previous: before.epoch.id, operations } as const;
    return signStatement(this.#parts.codec, keys, { network: this.network, sequence: 0, atMs, what });
  }

  /** What an epoch that somebody proposes holds, if domains may decide it: a member's, after the newest, and all of it takes effect. */
  read(bytes: Uint8Array): { readonly id: Digest; readonly operations: readonly Uint8Array[] | undefined } | undefined {
    const read = bytes.length > limits.epochBytes - limits.agreement.decisionBytes ? undefined : readStatement(this.#parts.codec, bytes);
    if (read?.kind !== "checked") return undefined;
    const { checked } = read;
    const operations = readOperations(this.#parts.codec, checked);
    const before = this.#decided;
    const isMembers = before?.members.get(checked.statement.author)?.standing === "active";
    if (before === undefined || operations === undefined || operations.length === 0 || !isMembers)
      return { id: checked.id, operations: undefined };
    const anybody = { decides: () => ({ by: "domains", domains: [] }) as const };
    const isGood = foldEpoch(anybody, before, checked, operations) !== undefined;
    return { id: checked.id, operations: isGood ? operations.map((one) => one.bytes) : undefined };
  }

  /** The epoch that follows that one. */
  after(previous: Digest): Uint8Array | undefined {
    const at = this.#chain.findIndex(({ checked }) => checked.id === previous);
    return at < 0 ? undefined : this.#chain[at + 1]?.checked.bytes;
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
    const waiting = this.#waiting.get(id)?.checked.bytes;
    // The same epoch may come with votes, or with others.
    const isKnown = waiting !== undefined && Buffer.compare(waiting, bytes) === 0;
    if (this.#inChain.has(id) || this.#pending.has(id) || isKnown) return "known";
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
    this.#push({ checked: genesis, operations: [] }, { by: "admin", admin: genesis.statement.author });
    this.#attachWaiting(genesis.id);
    return "added";
  }

  /** Puts an epoch where it belongs, or lets it wait for the one before it. */
  #attach(link: Link): Taken {
    const at = this.#placeBefore(link);
    if (at < 0) {
      this.#wait(link);
      return this.#adoptUpon(link) ?? "added";
    }
    const beside = this.#beside(at, link);
    if (beside !== undefined) return beside;
    const before = this.#stateAt(at);
    const after = before && foldEpoch(this.#parts.rule, before, link.checked, link.operations);
    if (after === undefined) {
      this.#release([link]);
      return "epoch-invalid";
    }
    this.#replace(at, [{ link, after }]);
    return "added";
  }

  /** What becomes of an epoch beside one of the chain; undefined when it has to be folded, which is left to admins' that would win. */
  #beside(at: number, link: Link): Taken | undefined {
    const [before, rival] = this.#chain.slice(at, at + 2);
    const { decided: newest } = this;
    if (before === undefined || rival === undefined || newest === undefined) return undefined;
    const { decision, statement } = link.checked;
    // Nobody changes domains, so who was an admin then belongs to that domain now.
    const isByAdmin = newest.members.get(statement.author)?.domain === newest.genesisDomain;
    if (!this.#mayFollow(before, link) || (decision === undefined && !isByAdmin)) {
      this.#release([link]);
      return "epoch-invalid";
    }
    if (this.#isFinalAfter(at)) {
      if (decision !== undefined) return this.#forked(at, link);
      this.#release([link]);
      return "epoch-lost";
    }
    // Seniority does not change, so the newest state tells as well who is preferred.
    if (!this.#parts.rule.prefers(newest, rival.checked, link.checked)) return undefined;
    this.#wait(link); // Domains may have agreed on what follows it.
    return this.#adoptUpon(link) ?? "epoch-lost";
  }

  /** The place of the epoch that this one follows upon; -1 when that is not in the chain. */
  #placeBefore({ checked: { statement } }: Link): number {
    const { what } = statement;
    if (what.kind !== "epoch" || !this.#inChain.has(what.previous)) return -1;
    return this.#chain.findLastIndex(({ checked }) => checked.id === what.previous);
  }

  /** Whether an epoch may stand after that one, as far as that is known without folding either. */
  #mayFollow(before: Link, { checked }: Link): boolean {
    const { what, network } = checked.statement;
    const { decision } = checked;
    const deciders = this.#deciders.get(before.checked);
    if (what.kind !== "epoch" || what.number !== numberOf(before) + 1 || this.#deciders.get(checked) === "nobody") return false;
    if (deciders === undefined) return true;
    if (deciders === "admins") return decision === undefined;
    if (deciders === "nobody" || decision === undefined) return false;
    return decidedBy(this.#parts.codec, { network, previous: before.checked.id, electorate: deciders }, checked.id, decision) !== undefined;
  }

  /** Takes up a decision of domains that waits and descends from that epoch, which waits as well. */
  #adoptUpon(link: Link): Taken | undefined {
    const outcome = this.#adopt(link);
    if (outcome !== undefined) return outcome;
    for (const next of this.#waitingFor(link.checked.id)) {
      const taken = this.#adoptUpon(next);
      if (taken === "added") return taken;
    }
    return undefined;
  }

  /**
   * Takes up a decision of domains whose predecessors had lost, or had been waiting. Undefined when there is none.
   *
   * A branch that begins with an admin's word shows nothing about domains: one key can make as many as a quorum needs. So it counts only as
   * long as nobody in it is known to have gone.
   */
  #adopt(last: Link): Taken | undefined {
    if (last.checked.decision === undefined) return undefined;
    const branch: Link[] = [];
    let at = -1;
    for (let link: Link | undefined = last; link !== undefined && at < 0; ) {
      const { what }: Checked["statement"] = link.checked.statement;
      const next: Link | undefined = branch[0];
      if (what.kind !== "epoch" || (next !== undefined && !this.#mayFollow(link, next))) return undefined;
      branch.unshift(link);
      at = this.#placeBefore(link);
      link = this.#waiting.get(what.previous);
    }
    const [first] = branch;
    const root = this.#chain[at];
    if (first === undefined || root === undefined || !this.#mayFollow(root, first)) return undefined;
    if (this.#isFinalAfter(at)) return first.checked.decision === undefined ? "epoch-lost" : this.#forked(at, first);
    if (!this.#isByAdmins(branch)) return "epoch-lost";
    const folded = this.#foldBranch(at, branch);
    if (folded === undefined) return undefined;
    for (const { checked } of branch) this.#waiting.delete(checked.id);
    this.#replace(at, folded);
    return "added";
  }

  /** Whether all who signed alone in a branch are admins still, or came with it. */
  #isByAdmins(branch: readonly Link[]): boolean {
    const { decided } = this;
    const arrived = new Set<Key>();
    return branch.every(({ checked: { decision, statement }, operations }) => {
      const { author } = statement;
      const isNew = arrived.has(author) && decided?.members.has(author) === false;
      for (const { statement: one } of operations) if (one.what.kind === "admit") arrived.add(one.what.request.identity.peerKey);
      return decision !== undefined || isNew || (decided !== undefined && isAdmin(decided, author));
    });
  }

  /** Undefined when any of it does not hold; that is remembered. */
  #foldBranch(at: number, branch: readonly Link[]): { readonly link: Link; readonly after: FoldedEpoch }[] | undefined {
    let state = this.#stateAt(at);
    const folded: { link: Link; after: FoldedEpoch }[] = [];
    for (const link of branch) {
      const after: FoldedEpoch | undefined = state && foldEpoch(this.#parts.rule, state, link.checked, link.operations);
      this.#deciders.set(link.checked, after === undefined ? "nobody" : (electorateOf(after.state) ?? "admins"));
      if (after === undefined) return undefined;
      folded.push({ link, after });
      state = after.state;
    }
    return folded;
  }

  /** Whether domains have decided anything after that place: then what is there stays. */
  #isFinalAfter(at: number): boolean {
    return this.#chain.findLastIndex(({ decided }) => decided?.by === "domains") > at;
  }

  #forked(at: number, link: Link): Taken {
    this.#fork ??= { number: at + 1, ids: [this.#chain[at + 1]?.checked.id ?? "", link.checked.id] };
    this.#release([link]);
    return "epoch-forked";
  }

  #wait(link: Link): void {
    const [oldest] = this.#waiting.keys();
    const { id } = link.checked;
    if (oldest !== undefined && !this.#waiting.has(id) && this.#waiting.size >= WAITING_EPOCHS) this.#waiting.delete(oldest);
    this.#waiting.set(id, link);
    this.#release([link]);
  }

  /** Ends the chain at that place and goes on with these. */
  #replace(at: number, links: readonly { readonly link: Link; readonly after: FoldedEpoch }[]): void {
    const lost = this.#chain.splice(at + 1);
    for (const { checked, operations } of lost) for (const one of [checked, ...operations]) this.#inChain.delete(one.id);
    for (const { link, after } of links) {
      this.#decided = after.state;
      this.#push(link, after.decided);
    }
    // They are admins', and domains may yet turn out to have agreed on what follows them.
    for (const { checked, operations } of lost) this.#wait({ checked, operations });
    for (const { link } of links) this.#attachWaiting(link.checked.id);
  }

  /** Takes up what waited for that epoch; of several, each in turn. */
  #attachWaiting(previous: Digest): void {
    // Those that lose wait again, and are not looked at twice.
    for (const link of this.#waitingFor(previous)) {
      this.#waiting.delete(link.checked.id);
      this.#attach(link);
    }
  }

  #waitingFor(previous: Digest): Link[] {
    return [...this.#waiting.values()].filter(({ checked: { statement } }) => {
      const { what } = statement;
      return what.kind === "epoch" && what.previous === previous;
    });
  }

  #push(link: Link, decided: Decided): void {
    this.#chain.push({ ...link, decided });
    if (this.#decided !== undefined) this.#deciders.set(link.checked, electorateOf(this.#decided) ?? "admins");
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
    for (const { checked, operations } of epochs) state = state && foldEpoch(this.#parts.rule, state, checked, operations)?.state;
    return state;
  }

  #refold(): void {
    this.#stale = false;
    for (const id of this.#pending.keys()) if (this.#inChain.has(id)) this.#pending.delete(id);
    if (this.#decided === undefined) return;
    const decided = this.#decided;
    const { state } = foldPending(decided, this.#pending.values());
    this.#pending = trimPending(decided, state, this.#pending.values());
    const folded = foldPending(decided, this.#pending.values());
    const atOnce = [...this.#pending.values()].filter((one) => !isHeldBack(decided, folded.state, one));
    this.#intended = folded.state;
    this.#provisional = atOnce.length === this.#pending.size ? folded.state : foldPending(decided, atOnce).state;
    this.#applied = folded.applied;
    this.#summary = digestOf([this.#chain.at(-1)?.checked.id ?? "", ...[...this.#pending.keys()].toSorted()].join("\n"));
  }
}

/** Whether somebody puts out a machine of its own domain, which waits for nobody. */
function isOwnAffair({ members }: State, author: Key, what: Operation): boolean {
  return what.kind === "revoke" && members.get(author)?.domain === members.get(what.member)?.domain;
}

function numberOf({ checked: { statement } }: Link): number {
  return statement.what.kind === "epoch" ? statement.what.number : 0;
}
