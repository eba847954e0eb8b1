/**
 * Which results are reproduced, and what is said of them to others: real keys, real membership, real signatures.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, type SharingPolicy } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { readEnvelope } from "./envelope.ts";
import type { Reader } from "./judge.ts";
import { START } from "./membership.fixture.ts";
import { reproduction } from "./reproduced.ts";
import { attestationEnvelope, envelopeLine, sealed } from "./sealed.ts";
import { type Summary, summaryOf, type Voucher } from "./summary.ts";
import { attestedBy, executed, executedCommand, type Signer, trustWorld } from "./trust.fixture.ts";

const { state, signers } = trustWorld([2, 2, 1, 1, 1]);
const [[self, sister], [blue, azure], [green], [red], [gold]] = signers as [Signer[], Signer[], Signer[], Signer[], Signer[]];
const people = { self, sister, blue, azure, green, red, gold } as Record<string, Signer>;
const { network } = state;

function signerCalled(name: string): Signer {
  return people[name] ?? assert.fail(`who is ${name}?`);
}

function by(name: string, outcome = "good", what = "work"): Attestation {
  return attestedBy(network, signerCalled(name), executed(what, outcome));
}

function reader(policy: SharingPolicy, discredited: readonly string[] = []): Reader {
  const keys = new Set(discredited.map((name) => signerCalled(name).attestationKey));
  return { policy, self: signerCalled("self").keys.publicKey, state, discredited: keys };
}

/** In words: whose machines vouch for it, or why that is not enough. */
function told(policy: SharingPolicy, text: string, discredited: readonly string[] = []): string {
  const [claim, ...known] = text.split(" ").map((one) => by(...(one.split("=") as [string])));
  assert.ok(claim !== undefined);
  const found = reproduction(reader(policy, discredited), claim, [...known, by("gold", "good", "other work")]);
  return found.kind === "reproduced"
    ? found.vouchers.map(({ domain }) => domain).join(" ")
    : `${found.why} ${found.domains}/${found.needed}`;
}

test("independent domains reproduce a result, machines and own work count by their domain", () => {
  const table: readonly (readonly [what: string, speculative: string, team: string, release: string])[] = [
    ["self", "too-few-domains 1/2", "too-few-domains 1/2", "too-few-domains 1/3"],
    ["self sister", "too-few-domains 1/2", "too-few-domains 1/2", "too-few-domains 1/3"],
    ["self blue", "d0 d1", "d0 d1", "too-few-domains 2/3"],
    ["blue azure", "too-few-domains 1/2", "too-few-domains 1/2", "too-few-domains 1/3"],
    ["blue green red gold", "d1 d2 d3 d4", "d1 d2 d3 d4", "d1 d2 d3 d4"],
    ["blue green self=bad", "own-work-differs 2/2", "own-work-differs 2/2", "own-work-differs 2/3"],
    ["blue green=bad", "disputed 1/2", "disputed 1/2", "disputed 1/3"],
    ["blue green red=bad", "disputed 2/2", "disputed 2/2", "disputed 2/3"],
    ["blue green gold red=bad", "d1 d2 d4", "d1 d2 d4", "disputed 3/3"],
    ["blue green red=bad gold=bad", "not-deterministic 2/2", "not-deterministic 2/2", "not-deterministic 2/3"],
  ];
  for (const [what, ...expected] of table)
    assert.deepEqual(
      (["speculative", "team", "release"] as const).map((policy) => told(policy, what)),
      expected,
      what,
    );
  assert.equal(told("self", "blue green red"), "policy 0/0");
  assert.equal(told("team", "blue green", ["green"]), "too-few-domains 1/2");
  assert.equal(told("team", "blue green red", ["blue"]), "d2 d3");
});

test("a claim that nobody has signed is no reason to say anything", () => {
  const forged = { ...by("blue"), signature: new Uint8Array(64) };
  assert.deepEqual(reproduction(reader("team"), forged, [by("green"), by("red")]), {
    kind: "not-reproduced",
    why: "signature",
    domains: 0,
    needed: 0,
  });
});

const vouchers: readonly Voucher[] = [
  { domain: "d1", attestation: by("blue") },
  { domain: "d2", attestation: by("green") },
];
const key = signerCalled("self").sign;

test("of a command that has written no file nobody is told anything", () => {
  const about = vouchers.map(({ domain }, at) => {
    return { domain, attestation: attestedBy(network, signerCalled(at === 0 ? "blue" : "green"), executedCommand("work", "good")) };
  });
  assert.equal(summaryOf(issuer, about, START), undefined);
});

const issuer = { network, signer: key.publicKey, policy: "team" } as const;

