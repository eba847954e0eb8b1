/**
 * Ports in multiaddrs: `/ip4/192.0.2.1/tcp/4711`, `/ip4/192.0.2.1/tcp/80/ws` where WebSocket is spoken, and `/ip4/192.0.2.1/udp/4711/quic-v1`.
 *
 * Knows: how they are written. Does not know: who listens.
 */

/** `tcp` is libp2p's own way over TCP. Those that come first are dialled first. */
export const TRANSPORTS = ["tcp", "ws", "quic"] as const;
export type TransportName = (typeof TRANSPORTS)[number];

export interface Port {
  readonly port: number;
  readonly speaks: TransportName;
}

/** Undefined when the address has none. A peer at its end does not matter. */
export function portOf(address: string): Port | undefined {
  const [, tcp, ws, udp] = /(?:\/tcp\/(\d+)(\/ws)?|\/udp\/(\d+)\/quic-v1)(?:\/p2p\/[^/]+)?$/.exec(address) ?? [];
  if (udp !== undefined) return { port: Number(udp), speaks: "quic" };
  return tcp === undefined ? undefined : { port: Number(tcp), speaks: ws === undefined ? "tcp" : "ws" };
}

export function speaksQuic(address: string): boolean {
  return portOf(address)?.speaks === "quic";
}

/** @param ip without a zone */
export function addressAt(ip: string, { port, speaks }: Port): string {
  const host = `/${ip.includes(":") ? "ip6" : "ip4"}/${ip}`;
  return speaks === "quic" ? `${host}/udp/${port}/quic-v1` : `${host}/tcp/${port}${speaks === "ws" ? "/ws" : ""}`;
}
