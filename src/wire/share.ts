/**
 * What members say about results and blobs as bytes and back: schema/share.proto.
 *
 * Knows: frames and the bounds of every field. Does not know: who may say what, and when; whether a signature holds.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Digest, limits } from "../base/index.ts";
import type { SharedResult, Wish } from "../contracts/index.ts";
import { ResultListSchema, ShareFrameSchema, type WantResultsSchema } from "./generated/share_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list } from "./message-fields.ts";
import { packed, unpacked } from "./packed.ts";
import { decodeSharedResult, sizeOf } from "./shared-result.ts";

/** First bytes of a digest, of which a summary consists. */
const PREFIX_BYTES = 8;
const NOTHING = new Uint8Array(0);
/** Of protobuf: fields 1, a number, and 6, a message; a number of 32 bits. */
const QUESTION_TAG = 0x08;
const BLOBS_TAG = 0x32;
const MOST_VARINT = 6;

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
  | ({ readonly kind: "want-results"; readonly manifests: readonly Digest[] } & Wish)
  | { readonly kind: "want-blobs"; readonly blobs: readonly WantedBlob[] };

export type Answer =
  | {
      readonly kind: "results";
      readonly answered: number;
      readonly results: readonly SharedResult[];
      /** What they take, not compressed. */
      readonly bytes: number;
      /** Blobs of results of this answer, in any order. */
      readonly along: readonly Uint8Array[];
      readonly following: readonly Digest[];
      readonly complete: boolean;
    }
  | { readonly kind: "blobs"; readonly pieces: readonly BlobPiece[]; readonly complete: boolean };

/** What is said about the set of attestations; see attestation-set.ts. */
export interface SetCarrier {
  readonly kind: "set";
  readonly bytes: Uint8Array;
}

export type ShareFrame = SummaryFrame | SetCarrier | ((Question | Answer | { readonly kind: "cancel" }) & { readonly question: number });

/** Of a frame's length, which is in front of it. */
export const SHARE_LENGTH_BYTES = 4;

/** All that is encoded here has its length in front, ready to be sent. */
export function encodeSummary(frame: SummaryFrame): Uint8Array {
  const { sequence, added, removed } = frame;
  return framed({ what: { case: "summary", value: { sequence, added, removed } } });
}

/** @param bytes from {@link encodeSetFrame} */
export function encodeSetCarrier(bytes: Uint8Array): Uint8Array {
  return framed({ what: { case: "set", value: bytes } });
}

export function encodeQuestion(question: number, what: Question | { readonly kind: "cancel" }): Uint8Array {
  switch (what.kind) {
    case "want-results":
      return framed({ question, what: { case: "wantResults", value: wantResults(what) } });
    case "want-blobs": {
      const blobs = what.blobs.map(({ digest, size, from }) => ({ digest: bytesOf(digest), size: BigInt(size), from: BigInt(from) }));
      return framed({ question, what: { case: "wantBlobs", value: { blobs } } });
    }
    case "cancel":
      return framed({ question, what: { case: "cancel", value: {} } });
  }
}

function wantResults({
  manifests,
  alongBytes,
  have,
  following,
}: Extract<Question, { kind: "want-results" }>): Init<typeof WantResultsSchema> {
  return { manifests: manifests.map(bytesOf), alongBytes, have: have.map(bytesOf), following };
}

/** What goes with results. */
export interface Besides {
  readonly along: readonly Uint8Array[];
  readonly following: readonly Digest[];
}

/**
 * @param answered manifests of the question that are answered completely with this frame
 * @param results each from {@link encodeSharedResult}
 */
export function encodeResults(
  question: number,
  answered: number,
  results: readonly Uint8Array[],
  complete: boolean,
  besides?: Besides,
): Uint8Array {
  const plain = encode(ResultListSchema, { results: [...results] });
  const more = besides && { along: [...besides.along], following: besides.following.map(bytesOf) };
  return framed({ question, what: { case: "results", value: { answered, ...packed(plain), complete, ...more } } });
}

