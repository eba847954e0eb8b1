/**
 * A list of blobs, which is a blob itself: what a result names beyond what one statement can.
 *
 * Knows: docs/protocol/attestation.md, "Many blobs". Does not know: results, or where blobs are.
 */
import { type Digest, limits } from "../base/index.ts";

/** A blob that belongs to an entry. */
export interface ListedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A SHA-256, and its size in big endian. */
const DIGEST_BYTES = 32;
const SIZE_BYTES = 6;
const ROW_BYTES = DIGEST_BYTES + SIZE_BYTES;

export function writeBlobList(blobs: readonly ListedBlob[]): Buffer {
  const bytes = Buffer.alloc(blobs.length * ROW_BYTES);
  for (const [at, { digest, size }] of blobs.entries()) {
    bytes.write(digest, at * ROW_BYTES, "hex");
    bytes.writeUIntBE(size, at * ROW_BYTES + DIGEST_BYTES, SIZE_BYTES);
  }
  return bytes;
}

/** So many blobs; undefined for what is no such list. */
export function readBlobList(bytes: Uint8Array, count: number): ListedBlob[] | undefined {
  if (bytes.length !== count * ROW_BYTES) return undefined;
  const list = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blobs = Array.from({ length: count }, (_, at): ListedBlob => {
    const from = at * ROW_BYTES;
    return {
      digest: list.toString("hex", from, from + DIGEST_BYTES),
      size: list.readUIntBE(from + DIGEST_BYTES, SIZE_BYTES),
    };
  });
  return blobs.every(({ size }) => size > 0 && size <= limits.blobBytes) ? blobs : undefined;
}
