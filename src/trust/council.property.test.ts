/**
 * What one stolen key of a junior admin can do, with all machines that it lets in, while nobody has revoked it: whatever it likes, in any
 * order, and the others agree to all that the rules let them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { domainsOf } from "./judge.ts";
import { admit, agree, copyOf, found, type Machine, machine, START } from "./membership.fixture.ts";
import type { Membership } from "./membership.ts";
import { countedDomain, type State } from "./state.ts";

const step = fc.record({
  actor: fc.nat(5),
  target: fc.nat(12),
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("domain" as const, "begin" as const, "admit" as const) },
    { weight: 4, arbitrary: fc.constantFrom("accept" as const, "epoch" as const) },
    { weight: 3, arbitrary: fc.constantFrom("revoke" as const, "policy" as const, "leave" as const) },
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface World {
  readonly membership: Membership;
  readonly founder: Machine;
  readonly junior: Machine;
  readonly honest: readonly Machine[];
}

/** The founder, another honest admin, the junior one, and so many further domains of one machine. */
function world(others: number): World {
  const honest = [machine(1), machine(2), ...Array.from({ length: others }, (_, at) => machine(10 + at))];
  const [founder = machine(1), second = machine(2), ...rest] = honest;
  const junior = machine(3);
  const membership = found(founder, "home", { hasTrial: true, isUnanimous: true });
  admit(membership, founder, second, 1);
  admit(membership, founder, junior, 2);
  // In one epoch: nobody else has to accept what the founder makes before there are four.
  for (const [at, guest] of rest.entries()) {
    membership.issue(founder.keys, { kind: "domain", name: `d${at}` }, START);
    admit(membership, founder, guest, 100 + at, `d${at}`);
  }
  agree(membership, honest);
  return { membership, founder, junior, honest };
}

/** Plays what the thief does. @returns the machines that it has made */
function rob({ membership, junior, honest }: World, steps: readonly Step[]): Machine[] {
  const own = [junior];
  for (const [at, { actor, target, act }] of steps.entries()) {
    const { state } = membership;
    const by = own[actor % own.length] ?? junior;
    if (state === undefined) break;
    const name = `fake${target % 4}`;
    const guest = machine(1_000 + at, `g${at}`);
    const [id = ""] = [...state.proposals.keys()].slice(target % Math.max(1, state.proposals.size));
    const whom = [...state.members.keys()][target % state.members.size] ?? "";
    if (act === "domain") membership.issue(by.keys, { kind: "domain", name }, START);
    else if (act === "begin") admit(membership, by, guest, 5_000 + at, name);
    else if (act === "admit") admit(membership, by, guest, 5_000 + at);
    else if (act === "accept") membership.issue(by.keys, { kind: "accept", statement: id }, START);
    else if (act === "revoke" && whom !== junior.keys.publicKey) membership.issue(by.keys, { kind: "revoke", member: whom }, START);
    else if (act === "policy") membership.issue(by.keys, { kind: "policy", number: state.policy.number + 1, policy: {} }, START);
    else if (act === "leave" && by !== junior) membership.issue(by.keys, { kind: "leave" }, START);
    else if (act === "epoch") agree(membership, [...own, ...honest]);
    if (act === "begin" || act === "admit") own.push(guest);
  }
  for (let at = 0; at < 3; at++) agree(membership, [...own, ...honest]);
  return own;
}

function voicesOf(state: State | undefined, machines: readonly Machine[]): Set<string> {
  const active = machines.filter(({ keys }) => state?.members.get(keys.publicKey)?.standing === "active");
  return new Set(active.map(({ keys }) => (state === undefined ? "" : countedDomain(state, keys.publicKey))));
}

const steps = fc.array(step, { minLength: 5, maxLength: 60 });

test("a junior admin's key has one voice, the first domain's, whatever it makes and whomever it puts out", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 }), steps, (others, played) => {
      const before = world(others);
      const voices = domainsOf(before.membership.state as State);
      assert.equal(voices.size, 1 + others);
      const fakes = rob(before, played);
      const { state, decided } = before.membership;
      assert.ok([...voicesOf(state, fakes)].every((domain) => domain === "home"));
      const spokenFor = [...(decided?.council.speakers.entries() ?? [])].filter(([, key]) =>
        fakes.some(({ keys }) => keys.publicKey === key),
      );
      assert.ok(spokenFor.every(([domain]) => domain === "home"));
      assert.ok(
        [...(decided?.council.speakers.keys() ?? [])].every((domain) => voices.has(domain)),
        "no domain counts that did not before",
      );
    }),
    { numRuns: 150 },
  );
});

test("in a network of fewer than four domains the founder undoes all of it with one epoch, for all who hear of that", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 }), steps, (others, played) => {
      const before = world(others);
      const { founder, junior } = before;
      const elsewhere = copyOf(before.membership);
      rob(before, played);
      elsewhere.issue(founder.keys, { kind: "revoke", member: junior.keys.publicKey }, START);
      agree(elsewhere, [founder]);
      before.membership.merge(elsewhere.statements().map(({ bytes }) => bytes));
      agree(before.membership, [founder]);
      const { state, decidedBy } = before.membership;
      assert.equal(state?.members.get(founder.keys.publicKey)?.standing, "active");
      assert.equal(state?.members.get(junior.keys.publicKey)?.standing, "revoked");
      assert.equal(decidedBy?.by, "admin");
    }),
    { numRuns: 100 },
  );
});

