/**
 * A network as it runs on this node: what people may ask of it, and when this node decides what waits.
 *
 * What it is composed of loads libp2p and protobuf, which takes 50 ms and 20 MB from a bundle, 240 ms and 35 MB without;
 * network-life.ts imports it only where there is a network.
 * Knows: which part answers what. Does not know: whether there is a network; see network-life.ts. How its parts hear of each other: network-compose.ts.
 */
import { brief, CairnError, type Digest, type InvitationLine, type JoinRequest, type Key, limits } from "../base/index.ts";
import { type Candidate, MdnsDiscovery, type Network } from "../net/index.ts";
import {
  countedDomain,
  epochRule,
  invitationKeyPair,
  isForkEvidence,
  isRoundEvidence,
  keyPairFromSeed,
  type Member,
  type Members,
  Membership,
  makeIdentity,
  readEvidence,
  readRoundEvidence,
  requestToJoin,
  signerIn,
} from "../trust/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { Attestations } from "./attestations.ts";
import type { NameService } from "./names.ts";
import { type Claimed, describeClaims, giveName } from "./network-claims.ts";
import { type ComposedNetwork, composeNetwork, type RuntimeOptions, type RuntimeParts } from "./network-compose.ts";
import { checkNetwork, type NetworkCheck } from "./network-doctor.ts";
import {
  describeDeciding,
  endsUnanimity,
  type Revoked,
  revoke,
  type Waiting,
  type Words,
  waitingWords,
  withdraw,
} from "./network-epochs.ts";
import type { NetworkGossip } from "./network-gossip.ts";
import type { NetworkLog } from "./network-log.ts";
import type { EventCounts } from "./network-metrics.ts";
import type { NetworkPlacement } from "./network-placement.ts";
import { accept, changePolicy, describePolicy, type ProjectWord, type Proposed, policyLines, tierFor } from "./network-policy.ts";
import type { NetworkSharing } from "./network-sharing.ts";
import type { NetworkTrees } from "./network-trees.ts";
import { describeMembers, describeMetrics, describePeers, memberCalled, soleAdmin } from "./network-views.ts";
import type { NetworkWork } from "./network-work.ts";
import { presentMembers } from "./present.ts";
import { Summaries } from "./summaries.ts";
import type { ToolchainNetwork } from "./toolchain-heard.ts";
import type { TreeNetwork } from "./tree-fetch.ts";
import type { Tunnels } from "./tunnels.ts";

/** Decisions that come together go into one epoch. */
const DECIDE_AFTER_MS = 100;
/** Others who may decide come first; each has so long before the next one tries. */
const TURN_MS = 3_000;
/** After a start, others are heard first. */
const LISTEN_FIRST_MS = 5_000;

/** Founds a network: its first statement, ready to be kept. */
export async function foundNetwork(
  keys: { readonly peerSeed: Uint8Array; readonly attestationSeed: Uint8Array },
  names: { readonly name: string; readonly domain: string; readonly machine: string; readonly isUnanimous: boolean },
  nonce: Uint8Array,
): Promise<{ network: Digest; statements: { id: Digest; bytes: Uint8Array }[] }> {
  const codec = await loadNetworkCodec();
  const peer = keyPairFromSeed(keys.peerSeed);
  const founder = makeIdentity(peer, keyPairFromSeed(keys.attestationSeed), names.machine);
  const { name, domain, isUnanimous } = names;
  const genesis = { kind: "genesis", name, domain, founder, nonce, hasTrial: true, ...(isUnanimous && { isUnanimous }) } as const;
  const membership = Membership.found({ codec, rule: epochRule(codec) }, peer, genesis, Date.now());
  return { network: membership.network, statements: membership.statements() };
}

/** Undefined when the text is no invitation, or not a whole one. */
export async function readInvitation(text: string): Promise<InvitationLine | undefined> {
  return (await loadNetworkCodec()).readInvitationLine(text);
}

/** Whose attestation key it is. */
export interface Signer {
  readonly key: Key;
  readonly name: string;
  readonly self: boolean;
}

