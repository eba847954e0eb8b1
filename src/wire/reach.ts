/**
 * What members say to each other to find out where they can be reached, as bytes and back: schema/reach.proto.
 *
 * Knows: frames and their bounds. Does not know: who dials whom.
 */
import { limits } from "../base/index.ts";
import { ReachFrameSchema } from "./generated/reach_pb.ts";
import { bytesOf, decode, encode, hexOf, invalid, list } from "./message-fields.ts";

export type ReachFrame =
  /** `nonce` in hex; `dataPort` 0 where the data plane does not listen. */
  | { readonly kind: "probe"; readonly nonce: string; readonly addresses: readonly string[]; readonly dataPort: number }
  /** `reached` are indexes of the addresses that were asked about, ascending. */
  | { readonly kind: "probed"; readonly reached: readonly number[]; readonly data: boolean }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "dial-back"; readonly nonce: string };

const NONCE_BYTES = 16;
const REASON_CHARACTERS = 64;

export function encodeReachFrame(frame: ReachFrame): Uint8Array {
  switch (frame.kind) {
    case "probe": {
      const value = { nonce: bytesOf(frame.nonce), addresses: [...frame.addresses], dataPort: frame.dataPort };
      return encode(ReachFrameSchema, { what: { case: "probe", value } });
    }
    case "probed":
      return encode(ReachFrameSchema, { what: { case: "probed", value: { reached: [...frame.reached], data: frame.data } } });
    case "refused":
      return encode(ReachFrameSchema, { what: { case: "refused", value: { reason: frame.reason } } });
    case "dial-back":
      return encode(ReachFrameSchema, { what: { case: "dialBack", value: { nonce: bytesOf(frame.nonce) } } });
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeReachFrame(bytes: Uint8Array): ReachFrame {
  const { what } = decode(ReachFrameSchema, bytes, limits.pathFrameBytes);
  switch (what.case) {
    case "probe": {
      const { nonce, addresses, dataPort } = what.value;
      if (dataPort > 65_535 || addresses.some((address) => address.length > limits.addressBytes)) throw invalid("address");
      return { kind: "probe", nonce: hexOf(nonce, NONCE_BYTES), addresses: list(addresses, limits.probedAddresses), dataPort };
    }
    case "probed": {
      const { reached, data } = what.value;
      const isAscending = reached.every((index, at) => index < limits.probedAddresses && index > (reached[at - 1] ?? -1));
      if (!isAscending) throw invalid("indexes");
      return { kind: "probed", reached, data };
    }
    case "refused":
      if (what.value.reason.length > REASON_CHARACTERS) throw invalid("reason");
      return { kind: "refused", reason: what.value.reason };
    case "dialBack":
      return { kind: "dial-back", nonce: hexOf(what.value.nonce, NONCE_BYTES) };
    case undefined:
      throw invalid("frame");
  }
}
