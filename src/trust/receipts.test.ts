import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, type NetworkPolicy, type SharingPolicy } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { claimOf, isAttested, statementOf, verifiedId } from "./attestation.ts";
import { readEnvelope } from "./envelope.ts";
import { judge, type Reader } from "./judge.ts";
import { admit, codec } from "./membership.fixture.ts";
import { reproduction } from "./reproduced.ts";
import { envelopeOf } from "./sealed.ts";
import { isShareable, type Unsigned } from "./shareable.ts";
import { answersOf, findingOf } from "./tally.ts";
import { attestedBy, executed, received, type Signer, sharedBy, signerOf, trustWorld } from "./trust.fixture.ts";

const world = trustWorld([2, 2, 1, 1], 600);
const { network } = world.state;
const [[self, sister], [blue, azure], [green], [red]] = world.signers as [[Signer, Signer], [Signer, Signer], [Signer], [Signer]];
const alone = trustWorld([3], 650);
const [own, mate] = (alone.signers[0] ?? []) as [Signer, Signer];
const guest = signerOf(690, "d0");
admit(alone.membership, own, guest, 90);

function reader(policy: SharingPolicy, of: Partial<Reader> = {}): Reader {
  return { policy, self: self.keys.publicKey, state: world.state, discredited: new Set(), ...of };
}

function verdictOf(of: Reader, claim: Attestation, known: readonly Attestation[] = []): string {
  const verdict = judge(of, claim, () => known);
  return verdict.kind === "believed" ? `${verdict.tier} by ${verdict.certificate.length}` : verdict.why;
}

function receipt(by: Signer, content = "good", of: string = network): Attestation {
  return attestedBy(of, by, received("work", content));
}

test("the statement is no provenance: it says at which door something was received, by whom and when", () => {
  const shared = sharedBy(network, sister, received("work", "good"));
  assert.deepEqual(JSON.parse(statementOf(network, claimOf(shared))), {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      { name: "turbo", digest: { sha256: digestOf("object good") }, annotations: { role: "received", size: 1_000, template: false } },
    ],
    predicateType: "urn:cairn:received:1",
    predicate: {
      door: "turbo",
      key: digestOf("manifest work"),
      action: digestOf("action work"),
      entry: digestOf(JSON.stringify([digestOf("action work"), null, false, null, [], []])),
      network,
      receiver: { id: `urn:cairn:attestation-key:${sister.attestationKey}` },
      receivedOn: new Date(shared.execution.endedAtMs).toISOString(),
      said: { digest: { sha256: digestOf("{}") } },
    },
  });
  const read = readEnvelope(JSON.stringify(envelopeOf(network, shared)));
  assert.equal(read.kind, "received");
  assert.deepEqual(read.kind === "received" && [read.received.door, read.received.signer], ["turbo", sister.attestationKey]);
});

type Change = (made: Unsigned) => Unsigned;
const base = sharedBy(network, sister, received("work", "good"));
const onResult =
  (change: object): Change =>
  (made) => ({ ...made, result: { ...made.result, ...change } });
const onEntry =
  (change: object): Change =>
  (made) => ({ ...made, entry: { ...made.entry, ...change } });
const onExecution =
  (change: object): Change =>
  (made) => ({ ...made, execution: { ...made.execution, ...change } });
const [output] = base.result.outputs;

