/**
 * What members say about who computes what, as bytes and back: schema/placement.proto.
 *
 * Knows: fields and their bounds. Does not know: who may say what, or what comes of it.
 */
import { type Key, limits } from "../base/index.ts";
import type { Capacity, PlacementFrame, PlacementQuestion } from "../contracts/index.ts";
import {
  CoordinatorLeaseSchema,
  PlacementFrameSchema,
  type PlacementQuestion as PlacementQuestionMessage,
  type PlacementQuestionSchema,
  WorkCapacitySchema,
} from "./generated/placement_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list } from "./message-fields.ts";

const {
  ableMost,
  frameBytes,
  frameMembers,
  questionsPerFrame,
  slots: slotsMost,
  targetBytes,
  targets: targetsMost,
  toolchains: toolchainsMost,
} = limits.placement;
const KEY_BYTES = 32;
const U32_MOST = 2 ** 32 - 1;

export function encodeWorkCapacity(capacity: Omit<Capacity, "member">): Uint8Array {
  const { slots, free, queue, toolchains, takesToolchains, platform, targets } = capacity;
  const told = toolchains.slice(0, toolchainsMost).map(bytesOf);
  return encode(WorkCapacitySchema, {
    slots: Math.min(slots, slotsMost),
    free: Math.max(-slotsMost, Math.min(free, slotsMost)),
    queue: Math.min(queue, slotsMost),
    toolchains: told,
    takesToolchains,
    platform,
    targets: readable(targets),
  });
}

/** @throws {CairnError} frame-invalid */
export function decodeWorkCapacity(bytes: Uint8Array): Omit<Capacity, "member"> {
  const message = decodeAny(WorkCapacitySchema, bytes, limits.gossip.contentBytes);
  const { slots, free, queue, toolchains, takesToolchains, platform, targets } = message;
  if (slots > slotsMost || free > slots || free < -slotsMost || queue > slotsMost) throw invalid("slots");
  const told = list(toolchains, toolchainsMost).map((one) => hexOf(one, KEY_BYTES));
  if (platform !== "" && !isTarget(platform)) throw invalid("platform");
  const most = Math.max(slots, Math.min(queue, limits.work.waitingPerMember));
  return { slots, free, queue: most, toolchains: told, takesToolchains, platform, targets: readable(targets) };
}

/** Who tells more than this version understands works all the same. */
function readable(targets: readonly string[]): string[] {
  return [...new Set(targets.filter(isTarget))].slice(0, targetsMost);
}

/** People see it. */
function isTarget(text: string): boolean {
  return text.length <= targetBytes && /^[\x21-\x7e]+$/.test(text);
}

export function encodeCoordinatorLease(term: number): Uint8Array {
  return encode(CoordinatorLeaseSchema, { term: BigInt(term) });
}

/** @returns the term. @throws {CairnError} frame-invalid */
export function decodeCoordinatorLease(bytes: Uint8Array): number {
  const term = termOf(decodeAny(CoordinatorLeaseSchema, bytes, limits.gossip.contentBytes).term);
  if (term === 0) throw invalid("term");
  return term;
}

export function encodePlacementFrame(frame: PlacementFrame): Uint8Array {
  return encode(PlacementFrameSchema, { what: messageOf(frame) });
}

/** @throws {CairnError} frame-invalid */
export function decodePlacementFrame(bytes: Uint8Array): PlacementFrame {
  const { what } = decodeAny(PlacementFrameSchema, bytes, frameBytes);
  if (what.case === undefined) throw invalid("placement");
  const term = termOf(what.value.term);
  switch (what.case) {
    case "ask":
      return { kind: "ask", term, questions: list(what.value.questions, questionsPerFrame).map(questionOf) };
    case "answer":
      return {
        kind: "answer",
        term,
        placed: list(what.value.placed, questionsPerFrame).map(({ id, member }) => ({ id, member: memberOf(member) })),
      };
    case "release":
      return { kind: "release", term, members: list(what.value.members, frameMembers).map((member) => hexOf(member, KEY_BYTES)) };
    case "check":
    case "well":
      return { kind: what.case, term };
  }
}

function messageOf(frame: PlacementFrame): NonNullable<Init<typeof PlacementFrameSchema>["what"]> {
  const term = BigInt(frame.term);
  switch (frame.kind) {
    case "ask":
      return { case: "ask", value: { term, questions: frame.questions.map(questionMessage) } };
    case "answer":
      return { case: "answer", value: { term, placed: frame.placed.map(({ id, member }) => ({ id, member: bytesOf(member ?? "") })) } };
    case "release":
      return { case: "release", value: { term, members: frame.members.map(bytesOf) } };
    case "check":
    case "well":
      return { case: frame.kind, value: { term } };
  }
}

function questionMessage({ id, hereMs, able }: PlacementQuestion): Init<typeof PlacementQuestionSchema> {
  return {
    id,
    hereMs: msOf(hereMs),
    able: able.map(({ member, expectedMs, travelMs }) => ({
      member: bytesOf(member),
      expectedMs: msOf(expectedMs),
      travelMs: msOf(travelMs),
    })),
  };
}

function msOf(ms: number): number {
  return Math.min(U32_MOST, Math.round(ms));
}

function questionOf({ id, hereMs, able }: PlacementQuestionMessage): PlacementQuestion {
  const named = list(able, ableMost).map(({ member, expectedMs, travelMs }) => ({
    member: hexOf(member, KEY_BYTES),
    expectedMs,
    travelMs: Math.min(travelMs, expectedMs),
  }));
  return { id, hereMs, able: named };
}

function memberOf(bytes: Uint8Array): Key | undefined {
  return bytes.length === 0 ? undefined : hexOf(bytes, KEY_BYTES);
}

function termOf(term: bigint): number {
  if (term > BigInt(Number.MAX_SAFE_INTEGER) / 2n) throw invalid("term");
  return Number(term);
}