/** The one message that is large and often sent: written in place, so that the bytes are copied once. */
export function encodeBlobs(question: number, pieces: readonly BlobPiece[], complete: boolean): Uint8Array {
  const heads = pieces.map(pieceHead);
  const end = complete ? new BinaryWriter().tag(2, WireType.Varint).bool(true).finish() : NOTHING;
  const size = pieces.reduce((sum, piece, at) => sum + (heads[at]?.length ?? 0) + bytesIn(piece).length, end.length);
  const head = new BinaryWriter().tag(1, WireType.Varint).uint32(question).tag(6, WireType.LengthDelimited).uint32(size).finish();
  const frame = Buffer.allocUnsafe(SHARE_LENGTH_BYTES + head.length + size);
  let at = frame.writeUInt32BE(head.length + size);
  const put = (bytes: Uint8Array): void => {
    frame.set(bytes, at);
    at += bytes.length;
  };
  put(head);
  for (const [index, piece] of pieces.entries()) {
    put(heads[index] ?? NOTHING);
    put(bytesIn(piece));
  }
  put(end);
  return frame;
}

/** A piece as a field of `Blobs`, but for its bytes, which come last. */
function pieceHead(piece: BlobPiece): Uint8Array {
  const fields = new BinaryWriter().tag(1, WireType.Varint).uint32(piece.index);
  if (piece.absent) fields.tag(2, WireType.Varint).bool(true);
  else fields.tag(3, WireType.Varint).uint64(piece.offset).tag(4, WireType.LengthDelimited).uint32(piece.bytes.length);
  const head = fields.finish();
  const size = head.length + bytesIn(piece).length;
  return new BinaryWriter().tag(1, WireType.LengthDelimited).uint32(size).raw(head).finish();
}

function bytesIn(piece: BlobPiece): Uint8Array {
  return piece.absent ? NOTHING : piece.bytes;
}

function framed(message: Init<typeof ShareFrameSchema>): Uint8Array {
  const bytes = encode(ShareFrameSchema, message);
  const length = Buffer.allocUnsafe(SHARE_LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Whether a frame looks like one of blobs, so that it is worth decoding. @param bytes without the length */
export function isBlobs(bytes: Uint8Array): boolean {
  let at = 1; // The question's number is first, and none of several bytes ends before one without the highest bit.
  while (at < bytes.length && at < MOST_VARINT && (bytes[at] ?? 0) >= 0x80) at++;
  return bytes[0] === QUESTION_TAG && bytes[at + 1] === BLOBS_TAG;
}

/** @throws {CairnError} frame-invalid */
export function decodeShareFrame(bytes: Uint8Array): ShareFrame {
  const { question, what } = decodeAny(ShareFrameSchema, bytes, limits.shareFrameBytes);
  if ((what.case === "summary" || what.case === "set") !== (question === 0)) throw invalid("question");
  switch (what.case) {
    case "summary": {
      const { sequence, added, removed } = what.value;
      if (sequence === 0 && removed.length > 0) throw invalid("removed");
      return { kind: "summary", sequence, added: ascending(added), removed: ascending(removed) };
    }
    case "wantResults": {
      const manifests = some(what.value.manifests, limits.shareManifestsAtOnce).map((manifest) => hexOf(manifest, 32));
      const { alongBytes } = what.value;
      const have = list(what.value.have, limits.shareBlobsAtOnce).map((digest) => hexOf(digest, 32));
      const following = Math.min(what.value.following, limits.shareManifestsAtOnce);
      return { kind: "want-results", question, manifests, alongBytes, have, following };
    }
    case "results": {
      const { answered, complete } = what.value;
      const along = list(what.value.along, limits.shareBlobsAtOnce);
      const following = list(what.value.following, limits.shareManifestsAtOnce).map((manifest) => hexOf(manifest, 32));
      return { kind: "results", question, answered, ...resultsOf(what.value), along, following, complete };
    }
    case "wantBlobs":
      return { kind: "want-blobs", question, blobs: some(what.value.blobs, limits.shareBlobsAtOnce).map(wantedOf) };
    case "blobs": {
      const { pieces, complete } = what.value;
      return { kind: "blobs", question, pieces: list(pieces, limits.shareBlobsAtOnce).map(pieceOf), complete };
    }
    case "cancel":
      return { kind: "cancel", question };
    case "set":
      return { kind: "set", bytes: what.value };
    case undefined:
      throw invalid("frame");
  }
}

const LIST_BYTES = limits.shareResultBytes + limits.shareResultBatchBytes;

function resultsOf(message: { readonly plain: Uint8Array; readonly zstd: Uint8Array }): { results: SharedResult[]; bytes: number } {
  const bytes = unpacked(message, LIST_BYTES);
  const most = limits.shareManifestsAtOnce * limits.shareResultsPerManifest;
  const results = list(decodeAny(ResultListSchema, bytes, LIST_BYTES).results, most).map(decodeSharedResult);
  return { results, bytes: bytes.length };
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
