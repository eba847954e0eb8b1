import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { network, sample, shareable, signer } from "../../test/compliance/shared-results.ts";
import { digestOf } from "../base/index.ts";
import type { Attestation, SharedResult } from "../contracts/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { attest, attestationOf, verifiedId } from "./attestation.ts";

const codec = await loadNetworkCodec();

function signed(unsigned: typeof sample): SharedResult {
  const shared = attest(signer, network, unsigned);
  assert.ok(shared !== undefined);
  return shared;
}

test("without its inputs a result bears the same signature, also after a journey", () => {
  const property = fc.property(shareable, (unsigned) => {
    const { id, attestation } = attestationOf(network, signed(unsigned));
    assert.equal(verifiedId(network, attestation), id);
    const bytes = codec.encodeAttestation(attestation);
    if (bytes === undefined) return; // Too many outputs.
    const read = codec.decodeAttestation(bytes);
    assert.equal(verifiedId(network, read), id);
    assert.deepEqual(
      { ...read, signature: Buffer.from(read.signature) },
      { ...attestation, signature: Buffer.from(attestation.signature) },
    );
  });
  fc.assert(property, { numRuns: 100 });
});

test("an attestation of which anything was changed does not hold", () => {
  const { attestation } = attestationOf(network, signed(sample));
  const { execution, outputs } = attestation;
  const other = digestOf("other");
  const [first, second] = outputs;
  assert.ok(first !== undefined && second !== undefined);
  const changes: Partial<Attestation>[] = [
    { manifest: other },
    { action: other },
    { entry: other },
    { stdout: other },
    { stderr: other },
    { compileMs: attestation.compileMs + 1 },
    { cpuMs: attestation.cpuMs + 1 },
    { outputs: [first] },
    { outputs: [second, first] },
    { outputs: [{ ...first, digest: other }, second] },
    { outputs: [{ ...first, size: 4 }, second] },
    { outputs: [{ ...first, role: "written" }, second] },
    { outputs: [{ ...first, path: "\0C/b.o" }, second] },
    { outputs: [{ ...first, path: "$CWD/a.o" }, second] },
    { execution: { ...execution, toolchain: other } },
    { execution: { ...execution, signer: other } },
    { execution: { ...execution, startedAtMs: execution.startedAtMs - 1 } },
    { execution: { ...execution, endedAtMs: execution.endedAtMs + 1 } },
    { execution: { ...execution, endedAtMs: execution.startedAtMs - 1 } },
    { execution: { ...execution, endedAtMs: Number.MAX_SAFE_INTEGER } },
    { signature: Buffer.alloc(64) },
  ];
  for (const change of changes) assert.equal(verifiedId(network, { ...attestation, ...change }), undefined, JSON.stringify(change));
  assert.equal(verifiedId(other, attestation), undefined);
});

test("ids are in the order of time", () => {
  const at = (endedAtMs: number): string =>
    attestationOf(network, signed({ ...sample, execution: { ...sample.execution, startedAtMs: 0, endedAtMs } })).id;
  const ids = [0, 1, 255, 256, 1_800_000_000_000, 253_402_300_799_999].map(at);
  assert.deepEqual(ids.toSorted(), ids);
  for (const id of ids) assert.match(id, /^[0-9a-f]{44}$/);
});

test("only one encoding of an attestation is read, and none that is too large", () => {
  const bytes = codec.encodeAttestation(attestationOf(network, signed(sample)).attestation);
  assert.ok(bytes !== undefined && bytes.length < 500);
  // A field that is there twice means the same to a reader, and would be another attestation to whoever keeps bytes.
  assert.throws(() => codec.decodeAttestation(Buffer.concat([bytes, bytes.subarray(0, 34)])), { code: "frame-invalid" });
  const outputs = Array.from(
    { length: 64 },
    (_, i) => ({ ...sample.result.outputs[0], path: `\0C/${"x".repeat(100)}${i}` }) as (typeof sample.result.outputs)[0],
  );
  assert.equal(
    codec.encodeAttestation(attestationOf(network, signed({ ...sample, result: { ...sample.result, outputs } })).attestation),
    undefined,
  );
});