/** What a receipt has no room for: nothing of it would be under the signature. */
const SHAPES: Readonly<Record<string, Change>> = {
  "an input": onEntry({ inputs: [{ path: "\0C/a.c", digest: digestOf("a.c") }] }),
  "an absent path": onEntry({ absent: ["\0C/a.h"] }),
  "a place": onEntry({ place: digestOf("place") }),
  "a presumed place": onEntry({ place: digestOf("place"), presumed: true }),
  "a terminal": onEntry({ terminal: digestOf("terminal") }),
  "a compiler": onExecution({ toolchain: digestOf("gcc") }),
  "a duration": onExecution({ endedAtMs: base.execution.endedAtMs + 1 }),
  "time of a compiler": onResult({ compileMs: 1 }),
  "time of a processor": onResult({ cpuMs: 1 }),
  "an error that was printed": onResult({ stderr: Buffer.from("warning").toString("base64") }),
  "an object beside it": onResult({ outputs: [output, { ...output, path: "1", role: "object" }] }),
  "an object before it": onResult({
    outputs: [
      { ...output, path: "a.o", role: "object" },
      { ...output, path: "1" },
    ],
  }),
  "a template": onResult({ outputs: [{ ...output, template: true }] }),
  "a path in a checkout": onResult({ outputs: [{ ...output, path: "\0C/a.o" }] }),
  "a second door": onResult({ outputs: [output, { ...output, path: "gradle" }] }),
};

test("a receipt with more blobs than one is one", () => {
  const more = onResult({ outputs: [output, { ...output, path: "1" }, { ...output, path: "63" }] });
  assert.ok(isShareable(base) && isShareable(more(base)));
});

for (const [what, change] of Object.entries(SHAPES))
  test(`a receipt with ${what} is none`, () => {
    const changed = change(base);
    assert.ok(!isShareable(changed));
    assert.ok(!isAttested(network, { ...base, ...changed }));
    assert.equal(verifiedId(network, { ...claimOf(changed), signature: base.signature }), undefined);
  });

test("no execution bears the signature of a receipt, and no receipt that of an execution, whatever both say", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 });
  const roles = fc.constantFrom("object", "written", "depfile", "outcome", "received");
  const outputs = fc.array(fc.record({ content: bytes, role: roles, path: fc.constantFrom("turbo", "1", "2", "\0C/a.o") }), {
    minLength: 1,
    maxLength: 3,
  });
  let signed = 0;
  fc.assert(
    fc.property(outputs, fc.boolean(), fc.constantFrom(...(["object", "outcome", "received"] as const)), (all, isBlank, role) => {
      const made = isBlank ? received("work", "good") : executed("work", "good");
      const written = all.map(
        ({ content, ...one }) => ({ ...one, digest: digestOf(content), size: content.length, template: false }) as const,
      );
      const like = { ...made, result: { ...made.result, outputs: written } };
      const at = { signer: sister.attestationKey, toolchain: isBlank ? "0".repeat(64) : digestOf("gcc"), startedAtMs: 5, endedAtMs: 5 };
      if (!isShareable({ ...like, execution: at })) return;
      signed += 1;
      const shared = sharedBy(network, sister, like, 5);
      assert.ok(isAttested(network, shared));
      const posing = { ...shared, result: { ...shared.result, outputs: shared.result.outputs.map((one) => ({ ...one, role })) } };
      const isSame = JSON.stringify(posing) === JSON.stringify(shared);
      assert.equal(isAttested(network, posing), isSame);
    }),
    { numRuns: 500 },
  );
  assert.ok(signed > 50, "some of them can be signed at all");
});

test("those who keep the set of attestations take a receipt for none", () => {
  assert.equal(codec.encodeAttestation(receipt(sister)), undefined);
});

function times(count: number, verdict: string): string[] {
  return Array.from({ length: count }, () => verdict);
}

/** Whose receipt it is; what each policy makes of it, and what it makes of it where the owner takes those of the own domain. */
const POLICIES = ["self", "speculative", "team", "release"] as const;
const TABLE: readonly (readonly [string, Signer, readonly string[], readonly string[]])[] = [
  ["the reader's own", self, times(4, "self by 1"), times(4, "self by 1")],
  ["a sister's", sister, ["policy", "speculative by 1", "received", "received"], ["policy", ...times(3, "speculative by 1")]],
  ["another domain's", blue, ["policy", ...times(3, "received")], ["policy", ...times(3, "received")]],
  ["a stranger's", guest, times(4, "stranger"), times(4, "stranger")],
];

