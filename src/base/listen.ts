/**
 * The setting `network.listen`: where a node of a network listens.
 */
import { isIP } from "node:net";

export interface ListenAt {
  /** An IP address. */
  readonly host: string;
  /** 0: any. */
  readonly port: number;
}

/** One of both, or both. */
export interface Listen {
  /** For libp2p's own TCP; `auto`: at every address of this machine. */
  readonly tcp: ListenAt | "auto" | undefined;
  readonly webSocket: ListenAt | undefined;
}

const WEBSOCKET = "/ws";

/**
 * `auto`, `0.0.0.0:4711`, `[::]:4711`, `0.0.0.0:8080/ws` for WebSocket; or one of the former and one of the latter, with a space or a comma.
 *
 * @returns undefined when it is no such thing
 */
export function readListen(text: string): Listen | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const webSockets = parts.filter((part) => part.endsWith(WEBSOCKET));
  const others = parts.filter((part) => !webSockets.includes(part));
  if (parts.length === 0 || webSockets.length > 1 || others.length > 1) return undefined;
  const webSocket = webSockets.map((part) => readListenAt(part.slice(0, -WEBSOCKET.length)))[0];
  const tcp = others.map((part) => (part === "auto" ? part : readListenAt(part)))[0];
  const isRead = (webSocket === undefined) === (webSockets.length === 0) && (tcp === undefined) === (others.length === 0);
  return isRead ? { tcp, webSocket } : undefined;
}

/** `192.0.2.7:4711`, `[2001:db8::7]:4711`, or either without a port; undefined when it is neither. */
export function readListenAt(text: string): ListenAt | undefined {
  const [, six, four, digits = "0"] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const [host, port] = [six ?? four ?? "", Number(digits)];
  return isIP(host) === (six === undefined ? 4 : 6) && port < 65_536 ? { host, port } : undefined;
}
