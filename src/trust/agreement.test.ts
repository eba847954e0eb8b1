import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Certificate, type Digest, digestOf, limits, type Said, type Vote } from "../base/index.ts";
import { Agreement, faultyMost, quorumOf } from "./agreement.ts";

const [RED, BLUE] = [digestOf("red"), digestOf("blue")];
const DOMAINS = 4;

/** Signatures are the words themselves. */
function signed(domain: number, said: Said): Vote {
  return { ...said, domain, signature: Buffer.from(`${domain} ${said.kind} ${said.view} ${said.value}`) };
}

function isSigned(vote: Vote): boolean {
  return Buffer.compare(vote.signature, signed(vote.domain, vote).signature) === 0;
}

function domain(self: number, fresh: Digest = RED, valid: readonly Digest[] = [RED, BLUE]): Agreement {
  const sign = (said: Said): Uint8Array => signed(self, said).signature;
  return new Agreement({ sign, isSigned, isValid: (value) => valid.includes(value), fresh: () => fresh }, { domains: DOMAINS, self });
}

function by(domains: readonly number[], said: Said): Vote[] {
  return domains.map((one) => signed(one, said));
}

function certificate(domains: readonly number[], said: Said): Certificate {
  return { ...said, votes: by(domains, said).map(({ domain: who, signature }) => ({ domain: who, signature })) };
}

function words(votes: readonly Vote[]): string[] {
  return votes.map(({ kind, view, value }) => `${kind} ${view} ${value === RED ? "red" : value === BLUE ? "blue" : value}`.trim());
}

test("how many may lie, and how many must agree", () => {
  const rows: [domains: number, faulty: number, quorum: number][] = [
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 4],
    [7, 2, 5],
    [10, 3, 7],
    [20, 6, 14],
  ];
  for (const [domains, faulty, quorum] of rows) assert.deepEqual([faultyMost(domains), quorumOf(domains)], [faulty, quorum]);
  for (let domains = 1; domains <= limits.domains; domains++) {
    const [faulty, quorum] = [faultyMost(domains), quorumOf(domains)];
    assert.ok(2 * quorum - domains > faulty, `two quorums of ${domains} share an honest domain`);
    assert.ok(quorum <= domains - faulty, `the honest of ${domains} are a quorum`);
  }
});

test("all is well: one round of each kind of vote, and it is decided", () => {
  const leader = domain(0);
  const follower = domain(3);
  assert.deepEqual(words(leader.hear([], [])), ["notarize 1 red"]);
  assert.deepEqual(words(follower.hear([], [])), [], "a follower waits");
  assert.deepEqual(words(follower.hear(by([0], { kind: "notarize", view: 1, value: RED }), [])), ["notarize 1 red"]);
  assert.deepEqual(words(follower.hear(by([2], { kind: "notarize", view: 1, value: RED }), [])), ["finalize 1 red"]);
  assert.equal(follower.view, 2);
  follower.hear(by([0, 1], { kind: "finalize", view: 1, value: RED }), []);
  assert.equal(follower.decision?.value, RED);
  assert.deepEqual(
    follower.decision?.votes.map((one) => one.domain),
    [0, 1, 3],
  );
});

test("who has given up on a view finalizes nothing in it, and who has finalized does not give up", () => {
  const late = domain(1);
  assert.deepEqual(words(late.giveUp(1)), ["nullify 1"]);
  assert.deepEqual(words(late.giveUp(1)), [], "once");
  const votes = by([0, 2, 3], { kind: "notarize", view: 1, value: RED });
  // It leads the next view, and must propose the same.
  assert.deepEqual(words(late.hear(votes, [])), ["notarize 2 red"]);
  const soon = domain(2);
  assert.deepEqual(words(soon.hear(votes, [])), ["finalize 1 red"]);
  assert.deepEqual(words(soon.giveUp(1)), [], "that view is over");
});

test("what was notarized is proposed again, until a quorum has shown that it was not decided", () => {
  const notarized = certificate([0, 2, 3], { kind: "notarize", view: 1, value: BLUE });
  const nullified = certificate([0, 2, 3], { kind: "nullify", view: 1, value: "" });
  const rows: [what: string, certificates: Certificate[], proposal: Digest, isFollowed: boolean][] = [
    ["notarized", [notarized], BLUE, true],
    ["notarized, and something else proposed", [notarized], RED, false],
    ["given up", [nullified], RED, true],
    ["both, and what was notarized is proposed", [notarized, nullified], BLUE, true],
    ["both, and something else is", [notarized, nullified], RED, true],
  ];
  for (const [what, certificates, proposal, isFollowed] of rows) {
    const follower = domain(3);
    follower.hear([], certificates);
    const said = follower.hear(by([1], { kind: "notarize", view: 2, value: proposal }), []);
    assert.equal(
      words(said).some((one) => one.startsWith("notarize 2")),
      isFollowed,
      what,
    );
  }
});

