import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type SharingPolicy } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { claimOf, isAttested, statementOf, verifiedId } from "./attestation.ts";
import { readEnvelope } from "./envelope.ts";
import { judge, type Reader } from "./judge.ts";
import { codec } from "./membership.fixture.ts";
import { reproduction } from "./reproduced.ts";
import { envelopeOf } from "./sealed.ts";
import { isShareable, type Unsigned } from "./shareable.ts";
import { attestedBy, executedAction, received, type Signer, sharedBy, trustWorld } from "./trust.fixture.ts";

const world = trustWorld([2, 1, 1, 1], 800);
const { network } = world.state;
const [[self, sister], [blue], [green], [red]] = world.signers as [[Signer, Signer], [Signer], [Signer], [Signer]];
const base = sharedBy(network, sister, executedAction("work", "good"));

test("the statement is SLSA's provenance: what the action was made of, what is installed where it ran, and no compiler", () => {
  const { entry, execution } = base;
  const statement = JSON.parse(statementOf(network, claimOf(base))) as Record<string, unknown>;
  assert.equal(statement.predicateType, "https://slsa.dev/provenance/v1");
  const subject = { digest: { sha256: digestOf("object good") }, annotations: { role: "executed", size: 1_000, template: false } };
  assert.deepEqual(
    statement.subject,
    ["bazel-ac", "$CWD/out/a.o", "1"].map((name) => ({ name, ...subject })),
  );
  const dependencies = ["action", "command", "input-root", "installed"].map((name) => ({
    name,
    digest: { sha256: digestOf(`${name} work`) },
  }));
  const text = JSON.stringify([entry.action, null, false, null, dependencies.map(({ name, digest }) => [name, digest.sha256]), []]);
  assert.deepEqual((statement.predicate as Record<string, unknown>).buildDefinition, {
    buildType: "urn:cairn:action:1",
    externalParameters: { manifest: base.manifest, action: entry.action, entry: digestOf(text) },
    internalParameters: { network },
    resolvedDependencies: dependencies,
  });
  const read = readEnvelope(JSON.stringify(envelopeOf(network, base)));
  assert.ok(read.kind === "attested");
  assert.deepEqual([read.attested.signer, read.attested.toolchain], [sister.attestationKey, ""]);
  assert.deepEqual(read.attested.madeOf[2], { name: "input-root", digest: digestOf("input-root work") });
  assert.equal(read.attested.startedOn, new Date(execution.startedAtMs).toISOString());
});

const [output] = base.result.outputs;
const { inputs } = base.entry;
/** What its statement would say nothing of, or something else than it means. */
const SHAPES: Readonly<Record<string, { readonly entry?: object; readonly result?: object; readonly execution?: object }>> = {
  "an input less": { entry: { inputs: inputs.slice(1) } },
  "an input more": { entry: { inputs: [...inputs, { path: "\0C/a.c", digest: digestOf("a.c") }] } },
  "inputs in another order": { entry: { inputs: inputs.toReversed() } },
  "an absent path": { entry: { absent: ["\0C/a.h"] } },
  "a place": { entry: { place: digestOf("place") } },
  "a terminal": { entry: { terminal: digestOf("terminal") } },
  "a compiler": { execution: { toolchain: digestOf("gcc") } },
  "something printed": { result: { stdout: Buffer.from("said").toString("base64") } },
  "an error printed": { result: { stderr: Buffer.from("said").toString("base64") } },
  "an object beside it": { result: { outputs: [output, { ...output, path: "1", role: "object" }] } },
  "a receipt beside it": { result: { outputs: [output, { ...output, path: "1", role: "received" }] } },
  "a template": { result: { outputs: [{ ...output, template: true }] } },
  "a path that is none of the command's": { result: { outputs: [output, { ...output, path: "out/a.o" }] } },
};

for (const [what, { entry, result, execution }] of Object.entries(SHAPES))
  test(`an executed action with ${what} is none`, () => {
    const changed: Unsigned = {
      ...base,
      entry: { ...base.entry, ...entry },
      result: { ...base.result, ...result },
      execution: { ...base.execution, ...execution },
    };
    assert.ok(isShareable(base) && !isShareable(changed));
    assert.ok(!isAttested(network, { ...base, ...changed }));
    assert.equal(verifiedId(network, { ...claimOf(changed), signature: base.signature }), undefined);
  });

