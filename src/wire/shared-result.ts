/**
 * Signed results as bytes and back: `SharedResult` in schema/share.proto.
 *
 * Knows: the bounds of docs/protocol/attestation.md. Does not know: whether the signature holds, or how results travel.
 */
import { limits } from "../base/index.ts";
import type { ManifestInput, ResultOutput, SharedResult } from "../contracts/index.ts";
import { type Output as OutputMessage, type OutputSchema, Role } from "./generated/share_pb.ts";
import { bytesOf, hexOf, type Init, invalid, sized } from "./message-fields.ts";
import { FIXED64, LENGTH_DELIMITED, ProtoReader, ProtoWriter, VARINT } from "./proto-bytes.ts";

export const SIGNATURE_BYTES = 64;
/** Of a Date, in ms. */
const MOST_TIME = 8_640_000_000_000_000;

const ROLES = {
  object: Role.OBJECT,
  written: Role.WRITTEN,
  depfile: Role.DEPFILE,
  outcome: Role.OUTCOME,
  received: Role.RECEIVED,
  executed: Role.EXECUTED,
} as const;

/** Where a result begins, and for each path that it names: most fit. */
const RESULT_BYTES = 4_096;
const NAMED_BYTES = 128;

/** By hand, for it names a thousand paths: see proto-bytes.ts. The bytes are those of the schema. */
export function encodeSharedResult({ manifest, entry, result, execution, signature }: SharedResult): Uint8Array {
  const { action, place, presumed, terminal, inputs, absent } = entry;
  const writer = new ProtoWriter(RESULT_BYTES + NAMED_BYTES * (inputs.length + absent.length)).hex(1, manifest).hex(2, action);
  if (place !== undefined) writer.hex(3, place);
  if (presumed) writer.number(4, 1);
  if (terminal !== undefined) writer.hex(5, terminal);
  for (const { path, digest } of inputs) writer.message(6, () => writer.text(1, path).hex(2, digest));
  for (const path of absent) writer.text(7, path);
  for (const output of result.outputs) writer.message(8, () => writeOutput(writer, output));
  if (result.stdout !== "") writer.bytes(9, Buffer.from(result.stdout, "base64"));
  if (result.stderr !== "") writer.bytes(10, Buffer.from(result.stderr, "base64"));
  if (result.compileMs !== 0) writer.double(11, result.compileMs);
  if (result.cpuMs !== 0) writer.double(12, result.cpuMs);
  writer.hex(13, execution.signer).hex(14, execution.toolchain);
  if (execution.startedAtMs >= 1) writer.number(15, Math.trunc(execution.startedAtMs));
  if (execution.endedAtMs >= 1) writer.number(16, Math.trunc(execution.endedAtMs));
  return writer.bytes(17, signature).finish();
}

function writeOutput(writer: ProtoWriter, { path, digest, size, role, template }: ResultOutput): void {
  writer.text(1, path).hex(2, digest);
  if (size !== 0) writer.number(3, size);
  writer.number(4, ROLES[role]);
  if (template) writer.number(5, 1);
}

/** @throws {CairnError} frame-invalid: not a result, or larger than one that travels */
export function decodeSharedResult(bytes: Uint8Array): SharedResult {
  if (bytes.length > limits.shareResultBytes) throw invalid("too large");
  const inputs: ManifestInput[] = [];
  const absent: string[] = [];
  const outputs: ResultOutput[] = [];
  const entry = { action: "", place: UNSAID, presumed: false, terminal: UNSAID, inputs, absent };
  const result = { outputs, stdout: "", stderr: "", compileMs: 0, cpuMs: 0 };
  const execution = { signer: "", toolchain: "", startedAtMs: 0, endedAtMs: 0 };
  const read = { manifest: "", entry, result, execution, signature: NOTHING };
  const reader = new ProtoReader(bytes);
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === TAGS.absent) absent.push(pathOf(reader.text()));
    else if (tag === TAGS.input) inputs.push(readInput(reader.message()));
    else if (tag === TAGS.output) outputs.push(readOutput(reader.message()));
    else readFact(reader, tag, read);
    if (absent.length > limits.sharedAbsences || inputs.length > limits.sharedInputs || outputs.length > limits.sharedOutputs)
      throw invalid("too many");
  }
  if ([read.manifest, entry.action, execution.signer, execution.toolchain].includes("")) throw invalid("length");
  sized(read.signature, SIGNATURE_BYTES);
  return read;
}

/** Of a field: its number, and the kind of what it holds. */
const TAGS = {
  manifest: 1 * 8 + LENGTH_DELIMITED,
  action: 2 * 8 + LENGTH_DELIMITED,
  place: 3 * 8 + LENGTH_DELIMITED,
  presumed: 4 * 8 + VARINT,
  terminal: 5 * 8 + LENGTH_DELIMITED,
  input: 6 * 8 + LENGTH_DELIMITED,
  absent: 7 * 8 + LENGTH_DELIMITED,
  output: 8 * 8 + LENGTH_DELIMITED,
  stdout: 9 * 8 + LENGTH_DELIMITED,
  stderr: 10 * 8 + LENGTH_DELIMITED,
  compileMs: 11 * 8 + FIXED64,
  cpuMs: 12 * 8 + FIXED64,
  signer: 13 * 8 + LENGTH_DELIMITED,
  toolchain: 14 * 8 + LENGTH_DELIMITED,
  startedAtMs: 15 * 8 + VARINT,
  endedAtMs: 16 * 8 + VARINT,
  signature: 17 * 8 + LENGTH_DELIMITED,
} as const;
/** The same of those within inputs and outputs. */
const NAMED = {
  path: 1 * 8 + LENGTH_DELIMITED,
  digest: 2 * 8 + LENGTH_DELIMITED,
  size: 3 * 8 + VARINT,
  role: 4 * 8 + VARINT,
  template: 5 * 8 + VARINT,
} as const;
const UNSAID: string | undefined = undefined;
const NOTHING: Uint8Array = new Uint8Array(0);

