/**
 * The stat fingerprint of docs/protocol/hot-record.md: MurmurHash3 x86_32 (Austin Appleby, public domain) of inode, size, mtime and
 * ctime, with two seeds. The compiler wrapper computes the same.
 */
import type { Fingerprint } from "../contracts/index.ts";

const SEED_0 = 0x9747b28c;
const SEED_1 = 0x5bd1e995;

// One buffer for all calls: this runs for every input of a hot record. Words lie low first, as on every platform that Node supports.
const values = new BigUint64Array(4);
const words = new Uint32Array(values.buffer);

/** @param mtimeNs ns since the epoch; so is `ctimeNs` */
export function statFingerprint(ino: bigint, size: bigint, mtimeNs: bigint, ctimeNs: bigint): Fingerprint {
  values[0] = ino;
  values[1] = size;
  values[2] = mtimeNs;
  values[3] = ctimeNs;
  const fp0 = murmur3(words, SEED_0);
  const fp1 = murmur3(words, SEED_1);
  return { fp0, fp1: fp0 === 0 && fp1 === 0 ? 1 : fp1 };
}

/** MurmurHash3 x86_32 of whole little-endian words; a u32. */
export function murmur3(input: Uint32Array, seed: number): number {
  let hash = seed;
  for (let index = 0; index < input.length; index++) {
    const mixed = Math.imul(rotate(Math.imul(input[index] ?? 0, 0xcc9e2d51), 15), 0x1b873593);
    hash = (Math.imul(rotate(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
  }
  hash ^= input.length * 4;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
