/**
 * Attestations as bytes and back: `Attestation` in schema/attestation-set.proto. Their bytes are canonical, for they are kept as they come.
 *
 * Knows: the bounds of docs/protocol/attestation.md. Does not know: whether the signature holds.
 */
import { digestOf, limits } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { AttestationSchema } from "./generated/attestation-set_pb.ts";
import { bytesOf, decode, encode, hexOf, invalid, list, sized } from "./message-fields.ts";
import { duration, outputMessage, outputOf, SIGNATURE_BYTES, time } from "./shared-result.ts";

const NOTHING_PRINTED = digestOf("");

/** Undefined when it is larger than one that travels, or of what came through a door, of which nobody is told who has not asked. */
export function encodeAttestation(attestation: Attestation): Uint8Array | undefined {
  const { manifest, action, entry, outputs, stdout, stderr, compileMs, cpuMs, execution, signature } = attestation;
  if (isToldToNobody(outputs)) return undefined;
  const bytes = encode(AttestationSchema, {
    manifest: bytesOf(manifest),
    action: bytesOf(action),
    entry: bytesOf(entry),
    outputs: outputs.map(outputMessage),
    ...(stdout === NOTHING_PRINTED ? {} : { stdout: bytesOf(stdout) }),
    ...(stderr === NOTHING_PRINTED ? {} : { stderr: bytesOf(stderr) }),
    compileMs,
    cpuMs,
    signer: bytesOf(execution.signer),
    toolchain: bytesOf(execution.toolchain),
    startedAtMs: BigInt(execution.startedAtMs),
    endedAtMs: BigInt(execution.endedAtMs),
    signature,
  });
  return bytes.length <= limits.attestationBytes ? bytes : undefined;
}

/** @throws {CairnError} frame-invalid: not an attestation, larger than one that travels, not encoded canonically, or of what came through a door */
export function decodeAttestation(bytes: Uint8Array): Attestation {
  const message = decode(AttestationSchema, bytes, limits.attestationBytes);
  const outputs = list(message.outputs, limits.sharedOutputs).map(outputOf);
  if (isToldToNobody(outputs)) throw invalid("role");
  return {
    manifest: hexOf(message.manifest, 32),
    action: hexOf(message.action, 32),
    entry: hexOf(message.entry, 32),
    outputs,
    stdout: message.stdout === undefined ? NOTHING_PRINTED : hexOf(message.stdout, 32),
    stderr: message.stderr === undefined ? NOTHING_PRINTED : hexOf(message.stderr, 32),
    compileMs: duration(message.compileMs),
    cpuMs: duration(message.cpuMs),
    execution: {
      signer: hexOf(message.signer, 32),
      toolchain: hexOf(message.toolchain, 32),
      startedAtMs: time(message.startedAtMs),
      endedAtMs: time(message.endedAtMs),
    },
    signature: sized(message.signature, SIGNATURE_BYTES),
  };
}

/** Of what was only received nobody says that it was executed; what came of actions goes with the results, to who asks for them. */
function isToldToNobody(outputs: Attestation["outputs"]): boolean {
  return outputs.some(({ role }) => role === "received" || role === "executed");
}
