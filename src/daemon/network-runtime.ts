/**
 * A network as it runs on this node: the members' statements, kept on disk, and the connections that carry them.
 *
 * This module loads libp2p and protobuf, which takes 50 ms and 20 MB from a bundle, 240 ms and 35 MB without; network.ts imports it only where
 * there is a network.
 * Knows: which part hears of what. Does not know: what people ask; see network.ts.
 */
import { setImmediate } from "node:timers/promises";
import {
  CairnError,
  type Digest,
  type DirectoryKind,
  type DoorsShare,
  type InvitationLine,
  type JoinRequest,
  type Key,
  type Log,
  limits,
  type SharingPolicy,
  type StaticPeer,
  type ToolchainsAccept,
  type WorkCircle,
} from "../base/index.ts";
import type { Discovery, OwnCapacity, SavedPeers, Unit, WorkDesk } from "../contracts/index.ts";
import {
  type Candidate,
  Holders,
  MdnsDiscovery,
  Network,
  type Overlay,
  OverlayDiscovery,
  type OwnPlace,
  openMulticast,
  portOf,
  SavedDiscovery,
  StaticDiscovery,
  ToolchainOffers,
  type ToolchainOffersParts,
} from "../net/index.ts";
import type { Seats } from "../placement/index.ts";
import {
  claimIn,
  countedDomain,
  domainsOf,
  epochRule,
  invitationKeyPair,
  isForkEvidence,
  isRoundEvidence,
  type KeyPair,
  keyPairFromSeed,
  type Member,
  Members,
  Membership,
  makeIdentity,
  readEvidence,
  readRoundEvidence,
  requestToJoin,
  type State,
  signerIn,
  toolchainsUnder,
} from "../trust/index.ts";
import { loadNetworkCodec, type NetworkCodec } from "../wire/index.ts";
import type { AttestationStore } from "./attestation-desk.ts";
import { Attestations } from "./attestations.ts";
import { listenAddresses } from "./listen-addresses.ts";
import { NameService } from "./names.ts";
import { NetworkAgreement } from "./network-agreement.ts";
import { type Claimed, describeClaims, giveName } from "./network-claims.ts";
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
import { NetworkGossip } from "./network-gossip.ts";
import type { SavedIdentity } from "./network-home.ts";
import { NetworkLog, type NetworkLogParts } from "./network-log.ts";
import type { EventCounts } from "./network-metrics.ts";
import { startOverlay } from "./network-overlay.ts";
import { NetworkPlacement, type PlacementSettings } from "./network-placement.ts";
import {
  accept,
  changePolicy,
  describePolicy,
  isNewer,
  type OwnPolicy,
  type ProjectWord,
  type Proposed,
  policyLines,
  tierFor,
} from "./network-policy.ts";
import { type KeptShelf, type LocalCopies, NetworkSharing } from "./network-sharing.ts";
import { type LocalTrees, NetworkTrees } from "./network-trees.ts";
import { describeMembers, describeMetrics, describePeers, memberCalled, membersCalled, soleAdmin } from "./network-views.ts";
import { NetworkWork } from "./network-work.ts";
import type { Work } from "./presence.ts";
import { presentMembers } from "./present.ts";
import type { TakingBack } from "./recalls.ts";
import { RecordMembers } from "./record-members.ts";
import { ReputationKeeper } from "./reputation-keeper.ts";
import { Summaries } from "./summaries.ts";
import type { ToolchainNetwork } from "./toolchain-heard.ts";
import type { TreeNetwork } from "./tree-fetch.ts";
import { Tunnels } from "./tunnels.ts";

/** Decisions that come together go into one epoch. */
const DECIDE_AFTER_MS = 100;
/** Others who may decide come first; each has so long before the next one tries. */
const TURN_MS = 3_000;
/** After a start, others are heard first. */
const LISTEN_FIRST_MS = 5_000;

/** Statements that are checked between two looks at whatever else there is to do: some milliseconds. */
const MERGE_AT_ONCE = 16;
/** The names under which ports are kept for the next time. */
const SAVED_AS = { tcp: "port", ws: "websocket-port", quic: "quic-port" } as const;

