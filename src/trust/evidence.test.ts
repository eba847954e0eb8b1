import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attestation } from "../contracts/index.ts";
import { evidenceOf, readEvidence } from "./evidence.ts";
import { codec, START } from "./membership.fixture.ts";
import { answersOf, findingOf } from "./tally.ts";
import { attestedBy, executed, executedCommand, type Signer, trustWorld } from "./trust.fixture.ts";

const world = trustWorld([2, 2, 1, 2, 1, 1], 600);
const { membership, state } = world;
const statements = membership.statements().map(({ bytes }) => bytes);

/** Who says what: `0=x` is the first machine of domain 0, `0b=x` its second. */
function all(text: string): Attestation[] {
  return text.split(" ").map((one) => {
    const [, domain = "", second = "", outcome = ""] = /^(\d)(b?)=(.*)$/.exec(one) ?? assert.fail(one);
    const signer: Signer = world.signers[Number(domain)]?.[second === "" ? 0 : 1] ?? assert.fail(one);
    return attestedBy(state.network, signer, executed("work", outcome));
  });
}

/** In words. */
function found(text: string): string {
  const finding = findingOf(answersOf(state, all(text)));
  if (finding.kind !== "settled") return finding.kind;
  return `settled against ${finding.alone
    .map(({ attestation }) => nameOf(attestation.execution.signer))
    .toSorted()
    .join(" and ")}`;
}

function nameOf(signer: string): string {
  return [...state.members.values()].find(({ attestationKey }) => attestationKey === signer)?.domain ?? "";
}

for (const [said, expected] of [
  ["0=x", "agreed"],
  ["0=x 1=x 2=x", "agreed"],
  ["0=x 1=y", "disputed"],
  ["0=x 1=x 2=y", "disputed"],
  ["0=x 0b=x 1=x 1b=x 2=y", "disputed"], // Two domains, whatever they have of machines.
  ["0=x 1=x 2=x 3=y", "settled against d3"],
  ["0=x 1=x 2=x 3=y 4=z", "settled against d3 and d4"],
  ["0=x 1=x 2=x 3=y 4=y", "not-deterministic"],
  ["0=x 1=x 2=x 3=x 4=y 5=y", "not-deterministic"],
  ["0=x 1=x 2=y 3=y", "not-deterministic"],
  ["0=x 0b=y 1=x 2=x", "disputed"], // A domain that is of two minds has itself to ask.
  ["0=x 0b=y 1=x 2=x 3=x", "settled against d0"], // Others have answered that.
  ["0=x 0b=y 1=x 2=x 3=x 1b=z", "settled against d0 and d1"],
  ["0=x 1=x 2=x 3=y 3b=y", "settled against d3 and d3"],
  ["0=x 1=x 2=x 0b=y 3=y", "not-deterministic"],
] as const)
  test(`${said}: ${expected}`, () => assert.equal(found(said), expected));

function evidence(text: string): ReadonlyMap<string, string> {
  const finding = findingOf(answersOf(state, all(text)));
  assert.ok(finding.kind === "settled");
  return evidenceOf(codec, state.network, statements, finding);
}

test("evidence convicts, by itself, whoever stands alone, and says who agreed", () => {
  const made = evidence("0=x 1=x 2=x 3=y 4=z");
  assert.deepEqual([...made.keys()].map(nameOf).toSorted(), ["d3", "d4"]);
  for (const [signer, text] of made) {
    const read = readEvidence(codec, text);
    assert.ok(read.kind === "convicts");
    assert.equal(read.convicted.member.attestationKey, signer);
    assert.deepEqual(read.convicted.agreeing.map(({ member }) => member.domain).toSorted(), ["d0", "d1", "d2"]);
    assert.equal(read.convicted.network, state.network);
  }
});

test("whose sister found what others did is convicted by three other domains", () => {
  const [[signer, text] = ["", ""]] = evidence("0=x 0b=y 1=x 2=x 3=x");
  const read = readEvidence(codec, text);
  assert.ok(read.kind === "convicts");
  assert.equal(signer, world.signers[0]?.[1]?.attestationKey);
  assert.deepEqual(read.convicted.agreeing.map(({ member }) => member.domain).toSorted(), ["d1", "d2", "d3"]);
});

