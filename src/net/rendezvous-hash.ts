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
  const [high, low] = halves(digest);
  const scored = candidates.map((candidate) => ({ candidate, score: scoreOf(wordsOf(candidate), high, low) }));
  return inRounds([...Map.groupBy(scored.toSorted(inOrder), ({ candidate }) => candidate.domain).values()]);
}

/** The first few of {@link rendezvousOrder}, in one pass: with ten thousand members it is asked for while a build waits. */
export function nearest<C extends Candidate>(digest: Digest, candidates: readonly C[], count: number): C[] {
  const [high, low] = halves(digest);
  const ofDomains = new Map<string, Scored<C>[]>();
  for (const candidate of candidates) {
    const score = scoreOf(wordsOf(candidate), high, low);
    const best = ofDomains.get(candidate.domain);
    if (best === undefined) ofDomains.set(candidate.domain, [{ candidate, score }]);
    else if (best.length < count || score >= (best.at(-1)?.score ?? 0)) insert(best, { candidate, score }, count);
  }
  return inRounds([...ofDomains.values()]).slice(0, count);
}

function halves(digest: Digest): readonly [number, number] {
  return [Number.parseInt(digest.slice(0, PREFIX_DIGITS / 2), 16), Number.parseInt(digest.slice(PREFIX_DIGITS / 2, PREFIX_DIGITS), 16)];
}

/** The first of each domain, then the second of each. */
function inRounds<C extends Candidate>(domains: readonly (readonly Scored<C>[])[]): C[] {
  const rounds = domains.flatMap((best) => best.map((scored, round) => ({ scored, round })));
  return rounds.toSorted((a, b) => a.round - b.round || inOrder(a.scored, b.scored)).map(({ scored }) => scored.candidate);
}

interface Scored<C extends Candidate> {
  readonly candidate: C;
  readonly score: number;
}

/** The key settles what is equal: everybody must come to the same order. */
function inOrder(a: Scored<Candidate>, b: Scored<Candidate>): number {
  return b.score - a.score || (a.candidate.key < b.candidate.key ? -1 : 1);
}

/** Keeps the best few, in their order. */
function insert<C extends Candidate>(best: Scored<C>[], scored: Scored<C>, most: number): void {
  let at = best.length;
  for (let before = best[at - 1]; before !== undefined && inOrder(scored, before) < 0; before = best[at - 1]) at--;
  best.splice(at, 0, scored);
  if (best.length > most) best.pop();
}

type Words = readonly [number, number, number];

const words = new WeakMap<Candidate, Words>();

/** Of a key, parsed once for each candidate. */
function wordsOf(candidate: Candidate): Words {
  const known = words.get(candidate);
  if (known !== undefined) return known;
  const made: Words = [word(candidate.key, 0), word(candidate.key, 1), word(candidate.key, 2)];
  words.set(candidate, made);
  return made;
}

/** 53 bits that differ for each pair of key and digest as if they were drawn. */
function scoreOf([first, second, third]: Words, high: number, low: number): number {
  const one = mix(mix(high ^ first) ^ low ^ second);
  const two = mix(one ^ third ^ high);
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