test("nothing that it was made of can be left out or exchanged", () => {
  const attestation = attestedBy(network, sister, executedAction("work", "good"));
  assert.ok(verifiedId(network, attestation) !== undefined);
  const { dependencies = [], ...without } = attestation;
  assert.equal(verifiedId(network, without), undefined);
  for (const at of dependencies.keys()) {
    const other = dependencies.map((one, place) => (place === at ? { ...one, digest: digestOf("other") } : one));
    assert.equal(verifiedId(network, { ...attestation, dependencies: other }), undefined, dependencies[at]?.path);
  }
});

function verdictOf(policy: SharingPolicy, claim: Attestation, known: readonly Attestation[] = [], of: Partial<Reader> = {}): string {
  const verdict = judge({ policy, self: self.keys.publicKey, state: world.state, discredited: new Set(), ...of }, claim, () => known);
  return verdict.kind === "believed" ? `${verdict.tier} by ${verdict.certificate.length}` : verdict.why;
}

test("who is believed is what policy says, by domains; a receipt adds no voice, and another outcome disputes it", () => {
  const by = (signer: Signer, outcome = "good"): Attestation => attestedBy(network, signer, executedAction("work", outcome));
  const receipt = attestedBy(network, green, received("work", "good"));
  assert.equal(verdictOf("self", by(blue)), "policy");
  assert.equal(verdictOf("speculative", by(blue)), "speculative by 1");
  assert.equal(verdictOf("team", by(blue), [receipt]), "too-few-domains");
  assert.equal(verdictOf("team", by(blue), [by(green)]), "team by 2");
  assert.equal(verdictOf("release", by(blue), [by(green)]), "too-few-domains");
  assert.equal(verdictOf("release", by(blue), [by(green), by(red)]), "release by 3");
  assert.equal(verdictOf("speculative", by(blue), [by(green, "bad")]), "disputed");
  assert.equal(verdictOf("speculative", by(blue), [], { discredited: new Set([blue.attestationKey]) }), "discredited");
});

test("who says to have executed it with another command or other inputs disputes it all the same, and adds no voice", () => {
  const madeOf = (signer: Signer, path: string, outcome: string): Attestation => {
    const made = executedAction("work", outcome);
    const otherwise = made.entry.inputs.map((one) => (one.path === path ? { ...one, digest: digestOf("another") } : one));
    return attestedBy(network, signer, { ...made, entry: { ...made.entry, action: digestOf(`by another ${path}`), inputs: otherwise } });
  };
  const honest = attestedBy(network, blue, executedAction("work", "good"));
  const own = attestedBy(network, self, executedAction("work", "good"));
  for (const path of ["command", "input-root"]) {
    const poison = madeOf(green, path, "poison");
    assert.equal(verdictOf("speculative", poison, [honest]), "disputed", path);
    assert.equal(verdictOf("speculative", honest, [poison]), "disputed", path);
    assert.equal(verdictOf("speculative", poison, [own]), "own-work-differs", path);
    assert.equal(verdictOf("team", honest, [madeOf(green, path, "good")]), "too-few-domains", path);
    const reader: Reader = { policy: "team", self: self.keys.publicKey, state: world.state, discredited: new Set() };
    const known = [attestedBy(network, red, executedAction("work", "good")), poison];
    const summary = reproduction(reader, honest, known);
    assert.equal(summary.kind === "not-reproduced" ? summary.why : summary.kind, "disputed", path);
  }
});

test("independent domains that came to the same can be summarized, and nobody is told of one who has not asked", () => {
  const [one, two] = [blue, green].map((signer) => attestedBy(network, signer, executedAction("work", "good")));
  assert.ok(one !== undefined && two !== undefined);
  const reader: Reader = { policy: "team", self: self.keys.publicKey, state: world.state, discredited: new Set() };
  assert.equal(reproduction(reader, one, [two]).kind, "reproduced");
  assert.equal(codec.encodeAttestation(one), undefined);
});
