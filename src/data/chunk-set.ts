/**
 * Which chunks of a blob somebody has, and how large each is.
 *
 * Knows: numbers of chunks. Does not know: their bytes.
 */
import { limits } from "../base/index.ts";

const { chunkBytes } = limits.swarm;

/** How many chunks a blob of that size has. */
export function chunksIn(size: number): number {
  return Math.ceil(size / chunkBytes);
}

/** Bytes of one chunk of a blob; all but the last have the same. */
export function chunkLength(size: number, chunk: number): number {
  return Math.min(chunkBytes, size - chunk * chunkBytes);
}

export class ChunkSet {
  readonly chunks: number;
  readonly #bits: Uint8Array;
  #count = 0;

  constructor(chunks: number) {
    this.chunks = chunks;
    this.#bits = new Uint8Array(Math.ceil(chunks / 8));
  }

  /** Undefined when the bits are not of so many chunks. */
  static from(bits: Uint8Array, chunks: number): ChunkSet | undefined {
    const set = new ChunkSet(chunks);
    if (bits.length !== set.#bits.length) return undefined;
    for (let chunk = 0; chunk < chunks; chunk++) if (((bits[chunk >> 3] ?? 0) >> (chunk & 7)) & 1) set.add(chunk);
    return set;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.chunks;
  }

  /** A copy; the lowest bit of the first byte is the first chunk. */
  get bits(): Uint8Array {
    return this.#bits.slice();
  }

  has(chunk: number): boolean {
    return (((this.#bits[chunk >> 3] ?? 0) >> (chunk & 7)) & 1) === 1;
  }

  add(chunk: number): void {
    if (chunk >= this.chunks || this.has(chunk)) return;
    this.#bits[chunk >> 3] = (this.#bits[chunk >> 3] ?? 0) | (1 << (chunk & 7));
    this.#count++;
  }

  fill(): void {
    for (let chunk = 0; chunk < this.chunks; chunk++) this.add(chunk);
  }
}