export class NetworkRuntime implements AsyncDisposable {
  readonly members: Members;
  readonly network: Network;
  readonly gossip: NetworkGossip;
  readonly tunnels: Tunnels;
  readonly sharing: NetworkSharing;
  readonly placement: NetworkPlacement;
  readonly names: NameService;
  readonly trees: TreeNetwork;
  /** Copies of what is pinned. */
  readonly pinned: NetworkTrees;
  readonly work: NetworkWork;
  readonly logs: NetworkLog;
  readonly toolchains: ToolchainNetwork;
  readonly #composed: ComposedNetwork;
  #deciding: NodeJS.Timeout | undefined;

  /** @throws {CairnError} network-unavailable, network-damaged */
  static async start(parts: RuntimeParts, options: RuntimeOptions): Promise<NetworkRuntime> {
    const runtime = new NetworkRuntime(await composeNetwork(parts, options));
    runtime.#decideSoon(LISTEN_FIRST_MS);
    return runtime;
  }

  private constructor(composed: ComposedNetwork) {
    const { members, network, gossip, tunnels, sharing, placement, names, trees, pinned, work, toolchains, logs } = composed;
    this.members = members;
    this.network = network;
    this.gossip = gossip;
    this.tunnels = tunnels;
    this.sharing = sharing;
    this.placement = placement;
    this.names = names;
    this.trees = trees;
    this.pinned = pinned;
    this.work = work;
    this.logs = logs;
    this.toolchains = toolchains;
    this.#composed = composed;
    members.onChange(() => {
      this.#decideSoon(DECIDE_AFTER_MS);
      void this.#leaveWhenGone();
    });
  }

  /** Who is no member any more stops listening and looking for others. */
  async #leaveWhenGone(): Promise<void> {
    const standing = this.members.standing(this.members.self);
    if (standing !== "revoked") return;
    this.#composed.log.event("warn", "network.revoked");
    this.pinned.letGo();
    await this.tunnels[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#deciding);
    await this.#composed.opened[Symbol.asyncDispose]();
  }

  /** What people call the machine that signs with that attestation key. */
  nameOf(signer: string): string | undefined {
    const { state } = this.members;
    return state && signerIn(state, signer)?.name;
  }

  /** What people call a member, and how far away it is; nothing of who is not known or not there. */
  member(key: Key): { readonly name?: string; readonly rttMs?: number } {
    const name = this.members.state?.members.get(key)?.name;
    const rttMs = this.network.rttMs(key);
    return { ...(name === undefined ? {} : { name }), ...(rttMs === undefined ? {} : { rttMs }) };
  }

  /** Who has signed what is here of an action. */
  signersOf(action: Digest): readonly Signer[] {
    const { state, self } = this.members;
    return this.sharing.shelf.ofAction(action).map(({ execution }) => {
      const member = state && signerIn(state, execution.signer);
      return { key: execution.signer, name: member?.name ?? "", self: member?.key === self };
    });
  }

  /** Who says to have executed an action that this node has a result of, and whether the same came of it. */
  voices(action: Digest): readonly Voice[] {
    const { state, self } = this.members;
    return this.sharing.voices(action).map(({ signer, isSame }) => {
      const member = state && signerIn(state, signer);
      return { name: member?.name ?? "", domain: member?.domain ?? "", self: member?.key === self, isSame };
    });
  }

