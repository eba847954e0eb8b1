/**
 * Where a node of a network listens: from the setting `network.listen`, and the port of the last time.
 */
import { usualPort } from "../base/index.ts";

/** Multiaddrs to listen on, and what to try when those cannot be had. */
export function listenAddresses(listen: string, savedPort: string | undefined): string[][] {
  if (listen !== "auto") {
    const address = parseListen(listen);
    const wanted = `${address.host}/tcp/${address.port === "0" ? (savedPort ?? "0") : address.port}`;
    return address.port === "0" && savedPort !== undefined ? [[wanted], [`${address.host}/tcp/0`]] : [[wanted]];
  }
  const port = savedPort ?? usualPort;
  // A machine without IPv6 cannot listen on it, and another daemon may have the port.
  return [[`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`], [`/ip4/0.0.0.0/tcp/${port}`], ["/ip4/0.0.0.0/tcp/0"]];
}

/** The same for the data plane: beside the network's own port where that was chosen, and only on the addresses that the network uses. */
export function dataListen(listen: string, savedPort: string | undefined): { host: string; ports: number[] } {
  const saved = savedPort === undefined ? [] : [Number(savedPort)];
  if (listen === "auto") return { host: "", ports: [...saved, Number(usualPort) + 1, 0] };
  const { host, port } = parseListen(listen);
  const beside = port === "0" || port === "65535" ? [] : [Number(port) + 1];
  return { host: host.replace(/^\/ip[46]\//, ""), ports: [...beside, ...saved, 0] };
}

function parseListen(text: string): { host: string; port: string } {
  const [, six, four = "0.0.0.0", port = "0"] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  return { host: six === undefined ? `/ip4/${four}` : `/ip6/${six}`, port };
}