/** What there is one of. */
interface Facts {
  manifest: string;
  readonly entry: { action: string; place: string | undefined; presumed: boolean; terminal: string | undefined };
  readonly result: { stdout: string; stderr: string; compileMs: number; cpuMs: number };
  readonly execution: { signer: string; toolchain: string; startedAtMs: number; endedAtMs: number };
  signature: Uint8Array;
}

function readFact(reader: ProtoReader, tag: number, read: Facts): void {
  const { entry, result, execution } = read;
  switch (tag) {
    case TAGS.manifest:
      read.manifest = reader.hex(32);
      return;
    case TAGS.action:
      entry.action = reader.hex(32);
      return;
    case TAGS.place:
      entry.place = reader.hex(32);
      return;
    case TAGS.presumed:
      entry.presumed = reader.number() !== 0;
      return;
    case TAGS.terminal:
      entry.terminal = reader.hex(32);
      return;
    case TAGS.stdout:
      result.stdout = printed(reader.bytes());
      return;
    case TAGS.stderr:
      result.stderr = printed(reader.bytes());
      return;
    case TAGS.compileMs:
      result.compileMs = duration(reader.double());
      return;
    case TAGS.cpuMs:
      result.cpuMs = duration(reader.double());
      return;
    case TAGS.signer:
      execution.signer = reader.hex(32);
      return;
    case TAGS.toolchain:
      execution.toolchain = reader.hex(32);
      return;
    case TAGS.startedAtMs:
      execution.startedAtMs = time(reader.number());
      return;
    case TAGS.endedAtMs:
      execution.endedAtMs = time(reader.number());
      return;
    case TAGS.signature:
      read.signature = Uint8Array.from(reader.bytes()); // Or it would hold all that came with it.
      return;
    default:
      reader.skip(tag);
  }
}

function readInput(reader: ProtoReader): ManifestInput {
  let [path, digest] = ["", ""];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === NAMED.path) path = reader.text();
    else if (tag === NAMED.digest) digest = reader.hex(32);
    else reader.skip(tag);
  }
  if (digest === "") throw invalid("length");
  return { path: pathOf(path), digest };
}

function readOutput(reader: ProtoReader): ResultOutput {
  let [path, digest, size, role, template] = ["", "", 0, 0, false];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === NAMED.path) path = reader.text();
    else if (tag === NAMED.digest) digest = reader.hex(32);
    else if (tag === NAMED.size) size = reader.number();
    else if (tag === NAMED.role) role = reader.number();
    else if (tag === NAMED.template) template = reader.number() !== 0;
    else reader.skip(tag);
  }
  if (digest === "") throw invalid("length");
  if (size > limits.blobBytes) throw invalid("size");
  return { path: pathOf(path), digest, size, role: roleOf(role), template };
}

/** @throws {CairnError} frame-invalid: larger than a blob may be */
export function sizeOf(size: bigint): number {
  if (size > BigInt(limits.blobBytes)) throw invalid("size");
  return Number(size);
}

export function outputMessage({ path, digest, size, role, template }: ResultOutput): Init<typeof OutputSchema> {
  return { path, digest: bytesOf(digest), size: BigInt(size), role: ROLES[role], template };
}

/** @throws {CairnError} frame-invalid */
export function outputOf({ path, digest, size, role, template }: OutputMessage): ResultOutput {
  return { path: pathOf(path), digest: hexOf(digest, 32), size: sizeOf(size), role: roleOf(role), template };
}

function roleOf(role: number): keyof typeof ROLES {
  switch (role) {
    case Role.OBJECT:
      return "object";
    case Role.WRITTEN:
      return "written";
    case Role.DEPFILE:
      return "depfile";
    case Role.OUTCOME:
      return "outcome";
    case Role.RECEIVED:
      return "received";
    case Role.EXECUTED:
      return "executed";
    default:
      throw invalid("role");
  }
}

function pathOf(path: string): string {
  if (path.length === 0 || path.length > limits.sharedPathBytes) throw invalid("path");
  if (path.length > limits.sharedPathBytes / 3 && Buffer.byteLength(path) > limits.sharedPathBytes) throw invalid("path");
  return path;
}

function printed(bytes: Uint8Array): string {
  if (bytes.length > limits.sharedPrintedBytes) throw invalid("printed");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** @throws {CairnError} frame-invalid */
export function duration(ms: number): number {
  if (!Number.isFinite(ms) || ms < 0) throw invalid("duration");
  return ms;
}

/** @throws {CairnError} frame-invalid */
export function time(ms: bigint | number): number {
  if (ms > MOST_TIME) throw invalid("time");
  return Number(ms);
}