  /** Signers whose word does not count here, and the evidence against those that were convicted. */
  evidence(): object {
    const { state } = this.members;
    const { convictions } = this.sharing;
    const named = (signer: string): object => {
      const member = state && signerIn(state, signer);
      return { signer, name: member?.name ?? "", domain: member?.domain ?? "" };
    };
    const suspected = [...convictions.discredited].filter((signer) => !convictions.convicted.has(signer));
    return {
      convicted: [...convictions.convicted].map((signer) => {
        const evidence = convictions.evidence(signer) ?? "";
        return { ...named(signer), ...this.#shownBy(evidence), isFork: isForkEvidence(evidence), evidence };
      }),
      suspected: suspected.map(named),
    };
  }

  /** By which action somebody was convicted, where it was by one. */
  #shownBy(evidence: string): { readonly action: string; readonly isFalseOpening: boolean } {
    const isFalseOpening = isRoundEvidence(evidence);
    if (isForkEvidence(evidence)) return { action: "", isFalseOpening };
    if (isFalseOpening) {
      const read = readRoundEvidence(this.#composed.codec, evidence);
      return { action: read.kind === "opened-falsely" ? read.shown.opening.action : "", isFalseOpening };
    }
    const read = readEvidence(this.#composed.codec, evidence);
    return { action: read.kind === "convicts" ? read.convicted.action : "", isFalseOpening };
  }

  /** Members of other domains that are connected, the nearest of each domain, as many as are asked at once. */
  challengers(): readonly Challenger[] {
    const { state, self } = this.members;
    const own = state && countedDomain(state, self);
    const byDomain = Map.groupBy(
      this.#nearestFirst().filter(({ domain }) => domain !== own),
      ({ domain }) => domain,
    );
    return this.#asked([...byDomain.values()].flatMap(([nearest]) => nearest ?? []));
  }

  /** Other machines of this one's own domain that are connected, the nearest of them: whom commands may be sent to. */
  colleagues(): readonly Challenger[] {
    const { self } = this.members;
    return this.#asked(this.#nearestFirst().filter(({ key }) => key !== self && this.work.isOfOwnDomain(key)));
  }

  #nearestFirst(): readonly Candidate[] {
    const far = (key: Key): number => this.network.rttMs(key) ?? Number.MAX_SAFE_INTEGER;
    return presentMembers(this.members, this.network).toSorted((a, b) => far(a.key) - far(b.key));
  }

  #asked(members: readonly Candidate[]): readonly Challenger[] {
    const { state } = this.members;
    return members.slice(0, limits.trust.challenged).map(({ key, domain }) => ({ key, domain, name: state?.members.get(key)?.name ?? "" }));
  }

  /** Signed results, as `cairn attest` tells of them. */
  get attestations(): Attestations {
    return new Attestations({ shelf: this.sharing.shelf, members: this.members });
  }

