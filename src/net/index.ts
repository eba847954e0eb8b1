/**
 * Net: this node among the members of its network.
 *
 * Knows: libp2p, the gate, links, who is where. Does not know: why somebody is a member, or what is kept on disk.
 */
export { AskingDirectory, MeshDirectory, RendezvousDirectory } from "./directories.ts";
export { framesOf } from "./frames.ts";
export { type GossipFacts, LinkGossip } from "./gossip.ts";
export { type Holder, Holders } from "./holders.ts";
export { Keep, pinOffers, resultOffers } from "./keep.ts";
export { SavedDiscovery, StaticDiscovery } from "./known-peers.ts";
export { LogTalk } from "./log-talk.ts";
export { MdnsDiscovery, type MdnsFacts } from "./mdns.ts";
export { openMulticast } from "./mdns-sockets.ts";
export type { MemberStream } from "./member-stream.ts";
export { MemberTalk, type MemberTalkParts } from "./member-talk.ts";
export { Names, type NamesParts } from "./names.ts";
export { Network, type NetworkOptions, type NetworkParts, type PeerFacts } from "./network.ts";
export { Overlay, type OverlayFacts, type OverlayParts } from "./overlay.ts";
export { OverlayDiscovery } from "./overlay-discovery.ts";
export type { PortMappingFacts } from "./port-mapping.ts";
export { portOf } from "./ports.ts";
export type { ReachFacts } from "./reachability.ts";
export { type Candidate, nearest, rendezvousOrder } from "./rendezvous-hash.ts";
export { planCopies } from "./replication-plan.ts";
export { type RoundAnswer, type RoundAsker, type RoundPart, RoundTalk } from "./round-talk.ts";
export { Share, type ShareFacts, type ShareParts } from "./share.ts";
export { StreamDuplex } from "./stream-duplex.ts";
export { ToolchainOffers, type ToolchainOffersParts } from "./toolchain-offers.ts";
export type { OwnPlace } from "./whereabouts.ts";
export { Work } from "./work.ts";