/** What is kept between two runs. */
export interface KeptStatements extends SavedPeers {
  statements(): Uint8Array[];
  keep(statements: readonly { readonly id: Digest; readonly bytes: Uint8Array }[]): void;
  setting(name: string): string | undefined;
  set(name: string, value: string): void;
}

export interface RuntimeParts {
  readonly log: Log;
  readonly kept: KeptStatements;
  /** What others are told that this node does. */
  readonly work: () => Work;
  readonly shelf: (network: Digest) => KeptShelf;
  readonly known: () => Promise<AttestationStore>;
  /** Where logs lie. */
  readonly logs: NetworkLogParts["files"];
  readonly local: LocalCopies;
  readonly localTrees: LocalTrees;
  readonly recalls: TakingBack;
  /** Members differ about what came of an action: this node is to execute it, too, if it can. */
  readonly speak: (action: Digest) => boolean;
  readonly doorsShare: () => DoorsShare;
  readonly wordsChanged: () => void;
  /** Who does what members ask for. */
  readonly desk: WorkDesk;
  /** What it tells members that it can do. */
  readonly capacity: OwnCapacity;
  /** What members are told of this machine's compilers. */
  readonly toolchainOffer: ToolchainOffersParts["offer"];
}

/** What the configuration says about the network. */
export interface NetworkSettings {
  /** See readListen. */
  readonly listen: string;
  readonly mdns: boolean;
  readonly peers: readonly StaticPeer[];
  readonly policy: SharingPolicy;
  /** Whose toolchains are taken. */
  readonly toolchains: ToolchainsAccept;
  /** With whom work is shared. */
  readonly circle: WorkCircle;
  /** Members that are to have what this node makes; 0: nothing is copied. */
  readonly copies: number;
  /** How members are found that have results. */
  readonly directory: DirectoryKind | "auto";
  /** Members that this node is linked with at once. */
  readonly links: number;
  /** Circuits between other members that this node relays at once. */
  readonly relayCircuits: number;
  /** Whether the router is asked to let members in. */
  readonly portMapping: boolean;
  /** Who decides where work is done. */
  readonly placement: PlacementSettings;
  /** After which what was seen of a member counts half. */
  readonly halfLifeMs: number;
}

export interface RuntimeOptions extends NetworkSettings {
  readonly identity: SavedIdentity;
}

/** What the runtime is made of. */
interface Started {
  readonly members: Members;
  readonly network: Network;
  readonly overlay: Overlay;
  readonly gossip: NetworkGossip;
  readonly agreement: NetworkAgreement;
  readonly own: OwnPolicy;
  readonly reputations: ReputationKeeper;
  readonly membership: Membership;
  readonly tunnels: Tunnels;
  readonly sharing: NetworkSharing;
  readonly placement: NetworkPlacement;
  readonly names: NameService;
  readonly trees: TreeNetwork;
  readonly pinned: NetworkTrees;
  readonly work: NetworkWork;
  readonly logs: NetworkLog;
  readonly toolchains: ToolchainNetwork;
  readonly codec: NetworkCodec;
  readonly keys: KeyPair;
  readonly attestationKeys: KeyPair;
  readonly log: Log;
  readonly sources: readonly Discovery[];
  /** All that has to be closed. */
  readonly opened: AsyncDisposable;
}

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