test("what may not be decided, or is not known yet, is not voted for; nor is what another than the leader proposes", () => {
  const follower = domain(3, RED, [RED]);
  assert.deepEqual(words(follower.hear(by([0], { kind: "notarize", view: 1, value: BLUE }), [])), []);
  assert.deepEqual(words(domain(3).hear(by([1, 2], { kind: "notarize", view: 1, value: BLUE }), [])), []);
});

test("a leader that says two things is followed once, and found out", () => {
  const follower = domain(3);
  const said = follower.hear(
    [...by([0], { kind: "notarize", view: 1, value: RED }), ...by([0], { kind: "notarize", view: 1, value: BLUE })],
    [],
  );
  assert.deepEqual(words(said), ["notarize 1 red"]);
  assert.deepEqual(
    follower.equivocations.map((one) => one.domain),
    [0],
  );
});

test("who comes back after a crash says nothing else than before", () => {
  const before = domain(0, RED);
  before.hear([], []);
  const after = domain(0, BLUE);
  after.restore(before.own());
  assert.deepEqual(words(after.hear([], [])), [], "it has proposed red already");
  assert.deepEqual(words(after.status().votes), ["notarize 1 red"]);
});

test("who comes back in a late view goes on in it, and does not give up on one that it has finalized", () => {
  const before = domain(3);
  const nullified = Array.from({ length: 19 }, (_, i) => certificate([0, 1, 2], { kind: "nullify", view: 1 + i, value: "" }));
  before.hear([], nullified);
  const notarize = { kind: "notarize", view: 20, value: RED } as const;
  assert.ok(words(before.hear(by([0, 1, 2], notarize), [])).includes("finalize 20 red"));
  assert.equal(before.view, 21);

  const after = domain(3);
  after.restore(before.own());
  after.hear([], before.needed());
  assert.equal(after.view, 21);

  // All that it had heard is lost: it sees that view again, and has nothing to say in it.
  const forgetful = domain(3);
  forgetful.restore(before.own());
  forgetful.hear([], nullified);
  assert.equal(forgetful.view, 20);
  assert.equal(forgetful.hasGivenUp, true);
  assert.deepEqual(words(forgetful.giveUp(20)), []);
  assert.deepEqual(words(forgetful.hear(by([0, 1, 2], notarize), [])), [], "it has said so already");
  assert.equal(forgetful.view, 21);
  assert.deepEqual(forgetful.equivocations, []);
});

test("certificates of too few, of one counted twice, of strangers and of forgeries count for nothing", () => {
  const good = certificate([0, 1, 2], { kind: "finalize", view: 1, value: RED });
  const [first, second, third] = good.votes;
  assert.ok(first && second && third);
  const rows: [what: string, bad: Certificate][] = [
    ["too few", { ...good, votes: [first, second] }],
    ["one twice", { ...good, votes: [first, second, second] }],
    ["a domain that is not there", { ...good, votes: [first, second, { ...third, domain: DOMAINS }] }],
    ["another value", { ...good, value: BLUE }],
    ["another view", { ...good, view: 2 }],
    ["another kind", { ...good, kind: "notarize" }],
    ["another's signature", { ...good, votes: [first, second, { ...second, domain: 2 }] }],
  ];
  for (const [what, bad] of rows) {
    const one = domain(3);
    one.hear([], [bad]);
    assert.deepEqual([one.decision, one.view], [undefined, 1], what);
  }
  const one = domain(3);
  one.hear([], [good]);
  assert.equal(one.decision?.value, RED);
});

/** What one step of a run does: somebody is heard by somebody, gives up, or the liar says anything. */
type Step = readonly [what: "pass" | "give-up" | "lie", one: number, other: number, kind: number, value: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom("pass", "pass", "pass", "give-up", "lie"),
  fc.nat(3),
  fc.nat(3),
  fc.nat(2),
  fc.nat(2),
);

test("in whatever order votes come, and whatever one of four says, no two things are decided", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const honest = [domain(0, RED), domain(1, BLUE), domain(2, RED)] as const;
      for (const one of honest) one.hear([], []);
      for (const [what, one, other, kind, value] of steps) {
        const speaker = honest[one];
        const listener = honest[other];
        if (what === "give-up") speaker?.giveUp(speaker.view);
        else if (what === "pass" && speaker !== undefined && listener !== undefined) {
          const { votes, certificates } = speaker.status();
          listener.hear(votes, certificates);
        } else if (what === "lie" && listener !== undefined) {
          const said: Said = {
            kind: (["notarize", "finalize", "nullify"] as const)[kind] ?? "nullify",
            view: Math.max(1, listener.view - (value % 2)),
            value: "",
          };
          const values = [RED, BLUE, speaker?.decision?.value ?? RED];
          listener.hear(by([3], said.kind === "nullify" ? said : { ...said, value: values[value] ?? RED }), []);
        }
      }
      const decided = new Set(honest.flatMap(({ decision }) => decision?.value ?? []));
      assert.ok(decided.size <= 1);
      assert.deepEqual(
        honest.flatMap(({ equivocations }) => equivocations.map((one) => one.domain)).filter((one) => one !== 3),
        [],
      );
    }),
    { numRuns: 400 },
  );
});
