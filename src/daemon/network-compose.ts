/**
 * Composition root of a network: all that runs on this node while it is in one, built from top to bottom.
 *
 * Knows: which part hears of what. Does not know: what people ask, and when epochs are decided; see network-runtime.ts.
 */
import { setImmediate } from "node:timers/promises";
import {
  type Digest,
  type DirectoryKind,
  type DoorsShare,
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
  type KeyPair,
  keyPairFromSeed,
  Members,
  Membership,
  type State,
  signerIn,
  toolchainsUnder,
} from "../trust/index.ts";
import { loadNetworkCodec, type NetworkCodec } from "../wire/index.ts";
import type { AttestationStore } from "./attestation-desk.ts";
import { listenAddresses } from "./listen-addresses.ts";
import { NameService } from "./names.ts";
import { NetworkAgreement } from "./network-agreement.ts";
import { NetworkGossip } from "./network-gossip.ts";
import type { SavedIdentity } from "./network-home.ts";
import { NetworkLog, type NetworkLogParts } from "./network-log.ts";
import { startOverlay } from "./network-overlay.ts";
import { NetworkPlacement, type PlacementSettings } from "./network-placement.ts";
import type { OwnPolicy } from "./network-policy.ts";
import { type KeptShelf, type LocalCopies, NetworkSharing } from "./network-sharing.ts";
import { type LocalTrees, NetworkTrees } from "./network-trees.ts";
import { membersCalled } from "./network-views.ts";
import { NetworkWork } from "./network-work.ts";
import type { Work } from "./presence.ts";
import { presentMembers } from "./present.ts";
import type { TakingBack } from "./recalls.ts";
import { RecordMembers } from "./record-members.ts";
import { ReputationKeeper } from "./reputation-keeper.ts";
import type { ToolchainNetwork } from "./toolchain-heard.ts";
import type { TreeNetwork } from "./tree-fetch.ts";
import { Tunnels } from "./tunnels.ts";

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
  /** What members of a network are served from. */
  readonly shelf: (network: Digest) => KeptShelf;
  /** What this node knows of all members' attestations. */
  readonly known: () => Promise<AttestationStore>;
  /** Where logs lie. */
  readonly logs: NetworkLogParts["files"];
  readonly local: LocalCopies;
  readonly localTrees: LocalTrees;
  /** Called when results are gone that may have been served before. */
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

/** What a network is made of. */
export interface ComposedNetwork {
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

/** @throws {CairnError} network-unavailable, network-damaged */
export async function composeNetwork(
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
): Promise<ComposedNetwork> {
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
  const lackedBytes = (member: Key, contents: ReadonlyMap<Digest, number>): number | undefined => shared.lackedBytes(member, contents);
  const bytesPerMs = (member: Key): number | undefined => shared.bytesPerMs(member);
  const rules = { seats: seatsOf(membership), mayWork: mayHave, hasSpoken, lackedBytes, bytesPerMs };
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
  return { ...parts, opened: stack.move() };
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