/** Looked at often, and the same for as long as an epoch is the newest. */
function seatsOf(membership: Membership): () => Seats {
  let known: { readonly of: State | undefined; readonly seats: Seats } = { of: undefined, seats: { epoch: 0, keys: [] } };
  return () => {
    const { decided } = membership;
    if (decided === undefined || decided === known.of) return known.seats;
    const isAgreed = decided.council.speakers.size >= limits.agreement.domainsLeast;
    const active = [...decided.members.values()].filter(({ standing }) => standing === "active");
    known = { of: decided, seats: { epoch: decided.epoch.number, keys: isAgreed ? active.map(({ key }) => key) : [] } };
    return known.seats;
  };
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
  readonly #overlay: Overlay;
  readonly #agreement: NetworkAgreement;
  readonly #own: OwnPolicy;
  readonly #reputations: ReputationKeeper;
  readonly #membership: Membership;
  readonly #codec: NetworkCodec;
  readonly #keys: KeyPair;
  readonly #attestationKeys: KeyPair;
  readonly #log: Log;
  readonly #mdns: MdnsDiscovery | undefined;
  readonly #opened: AsyncDisposable;
  #deciding: NodeJS.Timeout | undefined;

  /** @throws {CairnError} network-unavailable, network-damaged */
  static async start(
    {
      log,
      kept,
      work,
      shelf,
      known,
      logs: files,
      local,
      localTrees,
      recalls,
      speak,
      doorsShare,
      wordsChanged,
      desk,
      capacity,
      toolchainOffer,
    }: RuntimeParts,
    {
      identity,
      listen,
      mdns,
      peers,
      policy,
      toolchains: accepts,
      circle,
      copies,
      directory,
      relayCircuits,
      links,
      portMapping,
      placement: places,
      halfLifeMs,
    }: RuntimeOptions,
  ): Promise<NetworkRuntime> {
    await using stack = new AsyncDisposableStack(); // A failed start closes what had opened.
    const codec = await loadNetworkCodec();
    const seed = Buffer.from(identity.peerSeed, "hex");
    const keys = keyPairFromSeed(seed);
    const rule = epochRule(codec);
    const membership = new Membership({ codec, rule }, identity.network);
    const statements = kept.statements();
    for (let at = 0; at < statements.length; at += MERGE_AT_ONCE) {
      membership.merge(statements.slice(at, at + MERGE_AT_ONCE));
      await setImmediate(); // Signatures take time, and builds do not wait.
    }
    const members = new Members({ membership, codec, rule, keys, now: Date.now });
    // Kept before anybody else hears of it: listeners are called in turn, and the network's comes later.
    members.onChange(() => kept.keep(membership.statements()));
    let sources: readonly Discovery[] = [];
    const found = new OverlayDiscovery();
    const discoveries = (own: OwnPlace): readonly Discovery[] => {
      sources = [...sourcesOf({ log, kept, members, own }, { mdns, peers }), found];
      return sources;
    };
    const domainOf = (key: Key): string => (members.state === undefined ? "" : countedDomain(members.state, key));
    const anchors = {
      load: (): string[] => kept.setting("anchors")?.split(" ") ?? [],
      save: (saved: readonly Key[]): void => kept.set("anchors", saved.join(" ")),
    };
    const network = stack.use(
      await Network.start(
        { roster: members, saved: kept, discoveries, domainOf, anchors, codec, log, now: () => performance.now(), random: Math.random },
        {
          seed,
          listen: listenAddresses(listen, {
            tcp: kept.setting("port"),
            webSocket: kept.setting("websocket-port"),
            quic: kept.setting("quic-port"),
          }),
          // As many of them as in a large network are this node's own choice.
          links: { ...limits.peerSet, most: links, outbound: Math.ceil((links * limits.peerSet.outbound) / limits.peers) },
          relay: { circuits: relayCircuits },
          portMapping,
        },
      ),
    );
    // Members will look for this node there.
    for (const { port, speaks } of network.listening.flatMap((one) => portOf(one) ?? [])) kept.set(SAVED_AS[speaks], String(port));
    const gossip = stack.use(new NetworkGossip({ network, members, codec, keys, kept, work, log }));
    const agreement = stack.use(await NetworkAgreement.start({ network, members, membership, codec, keys, kept, log }));
    const tunnels = stack.use(await Tunnels.start({ members, network, codec, log, kept }, { seed, listen }));
    const ownShelf = stack.use(shelf(members.network));
    const overlayParts = { network, members, domainOf, discovery: found, shelf: ownShelf, codec, keys, log };
    const overlay = stack.use(await startOverlay(overlayParts, { directory }));
    const attestationKeys = keyPairFromSeed(Buffer.from(identity.attestationSeed, "hex"));
    const ownSigner = attestationKeys.publicKey;
    const attested = await known();
    const reputations: ReputationKeeper = stack.use(
      new ReputationKeeper(
        {
          members,
          isThere: (key) => network.connected(key) || gossip.presence.of(key)?.kind === "here",
          isDiscredited: (key) => sharing.discredited.has(members.state?.members.get(key)?.attestationKey ?? ""),
          kept,
          log,
          now: Date.now,
        },
        { halfLifeMs },
      ),
    );
    const record = new RecordMembers({
      self: members.self,
      others: () => members.others(),
      domainOf,
      network,
      heard: (key) => gossip.presence.of(key),
      log,
      now: () => performance.now(),
    });
    const sharingParts = {
      network,
      record,
      members,
      codec,
      attestationKeys,
      shelf: ownShelf,
      known: attested,
      local,
      recalls,
      speak,
      doorsShare,
      wordsChanged,
      kept,
      reputations,
      statements: () => membership.statements().map(({ bytes }) => bytes),
      missed: (manifest: Digest) => overlay.want(manifest),
      log,
      lanes: tunnels.lanes,
      swarm: tunnels.swarm,
    };
    const sharing: NetworkSharing = stack.use(await NetworkSharing.start(sharingParts, { policy, copies, directory }));
    const present = (): readonly Candidate[] => presentMembers(members, network);
    const logs = stack.use(
      await NetworkLog.start({
        files,
        network,
        members,
        gossip: gossip.gossip,
        codec,
        attestationKeys,
        present,
        signed: (action) => [
          ...attested.of(action, (signer) => (signer === ownSigner ? signer : undefined)).map((bytes) => codec.decodeAttestation(bytes)),
          ...ownShelf.ofAction(action).flatMap((one) => (one.execution.signer === ownSigner ? (claimIn(one) ?? []) : [])),
        ],
        forked: (fork) => sharing.convictions.forked(fork),
        isConvicted: (key) => sharing.convictions.convicted.has(key),
        log,
      }),
    );
    sharing.onSigned((made) => logs.signed(made));
    const names = stack.use(await NameService.start({ members, network, codec, keys, kept, present, log }));
    const far = (key: Key): number => network.rttMs(key) ?? Number.MAX_SAFE_INTEGER;
    const nearest = (): readonly Key[] =>
      present()
        .flatMap(({ key }) => (key === members.self ? [] : [key]))
        .toSorted((a, b) => far(a) - far(b));
    const holders = await Holders.start({ network, codec, log, nearest, sizeOf: (digest) => local.store.sizeOf(digest) });
    const isMember = (): boolean => members.standing(members.self) === "active";
    const trees = { isMember, exchange: sharing.exchange, holders: holders.of.bind(holders) };
    const pinning = {
      network,
      self: members.self,
      id: members.network,
      record,
      domainOf,
      isActive: (key: Key) => members.standing(key) === "active",
      trees,
      local: localTrees,
      results: sharing,
      codec,
      log,
    };
    const pinned = stack.use(await NetworkTrees.start(pinning, { copies }));
    const shared = stack.use(
      await NetworkWork.start(
        { network, members, desk, codec, log },
        { circle, policy: () => sharing.policy, isCutOff: () => network.isolation !== undefined },
      ),
    );
    const mayWork = (member: Key): boolean => shared.mayWork(member);
    // Where its word is not good enough it may be asked in a dispute, and not for work.
    const mayHave = (member: Key, { isGeneral }: Unit): boolean =>
      mayWork(member) && sharing.wordOf(member, undefined) !== undefined && (isGeneral !== true || shared.isOfOwnDomain(member));
    // Where there is one domain it has spoken for all.
    const hasSpoken = (member: Key, request: Digest): boolean => {
      const { state } = members;
      if (state === undefined || domainsOf(state).size === 1) return false;
      const own = domainOf(member);
      const spoken = attested.signersOf(request).flatMap((signer) => signerIn(state, signer)?.key ?? []);
      return spoken.some((key) => domainOf(key) === own);
    };
    const rules = { seats: seatsOf(membership), mayWork: mayHave, hasSpoken };
    const placing = { network, members, gossip, codec, kept, domainOf, ...rules, capacity, reputations, log };
    const placement = stack.use(await NetworkPlacement.start(placing, { ...places, halfLifeMs }));
    const toolchainOffers = await ToolchainOffers.start({ network, codec, log, mayWork, offer: toolchainOffer });
    const toolchains = {
      trees,
      ask: toolchainOffers.ask.bind(toolchainOffers),
      isOfOwnDomain: shared.isOfOwnDomain.bind(shared),
      accepts: (said: ToolchainsAccept) => toolchainsUnder(members.state?.policy.rules ?? {}, said),
      approved: () => members.state?.policy.rules.approvedToolchains ?? [],
    };
    const own = { sharing: policy, toolchains: accepts };
    const told = { own, reputations, gossip, sharing, names, trees, pinned, toolchains, logs, agreement, membership };
    const parts = { members, network, overlay, tunnels, work: shared, placement, codec, keys, attestationKeys, log, sources, ...told };
    stack.defer(() => sharing.endRounds()); // First of all.
    const started = { ...parts, opened: stack.move() };
    const runtime = new NetworkRuntime(started);
    runtime.#decideSoon(LISTEN_FIRST_MS);
    return runtime;
  }

  private constructor(started: Started) {
    const { members, network, overlay, gossip, tunnels, sharing, placement, names, trees, pinned } = started;
    const { work, toolchains, logs, codec, keys, attestationKeys, log, sources, opened } = started;
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
    this.#overlay = overlay;
    this.#agreement = started.agreement;
    this.#own = started.own;
    this.#reputations = started.reputations;
    this.#membership = started.membership;
    this.#codec = codec;
    this.#keys = keys;
    this.#attestationKeys = attestationKeys;
    this.#log = log;
    this.#opened = opened;
    this.#mdns = sources.find((source) => source instanceof MdnsDiscovery);
    members.onChange(() => {
      this.#decideSoon(DECIDE_AFTER_MS);
      void this.#leaveWhenGone();
    });
  }

  /** Who is no member any more stops listening and looking for others. */
  async #leaveWhenGone(): Promise<void> {
    const standing = this.members.standing(this.members.self);
    if (standing !== "revoked") return;
    this.#log.event("warn", "network.revoked");
    this.pinned.letGo();
    await this.tunnels[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#deciding);
    await this.#opened[Symbol.asyncDispose]();
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
      const read = readRoundEvidence(this.#codec, evidence);
      return { action: read.kind === "opened-falsely" ? read.shown.opening.action : "", isFalseOpening };
    }
    const read = readEvidence(this.#codec, evidence);
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
    return new Summaries({ shelf: sharing.shelf, members, reproduction, keys: this.#attestationKeys, now: Date.now });
  }

  membersView(): object {
    const { state, self } = this.members;
    if (state === undefined) return {};
    const members = describeMembers(state, self, Date.now(), (key) => this.network.connected(key), this.gossip.presence);
    return { ...members, deciding: describeDeciding(this.#membership, self, this.#agreement.deciding) };
  }

  async peersView(): Promise<object> {
    const { state, self } = this.members;
    const traffic = await this.tunnels.traffic();
    const facts = this.network.peers();
    const views = describePeers(state, facts, this.gossip.presence, this.sharing.share.facts());
    const { placement } = this;
    const peers = views.map((view, i) => {
      const key = facts[i]?.key ?? "";
      return { ...view, data: traffic.get(key) ?? null, work: placement.slotsOf(key), reputation: this.#reputations.describe(key) };
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
    return { ...metrics, copies: sharing.copies, overlay: this.#overlay.facts };
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
      nameOf: (key) => state?.members.get(key)?.name ?? key.slice(0, 12),
      isolation: network.isolation,
      mdns: this.#mdns?.facts(),
      youngestMs: Math.max(0, ...[...(state?.members.values() ?? [])].map(({ admittedAtMs }) => admittedAtMs)),
      nowMs: Date.now(),
      policy: state && policyLines(state, self, this.#own, project),
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
    return revoke({ members: this.members, membership: this.#membership, agreement: this.#agreement }, key, isForced);
  }

  /** Takes back what {@link revoke} has said, while it waits for others. @throws {CairnError} network-refused */
  withdraw(key: Key): Words | undefined {
    return withdraw({ members: this.members, membership: this.#membership }, key);
  }

  /** Members that are to be put out once other domains have said so, too. */
  get waiting(): readonly Waiting[] {
    return waitingWords(this.#membership, this.members.self);
  }

  /** What the network demands, what holds here and why; and what waits to be accepted. @throws {CairnError} network-absent */
  policyView(project?: ProjectWord): object {
    const { state, self } = this.members;
    if (state === undefined) throw new CairnError("network-absent");
    return describePolicy(state, self, this.#own, project);
  }

  /** The reader's tier for a project, and whose word that is; undefined while nobody is known. */
  tierFor(project: ProjectWord): object | undefined {
    const { state } = this.members;
    return state && tierFor(state, this.#own, project);
  }

  /** @throws {CairnError} usage, network-refused */
  changePolicy(name: string, value: string): Promise<Proposed> {
    return changePolicy({ members: this.members, membership: this.#membership, agreement: this.#agreement }, name, value);
  }

  /** @throws {CairnError} not-found, network-refused */
  accept(what: string): Promise<Proposed> {
    return accept({ members: this.members, membership: this.#membership, agreement: this.#agreement }, what);
  }

  /** @param owner undefined for nobody @throws {CairnError} network-refused */
  giveName(name: string, owner: Key | undefined, above: number): Promise<Claimed> {
    const parts = { members: this.members, membership: this.#membership, agreement: this.#agreement };
    return giveName(parts, { name, owner, above: Math.max(above, this.names.seenToken(name)) });
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
    const { network, state } = this.members;
    const line = {
      network,
      secret,
      hosts: this.network.hosts(hosts),
      ...(state !== undefined && isNewer(state) && { isNewer: true as const }),
    };
    return this.#codec.writeInvitationLine(line);
  }

  requestToJoin(line: InvitationLine, attestationSeed: Uint8Array, name: string): JoinRequest {
    return requestToJoin(this.#codec, this.#keys, makeIdentity(this.#keys, keyPairFromSeed(attestationSeed), name), line);
  }

  /** Decides what waits when it is this node's turn among those who may and are connected. */
  #decideSoon(afterMs: number): void {
    if (this.#deciding !== undefined) return;
    const turn = this.members.turn((key) => this.network.connected(key));
    if (turn === undefined) return;
    this.#deciding = setTimeout(
      () => {
        this.#deciding = undefined;
        if (this.members.decide()) this.#log.event("info", "epoch.decided", { number: this.members.state?.epoch.number ?? 0 });
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

interface SourceParts {
  readonly log: Log;
  readonly kept: KeptStatements;
  readonly members: Members;
  readonly own: OwnPlace;
}

/** Where this node learns of members' addresses without their telling. */
function sourcesOf({ log, kept, members, own }: SourceParts, { mdns, peers }: Pick<NetworkSettings, "mdns" | "peers">): Discovery[] {
  const others = (): readonly Key[] => members.others();
  const keyOf = (text: string): Key | undefined => {
    const found = membersCalled(members.state, text).filter(({ key }) => key !== members.self);
    return found.length === 1 ? found[0]?.key : undefined;
  };
  const local = {
    log,
    self: members.self,
    members: () => [...others(), ...own.sought()],
    interfaces: () => own.interfaces(),
    portAt: own.portAt.bind(own),
    open: openMulticast,
    wallClock: Date.now,
    random: Math.random,
  };
  return [
    new SavedDiscovery({ saved: kept, members: others }),
    new StaticDiscovery({ keyOf }, { peers }),
    ...(mdns ? [new MdnsDiscovery(local, { network: members.network })] : []),
  ];
}
