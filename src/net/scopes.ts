/**
 * How far an address reaches: whether it means the same machine here and where a peer is.
 *
 * Knows: special ranges (RFC 6890, 6598, 4193), subnets of this machine. Does not know: whether anybody answers.
 */
import { BlockList, isIP, isIPv4 } from "node:net";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { limits } from "../base/index.ts";
import type { InterfaceAddress } from "./interfaces.ts";

/** `name` is one that DNS knows, and may mean something else elsewhere. */
export type Scope = "loopback" | "link" | "private" | "global" | "name";

const LOOPBACK = ["127.0.0.0/8", "::1/128"];
const LINK = ["169.254.0.0/16", "fe80::/10"];
/** Each range is used by many sites, and means something else in each. */
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

const loopback = blockOf(LOOPBACK);
const link = blockOf(LINK);
const privateBlocks = PRIVATE.map((range) => blockOf([range]));

function blockOf(ranges: readonly string[]): BlockList {
  const block = new BlockList();
  for (const range of ranges) {
    const [net = "", prefix] = range.split("/");
    block.addSubnet(net, Number(prefix), familyOf(net));
  }
  return block;
}

function familyOf(ip: string): "ipv4" | "ipv6" {
  return isIPv4(ip) ? "ipv4" : "ipv6";
}

function within(block: BlockList, ip: string): boolean {
  return block.check(ip, familyOf(ip));
}

/** The IP address in a multiaddr; undefined when it begins with anything else. */
export function ipOf(address: Multiaddr | string): string | undefined {
  const components = (typeof address === "string" ? multiaddr(address) : address).getComponents();
  const first = components[0]?.name === "ip6zone" ? components[1] : components[0];
  return first?.name === "ip4" || first?.name === "ip6" ? first.value : undefined;
}

export function scopeOf(address: string): Scope {
  const ip = ipOf(address);
  if (ip === undefined || isIP(ip) === 0) return "name";
  if (within(loopback, ip)) return "loopback";
  if (within(link, ip)) return "link";
  return privateBlocks.some((block) => within(block, ip)) ? "private" : "global";
}

/** Whether an address is in the subnet of one of this machine's interfaces. */
export function isOnLink(ip: string, own: readonly InterfaceAddress[]): boolean {
  return own.some(({ address, prefix }) => familyOf(address) === familyOf(ip) && within(blockOf([`${address}/${prefix}`]), ip));
}

/** Where a peer is, as seen from here. */
export interface Place {
  readonly sameMachine: boolean;
  /** Private addresses mean the same there as here. */
  readonly near: boolean;
  /** The private ranges that it was reached in; undefined when in none. */
  readonly block: BlockList | undefined;
}

/** @param remote a peer's end of a connection; one through relays says nothing about where the peer is */
export function placeOf(remote: string, own: readonly InterfaceAddress[]): Place {
  const ip = ipOf(remote);
  if (ip === undefined) return { sameMachine: false, near: false, block: undefined };
  const scope = scopeOf(remote);
  const sameMachine = scope === "loopback" || own.some(({ address }) => address === ip);
  const near = sameMachine || scope === "link" || scope === "private" || isOnLink(ip, own);
  return { sameMachine, near, block: privateBlocks.find((block) => within(block, ip)) };
}

/** Whether an address means the same machine here and at a peer's place; link-local ones need an interface as well, and never do. */
export function travels(address: string, { sameMachine, near }: Place): boolean {
  const scope = scopeOf(address);
  if (scope === "global" || scope === "name") return true;
  return scope === "loopback" ? sameMachine : scope === "private" && near;
}

/**
 * What a peer is told of another one's addresses, or of this node's own.
 *
 * @param itself whether they are this node's own: those in the peer's private range if there are any, for another one may be another
 *   site's; of somebody else's only those in that range
 */
export function toldTo(place: Place, addresses: readonly string[], itself: boolean): string[] {
  const fit = addresses.filter((address) => travels(address, place));
  if (place.sameMachine) return fit.slice(0, limits.addressesPerHost);
  const inBlock = (address: string): boolean => place.block !== undefined && within(place.block, ipOf(address) ?? "");
  const isPrivate = (address: string): boolean => scopeOf(address) === "private";
  const anyPrivate = itself && !fit.some(inBlock);
  return fit.filter((address) => !isPrivate(address) || inBlock(address) || anyPrivate).slice(0, limits.addressesPerHost);
}

/** Addresses in groups that work from the same places, each in their order; none of link-local ones, which need an interface as well. */
export function groupedByReach(addresses: readonly string[]): string[][] {
  const groups = Map.groupBy(addresses, (address) => {
    const scope = scopeOf(address);
    if (scope !== "private") return scope === "name" ? "global" : scope;
    return privateBlocks.findIndex((block) => within(block, ipOf(address) ?? ""));
  });
  groups.delete("link");
  return [...groups.values()];
}

/** What tells places apart: a /16 of IPv4, a /48 of IPv6, as sites usually have; "" for names. */
export function subnetOf(address: string): string {
  const ip = ipOf(address);
  if (ip === undefined) return "";
  return isIPv4(ip) ? ip.split(".").slice(0, 2).join(".") : expanded(ip).slice(0, 3).join(":");
}

/** The eight groups of an IPv6 address. */
function expanded(ip: string): string[] {
  const [head = "", tail] = ip.split("::");
  const [before, after] = [head, tail ?? ""].map((half) => half.split(":").filter((group) => group !== ""));
  if (before === undefined || after === undefined || tail === undefined) return head.split(":");
  return [...before, ...Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0"), ...after];
}