for (const [whose, by, alike, taking] of TABLE)
  for (const [at, policy] of POLICIES.entries())
    test(`${policy}: ${whose} receipt: ${alike[at]}, and ${taking[at]} where the own domain's are taken`, () => {
      const others = [receipt(azure), receipt(green), receipt(red)]; // However many say so.
      assert.equal(verdictOf(reader(policy), receipt(by), others), alike[at]);
      assert.equal(verdictOf(reader(policy, { takesReceipts: true }), receipt(by), others), taking[at]);
    });

test("in a network of one domain, that one's are taken where policy is content with one", () => {
  const of = reader("team", { self: own.keys.publicKey, state: alone.state });
  const claim = receipt(mate, "good", alone.state.network);
  assert.equal(verdictOf(of, claim), "team by 1");
  assert.equal(verdictOf({ ...of, policy: "release" }, claim), "received");
  assert.equal(verdictOf({ ...of, policy: "self" }, claim), "policy");
  assert.equal(verdictOf({ ...of, discredited: new Set([mate.attestationKey]) }, claim), "discredited");
  assert.equal(verdictOf({ ...of, self: "" }, claim), "received", "whoever was put out has no domain");
  const { state } = alone.membership;
  assert.ok(state !== undefined);
  assert.equal(verdictOf({ ...of, state }, receipt(guest, "good", state.network)), "received", "not admitted yet");
});

test("what the network demands of all machines no owner can undo", () => {
  const under = (rules: NetworkPolicy): Reader =>
    reader("speculative", { takesReceipts: true, state: { ...world.state, policy: { ...world.state.policy, rules } } });
  assert.equal(verdictOf(under({}), receipt(sister)), "speculative by 1");
  assert.equal(verdictOf(under({ sharing: "speculative" }), receipt(sister)), "speculative by 1");
  assert.equal(verdictOf(under({ sharing: "team" }), receipt(sister)), "received");
  assert.equal(verdictOf(under({ sharing: "release" }), receipt(sister)), "received");
  assert.equal(verdictOf(under({ quorum: 2 }), receipt(sister)), "received");
  assert.equal(verdictOf(under({ sharing: "self" }), receipt(sister)), "policy");
});

test("receipts change nothing about what was executed: no verdict, no finding, no summary, whoever has signed them", () => {
  const everybody = world.signers.flat();
  const said = fc.record({ who: fc.constantFrom(...everybody), content: fc.constantFrom("good", "bad") });
  const attested = ({ who, content }: { who: Signer; content: string }): Attestation => attestedBy(network, who, executed("work", content));
  let believed = 0;
  fc.assert(
    fc.property(
      said,
      fc.array(said, { maxLength: 4 }),
      fc.array(said, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(...POLICIES),
      fc.boolean(),
      (first, more, extra, policy, takesReceipts) => {
        const [claim, known] = [attested(first), more.map(attested)];
        const receipts = extra.map(({ who, content }) => receipt(who, content));
        const of = reader(policy, { takesReceipts });
        const before = judge(of, claim, () => known);
        if (before.kind === "believed") believed += 1;
        assert.deepEqual(
          judge(of, claim, () => [...receipts, ...known]),
          before,
        );
        assert.deepEqual(reproduction(of, claim, [...known, ...receipts]), reproduction(of, claim, known));
        const all = [claim, ...known];
        assert.deepEqual(findingOf(answersOf(world.state, [...all, ...receipts])), findingOf(answersOf(world.state, all)));
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(believed > 20, "some of it is believed at all");
});

test("what was executed changes nothing about a receipt, and none is ever reproduced", () => {
  const executions = [self, blue, green, red].map((who) => attestedBy(network, who, executed("work", "bad")));
  assert.equal(verdictOf(reader("speculative"), receipt(sister), executions), "speculative by 1");
  const of = reader("team", { takesReceipts: true });
  const told = reproduction(of, receipt(self), [receipt(blue), receipt(green), receipt(red)]);
  assert.deepEqual(told, { kind: "not-reproduced", why: "received", domains: 0, needed: 0 });
});
