/**
 * libp2p over WebSocket: for networks in which only HTTP leads out. Addresses end with `/ws`.
 *
 * Why not libp2p's own transport: docs/decisions/0032-websocket.md. What does the work is loaded when it is first needed: most nodes never are.
 * Knows: how one dials. Does not know: members, or what a stranger may cost; see websocket-listener.ts.
 */
import { type BlockList, connect } from "node:net";
import { type ComponentLogger, type Connection, type Transport, transportSymbol } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { asError } from "../base/index.ts";
import type { Newcomers } from "./newcomers.ts";
import { portOf } from "./ports.ts";
import type { WebSocketListener } from "./websocket-listener.ts";

export interface WebSocketsParts {
  readonly logger: ComponentLogger;
  /** Asked before a socket is made of a connection. */
  readonly doorman: BlockList;
  readonly newcomers: Newcomers;
  /** Undefined where nobody listens. */
  readonly listener: typeof WebSocketListener | undefined;
}

/** The port that a connection is to leave from may be chosen; see ways.ts. */
type DialOptions = Parameters<Transport["dial"]>[1] & { readonly localPort?: number };

/** Loads what listens, if one of the addresses wants it. */
export async function listenerFor(addresses: readonly string[]): Promise<typeof WebSocketListener | undefined> {
  return addresses.some((address) => portOf(address)?.speaks === "ws")
    ? (await import("./websocket-listener.ts")).WebSocketListener
    : undefined;
}

export function webSockets(parts: WebSocketsParts): Transport {
  const dialFilter = (addresses: Multiaddr[]): Multiaddr[] => addresses.filter((address) => portOf(address.toString())?.speaks === "ws");
  return {
    [transportSymbol]: true,
    [Symbol.toStringTag]: "cairn/websocket",
    dial: (address, options) => dial(parts, address, options),
    createListener({ upgrader }) {
      const { listener: Listener, ...rest } = parts;
      if (Listener === undefined) throw new Error("no address that speaks WebSocket was asked for");
      return new Listener({ ...rest, upgrader });
    },
    listenFilter: (addresses) => (parts.listener === undefined ? [] : dialFilter(addresses)),
    dialFilter,
  };
}

async function dial({ logger }: WebSocketsParts, address: Multiaddr, options: DialOptions): Promise<Connection> {
  const { WebSocketConnection, openWebSocket } = await import("./websocket-connection.ts");
  const { url, ...place } = endpointOf(address);
  const { localPort, signal } = options;
  const wanted = { ...place, noDelay: true, keepAlive: true, ...(localPort !== undefined && { localPort }) };
  const webSocket = await openWebSocket(url, () => connect(wanted), signal);
  const log = logger.forComponent("cairn:websocket");
  const connection = new WebSocketConnection(webSocket, { remoteAddr: address, direction: "outbound", log });
  try {
    return await options.upgrader.upgradeOutbound(connection, options);
  } catch (error) {
    connection.abort(asError(error));
    throw error;
  }
}

/** Where to connect, and what the request says about that; names are looked up by the socket. */
function endpointOf(address: Multiaddr): {
  readonly host: string;
  readonly family: 0 | 4 | 6;
  readonly port: number;
  readonly url: string;
} {
  const [first, ...rest] = address.getComponents();
  const zone = first?.name === "ip6zone" ? first.value : undefined;
  const [host, tcp] = zone === undefined ? [first, rest[0]] : rest;
  const [name, value, port] = [host?.name ?? "", host?.value ?? "", Number(tcp?.value)];
  const family = name.endsWith("4") ? 4 : name.endsWith("6") ? 6 : 0;
  const url = `ws://${name === "ip6" ? `[${value}]` : value}:${port}/`;
  return { host: zone === undefined ? value : `${value}%${zone}`, family, port, url };
}
