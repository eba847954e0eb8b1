/**
 * What is wrong with the network of this node, and what to do about it: from facts to checks.
 *
 * Knows: what people can change. Does not know: where the facts come from, or how they are shown.
 */
import { limits } from "../base/index.ts";
import type { MdnsFacts, PeerFacts, PortMappingFacts, ReachFacts } from "../net/index.ts";

export interface NetworkCheck {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly advice?: string;
}

export interface NetworkFacts {
  readonly standing: string;
  /** Multiaddrs at which this node listens. */
  readonly addresses: readonly string[];
  /** Addresses of this machine that others could reach, on however small a network. */
  readonly outward: readonly string[];
  readonly peers: readonly PeerFacts[];
  readonly nameOf: (key: string) => string;
  /** Undefined when mDNS is turned off. */
  readonly mdns: readonly MdnsFacts[] | undefined;
  /** Linked members that are on a network of this machine. */
  readonly neighbours: number;
  readonly isolation: string | undefined;
  readonly reach: ReachFacts;
  /** Why this machine does not speak QUIC though its settings ask for it; undefined when it does, or they do not. */
  readonly quicTrouble: string | undefined;
  /** Undefined when the router is not asked to let members in. */
  readonly portMapping: PortMappingFacts | undefined;
  /** When the youngest member was admitted, by the clock of who admitted it, and what time it is here; ms. */
  readonly youngestMs: number;
  readonly nowMs: number;
  /** What the network's policy comes to here, and what waits for a word of this machine; undefined while nobody is known. */
  readonly policy: { readonly holds: string; readonly waits: readonly string[] } | undefined;
}

/** Members that are named one by one. */
const NAMED = 5;

export function checkNetwork(facts: NetworkFacts): NetworkCheck[] {
  if (facts.standing !== "active") {
    const advice = "cairn leave   forgets this network; cairn join LINE   with a new invitation comes back";
    return [failed("membership", `this machine is no member any more: ${facts.standing}`, advice)];
  }
  return [
    checkInterfaces(facts),
    checkListening(facts),
    ...checkQuic(facts),
    checkReach(facts),
    ...checkPortMapping(facts),
    checkMdns(facts),
    checkPeers(facts),
    checkIsolation(facts),
    checkClock(facts),
    ...checkPolicy(facts),
  ];
}

function passed(check: string, detail: string): NetworkCheck {
  return { check, ok: true, detail };
}

function failed(check: string, detail: string, advice: string): NetworkCheck {
  return { check, ok: false, detail, advice };
}

function checkInterfaces({ outward }: NetworkFacts): NetworkCheck {
  return outward.length > 0
    ? passed("interfaces", outward.join(" "))
    : failed("interfaces", "none is up but loopback", "connect this machine to a network; Cairn notices within a second");
}

function checkListening({ addresses, outward }: NetworkFacts): NetworkCheck {
  const isInside = addresses.every((address) => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address));
  return isInside && outward.length > 0
    ? failed("listening", `only this machine can reach ${addresses.join(" ")}`, "cairn config set network.listen auto   listens everywhere")
    : passed("listening", addresses.join(" "));
}

function checkQuic({ quicTrouble }: NetworkFacts): NetworkCheck[] {
  if (quicTrouble === undefined) return [];
  const advice = "install Cairn with its optional packages, or leave QUIC out of network.listen; TCP and WebSocket go on";
  return [failed("QUIC", `what speaks it cannot be loaded: ${quicTrouble}`, advice)];
}

function checkReach({ addresses, reach }: NetworkFacts): NetworkCheck {
  const check = "reachability";
  const [reached, unreached] = [true, false].map((wanted) => reach.addresses.filter(({ by }) => by > 0 === wanted));
  if (reached === undefined || unreached === undefined || reach.addresses.length === 0) return passed(check, "no member has tried yet");
  const at = (all: readonly { readonly address: string }[]): string => all.map(({ address }) => address).join(" ");
  // Where a router shows this machine nobody needs to come in; where it listens itself something keeps them out.
  const shut = unreached.filter(({ address }) => addresses.includes(address));
  const advice = "let TCP to that port through the firewalls of this machine and its network; members meet it through relays meanwhile";
  if (shut.length > 0) return failed(check, `members have tried in vain at ${at(shut)}`, advice);
  if (reach.data === false)
    return failed(check, `members come through at ${at(reached)}, but not to TCP port ${reach.dataPort}, the data plane`, advice);
  if (reached.length > 0) return passed(check, `members come through at ${at(reached)}`);
  return passed(check, `behind a router that lets nobody in (${at(unreached)}): members meet this machine by punching, or through relays`);
}

