/**
 * What members say about logs of attestations, as bytes and back: schema/log.proto.
 *
 * Knows: messages and their bounds. Does not know: whether a signature holds, or checkpoints go together.
 */
import { limits } from "../base/index.ts";
import type { LogAnswer, LogFork, LogQuestion, SignedCheckpoint } from "../contracts/index.ts";
import { LogAnswerSchema, LogForkSchema, type LogHead, type LogHeadSchema, LogHeadsSchema, LogQuestionSchema } from "./generated/log_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list, sized } from "./message-fields.ts";

const { entries, frameBytes, hashesAtOnce, headsPerMessage, proofHashes } = limits.transparency;
const { contentBytes } = limits.gossip;
const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;

export function encodeLogQuestion({ head, leaves }: LogQuestion): Uint8Array {
  return encode(LogQuestionSchema, { ...(head === undefined ? {} : { head: headMessage(head) }), leaves: Buffer.concat(leaves) });
}

/** @throws {CairnError} frame-invalid */
export function decodeLogQuestion(bytes: Uint8Array): LogQuestion {
  const { head, leaves } = decodeAny(LogQuestionSchema, bytes, frameBytes);
  const count = leaves.length / HASH_BYTES;
  if (!Number.isInteger(count) || count > hashesAtOnce) throw invalid("leaves");
  return {
    head: head && headOf(head),
    leaves: Array.from({ length: count }, (_, at) => leaves.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)),
  };
}

export function encodeLogAnswer({ head, cosignature }: LogAnswer): Uint8Array {
  return encode(LogAnswerSchema, {
    ...(head === undefined ? {} : { head: headMessage(head) }),
    timeS: BigInt(cosignature?.timeS ?? 0),
    cosignature: cosignature?.signature ?? new Uint8Array(),
  });
}

/** @throws {CairnError} frame-invalid */
export function decodeLogAnswer(bytes: Uint8Array): LogAnswer {
  const { head, timeS, cosignature } = decodeAny(LogAnswerSchema, bytes, frameBytes);
  const signed = cosignature.length === 0 ? undefined : { timeS: whole(timeS), signature: sized(cosignature, SIGNATURE_BYTES) };
  return { head: head && headOf(head), cosignature: signed };
}

/** @param heads limits.transparency.headsPerMessage at most */
export function encodeLogHeads(heads: readonly SignedCheckpoint[]): Uint8Array {
  return encode(LogHeadsSchema, { heads: heads.map(headMessage) });
}

/** @throws {CairnError} frame-invalid */
export function decodeLogHeads(bytes: Uint8Array): SignedCheckpoint[] {
  return list(decodeAny(LogHeadsSchema, bytes, contentBytes).heads, headsPerMessage).map(headOf);
}

export function encodeLogFork({ older, newer, root, proof }: LogFork): Uint8Array {
  return encode(LogForkSchema, { older: headMessage(older), newer: headMessage(newer), root, proof: [...proof] });
}

/** @throws {CairnError} frame-invalid */
export function decodeLogFork(bytes: Uint8Array): LogFork {
  const { older, newer, root, proof } = decodeAny(LogForkSchema, bytes, contentBytes);
  if (older === undefined || newer === undefined) throw invalid("head");
  const hashes = list(proof, proofHashes).map((one) => sized(one, HASH_BYTES));
  return { older: headOf(older), newer: headOf(newer), root: sized(root, HASH_BYTES), proof: hashes };
}

function headMessage({ log, size, root, signature }: SignedCheckpoint): Init<typeof LogHeadSchema> {
  return { log: bytesOf(log), size: BigInt(size), root: bytesOf(root), signature };
}

function headOf({ log, size, root, signature }: LogHead): SignedCheckpoint {
  if (size < 1n || size > BigInt(entries)) throw invalid("size");
  return { log: hexOf(log, 32), size: Number(size), root: hexOf(root, HASH_BYTES), signature: sized(signature, SIGNATURE_BYTES) };
}

function whole(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("number");
  return Number(value);
}
