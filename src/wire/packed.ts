/**
 * Lists that travel compressed where that makes them smaller.
 *
 * Knows: zstd, and that what it unpacks to has a bound. Does not know: what is in a list.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CairnError } from "../base/index.ts";
import { invalid } from "./message-fields.ts";

/** Less than this does not become smaller. */
const COMPRESSED_FROM_BYTES = 256;
/** Level 1 is as quick and does half as well, because its window is smaller than a list of paths. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** One of two fields of a message. */
export type Packed = { readonly plain: Uint8Array } | { readonly zstd: Uint8Array };

export function packed(plain: Uint8Array): Packed {
  const zstd = plain.length < COMPRESSED_FROM_BYTES ? plain : zstdCompressSync(plain, ZSTD);
  return zstd.length < plain.length ? { zstd } : { plain };
}

/** @throws {CairnError} frame-invalid: not packed, or larger than `mostBytes` */
export function unpacked({ plain, zstd }: { readonly plain: Uint8Array; readonly zstd: Uint8Array }, mostBytes: number): Uint8Array {
  if (plain.length > 0 && zstd.length > 0) throw invalid("packed");
  if (zstd.length === 0) return plain;
  try {
    return zstdDecompressSync(zstd, { maxOutputLength: mostBytes });
  } catch (error) {
    throw new CairnError("frame-invalid", { what: "zstd" }, error);
  }
}
