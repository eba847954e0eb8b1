/**
 * The setting `network.peers`: members and where they can be dialled, for networks in which nothing else finds them.
 */
import { SocketAddress } from "node:net";

/** Where a node listens that was told nothing else. */
export const usualPort = "4711";

/** A line of the setting `network.peers`. */
export interface StaticPeer {
  /** A member's name, or the beginning of its key. */
  readonly member: string;
  readonly address: string;
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/**
 * `desktop@192.168.1.20 ci@build.example:80/ws attic@192.168.1.21:4711/quic 3f9ac2@[2001:db8::7]:4711`, or the same with commas.
 *
 * @returns undefined when a part of it is no such thing
 */
export function readStaticPeers(text: string): StaticPeer[] | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const peers = parts.map(readOne);
  return peers.every((peer) => peer !== undefined) ? peers : undefined;
}

function readOne(text: string): StaticPeer | undefined {
  const [, member, six, other, port = usualPort, ending = ""] =
    /^([a-z0-9-]+)@(?:\[([^\]]+)\]|([^:/]+))(?::(\d{1,5})(\/ws|\/quic)?)?$/.exec(text) ?? [];
  const host = six ?? other;
  if (member === undefined || host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  const at = ending === "/quic" ? `/udp/${port}/quic-v1` : `/tcp/${port}${ending}`;
  const family = SocketAddress.parse(six === undefined ? host : `[${six}]`)?.family;
  if (six !== undefined) return family === "ipv6" ? { member, address: `/ip6/${six}${at}` } : undefined;
  if (family === "ipv4") return { member, address: `/ip4/${host}${at}` };
  return NAME.test(host) && !/^[\d.]+$/.test(host) ? { member, address: `/dns/${host}${at}` } : undefined;
}
