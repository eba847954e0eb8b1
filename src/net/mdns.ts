/**
 * mDNS: members on the same local network find each other without anybody's help, and without a default route.
 *
 * Each member asks for `_cairn._tcp.local` and announces where it listens, under a name that only members recognise (mdns-tags.ts).
 * Whoever hears a member's name dials the address that it came from: nothing else in a packet is believed.
 * Knows: when to speak on which interface. Does not know: whether the one who announced is who it seems; a handshake shows that.
 */
import { isDeepStrictEqual } from "node:util";
import { type Digest, type Host, type Key, type Log, limits } from "../base/index.ts";
import type { Discovery } from "../contracts/index.ts";
import type { InterfaceAddress } from "./interfaces.ts";
import type { MdnsPacket, Multicast, OpenMulticast } from "./mdns-sockets.ts";
import { MdnsTags } from "./mdns-tags.ts";
import { addressAt, type Port } from "./ports.ts";
import { isOnLink } from "./scopes.ts";

const SERVICE = "_cairn._tcp.local";
/** Who listens for WebSockets alone, or for QUIC, says so in its name. */
const SERVICES = { tcp: SERVICE, ws: "_cairn-ws._tcp.local", quic: "_cairn-quic._udp.local" } as const;
const NAME = /^([0-9a-f]{32})\._cairn(?:(-ws)?\._tcp|(-quic)\._udp)\.local$/i;
/** Seconds that others may remember an announcement. */
const TTL = 120;

export interface MdnsParts {
  readonly self: Key;
  readonly members: () => readonly Key[];
  readonly interfaces: () => readonly InterfaceAddress[];
  /** The port at which this node listens at an address of its own; undefined when it does not. */
  readonly portAt: (address: InterfaceAddress) => Port | undefined;
  readonly open: OpenMulticast;
  readonly log: Log;
  /** ms, time of day */
  readonly wallClock: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** What became of it on one interface. */
export interface MdnsFacts {
  readonly interface: string;
  readonly family: "ip4" | "ip6";
  /** Members who announced themselves since the socket was opened. */
  readonly members: number;
  /** Why the last attempt to speak or listen failed; undefined when it did not. */
  readonly trouble: string | undefined;
}

interface Ear {
  readonly on: InterfaceAddress;
  readonly port: Port;
  readonly multicast: Multicast;
  readonly heard: Set<Key>;
  trouble: string | undefined;
  answering: NodeJS.Timeout | undefined;
}

export class MdnsDiscovery implements Discovery {
  readonly source = "mdns";
  readonly #parts: MdnsParts;
  readonly #tags: MdnsTags;
  readonly #ears = new Map<string, Ear>();
  #found: ((hint: Host) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs: number = limits.mdnsFirstMs;
  #spokeAt = Number.NEGATIVE_INFINITY;

  constructor(parts: MdnsParts, options: { readonly network: Digest }) {
    this.#parts = parts;
    this.#tags = new MdnsTags({ ...parts, network: options.network });
  }

  start(found: (hint: Host) => void): void {
    this.#found = found;
    this.refresh();
  }

  refresh(): void {
    if (this.#found === undefined) return;
    this.#tags.forget();
    this.#pauseMs = limits.mdnsFirstMs;
    const fresh = this.#reopen();
    // Not more than once a second, however fast members come (RFC 6762, section 6); a socket that is new speaks at once in any case.
    const since = this.#parts.wallClock() - this.#spokeAt;
    if (since < 0 || since >= limits.mdnsFirstMs) return this.#speak();
    for (const ear of fresh) this.#speakOn(ear);
    this.#speakIn(limits.mdnsFirstMs - since);
  }

  facts(): MdnsFacts[] {
    return [...this.#ears.values()].map(({ on, heard, trouble }) => ({
      interface: on.name,
      family: on.family,
      members: heard.size,
      trouble,
    }));
  }

