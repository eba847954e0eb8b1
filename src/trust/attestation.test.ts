import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { network, sample, shareable, signer } from "../../test/compliance/shared-results.ts";
import { digestOf } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { attest, claimOf, isAttested, PAYLOAD_TYPE, statementOf } from "./attestation.ts";
import { readEnvelope } from "./envelope.ts";
import { isSigned, isSignedEnvelope, keyPairFromSeed } from "./keys.ts";
import { envelopeOf } from "./sealed.ts";
import type { Unsigned } from "./shareable.ts";

function attested(unsigned: Unsigned = sample): SharedResult {
  const shared = attest(signer, network, unsigned);
  assert.ok(shared !== undefined);
  return shared;
}

const KEY_A = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"; // RFC 8032, section 7.1, test 1
const KEY_B = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"; // and test 2
const STATEMENT = '{"_type":"https://in-toto.io/Statement/v1"}';

// Signatures of testvectors/vectors.json of secure-systems-lab/dsse; Ed25519 has one for each message.
for (const [about, seed, type, payload, signature] of [
  ["a payload", KEY_A, PAYLOAD_TYPE, STATEMENT, "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="],
  [
    "another key",
    KEY_B,
    PAYLOAD_TYPE,
    STATEMENT,
    "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==",
  ],
  ["no payload", KEY_A, PAYLOAD_TYPE, "", "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg=="],
  ["no type", KEY_A, "", STATEMENT, "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg=="],
  [
    "a type of more bytes than letters",
    KEY_A,
    "application/vnd.exämple+json",
    STATEMENT,
    "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
  ],
] as const) {
  test(`DSSE's own test vectors: ${about}`, () => {
    const keys = keyPairFromSeed(Buffer.from(seed, "hex"));
    assert.equal(Buffer.from(keys.signEnvelope(type, Buffer.from(payload))).toString("base64"), signature);
    assert.ok(isSignedEnvelope(keys.publicKey, type, Buffer.from(payload), Buffer.from(signature, "base64")));
    assert.ok(!isSignedEnvelope(keys.publicKey, `${type}x`, Buffer.from(payload), Buffer.from(signature, "base64")));
  });
}

test("the statement is the one of the specification", () => {
  assert.deepEqual(JSON.parse(statementOf(network, claimOf(sample))), {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      { name: "$CWD/a.o", digest: { sha256: digestOf("a.o") }, annotations: { role: "object", size: 3, template: false } },
      { name: "$PROJECT/deps/a.d", digest: { sha256: digestOf("a.d") }, annotations: { role: "depfile", size: 3, template: true } },
    ],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:cairn:compile:1",
        externalParameters: {
          manifest: digestOf("manifest"),
          action: digestOf("action"),
          entry: digestOf(
            `["${digestOf("action")}","${digestOf("place")}",true,"${digestOf("terminal")}",[["\\u0000C/a.c","${digestOf("a.c")}"],["\\u0000P/include/ü.h","${digestOf("u.h")}"],["/usr/include/stdio.h","${digestOf("stdio.h")}"]],["\\u0000C/u.h","\\u0000P","relative.h"]]`,
          ),
        },
        internalParameters: { network, toolchain: digestOf("gcc") },
        resolvedDependencies: [],
      },
      runDetails: {
        builder: { id: `urn:cairn:attestation-key:${signer.publicKey}` },
        metadata: { invocationId: digestOf("action"), startedOn: "2027-01-15T08:00:00.000Z", finishedOn: "2027-01-15T08:00:00.013Z" },
        byproducts: [
          { name: "stdout", digest: { sha256: digestOf("") } },
          { name: "stderr", digest: { sha256: digestOf("a.c:1: warning") } },
          { name: "cost", content: Buffer.from('{"compileMs":12.5,"cpuMs":11}').toString("base64"), mediaType: "application/json" },
        ],
      },
    },
  });
});

test("whatever may travel can be signed, and any other result does not bear its signature", () => {
  fc.assert(
    fc.property(shareable, shareable, (one, other) => {
      const shared = attested(one);
      assert.ok(isAttested(network, shared));
      const same = JSON.stringify(other) === JSON.stringify(one);
      assert.equal(isAttested(network, { ...other, signature: shared.signature }), same);
      const { attested: said } = kindOf(readEnvelope(JSON.stringify(envelopeOf(network, shared))), "attested");
      assert.equal(said.action, one.entry.action);
    }),
  );
});

