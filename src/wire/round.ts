/**
 * What members say in a round, as bytes and back: schema/round.proto.
 *
 * Knows: messages and their bounds. Does not know: whether a signature holds, or an opening makes its commitment.
 */
import { limits } from "../base/index.ts";
import type { RoundDecline, RoundFrame } from "../contracts/index.ts";
import { decodeAttestation, encodeAttestation } from "./attestation.ts";
import { RoundDeclined_Why, RoundFrameSchema } from "./generated/round_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, invalid, sized } from "./message-fields.ts";

const { frameBytes } = limits.trust.round;
const DIGEST_BYTES = 32;
const SIGNATURE_BYTES = 64;

const WHY = {
  "not-disputed": RoundDeclined_Why.NOT_DISPUTED,
  unable: RoundDeclined_Why.UNABLE,
  busy: RoundDeclined_Why.BUSY,
  spoken: RoundDeclined_Why.SPOKEN,
} as const satisfies Record<RoundDecline, RoundDeclined_Why>;

/** @throws {CairnError} frame-invalid for an attestation that is too large to be in the set */
export function encodeRoundFrame(frame: RoundFrame): Uint8Array {
  switch (frame.kind) {
    case "ask": {
      const value = { round: bytesOf(frame.round), manifest: bytesOf(frame.manifest), action: bytesOf(frame.action) };
      return encode(RoundFrameSchema, { what: { case: "ask", value } });
    }
    case "declined": {
      const attestation = frame.attestation === undefined ? new Uint8Array() : bodyOf(frame.attestation);
      return encode(RoundFrameSchema, { what: { case: "declined", value: { why: WHY[frame.why], attestation } } });
    }
    case "commitment": {
      const value = { digest: bytesOf(frame.digest), signature: frame.signature };
      return encode(RoundFrameSchema, { what: { case: "commitment", value } });
    }
    case "reveal":
      return encode(RoundFrameSchema, { what: { case: "reveal", value: {} } });
    case "opening": {
      const value = { nonce: bytesOf(frame.nonce), attestation: bodyOf(frame.attestation), signature: frame.signature };
      return encode(RoundFrameSchema, { what: { case: "opening", value } });
    }
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeRoundFrame(bytes: Uint8Array): RoundFrame {
  const { what } = decodeAny(RoundFrameSchema, bytes, frameBytes);
  switch (what.case) {
    case "ask": {
      const { round, manifest, action } = what.value;
      return {
        kind: "ask",
        round: hexOf(round, DIGEST_BYTES),
        manifest: hexOf(manifest, DIGEST_BYTES),
        action: hexOf(action, DIGEST_BYTES),
      };
    }
    case "declined": {
      const { attestation } = what.value;
      return {
        kind: "declined",
        why: whyOf(what.value.why),
        attestation: attestation.length === 0 ? undefined : decodeAttestation(attestation),
      };
    }
    case "commitment":
      return {
        kind: "commitment",
        digest: hexOf(what.value.digest, DIGEST_BYTES),
        signature: sized(what.value.signature, SIGNATURE_BYTES),
      };
    case "reveal":
      return { kind: "reveal" };
    case "opening":
      return {
        kind: "opening",
        nonce: hexOf(what.value.nonce, DIGEST_BYTES),
        attestation: decodeAttestation(what.value.attestation),
        signature: sized(what.value.signature, SIGNATURE_BYTES),
      };
    case undefined:
      throw invalid("round");
  }
}

function bodyOf(attestation: Parameters<typeof encodeAttestation>[0]): Uint8Array {
  const bytes = encodeAttestation(attestation);
  if (bytes === undefined) throw invalid("attestation");
  return bytes;
}

function whyOf(why: RoundDeclined_Why): RoundDecline {
  const [found] = Object.entries(WHY).find(([, value]) => value === why) ?? [];
  if (found === undefined) throw invalid("why");
  return found as RoundDecline;
}
