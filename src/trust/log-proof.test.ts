import assert from "node:assert/strict";
import { test } from "node:test";
import { cosign, signHead } from "./checkpoints.ts";
import { logEntryOf, readLogEntry, writeLogEntry } from "./log-entries.ts";
import { type LogProof, readLogProof, writeLogProof } from "./log-proof.ts";
import { MemoryTree } from "./merkle.fixture.ts";
import { inclusionProof, leafHash } from "./merkle.ts";
import { attestationEnvelope } from "./sealed.ts";
import { attestedBy, executed, trustWorld } from "./trust.fixture.ts";

const world = trustWorld([1, 1], 950);
const [signer, witness] = world.signers.flat();
assert.ok(signer !== undefined && witness !== undefined);
const { network } = world.state;
const attestations = ["x", "y", "z"].map((what) => attestedBy(network, signer, executed(what, "same")));
const tree = new MemoryTree(attestations.map((one) => leafHash(writeLogEntry(logEntryOf(network, one)))));
const head = signHead(signer.sign, tree.size, tree.root());

function proofOf(at: number): LogProof {
  const attestation = attestations[at] ?? assert.fail("there is no such attestation");
  const envelope = attestationEnvelope(network, attestation);
  return {
    envelope,
    index: at,
    proof: inclusionProof(tree.read, at, 3),
    head,
    cosignatures: [cosign(witness?.sign ?? assert.fail(), head, 1_700_000_000)],
  };
}

function why(text: string): string {
  const read = readLogProof(text);
  return read.kind === "refused" ? read.why : read.kind;
}

test("a proof shows by itself that an attestation is in its signer's log, and who has witnessed that", () => {
  for (const [at, attestation] of attestations.entries()) {
    const read = readLogProof(writeLogProof(proofOf(at)));
    assert.ok(read.kind === "logged");
    assert.deepEqual([read.attested.action, read.index, read.head.size], [attestation.action, at, 3]);
    assert.deepEqual(
      read.cosignatures.map((one) => one.witness),
      [witness.attestationKey],
    );
  }
  assert.match(writeLogProof(proofOf(1)), /^c2sp\.org\/tlog-proof@v1\nextra \S+\nindex 1\n\S{44}\n\S{44}\n\ncairn\/log\/[0-9a-f]{64}\n3\n/);
});

test("a changed proof shows nothing", () => {
  const text = writeLogProof(proofOf(1));
  const [other, stranger] = [proofOf(2), attestedBy(network, witness, executed("x", "same"))];
  for (const [expected, changed] of [
    ["not-included", text.replace("index 1", "index 0")],
    ["not-included", writeLogProof({ ...proofOf(1), envelope: other.envelope })],
    ["not-included", writeLogProof({ ...proofOf(1), proof: other.proof })],
    ["other-key", writeLogProof({ ...proofOf(1), envelope: attestationEnvelope(network, stranger) })],
    ["checkpoint", text.replace("\n3\n", "\n2\n")],
    ["attestation", text.replace(/extra ..../, "extra AAAA")],
    ["not-a-proof", text.replace("index 1", "index 01")],
    ["not-a-proof", text.replace("@v1", "@v2")],
    ["not-a-proof", ""],
    ["too-large", text + "\n".repeat(262_144)],
  ] as const)
    assert.equal(why(changed), expected);
});

test("an entry is read back; anything else is none", () => {
  const entry = logEntryOf(network, attestations[0] ?? assert.fail());
  assert.deepEqual(readLogEntry(writeLogEntry(entry)), entry);
  assert.equal(readLogEntry(writeLogEntry(entry).subarray(1)), undefined);
  assert.equal(readLogEntry(Buffer.alloc(65)), undefined);
});