/** The parts of an evidence as bytes. */
interface Parts {
  attestations: Uint8Array[];
  statements: Uint8Array[];
  network: string;
}

function changed(change: (parts: Parts) => void): string {
  const [text = ""] = evidence("0=x 1=x 2=x 3=y").values();
  const read = JSON.parse(text) as { format: string; network: string; attestations: string[]; statements: string[] };
  const bytes = (list: readonly string[]): Uint8Array[] => list.map((one) => Buffer.from(one, "base64"));
  const parts = { network: read.network, attestations: bytes(read.attestations), statements: bytes(read.statements) };
  change(parts);
  const texts = (list: readonly Uint8Array[]): string[] => list.map((one) => Buffer.from(one).toString("base64"));
  return JSON.stringify({ ...read, ...parts, attestations: texts(parts.attestations), statements: texts(parts.statements) });
}

function bytesOf(text: string): Uint8Array[] {
  return all(text).map((one) => codec.encodeAttestation(one) ?? assert.fail("it is too large"));
}

for (const [about, change, why] of [
  ["nobody was of that network", (parts) => void (parts.statements = parts.statements.slice(1)), "membership"],
  ["nobody has joined yet", (parts) => void (parts.statements = parts.statements.slice(0, 1)), "not-alone"],
  ["another network", (parts) => void (parts.network = "ab".repeat(32)), "membership"],
  ["one who agreed is left out", (parts) => void parts.attestations.pop(), "not-alone"],
  ["one who agreed is there twice", (parts) => void (parts.attestations[3] = parts.attestations[2] ?? assert.fail()), "not-alone"],
  ["two of one domain agree", (parts) => void (parts.attestations = bytesOf("3=y 0=x 0b=x 1=x")), "not-alone"],
  ["who is accused agrees with all", (parts) => void (parts.attestations = bytesOf("3=x 0=x 1=x 2=x")), "not-alone"],
  ["another one is accused", (parts) => void (parts.attestations = bytesOf("0=x 1=x 2=x 3=y")), "not-alone"],
  ["two stand together", (parts) => void (parts.attestations = bytesOf("3=y 0=x 1=x 2=x 4=y")), "not-alone"],
  ["of other work", (parts) => void (parts.attestations = [...bytesOf("3=y"), ...otherWork()]), "different-actions"],
  ["of a command", (parts) => void (parts.attestations = [3, 0, 1, 2].map((at) => ofCommand(at, at === 3 ? "y" : "x"))), "command"],
  ["with a bit changed", (parts) => flip(parts.attestations[0]), "signature"],
  ["no attestation", (parts) => void (parts.attestations = [Buffer.from("noise")]), "not-evidence"],
  ["nothing", (parts) => void (parts.attestations = []), "not-evidence"],
] as readonly (readonly [string, (parts: Parts) => void, string])[])
  test(`evidence shows nothing: ${about}`, () => assert.deepEqual(readEvidence(codec, changed(change)), { kind: "refused", why }));

test("who says that it was a command is not excused by that from what three domains have compiled", () => {
  const text = changed((parts) => void (parts.attestations = [ofCommand(3, "y"), ...bytesOf("0=x 1=x 2=x")]));
  assert.equal(readEvidence(codec, text).kind, "convicts");
});

function otherWork(): Uint8Array[] {
  return [0, 1, 2].map((at) => {
    const signer = world.signers[at]?.[0] ?? assert.fail();
    return codec.encodeAttestation(attestedBy(state.network, signer, executed("other", "x"), START)) ?? assert.fail();
  });
}

/** What a machine of a domain says of a command. */
function ofCommand(at: number, outcome: string): Uint8Array {
  const signer = world.signers[at]?.[0] ?? assert.fail();
  return codec.encodeAttestation(attestedBy(state.network, signer, executedCommand("work", outcome), START)) ?? assert.fail();
}

/** In the signature, which is the last field. */
function flip(bytes: Uint8Array | undefined): void {
  if (bytes !== undefined) bytes[bytes.length - 8] = (bytes[bytes.length - 8] ?? 0) ^ 1;
}

test("what is no evidence is said to be none", () => {
  for (const text of ["", "{}", "null", "[]", '{"format":"cairn evidence 1"}', "x".repeat(100)])
    assert.deepEqual(readEvidence(codec, text), { kind: "refused", why: "not-evidence" });
});
