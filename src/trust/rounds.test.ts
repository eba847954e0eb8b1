/**
 * Rounds by their rules: properties over any order of what is asked, promised and told.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Digest, digestOf } from "../base/index.ts";
import type { Commitment, Opening } from "../contracts/index.ts";
import { logEntryOf } from "./log-entries.ts";
import { codec } from "./membership.fixture.ts";
import { readRoundEvidence, roundEvidenceOf } from "./round-evidence.ts";
import { commit, Round, type RoundVerdict } from "./rounds.ts";
import { attestedBy, executed, type Signer, trustWorld } from "./trust.fixture.ts";

const { state, membership, signers } = trustWorld([1, 1, 1, 1], 4_100);
const { network } = state;
const machines = signers.flat();
const { action } = attestedBy(network, machineAt(0), executed("work", "x"));
const OF = { network, round: digestOf("round"), action };

function machineAt(at: number): Signer {
  return machines[at] ?? assert.fail(`machine ${at}`);
}

function keyOf(at: number): string {
  return machineAt(at).attestationKey;
}

/** What a machine promises and opens that has found that. */
function found(at: number, outcome: string, nonce = "nonce", of = OF): { readonly commitment: Commitment; readonly opening: Opening } {
  const machine = machineAt(at);
  return commit(machine.sign, of, attestedBy(network, machine, executed("work", outcome)), digestOf(`${nonce} ${at}`));
}

/** In a word. */
function word(verdict: RoundVerdict): string {
  return verdict.kind === "refused" ? verdict.why : verdict.kind;
}

test("whatever the order, what counts was asked for, promised before anything was revealed, and told once after that", () => {
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom("ask", "commits", "opens"), at: fc.nat({ max: 3 }), outcome: fc.constantFrom("x", "y") }),
    fc.constant({ what: "close", at: 0, outcome: "" }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const round = new Round(OF);
      const [asked, promised, opened] = [new Set<number>(), new Map<number, string>(), new Set<number>()];
      let isClosed = false;
      for (const { what, at, outcome } of steps) {
        const { commitment, opening } = found(at, outcome, outcome);
        if (what === "close") {
          round.close();
          isClosed = true;
        } else if (what === "ask") {
          assert.equal(round.ask(keyOf(at)), !isClosed && !asked.has(at));
          if (!isClosed) asked.add(at);
        } else if (what === "commits") {
          const counts: boolean = asked.has(at) && !isClosed && !promised.has(at);
          assert.equal(round.commits(keyOf(at), commitment).kind === "counts", counts);
          if (counts) promised.set(at, outcome);
        } else {
          const counts: boolean = isClosed && promised.get(at) === outcome && !opened.has(at);
          assert.equal(round.opens(keyOf(at), opening).kind === "counts", counts);
          if (counts) opened.add(at);
        }
      }
      assert.deepEqual(round.committed.toSorted(), [...promised.keys()].map(keyOf).toSorted());
      assert.deepEqual([...round.opened].toSorted(), [...opened].map(keyOf).toSorted());
    }),
  );
});

test("who takes another's commitment for its own cannot sign it, and cannot open it", () => {
  const round = new Round(OF);
  const [honest, copier] = [found(1, "x"), found(2, "x")];
  for (const at of [1, 2]) round.ask(keyOf(at));
  assert.equal(word(round.commits(keyOf(2), honest.commitment)), "signature");
  // The same digest, signed by whoever copies it.
  const copied = { ...honest.commitment, signature: signedBy(2, honest.commitment.digest) };
  assert.deepEqual([word(round.commits(keyOf(1), honest.commitment)), word(round.commits(keyOf(2), copied))], ["counts", "counts"]);
  round.close();
  assert.equal(word(round.opens(keyOf(1), honest.opening)), "counts");
  // By now all is known of the honest one's: its nonce is of no use to another key.
  assert.equal(word(round.opens(keyOf(2), { ...honest.opening, attestation: copier.opening.attestation })), "signature");
  assert.equal(word(round.opens(keyOf(2), honest.opening)), "other-action");
});

test("what is opened and was not promised is refused, convicts who signed it, and nobody else", () => {
  const round = new Round(OF);
  round.ask(keyOf(1));
  const { commitment } = found(1, "x");
  round.commits(keyOf(1), commitment);
  round.close();
  const verdict = round.opens(keyOf(1), lying(1, commitment, "y"));
  assert.equal(word(verdict), "not-promised");
  const shown = (verdict.kind === "refused" ? verdict.false : undefined) ?? assert.fail("nothing is shown");
  const statements = membership.statements().map(({ bytes }) => bytes);
  const text = roundEvidenceOf(statements, shown) ?? assert.fail("too large");
  const read = readRoundEvidence(codec, text);
  assert.deepEqual(read.kind === "opened-falsely" && read.shown.member.attestationKey, keyOf(1));
  // Whatever is changed in it, it shows nothing.
  const parts = JSON.parse(text) as Record<string, unknown> & { readonly commitment: object; readonly opening: object };
  const other = digestOf("another");
  for (const changed of [
    { ...parts, signer: keyOf(2) },
    { ...parts, round: other },
    { ...parts, action: other },
    { ...parts, network: other },
    { ...parts, commitment: { ...parts.commitment, digest: other } },
    { ...parts, opening: { ...parts.opening, result: other } },
    { ...parts, opening: { ...parts.opening, nonce: `${other}00` } },
    { ...parts, statements: [] },
    {},
  ])
    assert.equal(readRoundEvidence(codec, JSON.stringify(changed)).kind, "refused");
  assert.equal(readRoundEvidence(codec, "{").kind, "refused");
});

test("whatever an asker asks twice, an honest member shows nothing against itself", () => {
  fc.assert(
    fc.property(fc.constantFrom("x", "y"), fc.constantFrom("x", "y"), (first, second) => {
      // The same round, by name, and two commitments in it: any opening goes with its own and is refused with the other.
      const answers = [found(1, first, "first"), found(1, second, "second")];
      for (const { commitment } of answers)
        for (const { opening } of answers) {
          const round = new Round(OF);
          round.ask(keyOf(1));
          round.commits(keyOf(1), commitment);
          round.close();
          const verdict = round.opens(keyOf(1), opening);
          assert.equal(verdict.kind === "refused" ? verdict.false : undefined, undefined);
        }
    }),
  );
});

test("a commitment of another round, or of another action, is none of this one's", () => {
  for (const of of [
    { ...OF, round: digestOf("another round") },
    { ...OF, action: digestOf("another action") },
    { ...OF, network: digestOf("another network") },
  ]) {
    const round = new Round(OF);
    round.ask(keyOf(1));
    assert.equal(word(round.commits(keyOf(1), found(1, "x", "nonce", of).commitment)), "signature");
  }
});

function signedBy(at: number, digest: Digest): Uint8Array {
  return machineAt(at).sign.sign("cairn round commitment 1", Buffer.from(network + OF.round + OF.action + digest, "hex"));
}

/** An opening of that commitment that says something else, signed like any. */
function lying(at: number, commitment: Commitment, outcome: string): Opening {
  const { opening } = found(at, outcome);
  const statement = statementOf(at, outcome);
  const content = Buffer.from(network + OF.round + OF.action + commitment.digest + statement + opening.nonce, "hex");
  return { ...opening, signature: machineAt(at).sign.sign("cairn round opening 1", content) };
}

function statementOf(at: number, outcome: string): Digest {
  return logEntryOf(network, attestedBy(network, machineAt(at), executed("work", outcome))).statement;
}