test("one admin's domains do not count though there are ten thousand machines in them", () => {
  // The rule looks at domains and their makers alone, so one machine in each stands for any number.
  const before = world(2);
  const { membership, junior, founder } = before;
  for (let at = 0; at < 5; at++) {
    assert.equal(membership.issue(junior.keys, { kind: "domain", name: `fake${at}` }, START).kind, "issued");
    admit(membership, junior, machine(500 + at), 500 + at, `fake${at}`);
  }
  assert.deepEqual(membership.issue(junior.keys, { kind: "domain", name: "fake5" }, START), { kind: "refused", why: "too-many-proposals" });
  agree(membership, [founder]);
  assert.equal(membership.decided?.council.speakers.size, 3);
  assert.equal(domainsOf(membership.state as State).size, 3);
});

test("a domain counts once the founder accepts it, or two domains; from four domains on, more than may be hostile", () => {
  const before = world(2);
  const { membership, junior, founder, honest } = before;
  const guest = machine(50);
  const made = membership.issue(junior.keys, { kind: "domain", name: "guest" }, START);
  assert.ok(made.kind === "issued");
  admit(membership, junior, guest, 50, "guest");
  agree(membership, honest);
  assert.equal(membership.decided?.council.speakers.size, 3);
  const accept = { kind: "accept", statement: made.checked.id } as const;
  const [, second, third, fourth] = honest as [Machine, Machine, Machine, Machine];
  assert.deepEqual(membership.issue(second.keys, accept, START), { kind: "refused", why: "not-a-speaker" });
  membership.issue(third.keys, accept, START);
  assert.deepEqual(membership.issue(third.keys, accept, START), { kind: "refused", why: "accepted-already" });
  agree(membership, honest);
  assert.equal(membership.decided?.council.speakers.size, 3, "one of two");
  const byTwo = copyOf(membership);
  byTwo.issue(fourth.keys, accept, START);
  agree(byTwo, honest);
  assert.equal(byTwo.decided?.council.speakers.get("guest"), guest.keys.publicKey);
  membership.issue(founder.keys, accept, START);
  agree(membership, honest);
  assert.equal(membership.decided?.council.speakers.get("guest"), guest.keys.publicKey);
  // Now there are four domains, and the founder's word is one of two.
  const fifth = membership.issue(founder.keys, { kind: "domain", name: "fifth" }, START);
  assert.ok(fifth.kind === "issued");
  admit(membership, founder, machine(51), 51, "fifth");
  agree(membership, [...honest, guest]);
  assert.equal(membership.decided?.council.speakers.size, 4);
  membership.issue(guest.keys, { kind: "accept", statement: fifth.checked.id }, START);
  agree(membership, [...honest, guest]);
  assert.equal(membership.decided?.council.speakers.size, 5);
});

test("who was let in by whom did not put out the founder may speak for the first domain with the same weight", () => {
  const [founder, second, junior] = [machine(1), machine(2), machine(3)];
  const network = found(founder, "home", { hasTrial: true });
  admit(network, founder, second, 1);
  admit(network, founder, junior, 2);
  agree(network, [founder]);
  const oust = (by: Machine): Membership => {
    const copy = copyOf(network);
    copy.issue(by.keys, { kind: "revoke", member: founder.keys.publicKey }, START);
    agree(copy, [by]);
    return copy;
  };
  assert.equal(oust(junior).decided?.council.chair, second.keys.publicKey);
  const taken = oust(second);
  assert.equal(taken.decided?.council.chair, undefined, "it has put out who was before it");
  taken.issue(second.keys, { kind: "domain", name: "own" }, START);
  admit(taken, second, machine(60), 60, "own");
  agree(taken, [second]);
  assert.equal(taken.decided?.council.speakers.size, 1);
});

test("networks that were founded before count every domain that an admin makes, until their policy says otherwise", () => {
  const [founder, junior] = [machine(1), machine(3)];
  const network = found(founder);
  admit(network, founder, junior, 2);
  const make = (name: string, number: number): void => {
    network.issue(junior.keys, { kind: "domain", name }, START);
    admit(network, junior, machine(number), number, name);
    agree(network, [founder]);
  };
  make("one", 70);
  assert.equal(network.decided?.council.speakers.size, 2);
  network.issue(founder.keys, { kind: "policy", number: 1, policy: { hasTrial: true } }, START);
  agree(network, [founder]);
  make("two", 71);
  assert.equal(network.decided?.council.speakers.size, 2);
  network.issue(founder.keys, { kind: "policy", number: 2, policy: {} }, START);
  agree(network, [founder]);
  make("three", 72);
  assert.equal(network.decided?.council.speakers.size, 2, "it is not taken back");
});

test("an admin cannot take the voice of a domain that another one made for somebody else", () => {
  const before = world(0);
  const { membership, founder, junior } = before;
  membership.issue(founder.keys, { kind: "domain", name: "partner" }, START);
  agree(membership, [founder]);
  const key = machine(80).keys.publicKey;
  const issued = membership.issue(junior.keys, { kind: "invite", key, domain: "partner", expiresAtMs: START + 1 }, START);
  assert.deepEqual(issued, { kind: "refused", why: "domain-foreign" });
});
