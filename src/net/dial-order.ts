/**
 * In which order the addresses of a member are dialled.
 *
 * Knows: what is near and what worked. Does not know: whether anybody answers.
 */
import { limits } from "../base/index.ts";
import type { InterfaceAddress } from "./interfaces.ts";
import { speaksQuic } from "./ports.ts";
import { ipOf, isOnLink, scopeOf } from "./scopes.ts";

/** What is known of a member's addresses. */
export interface Candidates {
  readonly addresses: readonly string[];
  /** Where it has just announced itself, if it has. */
  readonly heard: string | undefined;
  /** Where it answered last, if it did. */
  readonly good: string | undefined;
}

/**
 * What was heard last, what worked last, then what is on a network of this machine, then private ranges, then the rest, and after all of these in
 * the same order what speaks QUIC, which is for where nothing else gets through, even where it has worked; IPv6 and IPv4
 * alternate within each (RFC 8305, section 4), so that a family that leads nowhere costs one pause and not several.
 */
export function dialOrder({ addresses, heard, good }: Candidates, own: readonly InterfaceAddress[]): string[] {
  const byNearness = Map.groupBy(addresses, (address) => nearness(address, own) + (speaksQuic(address) ? FARTHEST : 0));
  const ordered = [...byNearness].toSorted(([a], [b]) => a - b).flatMap(([, group]) => alternate(group));
  const first = [heard, good].filter((address) => address !== undefined && addresses.includes(address)) as string[];
  const [others, quic] = [false, true].map((wanted) => [...first, ...ordered].filter((address) => speaksQuic(address) === wanted));
  return [...new Set([...(others ?? []), ...(quic ?? [])])].slice(0, limits.addressesDialled);
}

/** More than {@link nearness} ever is. */
const FARTHEST = 4;

function nearness(address: string, own: readonly InterfaceAddress[]): number {
  const scope = scopeOf(address);
  if (scope === "loopback") return 0;
  if (scope === "link" || isOnLink(ipOf(address) ?? "", own)) return 1;
  return scope === "private" ? 2 : 3;
}

function alternate(addresses: readonly string[]): string[] {
  const six = addresses.filter((address) => /^\/(ip6|dns6)/.test(address));
  const other = addresses.filter((address) => !six.includes(address));
  return six.length >= other.length ? interleave(six, other) : interleave(other, six);
}

function interleave(more: readonly string[], fewer: readonly string[]): string[] {
  return more.flatMap((address, at) => [address, ...fewer.slice(at, at + 1)]);
}
