/**
 * RunningHash: SHA-256 and CRC-32 of bytes that come piece by piece. Knows nothing else: the thread that hashes loads little.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

export interface Hashed {
  readonly digest: string;
  readonly crc32: number;
}

export class RunningHash {
  readonly #hash = createHash("sha256");
  #crc32 = 0;

  take(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#crc32 = crc32(bytes, this.#crc32);
  }

  /** To be called once. */
  end(): Hashed {
    return { digest: this.#hash.digest("hex"), crc32: this.#crc32 };
  }
}
