import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, limits } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { Proven } from "./proven.ts";
import { attestedBy, executed, type Signer, trustWorld } from "./trust.fixture.ts";

const { state, signers } = trustWorld([1, 1, 1, 1], 800);
const [self, a, b, c] = signers.flat() as [Signer, Signer, Signer, Signer];

function said(signer: Signer, outcome: string, what: string | number = "work"): Attestation {
  return attestedBy(state.network, signer, executed(`${what}`, outcome));
}

/** What one of so many are executed of, by who vouches for it. */
function oneOf(proven: Proven, ...by: readonly Signer[]): number {
  return proven.oneOf(
    by.map(({ attestationKey }) => attestationKey),
    50,
  );
}

function learned(...answers: readonly Attestation[]): Proven {
  const proven = new Proven();
  for (let times = 0; times < 4; times++) proven.learn(state, said(self, "good", times), [said(a, "good", times), said(b, "good", times)]);
  proven.learn(state, said(self, "good"), answers);
  return proven;
}

test("who is new is always looked at, who was right for long seldom, and the least proven one decides", () => {
  assert.equal(oneOf(new Proven(), a, b), 1);
  const proven = learned(said(a, "good"));
  assert.deepEqual([oneOf(proven, a), oneOf(proven, b), oneOf(proven, a, b), oneOf(proven, a, c)], [6, 5, 5, 1]);
  for (let times = 0; times < 100; times++) proven.learn(state, said(self, "good", times), [said(a, "good", times)]);
  assert.deepEqual([oneOf(proven, a), proven.oneOf([a.attestationKey], 20)], [50, 20]);
  assert.equal(proven.learn(state, said(self, "good", "new"), [said(a, "good", "new")]), false, "there is nothing to write down");
});

test("one action proves a signer once, however often it is attested or executed", () => {
  const proven = new Proven();
  const often = [0, 1_000].map((later) => attestedBy(state.network, a, executed("work", "good"), 1_800_000_000_000 + later));
  assert.equal(proven.learn(state, said(self, "good"), often), true);
  assert.equal(proven.learn(state, said(self, "good"), often), false);
  assert.equal(oneOf(proven, a), 2);
});

test("who was wrong is looked at as if it were new; where as many domains as that were wrong alike, so is everybody", () => {
  const one = learned(said(a, "bad"));
  assert.deepEqual([oneOf(one, a), oneOf(one, b)], [1, 5]);
  const two = learned(said(a, "bad"), said(c, "bad"));
  assert.deepEqual([oneOf(two, a), oneOf(two, b)], [1, 1]);
  const apart = learned(said(a, "bad"), said(c, "worse"));
  assert.deepEqual([oneOf(apart, a), oneOf(apart, b)], [1, 5]);
});

test("what is kept is what was known, and nothing that somebody else wrote there", () => {
  const answer = fc.tuple(fc.constantFrom(a, b, c), fc.constantFrom("good", "bad"));
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 12 }), (steps) => {
      const proven = new Proven();
      for (const [signer, outcome] of steps) proven.learn(state, said(self, "good"), [said(signer, outcome)]);
      const again = new Proven(`${proven.toString()} nonsense ${digestOf("x")}:y :7`);
      assert.equal(again.toString(), proven.toString());
    }),
    { numRuns: 30 },
  );
});

test("no more signers are kept than there is room for, the newest ones", () => {
  const text = Array.from({ length: limits.trust.proven + 5 }, (_, at) => `${digestOf(`${at}`)}:3`).join(" ");
  const proven = new Proven(text);
  proven.learn(state, said(self, "good"), [said(a, "good")]);
  assert.equal(proven.toString().split(" ").length, limits.trust.proven);
  assert.deepEqual([proven.oneOf([digestOf("5")], 50), proven.oneOf([digestOf("6")], 50), oneOf(proven, a)], [1, 4, 2]);
});
