/**
 * TCP ports in multiaddrs: `/ip4/192.0.2.1/tcp/4711`, and `/ip4/192.0.2.1/tcp/80/ws` where WebSocket is spoken.
 *
 * Knows: how they are written. Does not know: who listens.
 */

export interface Port {
  readonly port: number;
  /** Whether WebSocket is spoken there and not libp2p's own TCP. */
  readonly isWebSocket: boolean;
}

/** Undefined when the address has none. A peer at its end does not matter. */
export function portOf(address: string): Port | undefined {
  const [, port, ws] = /\/tcp\/(\d+)(\/ws)?(?:\/p2p\/[^/]+)?$/.exec(address) ?? [];
  return port === undefined ? undefined : { port: Number(port), isWebSocket: ws !== undefined };
}

/** @param ip without a zone */
export function addressAt(ip: string, { port, isWebSocket }: Port): string {
  return `/${ip.includes(":") ? "ip6" : "ip4"}/${ip}/tcp/${port}${isWebSocket ? "/ws" : ""}`;
}