  /** Who reproduced a result, as `cairn attest export --summary` tells it to others. */
  get summaries(): Summaries {
    const { sharing, members } = this;
    const reproduction = sharing.reproduction.bind(sharing);
    return new Summaries({ shelf: sharing.shelf, members, reproduction, keys: this.#composed.attestationKeys, now: Date.now });
  }

  membersView(): object {
    const { state, self } = this.members;
    if (state === undefined) return {};
    const members = describeMembers(state, self, Date.now(), (key) => this.network.connected(key), this.gossip.presence);
    return { ...members, deciding: describeDeciding(this.#composed.membership, self, this.#composed.agreement.deciding) };
  }

  async peersView(): Promise<object> {
    const { state, self } = this.members;
    const traffic = await this.tunnels.traffic();
    const facts = this.network.peers();
    const views = describePeers(state, facts, this.gossip.presence, this.sharing.share.facts());
    const { placement } = this;
    const peers = views.map((view, i) => {
      const key = facts[i]?.key ?? "";
      return {
        ...view,
        data: traffic.get(key) ?? null,
        work: placement.slotsOf(key),
        reputation: this.#composed.reputations.describe(key),
      };
    });
    const isolation = this.network.isolation ?? null;
    return { addresses: this.network.addresses, standing: this.members.standing(self), isolation, placement: this.placementView(), peers };
  }

  /** Who decides where work is done. */
  placementView(): object {
    return this.placement.describe((key) => this.member(key).name ?? "");
  }

  metricsView(counts: EventCounts): object {
    const { gossip, sharing } = this;
    const metrics = describeMetrics(this.network.peers(), counts, gossip.gossip.facts);
    return { ...metrics, copies: sharing.copies, overlay: this.#composed.overlay.facts };
  }

  /** @param project of where somebody asks; undefined where that is not known */
  doctorView(project?: ProjectWord): NetworkCheck[] {
    const { state, self } = this.members;
    const { network } = this;
    return checkNetwork({
      ...network.surroundings(),
      standing: this.members.standing(self),
      addresses: network.listening,
      reach: network.reach,
      quicTrouble: network.quicTrouble,
      portMapping: network.portMapping,
      peers: network.peers(),
      nameOf: (key) => state?.members.get(key)?.name ?? brief(key),
      isolation: network.isolation,
      mdns: this.#composed.sources.find((source) => source instanceof MdnsDiscovery)?.facts(),
      youngestMs: Math.max(0, ...[...(state?.members.values() ?? [])].map(({ admittedAtMs }) => admittedAtMs)),
      nowMs: Date.now(),
      policy: state && policyLines(state, self, this.#composed.own, project),
    });
  }

  /** @throws {CairnError} member-unknown; see {@link memberCalled} */
  called(text: string): Member {
    return memberCalled(this.members.state, text);
  }

  /**
   * Puts a member out: at once where this node may decide that or the member is of its own domain, otherwise when the domains have agreed.
   *
   * @throws {CairnError} network-refused
   */
  revoke(key: Key, isForced: boolean): Promise<Revoked> {
    return revoke(this.#composed, key, isForced);
  }

  /** Takes back what {@link revoke} has said, while it waits for others. @throws {CairnError} network-refused */
  withdraw(key: Key): Words | undefined {
    return withdraw(this.#composed, key);
  }

  /** Members that are to be put out once other domains have said so, too. */
  get waiting(): readonly Waiting[] {
    return waitingWords(this.#composed.membership, this.members.self);
  }

  /** What the network demands, what holds here and why; and what waits to be accepted. @throws {CairnError} network-absent */
  policyView(project?: ProjectWord): object {
    const { state, self } = this.members;
    if (state === undefined) throw new CairnError("network-absent");
    return describePolicy(state, self, this.#composed.own, project);
  }

  /** The reader's tier for a project, and whose word that is; undefined while nobody is known. */
  tierFor(project: ProjectWord): object | undefined {
    const { state } = this.members;
    return state && tierFor(state, this.#composed.own, project);
  }

  /** @throws {CairnError} usage, network-refused */
  changePolicy(name: string, value: string): Promise<Proposed> {
    return changePolicy(this.#composed, name, value);
  }

  /** @throws {CairnError} not-found, network-refused */
  accept(what: string): Promise<Proposed> {
    return accept(this.#composed, what);
  }

  /** @param owner undefined for nobody @throws {CairnError} network-refused */
  giveName(name: string, owner: Key | undefined, above: number): Promise<Claimed> {
    return giveName(this.#composed, { name, owner, above: Math.max(above, this.names.seenToken(name)) });
  }

  claimedNames(): object[] {
    const { state, self } = this.members;
    return state === undefined ? [] : describeClaims(state, self);
  }

  /** Whether nobody but this node could decide an epoch. */
  get isSoleAdmin(): boolean {
    return soleAdmin(this.members.state, this.members.self);
  }

  /** Whether a voice for that domain ends that domains put out each other's machines together. */
  wouldBeFourth(domain: string): boolean {
    return endsUnanimity(this.members.state, domain);
  }

  /** The key of an invitation with that secret. */
  invitationKey(secret: Uint8Array): string {
    return invitationKeyPair(secret).publicKey;
  }

  invitationLine(secret: Uint8Array, hosts: number): string {
    const { codec, membership } = this.#composed;
    const line = {
      network: this.members.network,
      secret,
      hosts: this.network.hosts(hosts),
      ...(membership.intended?.isNewer === true && { isNewer: true as const }),
    };
    return codec.writeInvitationLine(line);
  }

  requestToJoin(line: InvitationLine, attestationSeed: Uint8Array, name: string): JoinRequest {
    const { codec, keys } = this.#composed;
    return requestToJoin(codec, keys, makeIdentity(keys, keyPairFromSeed(attestationSeed), name), line);
  }

  /** Decides what waits when it is this node's turn among those who may and are connected. */
  #decideSoon(afterMs: number): void {
    if (this.#deciding !== undefined) return;
    const turn = this.members.turn((key) => this.network.connected(key));
    if (turn === undefined) return;
    this.#deciding = setTimeout(
      () => {
        this.#deciding = undefined;
        if (this.members.decide()) this.#composed.log.event("info", "epoch.decided", { number: this.members.state?.epoch.number ?? 0 });
      },
      afterMs + turn * TURN_MS,
    );
    this.#deciding.unref();
  }
}

/** A member of another domain that can be asked to execute something. */
export interface Challenger {
  readonly key: Key;
  readonly name: string;
  readonly domain: string;
}

/** A member that says to have executed something. */
export interface Voice {
  readonly name: string;
  readonly domain: string;
  readonly self: boolean;
  /** Whether what is here came of it. */
  readonly isSame: boolean;
}
