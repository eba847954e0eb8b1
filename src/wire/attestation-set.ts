/**
 * What members say to make their copies of the set of attestations equal, as bytes and back: schema/attestation-set.proto.
 *
 * Knows: frames and the bounds of every field. Does not know: who may say what, and when; what is in an attestation.
 */
import { type AttestationId, LAST_BOUND, limits } from "../base/index.ts";
import type { RangeSum } from "../contracts/index.ts";
import {
  AttestationListSchema,
  type Range as RangeMessage,
  SetFrameSchema,
  type Verdict as VerdictMessage,
  type VerdictSchema,
} from "./generated/attestation-set_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list } from "./message-fields.ts";
import { packed, unpacked } from "./packed.ts";

const ID_BYTES = 22;
const SUM_BYTES = 16;

/** What somebody has from a bound to the next. */
export interface SetRange extends RangeSum {
  readonly from: AttestationId;
  readonly to: AttestationId;
}

/** About one range that was asked about. */
export type RangeVerdict =
  | { readonly kind: "same" }
  | { readonly kind: "parts"; readonly ranges: readonly SetRange[] }
  | { readonly kind: "ids"; readonly ids: readonly AttestationId[] };

export type SetFrame =
  | { readonly kind: "compare"; readonly ranges: readonly SetRange[] }
  | { readonly kind: "compared"; readonly verdicts: readonly RangeVerdict[] }
  | { readonly kind: "offer" | "want"; readonly ids: readonly AttestationId[] }
  | { readonly kind: "attestations"; readonly attestations: readonly Uint8Array[]; readonly news: boolean; readonly complete: boolean };

export function encodeSetFrame(frame: SetFrame): Uint8Array {
  switch (frame.kind) {
    case "compare":
      return encode(SetFrameSchema, { what: { case: "compare", value: { ranges: frame.ranges.map(rangeMessage) } } });
    case "compared":
      return encode(SetFrameSchema, { what: { case: "compared", value: { verdicts: frame.verdicts.map(verdictMessage) } } });
    case "offer":
      return encode(SetFrameSchema, { what: { case: "offer", value: idsMessage(frame.ids) } });
    case "want":
      return encode(SetFrameSchema, { what: { case: "want", value: idsMessage(frame.ids) } });
    case "attestations": {
      const body = packed(encode(AttestationListSchema, { attestations: [...frame.attestations] }));
      return encode(SetFrameSchema, { what: { case: "attestations", value: { ...body, news: frame.news, complete: frame.complete } } });
    }
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeSetFrame(bytes: Uint8Array): SetFrame {
  const { what } = decodeAny(SetFrameSchema, bytes, limits.shareFrameBytes);
  switch (what.case) {
    case "compare":
      return { kind: "compare", ranges: list(what.value.ranges, limits.attestationSet.rangesAtOnce).map(rangeOf) };
    case "compared":
      return {
        kind: "compared",
        verdicts: list(what.value.verdicts, limits.attestationSet.rangesAtOnce).map(verdictOf),
      };
    case "offer":
    case "want":
      return { kind: what.case, ids: idsOf(what.value.ids) };
    case "attestations": {
      const { news, complete } = what.value;
      const listed = decodeAny(AttestationListSchema, unpacked(what.value, limits.shareFrameBytes), limits.shareFrameBytes);
      return { kind: "attestations", attestations: list(listed.attestations, limits.attestationSet.idsAtOnce), news, complete };
    }
    case undefined:
      throw invalid("frame");
  }
}

function rangeMessage({ from, to, count, sum }: SetRange): { from: Uint8Array; to: Uint8Array; count: number; sum: Uint8Array } {
  return { from: bytesOf(from), to: to === LAST_BOUND ? new Uint8Array(0) : bytesOf(to), count, sum: bytesOf(sum) };
}

function rangeOf({ from, to, count, sum }: RangeMessage): SetRange {
  if (from.length > ID_BYTES || to.length > ID_BYTES) throw invalid("bound");
  const range = {
    from: Buffer.from(from).toString("hex"),
    to: to.length === 0 ? LAST_BOUND : Buffer.from(to).toString("hex"),
    count,
    sum: hexOf(sum, SUM_BYTES),
  };
  if (range.from >= range.to) throw invalid("range");
  return range;
}

function verdictMessage(verdict: RangeVerdict): Init<typeof VerdictSchema> {
  switch (verdict.kind) {
    case "same":
      return { what: { case: "same", value: true } };
    case "parts":
      return { what: { case: "parts", value: { ranges: verdict.ranges.map(rangeMessage) } } };
    case "ids":
      return { what: { case: "ids", value: idsMessage(verdict.ids) } };
  }
}

function verdictOf({ what }: Pick<VerdictMessage, "what">): RangeVerdict {
  switch (what.case) {
    case "same":
      return { kind: "same" };
    case "parts":
      return { kind: "parts", ranges: list(what.value.ranges, limits.attestationSet.partsMost).map(rangeOf) };
    case "ids":
      return { kind: "ids", ids: idsOf(what.value.ids) };
    case undefined:
      throw invalid("verdict");
  }
}

function idsMessage(ids: readonly AttestationId[]): { ids: Uint8Array } {
  return { ids: bytesOf(ids.join("")) };
}

function idsOf(bytes: Uint8Array): AttestationId[] {
  if (bytes.length % ID_BYTES !== 0 || bytes.length > limits.attestationSet.idsAtOnce * ID_BYTES) throw invalid("ids");
  const hex = Buffer.from(bytes).toString("hex");
  const ids = Array.from({ length: bytes.length / ID_BYTES }, (_, at) => hex.slice(2 * ID_BYTES * at, 2 * ID_BYTES * (at + 1)));
  for (let at = 1; at < ids.length; at++) if ((ids[at - 1] ?? "") >= (ids[at] ?? "")) throw invalid("order");
  return ids;
}