  [Symbol.dispose](): void {
    this.#found = undefined;
    clearTimeout(this.#timer);
    for (const name of this.#ears.keys()) this.#close(name);
  }

  /** One socket for each interface and family on which this node listens, and no others. @returns those that are new */
  #reopen(): Ear[] {
    const wanted = new Map<string, { on: InterfaceAddress; port: Port }>();
    for (const on of this.#parts.interfaces()) {
      const port = on.internal ? undefined : this.#parts.portAt(on);
      const name = `${on.name} ${on.family}`;
      if (port !== undefined && !wanted.has(name) && wanted.size < limits.mdnsSockets) wanted.set(name, { on, port });
    }
    for (const [name, ear] of this.#ears) {
      const still = wanted.get(name);
      if (still?.on.address !== ear.on.address || !isDeepStrictEqual(still.port, ear.port)) this.#close(name);
    }
    return [...wanted].filter(([name]) => !this.#ears.has(name)).map(([name, { on, port }]) => this.#open(name, on, port));
  }

  #open(name: string, on: InterfaceAddress, port: Port): Ear {
    const { open, log } = this.#parts;
    const facts = { interface: on.name, family: on.family };
    const failed = (why: string): void => {
      const ear = this.#ears.get(name);
      if (ear === undefined || ear.trouble === why) return;
      ear.trouble = why;
      log.event("warn", "mdns.failed", { ...facts, why });
    };
    const multicast = open({ failed, received: (packet) => this.#received(name, packet) }, on);
    const ear: Ear = { on, port, multicast, heard: new Set(), trouble: undefined, answering: undefined };
    this.#ears.set(name, ear);
    log.event("info", "mdns.opened", { ...facts, address: on.address });
    return ear;
  }

  #close(name: string): void {
    const ear = this.#ears.get(name);
    if (ear === undefined) return;
    this.#ears.delete(name);
    clearTimeout(ear.answering);
    ear.multicast.close();
    this.#parts.log.event("info", "mdns.closed", { interface: ear.on.name, family: ear.on.family });
  }

  /** Announces and asks, often at first, then rarely: whoever comes later does the same. */
  #speak(): void {
    this.#spokeAt = this.#parts.wallClock();
    for (const ear of this.#ears.values()) this.#speakOn(ear);
    this.#speakIn(this.#pauseMs * (0.75 + this.#parts.random() / 2));
    this.#pauseMs = Math.min(2 * this.#pauseMs, limits.mdnsMostMs);
  }

  #speakIn(pauseMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#speak(), pauseMs);
    this.#timer.unref();
  }

  #speakOn(ear: Ear): void {
    this.#announce(ear);
    ear.multicast.send({ questions: [{ name: SERVICE, type: "PTR" }] });
  }

  #announce({ multicast, port: { port, speaks } }: Ear): void {
    const tag = this.#tags.of(this.#parts.self);
    const name = `${tag}.${SERVICES[speaks]}`;
    multicast.send({
      answers: [
        { name: SERVICE, type: "PTR", ttl: TTL, data: name },
        { name, type: "SRV", ttl: TTL, data: { port, target: `${tag}.local` } },
      ],
    });
  }

  #received(name: string, packet: MdnsPacket): void {
    const ear = this.#ears.get(name);
    if (ear === undefined) return;
    if (packet.kind === "query") return this.#asked(ear, packet);
    for (const answer of packet.answers.slice(0, limits.mdnsRecords)) {
      const said = readAnnouncement(answer);
      const peerKey = said === undefined ? undefined : this.#tags.who(said.tag);
      if (said === undefined || peerKey === undefined || peerKey === this.#parts.self) continue;
      const address = this.#dialable(packet.from, said.port);
      if (address === undefined) continue;
      ear.heard.add(peerKey);
      this.#found?.({ peerKey, addresses: [address] });
    }
  }

  /** Answers a little later, so that not all members do at once, and not twice within a second (RFC 6762, section 6). */
  #asked(ear: Ear, { questions }: MdnsPacket): void {
    if (ear.answering !== undefined || !questions.slice(0, limits.mdnsRecords).some(isOurs)) return;
    ear.answering = setTimeout(
      () => {
        this.#announce(ear);
        ear.answering = setTimeout(() => {
          ear.answering = undefined;
        }, limits.mdnsFirstMs);
        ear.answering.unref();
      },
      20 + 100 * this.#parts.random(),
    );
    ear.answering.unref();
  }

  /** Only what is on a network of this machine can have sent a multicast packet of such a network (RFC 6762, section 11). */
  #dialable(from: string, port: Port): string | undefined {
    const [ip = "", zone] = from.split("%");
    if (zone !== undefined) return `/ip6zone/${zone}${addressAt(ip, port)}`;
    return isOnLink(ip, this.#parts.interfaces()) ? addressAt(ip, port) : undefined;
  }
}

/** Undefined when a record is anything else. */
function readAnnouncement(record: unknown): { tag: string; port: Port } | undefined {
  const { type, name, data } = record as { readonly type?: unknown; readonly name?: unknown; readonly data?: unknown };
  const [, tag, ws, quic] = (typeof name === "string" && NAME.exec(name)) || [];
  if (type !== "SRV" || tag === undefined || typeof data !== "object" || data === null || !("port" in data)) return undefined;
  const { port } = data;
  if (typeof port !== "number" || port <= 0 || port >= 65_536) return undefined;
  return { tag: tag.toLowerCase(), port: { port, speaks: quic !== undefined ? "quic" : ws !== undefined ? "ws" : "tcp" } };
}

function isOurs(question: unknown): boolean {
  const { type, name } = question as { readonly type?: unknown; readonly name?: unknown };
  return (type === "PTR" || type === "ANY") && typeof name === "string" && name.toLowerCase() === SERVICE;
}