test("every field that leads to a hit is signed", () => {
  const shared = attested();
  const { entry, result, execution, signature } = shared;
  const [input] = entry.inputs;
  const [first, second] = result.outputs;
  assert.ok(input !== undefined && first !== undefined && second !== undefined);
  const other = digestOf("other");
  const withEntry = (changes: object): SharedResult => ({ ...shared, entry: { ...entry, ...changes } });
  const withResult = (changes: object): SharedResult => ({ ...shared, result: { ...result, ...changes } });
  const withOutput = (changes: object): SharedResult => withResult({ outputs: [{ ...first, ...changes }, second] });
  const withExecution = (changes: object): SharedResult => ({ ...shared, execution: { ...execution, ...changes } });
  const changed: SharedResult[] = [
    { ...shared, manifest: other },
    withEntry({ action: other }),
    withEntry({ place: other }),
    withEntry({ place: undefined, presumed: false }),
    withEntry({ presumed: false }),
    withEntry({ terminal: undefined }),
    withEntry({ inputs: entry.inputs.slice(1) }),
    withEntry({ inputs: entry.inputs.toReversed() }),
    withEntry({ inputs: [{ ...input, digest: other }, ...entry.inputs.slice(1)] }),
    withEntry({ inputs: [{ ...input, path: "/a.c" }, ...entry.inputs.slice(1)] }),
    withEntry({ absent: entry.absent.slice(1) }),
    withEntry({ inputs: [], absent: [...entry.inputs.map(({ path }) => path), ...entry.absent] }),
    withResult({ outputs: [first] }),
    withResult({ outputs: [second, first] }),
    withOutput({ digest: other }),
    withOutput({ path: "$CWD/a.o" }), // Written as the path that it is not.
    withOutput({ path: "/a.o" }),
    withOutput({ size: 4 }),
    withOutput({ role: "written" }),
    withOutput({ template: true }),
    withResult({ stdout: "YQ==" }),
    withResult({ stdout: result.stderr, stderr: result.stdout }),
    withResult({ compileMs: 12 }),
    withResult({ cpuMs: 12.5 }),
    withExecution({ signer: keyPairFromSeed(Buffer.alloc(32, 8)).publicKey }),
    withExecution({ toolchain: other }),
    withExecution({ startedAtMs: execution.startedAtMs - 1 }),
    withExecution({ endedAtMs: execution.endedAtMs + 1 }),
    ...Array.from(signature, (byte, at) => ({ ...shared, signature: signature.with(at, byte ^ 1) })),
    { ...shared, signature: signature.subarray(1) },
    { ...shared, signature: new Uint8Array(0) },
  ];
  assert.ok(isAttested(network, shared));
  assert.ok(!isAttested(digestOf("another network"), shared));
  for (const [at, one] of changed.entries()) assert.ok(!isAttested(network, one), `change ${at}`);
});

test("neither kind of signature is taken for the other", () => {
  const statement = Buffer.from(statementOf(network, claimOf(sample)));
  const signature = signer.signEnvelope(PAYLOAD_TYPE, statement);
  for (const purpose of ["cairn statement 1", "cairn attestation key 1", "cairn join by peer 1"] as const) {
    assert.ok(!isSigned(signer.publicKey, purpose, statement, signature));
    assert.ok(!isSignedEnvelope(signer.publicKey, PAYLOAD_TYPE, statement, signer.sign(purpose, statement)));
  }
});

