/**
 * Signed names as bytes and back: schema/names.proto.
 *
 * Knows: frames and their bounds. Does not know: whether a signature holds.
 */
import { CairnError, isName, limits, type NameRecord, type SignedName } from "../base/index.ts";
import { NameRecordSchema, NamesFrameSchema, SignedNameSchema } from "./generated/names_pb.ts";
import { bytesOf, decode, decodeAny, encode, hexOf, invalid, list, sized } from "./message-fields.ts";

const { frameBytes, recordBytes, recordsPerFrame } = limits.names;
const SIGNATURE_BYTES = 64;
const CODECS = { "": 0, raw: 0x55, directory: 0x71 } as const satisfies Record<NameRecord["codec"], number>;

export interface NamesFrame {
  /** "" when nothing is asked for. */
  readonly name: string;
  readonly records: readonly SignedName[];
}

/** What is signed. */
export function encodeNameRecord(record: NameRecord): Uint8Array {
  return encode(NameRecordSchema, {
    network: bytesOf(record.network),
    author: bytesOf(record.author),
    name: record.name,
    sequence: BigInt(record.sequence),
    root: bytesOf(record.root),
    codec: CODECS[record.codec],
    token: record.token?.number ?? 0,
    epoch: bytesOf(record.token?.epoch ?? ""),
    issuedAtMs: BigInt(record.issuedAtMs),
    expiresAtMs: BigInt(record.expiresAtMs),
  });
}

export function encodeSignedName({ record, signature }: SignedName): Uint8Array {
  return encode(SignedNameSchema, { record: encodeNameRecord(record), signature });
}

/** @throws {CairnError} frame-invalid */
export function decodeSignedName(bytes: Uint8Array): SignedName {
  const { record, signature } = decode(SignedNameSchema, bytes, recordBytes);
  // Exactly one encoding: it is what the signature covers.
  const { network, author, name, sequence, root, codec, token, epoch, issuedAtMs, expiresAtMs } = decode(
    NameRecordSchema,
    record,
    recordBytes,
  );
  if (!isName(name)) throw invalid("name");
  return {
    record: {
      network: hexOf(network, 32),
      author: hexOf(author, 32),
      name,
      sequence: whole(sequence),
      root: hexOf(root, 32),
      codec: codecOf(codec),
      ...tokenOf(token, epoch),
      issuedAtMs: whole(issuedAtMs),
      expiresAtMs: whole(expiresAtMs),
    },
    signature: sized(signature, SIGNATURE_BYTES),
  };
}

/** Both of its parts, or neither. */
function tokenOf(number: number, epoch: Uint8Array): Pick<NameRecord, "token"> {
  if ((number === 0) !== (epoch.length === 0) || number > limits.names.token) throw invalid("token");
  return number === 0 ? {} : { token: { number, epoch: hexOf(epoch, 32) } };
}

export function encodeNamesFrame({ name, records }: NamesFrame): Uint8Array {
  return encode(NamesFrameSchema, { name, records: records.map(encodeSignedName) });
}

/** @throws {CairnError} frame-invalid */
export function decodeNamesFrame(bytes: Uint8Array): NamesFrame {
  const { name, records } = decodeAny(NamesFrameSchema, bytes, frameBytes);
  if (name !== "" && !isName(name)) throw invalid("name");
  return { name, records: list(records, recordsPerFrame).map(decodeSignedName) };
}

function codecOf(code: number): NameRecord["codec"] {
  if (code === CODECS[""]) return "";
  if (code === CODECS.raw) return "raw";
  if (code === CODECS.directory) return "directory";
  throw invalid("codec");
}

function whole(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new CairnError("frame-invalid", { what: "number" });
  return Number(value);
}
