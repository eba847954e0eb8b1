/**
 * Contents of inputs as they come in pieces, put together and verified.
 *
 * Knows: their order, their digests, how much may be in memory. Does not know: channels, or where contents are kept.
 */
import { CairnError, type Digest, digestOf, limits } from "../base/index.ts";
import type { WorkPiece } from "../wire/index.ts";

/** What of all jobs of this node is in memory. */
export interface Assembling {
  bytes: number;
}

export interface AssemblyParts {
  readonly assembling: Assembling;
  readonly take: (digest: Digest, bytes: Uint8Array) => void;
}

const { contentBytes, inputBytes, assemblingBytes } = limits.work;

export class WorkAssembly implements Disposable {
  readonly #parts: AssemblyParts;
  readonly #wanted: readonly Digest[];
  readonly #absent: Digest[] = [];
  #at = 0;
  /** Of the content that comes now; undefined between two. */
  #size: number | undefined;
  #pieces: Uint8Array[] = [];
  #came = 0;
  #total = 0;

  constructor(parts: AssemblyParts, wanted: readonly Digest[]) {
    this.#parts = parts;
    this.#wanted = wanted;
  }

  get isComplete(): boolean {
    return this.#at === this.#wanted.length;
  }

  /** Those that could not be had. */
  get absent(): readonly Digest[] {
    return this.#absent;
  }

  /** @throws {CairnError} frame-invalid: not what was wanted; limit-exceeded: too much, of this job or of all */
  push(piece: WorkPiece): void {
    const digest = this.#wanted[this.#at];
    if (digest === undefined) throw broken("piece");
    if (piece.absent) {
      if (this.#size !== undefined) throw broken("absent");
      this.#absent.push(digest);
      this.#at++;
      return;
    }
    if ((piece.size === undefined) !== (this.#size !== undefined)) throw broken("size");
    if (piece.size !== undefined) this.#begin(piece.size);
    this.#add(piece.bytes);
    if (this.#came === this.#size) this.#finish(digest);
  }

  /** Gives the memory back. */
  [Symbol.dispose](): void {
    this.#parts.assembling.bytes -= this.#came;
    this.#pieces = [];
    this.#came = 0;
    this.#size = undefined;
  }

  #begin(size: number): void {
    this.#total += size;
    if (size > contentBytes || this.#total > inputBytes) throw new CairnError("limit-exceeded", { what: "inputs" });
    this.#size = size;
  }

  #add(bytes: Uint8Array): void {
    this.#came += bytes.length;
    this.#parts.assembling.bytes += bytes.length;
    if (this.#came > (this.#size ?? 0) || (bytes.length === 0 && this.#size !== 0)) throw broken("piece");
    if (this.#parts.assembling.bytes > assemblingBytes) throw new CairnError("limit-exceeded", { what: "assembling" });
    this.#pieces.push(bytes);
  }

  #finish(digest: Digest): void {
    const [first = new Uint8Array(0)] = this.#pieces;
    const bytes = this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : first;
    this[Symbol.dispose]();
    if (digestOf(bytes) !== digest) throw broken("content");
    this.#at++;
    this.#parts.take(digest, bytes);
  }
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