function statement(): string {
  return summaryOf(issuer, vouchers, START) ?? assert.fail("it has written something");
}

test("the statement is the one of the specification, and has no field that the published schema lacks", () => {
  const digestOfInput = ({ attestation }: Voucher): string => digestOf(envelopeLine(attestationEnvelope(network, attestation)));
  const action = digestOf("action work");
  assert.deepEqual(JSON.parse(statement()), {
    _type: "https://in-toto.io/Statement/v1",
    // Not the dependency file, which is written anew for each checkout: that digest is no file's.
    subject: [
      {
        name: "$CWD/a.o",
        digest: { sha256: digestOf("object good") },
        annotations: { role: "object", size: 1_000, domains: ["d1", "d2"] },
      },
    ],
    predicateType: "https://slsa.dev/verification_summary/v1",
    predicate: {
      verifier: { id: `urn:cairn:attestation-key:${key.publicKey}` },
      timeVerified: new Date(START).toISOString(),
      resourceUri: `urn:cairn:action:${network}:${action}`,
      policy: {
        uri: "urn:cairn:sharing-policy:team",
        digest: { sha256: digestOf(`{"format":"cairn sharing policy 1","network":"${network}","policy":"team","domains":2}`) },
      },
      inputAttestations: vouchers.map((one) => ({
        uri: `urn:cairn:attestation:${network}:${action}:${one.attestation.execution.signer}`,
        digest: { sha256: digestOfInput(one) },
      })),
      verificationResult: "PASSED",
      verifiedLevels: ["SLSA_BUILD_REPRODUCED"],
    },
  });
});

test("what has written no file gets no summary", () => {
  const none = vouchers.map((one) => ({ ...one, attestation: { ...one.attestation, outputs: [] } }));
  assert.equal(summaryOf(issuer, none, START), undefined);
});

/** What is read of a statement that a key has signed. */
function read(text: string, keys = key): Summary | string {
  const found = readEnvelope(JSON.stringify(sealed(keys, text)));
  return found.kind === "summarized" ? found.summary : found.kind === "refused" ? found.why : found.kind;
}

test("a summary is read by itself, and one that does not hang together is none", () => {
  const good = read(statement());
  assert.ok(typeof good === "object");
  assert.deepEqual([good.signer, good.policy, good.domains], [key.publicKey, "team", ["d1", "d2"]]);
  assert.deepEqual(
    good.inputs.map(({ signer }) => signer).toSorted(),
    [signerCalled("blue"), signerCalled("green")].map((one) => one.attestationKey).toSorted(),
  );
  const [blueKey, greenKey] = [signerCalled("blue").attestationKey, signerCalled("green").attestationKey];
  const changes: readonly (readonly [from: string, to: string])[] = [
    ["SLSA_BUILD_REPRODUCED", "SLSA_BUILD_LEVEL_3"],
    ["PASSED", "FAILED"],
    ["verification_summary/v1", "verification_summary/v0.2"],
    ["sharing-policy:team", "sharing-policy:release"], // Its digest is that of another policy.
    ["sharing-policy:team", "sharing-policy:self"],
    [`:${greenKey}`, `:${blueKey}`], // Twice the same signer.
    [`urn:cairn:action:${network}`, `urn:cairn:action:${digestOf("elsewhere")}`],
    ["urn:cairn:attestation-key:", "urn:cairn:key:"],
    ['"digest":{"sha256":', '"digest":{"sha1":'],
  ];
  for (const [from, to] of changes) assert.equal(read(statement().replace(from, to)), "other-statement", `${from} → ${to}`);
  // What hangs together, but is not what was signed, or by somebody else.
  assert.equal(read(statement(), signerCalled("blue").sign), "signature");
});

test("another program verifies a summary: openssl", (t) => {
  if (spawnSync("openssl", ["version"]).status !== 0) return t.skip("openssl is not installed");
  const directory = mkdtempSync(join(tmpdir(), "cairn-summary-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const { payload, payloadType, signatures } = sealed(key, statement());
  const [signature] = signatures;
  assert.ok(signature !== undefined);
  const body = Buffer.from(payload, "base64");
  const files = {
    key: Buffer.from(`302a300506032b6570032100${signature.keyid}`, "hex"), // RFC 8410.
    signature: Buffer.from(signature.sig, "base64"),
    right: Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `), body]),
    wrong: Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} ${body.toString("utf8").replace("a.o", "b.o")}`),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  const verify = (said: string): boolean => {
    const args = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in", said, "-sigfile", "signature"];
    return spawnSync("openssl", args, { cwd: directory }).status === 0;
  };
  assert.deepEqual([verify("right"), verify("wrong")], [true, false]);
});
