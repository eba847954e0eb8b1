/**
 * The reader's rule as it holds in a network that runs: what of members' results, and whose word about work, this node goes by.
 *
 * Knows: the members, this reader's tier, whose voices count here and what has been signed. Does not know: what is done about what it refuses,
 * whom anybody asks, or where signed results lie; see network-sharing.ts.
 */
import { type Digest, type DoorsShare, type Key, limits, type SharingPolicy } from "../base/index.ts";
import type { Attestation, SharedResult } from "../contracts/index.ts";
import type { Network } from "../net/index.ts";
import {
  claimIn,
  countedDomain,
  domainsOf,
  isKin,
  isOfAction,
  judge,
  type Members,
  mayAnybodyWork,
  type Reader,
  Repeats,
  type Reproduction,
  reproduction,
  type State,
  sharingUnder,
  signerIn,
  takesReceipts,
  verifiedId,
  voiceOf,
  workersWord,
} from "../trust/index.ts";
import type { Judging } from "./receipt-members.ts";
import type { Judged, Word } from "./sharing.ts";

export interface ReadersRuleParts {
  readonly members: Members;
  /** Whether this node may be cut off from honest members by hostile ones. */
  readonly network: Pick<Network, "isolation">;
  readonly shelf: { results(manifest: Digest): readonly SharedResult[]; ofAction(action: Digest): readonly SharedResult[] };
  /** What is known of all that members have signed about an action. */
  readonly known: (manifest: Digest, action: Digest) => readonly Attestation[];
  /** Who has signed what is not so, by attestation keys. */
  readonly liars: () => ReadonlySet<Key>;
  /** Whether what a member did for this node alone was wrong once. */
  readonly isRefuted: (member: Key) => boolean;
  /** Which member has worked for this node, where a result rests on that one's word. */
  readonly memberOf: (action: Digest) => Key | undefined;
  /** Of what is believed like that, one of so many is executed here, too; see Samples. */
  readonly oneOf: (tier: SharingPolicy, signers: readonly Key[], project?: SharingPolicy) => number;
  /** How doors share what tools leave there. */
  readonly doorsShare: () => DoorsShare;
}

const CUT_OFF: Judged = { kind: "refused", why: "cut-off", domains: 0, needed: 0 };

/** Somebody has worked for this node, whose word is good enough. */
const ASKED_FOR: Judged = { kind: "believed", tier: "speculative", domains: [], oneOf: 1 };

export class ReadersRule {
  readonly #parts: ReadersRuleParts;
  readonly #policy: SharingPolicy;
  readonly repeats: Repeats = new Repeats(limits.trust.round.remembered);
  /** Both together, as long as neither changes. */
  #distrusted: { readonly accused: ReadonlySet<Key>; readonly liars: ReadonlySet<Key>; readonly keys: ReadonlySet<Key> } | undefined;

  /** @param options `policy`: this machine's own tier; the network's may be stricter */
  constructor(parts: ReadersRuleParts, options: { readonly policy: SharingPolicy }) {
    this.#parts = parts;
    this.#policy = options.policy;
  }

  /**
   * What is new: who may be cut off from honest members by hostile ones hears neither dispute nor revocation, and takes only what machines of its
   * own domain made. What is here already is judged without that, or a quiet night would take it away.
   */
  offered(shared: SharedResult, project?: SharingPolicy): Judged {
    return this.#isOut(shared) ? CUT_OFF : this.kept(shared, project);
  }