function checkPortMapping({ portMapping }: NetworkFacts): NetworkCheck[] {
  const check = "port mapping";
  if (portMapping === undefined) return [];
  const { addresses, trouble } = portMapping;
  if (trouble === undefined) return [passed(check, addresses.length > 0 ? addresses.join(" ") : "the router has not answered yet")];
  const advice =
    "turn on NAT-PMP or UPnP at the router, or forward TCP to this machine's port there; cairn config set network.portMapping off   asks no more";
  return [failed(check, `the router does not let members in: ${trouble}`, advice)];
}

function checkMdns({ mdns, neighbours, outward }: NetworkFacts): NetworkCheck {
  if (mdns === undefined) return passed("mDNS", "turned off (network.mdns)");
  if (outward.length === 0) return passed("mDNS", "nowhere to look");
  const firewall = "let UDP port 5353 to 224.0.0.251 and ff02::fb through this machine's firewall";
  const troubles = mdns.flatMap(({ interface: name, family, trouble }) => (trouble === undefined ? [] : [`${name} ${family}: ${trouble}`]));
  if (troubles.length > 0) return failed("mDNS", troubles.join("; "), firewall);
  const heard = Math.max(0, ...mdns.map(({ members }) => members));
  const where = [...new Set(mdns.map((one) => one.interface))].join(" ");
  if (heard === 0 && neighbours > 0)
    return failed(
      "mDNS",
      `on ${where}, and nothing is heard of members that are there`,
      `${firewall}; some access points keep their guests apart`,
    );
  return passed("mDNS", mdns.length === 0 ? "not listening on any network" : `on ${where}; members heard there: ${heard}`);
}

/** Nothing is wrong about what waits: it may be left to wait. */
function checkPolicy({ policy }: NetworkFacts): NetworkCheck[] {
  if (policy === undefined) return [];
  const waits =
    policy.waits.length === 0 ? "" : `; to be accepted by this machine, or not (cairn accept): ${policy.waits.slice(0, NAMED).join("; ")}`;
  return [passed("policy", `${policy.holds}${waits}`)];
}

function checkPeers({ peers, nameOf }: NetworkFacts): NetworkCheck {
  const missing = peers.flatMap((peer) =>
    peer.state === "connected" ? [] : [{ name: nameOf(peer.key), why: peer.why || "not tried yet" }],
  );
  const detail = `${peers.length - missing.length} of ${peers.length} connected`;
  const told = missing.slice(0, NAMED).map(({ name, why }) => `${name}: ${why}`);
  const text = [detail, ...told, ...(missing.length > NAMED ? ["…"] : [])].join("; ");
  if (peers.length === 0 || missing.length < peers.length) return passed("members", text);
  const advice =
    "see that their daemons run (cairn up), and that TCP to their port is allowed; cairn config set network.peers NAME@HOST:PORT   tells where one is";
  return failed("members", text, advice);
}

function checkIsolation({ isolation }: NetworkFacts): NetworkCheck {
  if (isolation === undefined) return passed("isolation", "not cut off");
  return isolation === "few-domains"
    ? failed(
        "isolation",
        "members of most domains cannot be reached, so nothing new of other domains is used",
        "compare cairn members with another machine's, from another place",
      )
    : failed("isolation", "no other member can be reached", "see members");
}

function checkClock({ youngestMs, nowMs }: NetworkFacts): NetworkCheck {
  const behindMs = youngestMs - nowMs;
  return behindMs <= limits.clockErrorMs
    ? passed("clock", "no member was admitted in what is the future here")
    : failed(
        "clock",
        `this clock is ${Math.round(behindMs / 60_000)} min behind those of others`,
        "set the clock (NTP): invitations expire by it",
      );
}
