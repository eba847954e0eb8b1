/**
 * GrowingFile: bytes that come, in memory while they are few; when there are more, in a file, hashed and written at the same time while the
 * next ones come.
 *
 * Knows: one file. Does not know: where the bytes come from, or which they should be.
 */
import { type FileHandle, open } from "node:fs/promises";
import type { Verified } from "./blob-files.ts";
import type { Hashing, HashThread } from "./hashing.ts";

/** What is written and hashed at once; a blob that is smaller is not made a file of. */
const PART_BYTES = 262_144;
/** Of one blob, those that are filled, hashed and written at the same time. */
const PARTS = 3;
const FIRST_BYTES = 16_384;

/** `small`: all the bytes there were; `file`: they lie in the file. */
export type Grown = { readonly kind: "small"; readonly bytes: Buffer } | ({ readonly kind: "file" } & Verified);

export interface GrowingFileOptions {
  /** Where it lies when there is one. */
  readonly path: string;
  /** How many bytes will come, where that is known. */
  readonly size: number | undefined;
}

export class GrowingFile implements AsyncDisposable {
  readonly #options: GrowingFileOptions;
  readonly #hashes: HashThread;
  /** What is filled now, and how far. */
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  #filled = 0;
  #parts: Parts | undefined;

  constructor(hashes: HashThread, options: GrowingFileOptions) {
    this.#hashes = hashes;
    this.#options = options;
  }

  /** Copies the chunk, and resolves when there is room for more. @throws a system error */
  async take(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#filled === PART_BYTES) await this.#spill();
      this.#widen(this.#filled + chunk.byteLength - at);
      const piece = at === 0 && chunk.byteLength <= this.#room ? chunk : chunk.subarray(at, at + this.#room);
      this.#memory.set(piece, this.#filled);
      this.#filled += piece.byteLength;
      at += piece.byteLength;
    }
  }

  /** @throws a system error */
  async end(): Promise<Grown> {
    if (this.#parts === undefined) return { kind: "small", bytes: Buffer.from(this.#memory.buffer, 0, this.#filled) };
    await this.#spill();
    return { kind: "file", ...(await this.#parts.end()) };
  }

  get #room(): number {
    return this.#memory.byteLength - this.#filled;
  }

  /** Room for so many bytes in all, or for a whole part. */
  #widen(bytes: number): void {
    const wider = Math.min(PART_BYTES, Math.max(bytes, 2 * this.#memory.byteLength));
    if (bytes > this.#memory.byteLength && wider > this.#memory.byteLength)
      this.#memory = new Uint8Array(this.#memory.buffer.transfer(wider));
  }

  async #spill(): Promise<void> {
    const { path, size } = this.#options;
    this.#parts ??= new Parts(await open(path, "wx", 0o600), this.#hashes.begin(size));
    this.#memory = new Uint8Array(await this.#parts.give(this.#memory.buffer, this.#filled));
    this.#filled = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts?.[Symbol.asyncDispose]();
  }
}

/** Parts of a blob on their way: hashed one after the other, and then written. */
class Parts implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #hashing: Hashing;
  /** The oldest first. */
  readonly #working: Promise<ArrayBuffer>[] = [];
  #size = 0;

  constructor(handle: FileHandle, hashing: Hashing) {
    this.#handle = handle;
    this.#hashing = hashing;
  }

  /** @returns memory for the next part, as soon as there is some */
  async give(memory: ArrayBuffer, bytes: number): Promise<ArrayBuffer> {
    const work = this.#pass(memory, bytes, this.#size);
    work.catch(() => undefined); // Who waits for the memory, or for the end, hears of it.
    this.#size += bytes;
    this.#working.push(work);
    const back = this.#working.length < PARTS ? undefined : this.#working.shift();
    return back ?? new ArrayBuffer(PART_BYTES);
  }

  async end(): Promise<Verified> {
    const hashed = await this.#hashing.end();
    await Promise.all(this.#working);
    return { ...hashed, size: this.#size };
  }

  async #pass(memory: ArrayBuffer, bytes: number, position: number): Promise<ArrayBuffer> {
    const back = await this.#hashing.part(memory, bytes);
    const whole = new Uint8Array(back, 0, bytes);
    // A disk that is almost full takes a part, and says why when it is asked to take the rest.
    for (let done = 0; done < bytes; ) {
      const { bytesWritten } = await this.#handle.write(whole, done, bytes - done, position + done);
      done += bytesWritten;
    }
    return back;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hashing[Symbol.dispose]();
    await Promise.allSettled(this.#working); // What is being written needs the file open.
    await this.#handle.close();
  }
}
