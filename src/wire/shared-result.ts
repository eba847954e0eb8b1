/**
 * Signed results as bytes and back: `SharedResult` in schema/share.proto.
 *
 * Knows: the bounds of docs/protocol/attestation.md. Does not know: whether the signature holds, or how results travel.
 */
import { limits } from "../base/index.ts";
import type { ResultOutput, SharedResult } from "../contracts/index.ts";
import { type Output as OutputMessage, type OutputSchema, Role, SharedResultSchema } from "./generated/share_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list, sized } from "./message-fields.ts";

export const SIGNATURE_BYTES = 64;
/** Of a Date, in ms. */
const MOST_TIME = 8_640_000_000_000_000n;

const ROLES = {
  object: Role.OBJECT,
  written: Role.WRITTEN,
  depfile: Role.DEPFILE,
  outcome: Role.OUTCOME,
  received: Role.RECEIVED,
  executed: Role.EXECUTED,
} as const;

export function encodeSharedResult(shared: SharedResult): Uint8Array {
  const { manifest, entry, result, execution, signature } = shared;
  return encode(SharedResultSchema, {
    manifest: bytesOf(manifest),
    action: bytesOf(entry.action),
    ...(entry.place === undefined ? {} : { place: bytesOf(entry.place) }),
    presumed: entry.presumed,
    ...(entry.terminal === undefined ? {} : { terminal: bytesOf(entry.terminal) }),
    inputs: entry.inputs.map(({ path, digest }) => ({ path, digest: bytesOf(digest) })),
    absent: [...entry.absent],
    outputs: result.outputs.map(outputMessage),
    stdout: Buffer.from(result.stdout, "base64"),
    stderr: Buffer.from(result.stderr, "base64"),
    compileMs: result.compileMs,
    cpuMs: result.cpuMs,
    signer: bytesOf(execution.signer),
    toolchain: bytesOf(execution.toolchain),
    startedAtMs: BigInt(Math.trunc(execution.startedAtMs)),
    endedAtMs: BigInt(Math.trunc(execution.endedAtMs)),
    signature,
  });
}

/** @throws {CairnError} frame-invalid: not a result, or larger than one that travels */
export function decodeSharedResult(bytes: Uint8Array): SharedResult {
  const message = decodeAny(SharedResultSchema, bytes, limits.shareResultBytes);
  const { manifest, action, place, presumed, terminal, signer, toolchain } = message;
  return {
    manifest: hexOf(manifest, 32),
    entry: {
      action: hexOf(action, 32),
      place: place === undefined ? undefined : hexOf(place, 32),
      presumed,
      terminal: terminal === undefined ? undefined : hexOf(terminal, 32),
      inputs: list(message.inputs, limits.sharedInputs).map(({ path, digest }) => ({ path: pathOf(path), digest: hexOf(digest, 32) })),
      absent: list(message.absent, limits.sharedAbsences).map(pathOf),
    },
    result: {
      outputs: list(message.outputs, limits.sharedOutputs).map(outputOf),
      stdout: printed(message.stdout),
      stderr: printed(message.stderr),
      compileMs: duration(message.compileMs),
      cpuMs: duration(message.cpuMs),
    },
    execution: {
      signer: hexOf(signer, 32),
      toolchain: hexOf(toolchain, 32),
      startedAtMs: time(message.startedAtMs),
      endedAtMs: time(message.endedAtMs),
    },
    signature: sized(message.signature, SIGNATURE_BYTES),
  };
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

function roleOf(role: Role): keyof typeof ROLES {
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
  return Buffer.from(bytes).toString("base64");
}

/** @throws {CairnError} frame-invalid */
export function duration(ms: number): number {
  if (!Number.isFinite(ms) || ms < 0) throw invalid("duration");
  return ms;
}

/** @throws {CairnError} frame-invalid */
export function time(ms: bigint): number {
  if (ms > MOST_TIME) throw invalid("time");
  return Number(ms);
}
