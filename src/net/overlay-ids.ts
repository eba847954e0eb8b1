/**
 * Overlay ids: where members and what is looked for stand to each other in the overlay, and the order in which members are responsible.
 *
 * An id is 256 bits; the distance of two is their exclusive or, as a number (Maymounkov & Mazières, "Kademlia", IPTPS 2002, section 2.1).
 * Knows: ids, distances, domains. Does not know: who is reachable, or what is kept where.
 */
import { hash } from "node:crypto";
import type { Digest, Key } from "../base/index.ts";

/** 32 bytes. */
export type OverlayId = Uint8Array;

/** What stands somewhere in the overlay, and whose it is. */
export interface Placed {
  readonly id: OverlayId;
  readonly domain: string;
}

const ID_BITS = 256;

export function idOfMember(network: Digest, key: Key): OverlayId {
  return hash("sha256", `cairn overlay member 1\0${network}\0${key}`, "buffer");
}

/** Parts of all manifests, by the first bits of their digests: members are responsible for a whole part, so that many are asked about at once. */
export const REGIONS = 64;

export function idOfRegion(network: Digest, region: number): OverlayId {
  return hash("sha256", `cairn overlay region 1\0${network}\0${region}`, "buffer");
}

/** Below 0 when `a` is nearer to the target than `b`, above 0 when it is further away. */
export function compareDistance(target: OverlayId, a: OverlayId, b: OverlayId): number {
  for (let at = 0; at < target.length; at++) {
    const bits = target[at] ?? 0;
    const difference = ((a[at] ?? 0) ^ bits) - ((b[at] ?? 0) ^ bits);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** First bits that two ids have in common, 0 to 256. */
export function commonBits(a: OverlayId, b: OverlayId): number {
  for (let at = 0; at < a.length; at++) {
    const difference = (a[at] ?? 0) ^ (b[at] ?? 0);
    if (difference !== 0) return at * 8 + Math.clz32(difference) - 24;
  }
  return ID_BITS;
}

/**
 * The order in which members are responsible for a target: of each domain the nearest first, nearest of them all before the others, then
 * the second nearest of each, and so on.
 *
 * Whoever makes many members, or chooses their keys so that they stand beside a target, gets no more places than its domains are; where all
 * are of one domain the order is that of the distance.
 */
export function spread<T extends Placed>(target: OverlayId, all: readonly T[]): T[] {
  const ranks = new Map<string, number>();
  const ranked = all
    .toSorted((a, b) => compareDistance(target, a.id, b.id))
    .map((one) => {
      const rank = ranks.get(one.domain) ?? 0;
      ranks.set(one.domain, rank + 1);
      return { one, rank };
    });
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ one }) => one);
}