  /**
   * What is here.
   *
   * @param signed what is known of an action that was executed for a tool
   */
  kept(shared: SharedResult, project?: SharingPolicy, signed?: () => readonly Attestation[]): Judged {
    const { state, self } = this.#parts.members;
    const claim = claimIn(shared);
    if (state === undefined || claim === undefined)
      return { kind: "refused", why: state === undefined ? "no-members-known" : "signature", domains: 0, needed: 0 };
    const heard = this.#counted(state, claim, signed);
    if (heard === undefined) return { kind: "refused", why: "too-few-domains", domains: 0, needed: 0 };
    const verdict = judge({ ...this.#reader(self, state), project }, heard.claim, heard.known);
    if (verdict.kind === "refused") return verdict;
    const signers = verdict.certificate.map(({ execution }) => execution.signer);
    const domains = signers.map((signer) => voiceOf(state, signer) ?? "");
    return { kind: "believed", tier: verdict.tier, domains, oneOf: this.#parts.oneOf(verdict.tier, signers, project) };
  }

  isBelieved(shared: SharedResult): boolean {
    return this.kept(shared).kind === "believed";
  }

  /** See ReceiptNetwork. What is executed for tools is in no set that all have: what is known of it lies here, or beside what was asked for. */
  judging(manifest: Digest, beside: readonly SharedResult[]): Judging {
    const { members, shelf } = this.#parts;
    // Each of them once, or who sends many would have each looked at for each.
    const isSigned = (one: Attestation): boolean => verifiedId(members.network, one) !== undefined;
    let known: readonly Attestation[] | undefined;
    const signed = (): readonly Attestation[] => (known ??= [...claimsIn(beside).filter(isSigned), ...claimsIn(shelf.results(manifest))]);
    const kept = (shared: SharedResult): Judged => this.kept(shared, undefined, signed);
    return { kept, offered: (shared) => (this.#isOut(shared) ? CUT_OFF : kept(shared)) };
  }

  /** What members have signed of an action and is here, for a project that demands this. */
  ofAction(action: Digest, project: SharingPolicy): readonly { readonly shared: SharedResult; readonly judged: Judged }[] {
    return this.#parts.shelf.ofAction(action).map((shared) => {
      return { shared, judged: this.isAskedFor(shared, project) ? ASKED_FOR : this.kept(shared, project) };
    });
  }

  /** Whether independent domains came to a result; undefined while no members are known. */
  reproduction(shared: SharedResult): Reproduction | undefined {
    const { state, self } = this.#parts.members;
    const claim = claimIn(shared);
    if (state === undefined || claim === undefined) return undefined;
    const heard = this.#counted(state, claim);
    if (heard === undefined) return { kind: "not-reproduced", why: "too-few-domains", domains: 0, needed: 0 };
    return reproduction(this.#reader(self, state), heard.claim, heard.known());
  }

  /** Nobody differs, and it was executed for this node by who has signed it: that one's word is good enough. */
  isAskedFor(shared: SharedResult, project?: SharingPolicy): boolean {
    const { members, memberOf } = this.#parts;
    const member = memberOf(shared.entry.action);
    if (member === undefined || this.wordOf(member, project) === undefined) return false;
    if (members.state === undefined || signerIn(members.state, shared.execution.signer)?.key !== member) return false;
    const judged = this.kept(shared, project);
    return judged.kind === "refused" && judged.why === "too-few-domains";
  }

  /** Whether anybody's word about work that this node asks for would count. */
  mayHelp(project: SharingPolicy | undefined): boolean {
    const { self, state } = this.#parts.members;
    return state !== undefined && mayAnybodyWork({ ...this.#reader(self, state), project });
  }

  /** Undefined where a member's word about what it did for this node does not count. */
  wordOf(member: Key, project: SharingPolicy | undefined): Word | undefined {
    const { self, state } = this.#parts.members;
    const signer = state?.members.get(member)?.attestationKey;
    if (state === undefined || signer === undefined || this.#parts.isRefuted(member)) return undefined;
    const word = workersWord({ ...this.#reader(self, state), project }, member);
    if (word === "none") return undefined;
    const tier = word === "sampled" ? "team" : "speculative";
    return { tier, oneOf: this.#parts.oneOf(tier, [signer], project) };
  }

  /** Those of them that count: of what one domain says again and again one, and nothing of who may have repeated others or is to be put out. */
  voices(all: readonly Attestation[]): readonly Attestation[] {
    const { state } = this.#parts.members;
    return state === undefined ? all : this.repeats.voices(state, all).filter((one) => !this.#isAccused(one));
  }

  /** Attestation keys whose voices do not count here: who signed what is not so, and whom this machine's domain wants put out. */
  get discredited(): ReadonlySet<Key> {
    const { accused, state } = this.#parts.members;
    const liars = this.#parts.liars();
    if (accused.size === 0) return liars;
    if (this.#distrusted?.accused !== accused || this.#distrusted.liars !== liars) {
      const keys = new Set([...liars, ...[...accused].flatMap((key) => state?.members.get(key)?.attestationKey ?? [])]);
      this.#distrusted = { accused, liars, keys };
    }
    return this.#distrusted.keys;
  }

  get takesExecuted(): boolean {
    const { state } = this.#parts.members;
    return state !== undefined && this.#parts.doorsShare() !== "off" && sharingUnder(state.policy.rules, this.#policy) !== "self";
  }

  get takesReceipts(): boolean {
    const { state, self } = this.#parts.members;
    return state !== undefined && this.#parts.doorsShare() !== "off" && takesReceipts(this.#reader(self, state));
  }

  get isOfSeveral(): boolean {
    const { state } = this.#parts.members;
    return state !== undefined && domainsOf(state).size > 1;
  }

  domainOf(member: Key): string {
    const { state } = this.#parts.members;
    return state === undefined ? "" : countedDomain(state, member);
  }

  voiceOf(signer: Key): string | undefined {
    const { state } = this.#parts.members;
    return state && voiceOf(state, signer);
  }

  isKin(key: Key): boolean {
    const { state, self } = this.#parts.members;
    const member = state?.members.get(key);
    return state !== undefined && member?.standing === "active" && isKin({ self, state }, member);
  }

  #isOut({ execution }: SharedResult): boolean {
    return this.#parts.network.isolation !== undefined && !this.#isOfOwnDomain(execution.signer);
  }

  /** Whether this machine's domain wants its signer put out: it convicts nobody else meanwhile. */
  #isAccused({ execution: { signer } }: Attestation): boolean {
    const { accused, state } = this.#parts.members;
    return accused.size > 0 && state !== undefined && accused.has(signerIn(state, signer)?.key ?? "");
  }

  #isOfOwnDomain(signer: Key): boolean {
    const { members } = this.#parts;
    const member = members.state && signerIn(members.state, signer);
    return member !== undefined && members.isOfOwnDomain(member.key);
  }

  /** A claim and what is known beside it, without those who may have repeated others. */
  #counted(
    state: State,
    claim: Attestation,
    signed: () => readonly Attestation[] = () => claimsIn(this.#parts.shelf.results(claim.manifest)),
  ): ReturnType<Repeats["judged"]> {
    const { manifest, action, outputs } = claim;
    return this.repeats.judged(state, claim, () => (isOfAction(outputs) ? signed() : this.#parts.known(manifest, action)));
  }

  #reader(self: Key, state: State): Reader {
    const ownReceipts = this.#parts.doorsShare() === "domain";
    return { policy: this.#policy, self, state, discredited: this.discredited, takesReceipts: ownReceipts };
  }
}

function claimsIn(shared: readonly SharedResult[]): Attestation[] {
  return shared.flatMap((one) => claimIn(one) ?? []);
}
