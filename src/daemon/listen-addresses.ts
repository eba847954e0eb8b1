/**
 * Where a node of a network listens: from the setting `network.listen`, and the ports of the last time.
 */
import { CairnError, type Listen, type ListenAt, readListen, usualPort } from "../base/index.ts";

/** Ports of the last time; undefined before the first. */
export interface SavedPorts {
  readonly tcp: string | undefined;
  readonly webSocket: string | undefined;
  readonly quic: string | undefined;
}

/** Multiaddrs to listen on, and what to try when those cannot be had. */
export function listenAddresses(listen: string, saved: SavedPorts): string[][] {
  const { tcp, webSocket, quic } = parse(listen);
  const first = tcp === "auto" ? everywhere(saved.tcp ?? usualPort) : inTurn(tcp, saved.tcp, (port) => `/tcp/${port}`);
  const second = inTurn(webSocket, saved.webSocket, (port) => `/tcp/${port}/ws`);
  const third = inTurn(quic, saved.quic, (port) => `/udp/${port}/quic-v1`);
  return first.flatMap((some) => second.flatMap((more) => third.map((most) => [...some, ...more, ...most])));
}

/** The same for the data plane: beside the network's own port where that was chosen, and only on the addresses that the network uses. */
export function dataListen(listen: string, savedPort: string | undefined): { host: string; ports: number[] } {
  const { tcp, webSocket, quic } = parse(listen);
  const saved = savedPort === undefined ? [] : [Number(savedPort)];
  const at = tcp ?? webSocket ?? quic;
  if (at === undefined || at === "auto") return { host: "", ports: [...saved, Number(usualPort) + 1, 0] };
  const beside = [at.port + 1].filter((port) => at.port > 0 && port < 65_536 && port !== webSocket?.port);
  return { host: at.host, ports: [...beside, ...saved, 0] };
}

function parse(listen: string): Listen {
  const read = readListen(listen);
  if (read === undefined) throw new CairnError("config-invalid", { where: "network.listen", name: "network.listen", value: listen });
  return read;
}

/** A machine without IPv6 cannot listen on it, and another daemon may have the port. */
function everywhere(port: string): string[][] {
  return [[`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`], [`/ip4/0.0.0.0/tcp/${port}`], ["/ip4/0.0.0.0/tcp/0"]];
}

/** Nothing to listen on is one thing to try. */
function inTurn(at: ListenAt | undefined, savedPort: string | undefined, ending: (port: string | number) => string): string[][] {
  if (at === undefined) return [[]];
  const ports = at.port > 0 || savedPort === undefined ? [at.port] : [savedPort, 0];
  return ports.map((port) => [`/${at.host.includes(":") ? "ip6" : "ip4"}/${at.host}${ending(port)}`]);
}