test("another program verifies an envelope: openssl", (t) => {
  if (spawnSync("openssl", ["version"]).status !== 0) return t.skip("openssl is not installed");
  const directory = mkdtempSync(join(tmpdir(), "cairn-attest-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const envelope = envelopeOf(network, attested());
  const file = (name: string, content: Uint8Array): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const payload = Buffer.from(envelope.payload, "base64");
  const [signature] = envelope.signatures;
  assert.ok(signature !== undefined);
  // RFC 8410: what stands before the 32 bytes of a public Ed25519 key.
  const key = file("key.der", Buffer.from(`302a300506032b6570032100${signature.keyid}`, "hex"));
  const signed = file("signature", Buffer.from(signature.sig, "base64"));
  const verify = (name: string, content: Buffer): boolean => {
    const said = file(name, Buffer.concat([Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${content.length} `), content]));
    const args = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin", "-in", said, "-sigfile", signed];
    return spawnSync("openssl", args).status === 0;
  };
  assert.ok(verify("right", payload));
  assert.ok(!verify("wrong", Buffer.from(payload.toString("utf8").replace("a.o", "b.o"))));
});

test("an envelope is read by itself", () => {
  const { attested: said } = kindOf(readEnvelope(JSON.stringify(envelopeOf(network, attested()))), "attested");
  assert.deepEqual(said, {
    signer: signer.publicKey,
    network,
    manifest: digestOf("manifest"),
    action: digestOf("action"),
    toolchain: digestOf("gcc"),
    startedOn: "2027-01-15T08:00:00.000Z",
    finishedOn: "2027-01-15T08:00:00.013Z",
    madeOf: [],
    subjects: [
      { name: "$CWD/a.o", digest: digestOf("a.o") },
      { name: "$PROJECT/deps/a.d", digest: digestOf("a.d") },
    ],
  });
});

test("either alphabet of base64 is read, and one good signature among others is enough", () => {
  const envelope = envelopeOf(network, attested());
  const url = (text: string): string => Buffer.from(text, "base64").toString("base64url");
  const signatures = [{ keyid: "", sig: "AAAA" }, {}, ...envelope.signatures.map(({ sig }) => ({ sig: url(sig) }))];
  kindOf(readEnvelope(JSON.stringify({ ...envelope, payload: url(envelope.payload), signatures })), "attested");
});

test("what is no envelope of ours is refused with the reason", () => {
  const envelope = envelopeOf(network, attested());
  const statement = Buffer.from(envelope.payload, "base64").toString("utf8");
  const payloadOf = (text: string): string => Buffer.from(text).toString("base64");
  const changed = (changes: object): string => JSON.stringify({ ...envelope, ...changes });
  const table: readonly (readonly [text: string, why: string])[] = [
    ["", "not-an-envelope"],
    ["null", "not-an-envelope"],
    ["[]", "not-an-envelope"],
    [changed({ payload: 1 }), "not-an-envelope"],
    [changed({ payload: "§" }), "not-an-envelope"],
    [changed({ signatures: {} }), "not-an-envelope"],
    [changed({ payloadType: "application/json" }), "other-payload"],
    [changed({ payload: "" }), "other-statement"],
    [changed({ payload: payloadOf("{}") }), "other-statement"],
    [changed({ payload: payloadOf(statement.replace("urn:cairn:compile:1", "urn:cairn:compile:2")) }), "other-statement"],
    [changed({ payload: payloadOf(statement.replace(signer.publicKey, "me")) }), "other-statement"],
    [changed({ payload: payloadOf(statement.replace("a.o", "b.o")) }), "signature"],
    [changed({ signatures: [] }), "signature"],
    [changed({ signatures: [null, 1, { sig: 1 }, { sig: "" }] }), "signature"],
    // Who makes a statement in another's name cannot make the name's key his own.
    [changed({ signatures: [{ keyid: "mine", sig: payloadOf("x".repeat(64)) }] }), "signature"],
    [`"${"x".repeat(4_194_304)}"`, "too-large"],
  ];
  for (const [text, why] of table) assert.deepEqual(readEnvelope(text), { kind: "refused", why }, text.slice(0, 200));
});

test("nothing that calls itself an envelope makes the reader throw", () => {
  const keys = fc.constantFrom("payload", "payloadType", "signatures", "subject", "predicate", "_type", "sig", "digest");
  const anything = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.constantFrom(null, 1, true, PAYLOAD_TYPE, "e30="),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(keys, tie("value")),
    ),
  })).value;
  fc.assert(
    fc.property(
      fc.oneof(
        anything.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      (text) => readEnvelope(text).kind === "refused",
    ),
  );
});

function kindOf<T extends { readonly kind: string }, K extends T["kind"]>(value: T, kind: K): Extract<T, { readonly kind: K }> {
  assert.equal(value.kind, kind, JSON.stringify(value));
  return value as Extract<T, { readonly kind: K }>;
}
