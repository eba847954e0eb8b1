/**
 * What members say to each other to find a way, as bytes and back: schema/paths.proto.
 *
 * Knows: frames and their bounds. Does not know: who relays, or how a hole is punched.
 */
import { type Key, limits } from "../base/index.ts";
import { PunchFrameSchema, RelayFrameSchema, SeenSchema } from "./generated/paths_pb.ts";
import { bytesOf, decode, encode, hexOf, invalid } from "./message-fields.ts";

export type RelayFrame =
  | { readonly kind: "reach"; readonly target: Key; readonly connect: boolean }
  | { readonly kind: "call"; readonly from: Key; readonly relays: number }
  | { readonly kind: "reached"; readonly rttMs: number; readonly relays: number }
  | { readonly kind: "refused"; readonly reason: string };

export type PunchFrame = { readonly kind: "seen"; readonly address: string } | { readonly kind: "refused"; readonly reason: string };

const REASON_CHARACTERS = 64;
const US_PER_MS = 1_000;

export function encodeRelayFrame(frame: RelayFrame): Uint8Array {
  switch (frame.kind) {
    case "reach":
      return encode(RelayFrameSchema, { what: { case: "reach", value: { target: bytesOf(frame.target), connect: frame.connect } } });
    case "call":
      return encode(RelayFrameSchema, { what: { case: "call", value: { from: bytesOf(frame.from), relays: frame.relays } } });
    case "reached": {
      const value = { rttUs: Math.min(Math.round(frame.rttMs * US_PER_MS), 0xffff_ffff), relays: frame.relays };
      return encode(RelayFrameSchema, { what: { case: "reached", value } });
    }
    case "refused":
      return encode(RelayFrameSchema, { what: { case: "refused", value: { reason: frame.reason } } });
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeRelayFrame(bytes: Uint8Array): RelayFrame {
  const { what } = decode(RelayFrameSchema, bytes, limits.pathFrameBytes);
  switch (what.case) {
    case "reach":
      return { kind: "reach", target: hexOf(what.value.target, 32), connect: what.value.connect };
    case "call":
      return { kind: "call", from: hexOf(what.value.from, 32), relays: what.value.relays };
    case "reached":
      return { kind: "reached", rttMs: what.value.rttUs / US_PER_MS, relays: what.value.relays };
    case "refused":
      return { kind: "refused", reason: reason(what.value.reason) };
    case undefined:
      throw invalid("frame");
  }
}

export function encodeSeen(address: string): Uint8Array {
  return encode(SeenSchema, { address });
}

/** @throws {CairnError} frame-invalid */
export function decodeSeen(bytes: Uint8Array): string {
  return addressIn(decode(SeenSchema, bytes, limits.pathFrameBytes).address);
}

export function encodePunchFrame(frame: PunchFrame): Uint8Array {
  switch (frame.kind) {
    case "seen":
      return encode(PunchFrameSchema, { what: { case: "seen", value: { address: frame.address } } });
    case "refused":
      return encode(PunchFrameSchema, { what: { case: "refused", value: { reason: frame.reason } } });
  }
}

/** @throws {CairnError} frame-invalid */
export function decodePunchFrame(bytes: Uint8Array): PunchFrame {
  const { what } = decode(PunchFrameSchema, bytes, limits.pathFrameBytes);
  switch (what.case) {
    case "seen":
      return { kind: "seen", address: addressIn(what.value.address) };
    case "refused":
      return { kind: "refused", reason: reason(what.value.reason) };
    case undefined:
      throw invalid("frame");
  }
}

function reason(text: string): string {
  if (text.length > REASON_CHARACTERS) throw invalid("reason");
  return text;
}

function addressIn(text: string): string {
  if (text.length > limits.addressBytes) throw invalid("address");
  return text;
}
