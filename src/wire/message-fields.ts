/**
 * What protobuf messages of the network share, but for those that are read in place (proto-bytes.ts): one way to encode, one way to decode that
 * accepts canonical bytes only, and fields with bounds.
 *
 * Knows: bytes, lengths, lists. Does not know: which message is for what.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { CairnError, type Host, type Key, limits } from "../base/index.ts";
import type { Host as HostMessage, HostSchema } from "./generated/membership_pb.ts";

/** What a message is made from. */
export type Init<Schema extends DescMessage> = Exclude<MessageInitShape<Schema>, MessageShape<Schema>>;

export function encode<Schema extends DescMessage>(schema: Schema, init: Init<Schema>): Uint8Array {
  return toBinary(schema, create(schema, init as MessageInitShape<Schema>));
}

/**
 * Decodes bytes that are exactly what {@link encode} would write.
 *
 * @throws {CairnError} frame-invalid: larger than `mostBytes`, no such message, or another encoding of it
 */
export function decode<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array, mostBytes: number): MessageShape<Schema> {
  const message = decodeAny(schema, bytes, mostBytes);
  // Two encodings of one statement would have two ids.
  if (!Buffer.from(bytes).equals(toBinary(schema, message))) throw invalid("encoding");
  return message;
}

/**
 * Decodes any encoding of a message that nobody signs or names by its bytes.
 *
 * @throws {CairnError} frame-invalid: larger than `mostBytes`, or no such message
 */
export function decodeAny<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array, mostBytes: number): MessageShape<Schema> {
  if (bytes.length > mostBytes) throw invalid("too large");
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new CairnError("frame-invalid", { what: schema.name }, error);
  }
}

export function invalid(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}

export function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, "hex");
}

/** @throws {CairnError} frame-invalid when there are not exactly so many bytes */
export function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw invalid("length");
  return bytes;
}

export function hexOf(bytes: Uint8Array, length: number): string {
  const { buffer, byteOffset } = sized(bytes, length);
  return Buffer.from(buffer, byteOffset, length).toString("hex"); // A view: a result names hundreds of digests.
}

export function list<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length > most) throw invalid("too many");
  return items;
}

export function hostMessages(all: readonly Host[]): Init<typeof HostSchema>[] {
  return all.map(({ peerKey, addresses }) => ({
    peerKey: bytesOf(peerKey),
    addresses: addresses.filter((address) => address.length <= limits.addressBytes).slice(0, limits.addressesPerHost),
  }));
}

export function hosts(messages: readonly HostMessage[], most: number): Host[] {
  return list(messages, most).map(({ peerKey, addresses }) => {
    const peer: Key = hexOf(peerKey, 32);
    if (addresses.some((address) => address.length > limits.addressBytes)) throw invalid("address");
    return { peerKey: peer, addresses: list(addresses, limits.addressesPerHost) };
  });
}
