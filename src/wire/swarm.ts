/**
 * What is said about one large blob as bytes and back: schema/swarm.proto.
 *
 * Knows: frames and their bounds. Does not know: how large the blob is, or who says what when.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import { SwarmGiveSchema, SwarmWantSchema } from "./generated/swarm_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list } from "./message-fields.ts";

const { frameBytes, chunkBytes, peersTold } = limits.swarm;
const CHUNKS = Math.ceil(limits.blobBytes / chunkBytes);
const HASH_BYTES = 32;
/** Of a frame's length, which is in front of it. */
const LENGTH_BYTES = 4;

export type SwarmWant = { readonly kind: "list" } | { readonly kind: "chunk" | "cancel"; readonly chunk: number };

export type SwarmGive =
  | { readonly kind: "state"; readonly complete: boolean; readonly have: Uint8Array; readonly listDigest: Digest | undefined }
  | { readonly kind: "list"; readonly hashes: Uint8Array }
  | { readonly kind: "chunk"; readonly chunk: number; readonly length: number }
  | { readonly kind: "have"; readonly chunks: readonly number[] }
  | { readonly kind: "peers"; readonly keys: readonly Key[] };

/** With its length in front, as all that is encoded here. */
export function encodeSwarmWant(want: SwarmWant): Uint8Array {
  if (want.kind === "list") return framed(encode(SwarmWantSchema, { what: { case: "list", value: true } }));
  return framed(encode(SwarmWantSchema, { what: { case: want.kind, value: want.chunk } }));
}

/** @throws {CairnError} frame-invalid */
export function decodeSwarmWant(bytes: Uint8Array): SwarmWant {
  const { what } = decodeAny(SwarmWantSchema, bytes, frameBytes);
  switch (what.case) {
    case "list":
      return { kind: "list" };
    case "chunk":
    case "cancel":
      return { kind: what.case, chunk: index(what.value) };
    case undefined:
      throw invalid("frame");
  }
}

export function encodeSwarmGive(give: SwarmGive): Uint8Array {
  return framed(encode(SwarmGiveSchema, { what: giveOf(give) }));
}

function giveOf(give: SwarmGive): NonNullable<Init<typeof SwarmGiveSchema>["what"]> {
  switch (give.kind) {
    case "state": {
      const { complete, have, listDigest } = give;
      return { case: "state", value: { complete, have, listDigest: listDigest === undefined ? new Uint8Array(0) : bytesOf(listDigest) } };
    }
    case "list":
      return { case: "list", value: give.hashes };
    case "chunk":
      return { case: "chunk", value: { chunk: give.chunk, length: give.length } };
    case "have":
      return { case: "have", value: { chunks: [...give.chunks] } };
    case "peers":
      return { case: "peers", value: { keys: give.keys.map(bytesOf) } };
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeSwarmGive(bytes: Uint8Array): SwarmGive {
  const { what } = decodeAny(SwarmGiveSchema, bytes, frameBytes);
  switch (what.case) {
    case "state": {
      const { complete, have, listDigest } = what.value;
      if (have.length > Math.ceil(CHUNKS / 8)) throw invalid("have");
      return { kind: "state", complete, have, listDigest: listDigest.length === 0 ? undefined : hexOf(listDigest, HASH_BYTES) };
    }
    case "list":
      if (what.value.length % HASH_BYTES !== 0 || what.value.length > CHUNKS * HASH_BYTES) throw invalid("list");
      return { kind: "list", hashes: what.value };
    case "chunk":
      if (what.value.length === 0 || what.value.length > chunkBytes) throw invalid("length");
      return { kind: "chunk", chunk: index(what.value.chunk), length: what.value.length };
    case "have":
      return { kind: "have", chunks: list(what.value.chunks, CHUNKS).map(index) };
    case "peers":
      return { kind: "peers", keys: list(what.value.keys, peersTold).map((key) => hexOf(key, HASH_BYTES)) };
    case undefined:
      throw invalid("frame");
  }
}

function index(chunk: number): number {
  if (chunk >= CHUNKS) throw invalid("chunk");
  return chunk;
}

function framed(bytes: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length);
  frame.set(bytes, LENGTH_BYTES);
  return frame;
}
