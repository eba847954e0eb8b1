/**
 * What members say about results and blobs as bytes and back: schema/share.proto.
 *
 * Knows: frames and the bounds of every field. Does not know: who may say what, and when; whether a signature holds.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { ResultListSchema, ShareFrameSchema } from "./generated/share_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, invalid, list } from "./message-fields.ts";
import { decodeSharedResult, sizeOf } from "./shared-result.ts";

/** First bytes of a digest, of which a summary consists. */
const PREFIX_BYTES = 8;
/** Less than this does not become smaller. */
const COMPRESSED_FROM_BYTES = 256;

export interface WantedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** What comes before this byte is not wanted. */
  readonly from: number;
}

/** Bytes of a blob, or that it is not there; `index` says which blob of the question. */
export type BlobPiece =
  | { readonly index: number; readonly absent: false; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly index: number; readonly absent: true };

/** Prefixes as they travel: 8 bytes each, ascending, none twice. */
export interface SummaryFrame {
  readonly kind: "summary";
  readonly sequence: number;
  readonly added: Uint8Array;
  readonly removed: Uint8Array;
}

export type Question =
  | { readonly kind: "want-results"; readonly manifests: readonly Digest[] }
  | { readonly kind: "want-blobs"; readonly blobs: readonly WantedBlob[] };

export type Answer =
  | {
      readonly kind: "results";
      readonly answered: number;
      readonly results: readonly SharedResult[];
      /** What they take, not compressed. */
      readonly bytes: number;
      readonly complete: boolean;
    }
  | { readonly kind: "blobs"; readonly pieces: readonly BlobPiece[]; readonly complete: boolean };

export type ShareFrame = SummaryFrame | ((Question | Answer | { readonly kind: "cancel" }) & { readonly question: number });

export function encodeSummary(frame: SummaryFrame): Uint8Array {
  const { sequence, added, removed } = frame;
  return encode(ShareFrameSchema, { what: { case: "summary", value: { sequence, added, removed } } });
}

export function encodeQuestion(question: number, what: Question | { readonly kind: "cancel" }): Uint8Array {
  switch (what.kind) {
    case "want-results":
      return encode(ShareFrameSchema, { question, what: { case: "wantResults", value: { manifests: what.manifests.map(bytesOf) } } });
    case "want-blobs": {
      const blobs = what.blobs.map(({ digest, size, from }) => ({ digest: bytesOf(digest), size: BigInt(size), from: BigInt(from) }));
      return encode(ShareFrameSchema, { question, what: { case: "wantBlobs", value: { blobs } } });
    }
    case "cancel":
      return encode(ShareFrameSchema, { question, what: { case: "cancel", value: {} } });
  }
}

/**
 * @param answered manifests of the question that are answered completely with this frame
 * @param results each from {@link encodeSharedResult}
 */
export function encodeResults(question: number, answered: number, results: readonly Uint8Array[], complete: boolean): Uint8Array {
  const plain = encode(ResultListSchema, { results: [...results] });
  const packed = plain.length < COMPRESSED_FROM_BYTES ? plain : zstdCompressSync(plain, ZSTD);
  const body = packed.length < plain.length ? { zstd: packed } : { plain };
  return encode(ShareFrameSchema, { question, what: { case: "results", value: { answered, ...body, complete } } });
}

export function encodeBlobs(question: number, pieces: readonly BlobPiece[], complete: boolean): Uint8Array {
  const messages = pieces.map((piece) =>
    piece.absent ? { index: piece.index, absent: true } : { index: piece.index, offset: BigInt(piece.offset), bytes: piece.bytes },
  );
  return encode(ShareFrameSchema, { question, what: { case: "blobs", value: { pieces: messages, complete } } });
}

/** @throws {CairnError} frame-invalid */
export function decodeShareFrame(bytes: Uint8Array): ShareFrame {
  const { question, what } = decodeAny(ShareFrameSchema, bytes, limits.shareFrameBytes);
  if ((what.case === "summary") !== (question === 0)) throw invalid("question");
  switch (what.case) {
    case "summary": {
      const { sequence, added, removed } = what.value;
      if (sequence === 0 && removed.length > 0) throw invalid("removed");
      return { kind: "summary", sequence, added: ascending(added), removed: ascending(removed) };
    }
    case "wantResults": {
      const manifests = some(what.value.manifests, limits.shareManifestsAtOnce).map((manifest) => hexOf(manifest, 32));
      return { kind: "want-results", question, manifests };
    }
    case "results":
      return { kind: "results", question, answered: what.value.answered, ...resultsOf(what.value), complete: what.value.complete };
    case "wantBlobs":
      return { kind: "want-blobs", question, blobs: some(what.value.blobs, limits.shareBlobsAtOnce).map(wantedOf) };
    case "blobs": {
      const { pieces, complete } = what.value;
      return { kind: "blobs", question, pieces: list(pieces, limits.shareBlobsAtOnce).map(pieceOf), complete };
    }
    case "cancel":
      return { kind: "cancel", question };
    case undefined:
      throw invalid("frame");
  }
}

/** Level 1 is as quick and does half as well, because its window is smaller than a list of paths. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };
const LIST_BYTES = limits.shareResultBytes + limits.shareResultBatchBytes;

function resultsOf({ plain, zstd }: { readonly plain: Uint8Array; readonly zstd: Uint8Array }): {
  results: SharedResult[];
  bytes: number;
} {
  if (plain.length > 0 && zstd.length > 0) throw invalid("results");
  const bytes = zstd.length === 0 ? plain : decompressed(zstd);
  const most = limits.shareManifestsAtOnce * limits.shareResultsPerManifest;
  const results = list(decodeAny(ResultListSchema, bytes, LIST_BYTES).results, most).map(decodeSharedResult);
  return { results, bytes: bytes.length };
}

function decompressed(bytes: Uint8Array): Uint8Array {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: LIST_BYTES });
  } catch (error) {
    throw new CairnError("frame-invalid", { what: "zstd" }, error);
  }
}

function wantedOf(message: { readonly digest: Uint8Array; readonly size: bigint; readonly from: bigint }): WantedBlob {
  const size = sizeOf(message.size);
  const from = sizeOf(message.from);
  if (from > size) throw invalid("from");
  return { digest: hexOf(message.digest, 32), size, from };
}

function pieceOf(message: {
  readonly index: number;
  readonly absent: boolean;
  readonly offset: bigint;
  readonly bytes: Uint8Array;
}): BlobPiece {
  const { index, absent, bytes } = message;
  if (index >= limits.shareBlobsAtOnce) throw invalid("index");
  const offset = sizeOf(message.offset);
  if (absent && (offset > 0 || bytes.length > 0)) throw invalid("absent");
  return absent ? { index, absent } : { index, absent, offset, bytes };
}

function ascending(prefixes: Uint8Array): Uint8Array {
  if (prefixes.length % PREFIX_BYTES !== 0) throw invalid("length");
  const view = new DataView(prefixes.buffer, prefixes.byteOffset, prefixes.byteLength);
  for (let at = PREFIX_BYTES; at < prefixes.length; at += PREFIX_BYTES) {
    const [before, here] = [view.getUint32(at - PREFIX_BYTES), view.getUint32(at)];
    if (before < here) continue;
    if (before > here || view.getUint32(at - 4) >= view.getUint32(at + 4)) throw invalid("order");
  }
  return prefixes;
}

/** A question about nothing would be answered with nothing. */
function some<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length === 0) throw invalid("nothing");
  return list(items, most);
}
