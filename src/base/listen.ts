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

/** One of them, or several. */
export interface Listen {
  /** For libp2p's own TCP; `auto`: at every address of this machine. */
  readonly tcp: ListenAt | "auto" | undefined;
  readonly webSocket: ListenAt | undefined;
  readonly quic: ListenAt | undefined;
}

/** What stands behind an address, after a slash, when it is not for TCP. */
const ENDINGS: ReadonlyMap<string, keyof Listen> = new Map([
  ["", "tcp"],
  ["ws", "webSocket"],
  ["quic", "quic"],
]);

/**
 * `auto`, `0.0.0.0:4711`, `[::]:4711`; `0.0.0.0:8080/ws` for WebSocket; `0.0.0.0:4711/quic` for QUIC; or one of each, with spaces or commas.
 *
 * @returns undefined when it is no such thing
 */
export function readListen(text: string): Listen | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const listen: { -readonly [transport in keyof Listen]: Listen[transport] } = { tcp: undefined, webSocket: undefined, quic: undefined };
  for (const part of parts) {
    const [, at = "", ending = ""] = /^([^/]+)(?:\/([a-z]+))?$/.exec(part) ?? [];
    const transport = ENDINGS.get(ending);
    const where = part === "auto" ? part : readListenAt(at);
    if (transport === undefined || where === undefined || listen[transport] !== undefined) return undefined;
    if (where !== "auto") listen[transport] = where;
    else listen.tcp = where;
  }
  return parts.length === 0 ? undefined : listen;
}

/** `192.0.2.7:4711`, `[2001:db8::7]:4711`, or either without a port; undefined when it is neither. */
export function readListenAt(text: string): ListenAt | undefined {
  const [, six, four, digits = "0"] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const [host, port] = [six ?? four ?? "", Number(digits)];
  return isIP(host) === (six === undefined ? 4 : 6) && port < 65_536 ? { host, port } : undefined;
}
