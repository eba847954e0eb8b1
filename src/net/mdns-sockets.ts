/**
 * Multicast DNS on one interface, for one address family.
 *
 * The library's own choice of interface is the one of the default route, and none without it: so there is one socket for each interface,
 * which joins and sends there. Knows: sockets. Does not know: what is said.
 */
import { createSocket } from "node:dgram";
import multicastDns, { type Options, type QueryOutgoingPacket, type ResponseOutgoingPacket } from "multicast-dns";
import { reasonOf } from "../base/index.ts";
import type { InterfaceAddress } from "./interfaces.ts";

const PORT = 5_353;
/** RFC 6762, section 3 */
const GROUPS = { ip4: "224.0.0.251", ip6: "ff02::fb" } as const;

/** A packet as it came, of which only the sender's address can be relied upon, and that not far. */
export interface MdnsPacket {
  readonly kind: "query" | "response";
  readonly questions: readonly unknown[];
  readonly answers: readonly unknown[];
  /** IP address of the sender; a link-local IPv6 one has a zone. */
  readonly from: string;
}

export interface MulticastParts {
  readonly received: (packet: MdnsPacket) => void;
  /** It did not work; later it may. */
  readonly failed: (why: string) => void;
}

export interface Multicast {
  send(packet: QueryOutgoingPacket | ResponseOutgoingPacket): void;
  close(): void;
}

export type OpenMulticast = (parts: MulticastParts, on: InterfaceAddress) => Multicast;

export const openMulticast: OpenMulticast = (parts, on) => {
  // Bound to everything: a socket that is bound to an interface's own address receives no multicast on Linux.
  const socket = on.family === "ip6" ? createSocket({ type: "udp6", reuseAddr: true, ipv6Only: true }) : undefined;
  const options: Options = {
    port: PORT,
    ip: GROUPS[on.family],
    type: on.family === "ip4" ? "udp4" : "udp6",
    interface: on.family === "ip4" ? on.address : `::%${on.name}`,
    bind: on.family === "ip4" ? "0.0.0.0" : "::",
    ...(socket !== undefined && { socket }),
  };
  const mdns = multicastDns(options);
  mdns.on("error", (error) => parts.failed(reasonOf(error)));
  mdns.on("query", ({ questions = [] }, { address }) => parts.received({ kind: "query", questions, answers: [], from: address }));
  mdns.on("response", ({ answers = [] }, { address }) => parts.received({ kind: "response", questions: [], answers, from: address }));
  const sent = (error: Error | null): void => {
    if (error !== null && error !== undefined) parts.failed(reasonOf(error));
  };
  return {
    send: (packet) =>
      "answers" in packet && packet.answers !== undefined
        ? mdns.respond(packet as ResponseOutgoingPacket, sent)
        : mdns.query(packet as QueryOutgoingPacket, sent),
    close: () => mdns.destroy(),
  };
};
