/**
 * Questions who has blobs as bytes and back: schema/holders.proto.
 *
 * Knows: frames and their bounds. Does not know: who is asked.
 */
import { type Digest, limits } from "../base/index.ts";
import { HoldersAnswerSchema, HoldersQuestionSchema } from "./generated/holders_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, invalid, list } from "./message-fields.ts";

const { blobsAtOnce, frameBytes } = limits.trees;

export function encodeHoldersQuestion(blobs: readonly Digest[]): Uint8Array {
  return encode(HoldersQuestionSchema, { blobs: blobs.map(bytesOf) });
}

/** @throws {CairnError} frame-invalid */
export function decodeHoldersQuestion(bytes: Uint8Array): Digest[] {
  const { blobs } = decodeAny(HoldersQuestionSchema, bytes, frameBytes);
  return list(blobs, blobsAtOnce).map((blob) => hexOf(blob, 32));
}

/** @param sizes bytes of each blob; undefined where it is not here */
export function encodeHoldersAnswer(sizes: readonly (number | undefined)[]): Uint8Array {
  return encode(HoldersAnswerSchema, { sizes: sizes.map((size) => (size === undefined ? 0n : BigInt(size) + 1n)) });
}

/** @throws {CairnError} frame-invalid */
export function decodeHoldersAnswer(bytes: Uint8Array): (number | undefined)[] {
  const { sizes } = decodeAny(HoldersAnswerSchema, bytes, frameBytes);
  return list(sizes, blobsAtOnce).map((size) => {
    if (size > BigInt(limits.blobBytes) + 1n) throw invalid("size");
    return size === 0n ? undefined : Number(size) - 1;
  });
}
