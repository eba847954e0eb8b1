/**
 * Rendezvous hashing: which members something belongs to, so that all who know the same members agree without asking anybody
 * (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998). When a member goes, only what lay with it moves.
 *
 * Knows: keys, domains, digests. Does not know: who is connected, or what the digest is of.
 */
import type { Digest, Key } from "../base/index.ts";

export interface Candidate {
  readonly key: Key;
  readonly domain: string;
}

/** Hex digits of a digest that count: its first 8 bytes, which is what members tell each other of a manifest. */
const PREFIX_DIGITS = 16;

/**
 * All candidates, the nearest to the digest first. Where there are several domains the first of each comes before the second of any, so
 * that copies are with people who do not switch off their machines together.
 *
 * @param digest 64 hex digits, or at least its first 16
 */
export function rendezvousOrder<C extends Candidate>(digest: Digest, candidates: readonly C[]): C[] {
  const high = Number.parseInt(digest.slice(0, PREFIX_DIGITS / 2), 16);
  const low = Number.parseInt(digest.slice(PREFIX_DIGITS / 2, PREFIX_DIGITS), 16);
  const scored = candidates.map((candidate) => ({ candidate, score: scoreOf(candidate.key, high, low) }));
  // The key settles what is equal: everybody must come to the same order.
  scored.sort((a, b) => b.score - a.score || (a.candidate.key < b.candidate.key ? -1 : 1));
  const ofDomain = new Map<string, number>();
  const rounds = scored.map(({ candidate }) => {
    const round = ofDomain.get(candidate.domain) ?? 0;
    ofDomain.set(candidate.domain, round + 1);
    return { candidate, round };
  });
  return rounds.toSorted((a, b) => a.round - b.round).map(({ candidate }) => candidate);
}

/** 53 bits that differ for each pair of key and digest as if they were drawn. */
function scoreOf(key: Key, high: number, low: number): number {
  const one = mix(mix(high ^ word(key, 0)) ^ low ^ word(key, 1));
  const two = mix(one ^ word(key, 2) ^ high);
  return (one >>> 0) * 2 ** 21 + (two >>> 11);
}

function word(key: Key, at: number): number {
  return Number.parseInt(key.slice(8 * at, 8 * at + 8), 16);
}

/** The finaliser of MurmurHash3: every bit of the input changes half of the output's. */
function mix(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x85eb_ca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
