/**
 * Store: blobs found by the digest of their content. A blob has no meaning here.
 * Implementations: disk, memory, tiered (later also peers). One compliance suite: test/compliance/store.ts.
 */
import type { Digest } from "../base/index.ts";

export type BlobRead = { readonly kind: "hit"; readonly bytes: Buffer } | { readonly kind: "miss" };

export interface Store extends AsyncDisposable {
  /** Whether the blob can be had. Cheap; does not verify. */
  has(digest: Digest): Promise<boolean>;
  /** The blob, verified against its digest. A damaged blob is removed and is a miss. */
  read(digest: Digest, signal?: AbortSignal): Promise<BlobRead>;
  /**
   * Keeps the bytes; after it resolves `read` finds them, also after a crash of this process. Returns their digest.
   *
   * @throws {CairnError} `home-unwritable` when the disk is full or may not be written, `limit-exceeded`; nothing is stored then
   */
  write(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest>;
  /** Forgets the blob. Not an error when it is not there. */
  remove(digest: Digest): Promise<void>;
}

/** A blob that lies as a plain file at `<directory>/<2 hex>/<62 hex>`, for a reader outside this process. */
export interface PlainBlob {
  readonly size: number;
  /** CRC-32 (zlib's) of the content; guards the outside reader against a damaged disk. */
  readonly crc32: number;
}

export interface LocalStore extends Store {
  readonly directory: string;
  /** As `write`, for bytes whose digest was verified when they came. */
  writeVerified(digest: Digest, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Makes sure the blob lies plain (uncompressed, verified since it was written or now), or tells that it cannot be had. */
  plain(digest: Digest): Promise<PlainBlob | undefined>;
}
