/**
 * One address of one peer, dialled at once: libp2p's own dial takes addresses in turn, each until it fails or its time is up.
 *
 * Knows: libp2p's transports, and how sockets want link-local addresses. Does not know: which address comes first.
 */
import { Server, type Socket } from "node:net";
import type { Connection, Transport } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";

/** Of libp2p's transports, what is needed here. */
interface Transports {
  dial(address: Multiaddr, options: { readonly signal: AbortSignal }): Promise<Connection>;
}

export class Dialler {
  readonly #transports: Transports;

  constructor(transports: Transports) {
    this.#transports = transports;
  }

  /** @param address with the peer that is expected; anybody else's answer is an error */
  dial(address: Multiaddr, signal: AbortSignal): Promise<Connection> {
    return this.#transports.dial(address, { signal });
  }
}

/**
 * Lets a TCP transport use link-local IPv6 addresses: it leaves out the zone of `/ip6zone/eth0/ip6/fe80::1/…` when it dials, and drops
 * every connection from such an address, because a multiaddr cannot have the zone that the socket tells.
 */
export function withZones(transport: Transport): Transport {
  const dial = transport.dial.bind(transport);
  transport.dial = (address, options) => {
    const [zone, ip] = address.getComponents();
    if (zone?.name !== "ip6zone" || ip?.name !== "ip6") return dial(address, options);
    const toZone = { ...options, host: `${ip.value}%${zone.value}` };
    return dial(address, toZone);
  };
  const createListener = transport.createListener.bind(transport);
  transport.createListener = (options) => {
    const listener = createListener(options);
    if ("server" in listener && listener.server instanceof Server) listener.server.prependListener("connection", dropZone);
    return listener;
  };
  return transport;
}

function dropZone(socket: Socket): void {
  const { remoteAddress } = socket;
  if (remoteAddress?.includes("%") === true) Object.defineProperty(socket, "remoteAddress", { value: remoteAddress.replace(/%.*$/, "") });
}
