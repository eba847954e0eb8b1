import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attestation } from "../contracts/index.ts";
import { judge, type Reader } from "./judge.ts";
import { Repeats } from "./repeats.ts";
import { attestedBy, executed, type Signer, trustWorld } from "./trust.fixture.ts";

const { state, signers } = trustWorld([1, 1, 1, 1, 2], 4_300);
const machines = signers.flat();
const { action } = said(0, "x");

function machineAt(at: number): Signer {
  return machines[at] ?? assert.fail(`machine ${at}`);
}

function said(at: number, outcome: string): Attestation {
  return attestedBy(state.network, machineAt(at), executed("work", outcome));
}

/** What a team's machine, the first, thinks of the first of these. */
function judged(repeats: Repeats, ...all: readonly [Attestation, ...Attestation[]]): string {
  const reader: Reader = { policy: "team", self: machineAt(0).keys.publicKey, state, discredited: new Set() };
  const [claim, ...known] = all;
  const counted = repeats.judged(state, claim, () => known);
  if (counted === undefined) return "repeated";
  const verdict = judge(reader, counted.claim, counted.known);
  return verdict.kind === "believed" ? verdict.tier : verdict.why;
}

/** A round to which these domains were asked, when these machines had spoken, and which these opened. */
function revealed(asked: readonly string[], spoken: readonly number[], opened: readonly number[]): Repeats {
  const repeats = new Repeats(8);
  const key = (at: number): string => machineAt(at).attestationKey;
  repeats.reveal(action, asked, spoken.map(key));
  for (const at of opened) repeats.opened(action, key(at));
  return repeats;
}

for (const [name, repeats, expected] of [
  ["no round", new Repeats(8), "team"],
  ["both had spoken before", revealed(["d1", "d2"], [1, 2], []), "team"],
  ["both opened", revealed(["d1", "d2"], [], [1, 2]), "team"],
  ["one repeated", revealed(["d1", "d2"], [1], []), "too-few-domains"],
  ["whose claim it is repeated", revealed(["d1", "d2"], [2], []), "too-few-domains"],
  ["both repeated", revealed(["d1", "d2"], [], []), "repeated"],
  ["one was not asked", revealed(["d1"], [], [1]), "team"],
] as const)
  test(`a certificate of two: ${name}`, () => {
    assert.equal(judged(repeats, said(1, "x"), said(2, "x")), expected);
  });

test("who may have repeated others still contradicts, and excuses", () => {
  const repeats = revealed(["d3"], [1, 2], []);
  assert.equal(judged(repeats, said(1, "x"), said(2, "x"), said(3, "y")), "disputed");
  assert.deepEqual(repeats.voices(state, [said(1, "x"), said(3, "x")]), [said(1, "x")]);
});

test("a second machine of a domain that has opened may have repeated the first", () => {
  const repeats = revealed(["d4"], [1], [4]);
  assert.deepEqual(
    [4, 5].map((at) => repeats.isRepeating(state, said(at, "x"))),
    [false, true],
  );
});

test("who speaks between two rounds has repeated the first one", () => {
  const repeats = revealed(["d1"], [2], []);
  const key = machineAt(1).attestationKey;
  repeats.reveal(action, ["d3"], [machineAt(2).attestationKey, key]);
  assert.equal(repeats.isRepeating(state, said(1, "x")), true);
  repeats.opened(action, key);
  assert.equal(repeats.isRepeating(state, said(1, "x")), false);
});
