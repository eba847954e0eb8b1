import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NetworkPolicy, type Operation, type SharingPolicy, type ToolchainsAccept } from "../base/index.ts";
import { judge } from "./judge.ts";
import { admit, agree, codec, copyOf, found, type Machine, machine, START, signed } from "./membership.fixture.ts";
import { auditUnder, invitationsUnder, isLaxer, sharingUnder, toolchainsUnder } from "./policy.ts";
import { attestedBy, executed, trustWorld } from "./trust.fixture.ts";

const SHARING: readonly SharingPolicy[] = ["speculative", "team", "release", "self"];
const TOOLCHAINS: readonly ToolchainsAccept[] = ["network", "domain", "approved"];

const DIGESTS = ["aa", "bb", "cc"].map((byte) => byte.repeat(32));

const policies: fc.Arbitrary<NetworkPolicy> = fc.record(
  {
    sharing: fc.constantFrom(...SHARING),
    quorum: fc.integer({ min: 1, max: 6 }),
    auditOneOf: fc.integer({ min: 1, max: 100 }),
    openInvitations: fc.integer({ min: 1, max: 5 }),
    toolchains: fc.constantFrom(...TOOLCHAINS),
    approvedToolchains: fc.subarray(DIGESTS, { minLength: 1 }),
    hasTrial: fc.constant(true),
    isUnanimous: fc.constant(true),
  },
  { requiredKeys: [], noNullPrototype: true },
);

/** What a machine is held to, each number greater where it is stricter. */
function held(rules: NetworkPolicy, own: SharingPolicy, toolchains: ToolchainsAccept): number[] {
  const tier = sharingUnder(rules, own);
  return [
    SHARING.indexOf(tier),
    TOOLCHAINS.indexOf(toolchainsUnder(rules, toolchains)),
    rules.quorum ?? 0,
    -auditUnder(rules, tier),
    -invitationsUnder(rules),
  ];
}

test("a machine is never held to less than it says itself, nor to less than the network says", () => {
  fc.assert(
    fc.property(policies, fc.constantFrom(...SHARING), fc.constantFrom(...TOOLCHAINS), (rules, own, toolchains) => {
      const [sharing = -1, accepts = -1] = held(rules, own, toolchains);
      assert.ok(sharing >= SHARING.indexOf(own) && sharing >= SHARING.indexOf(rules.sharing ?? "speculative"));
      assert.ok(accepts >= TOOLCHAINS.indexOf(toolchains) && accepts >= TOOLCHAINS.indexOf(rules.toolchains ?? "network"));
    }),
  );
});

test("a project makes machines stricter and nothing else", () => {
  fc.assert(
    fc.property(policies, fc.constantFrom(...SHARING), fc.constantFrom(...SHARING), (rules, own, project) => {
      const without = SHARING.indexOf(sharingUnder(rules, own));
      assert.equal(SHARING.indexOf(sharingUnder(rules, own, project)), Math.max(without, SHARING.indexOf(project)));
    }),
  );
});

test("what is used under a stricter project, machine or network is used under a laxer one, too", () => {
  const world = trustWorld([2, 2, 1, 1]);
  const everybody = world.signers.flat();
  const [reader] = everybody;
  assert.ok(reader !== undefined);
  const said = fc.record({ who: fc.constantFrom(...everybody.slice(1)), isGood: fc.boolean() });
  const tiers = fc.constantFrom(...SHARING);
  const rules = fc.record({ sharing: tiers, quorum: fc.integer({ min: 1, max: 4 }) }, { requiredKeys: [], noNullPrototype: true });
  let used = 0;
  fc.assert(
    fc.property(fc.array(said, { minLength: 1, maxLength: 6 }), rules, tiers, tiers, tiers, (voices, ruled, own, stricter, laxer) => {
      const attested = voices.map(({ who, isGood }) => attestedBy(world.state.network, who, executed("work", isGood ? "good" : "bad")));
      const [claim] = attested;
      assert.ok(claim !== undefined);
      const state = { ...world.state, policy: { ...world.state.policy, rules: ruled } };
      const isUsed = (policy: SharingPolicy, project: SharingPolicy | undefined): boolean =>
        judge({ policy, project, self: reader.keys.publicKey, state, discredited: new Set() }, claim, () => attested).kind === "believed";
      const isStricter = SHARING.indexOf(stricter) >= SHARING.indexOf(laxer);
      const [strict, lax] = isStricter ? [stricter, laxer] : [laxer, stricter];
      if (isUsed(own, strict)) {
        used += 1;
        assert.ok(isUsed(own, lax) && isUsed(own, undefined), "the project's");
      }
      if (isUsed(strict, own)) assert.ok(isUsed(lax, own), "the machine's");
    }),
    { numRuns: 300 },
  );
  assert.ok(used > 0, "some of it is used at all"); // Some twenty in most runs.
});

test("what is not laxer holds no machine to less, whatever that one says; and of two that differ one at least is laxer", () => {
  fc.assert(
    fc.property(policies, policies, fc.constantFrom(...SHARING), fc.constantFrom(...TOOLCHAINS), (next, before, own, toolchains) => {
      const now = held(next, own, toolchains);
      const then = held(before, own, toolchains);
      if (!isLaxer(next, before)) assert.ok(now.every((place, at) => place >= (then[at] ?? 0)));
      else assert.ok(!isLaxer(before, before));
    }),
  );
});

test("a policy travels as it is", () => {
  fc.assert(
    fc.property(policies, fc.integer({ min: 1, max: 65_536 }), (policy, number) => {
      const founder = machine(1);
      const what = { kind: "policy", number, policy } as const;
      const read = codec.decodeStatement(codec.decodeSigned(signed(founder.keys, "00".repeat(32), 1, what)).statement);
      assert.deepEqual(read.what, what);
    }),
    { numRuns: 50 },
  );
});

test("a policy holds from the epoch on that has it, for all who have that epoch", () => {
  const founder = machine(1);
  const network = found(founder);
  const issued = network.issue(founder.keys, { kind: "policy", number: 1, policy: { sharing: "release" } }, START);
  assert.equal(issued.kind, "issued");
  assert.deepEqual(network.state?.policy.rules, {}, "nobody has decided it yet");
  assert.deepEqual(network.intended?.policy.rules, { sharing: "release" });
  agree(network, [founder]);
  const { id: statement } = issued.kind === "issued" ? issued.checked : { id: "" };
  const rules = { sharing: "release" };
  assert.deepEqual(network.state?.policy, { number: 1, rules, statement, by: founder.keys.publicKey, epoch: 1 });
  assert.deepEqual(copyOf(network).state?.policy, network.state?.policy);
});

test("of two policies at once one stands, and the other one is refused rather than lost", () => {
  const [founder, second] = [machine(1), machine(2)];
  const network = found(founder);
  admit(network, founder, second, 1);
  agree(network, [founder]);
  const late = copyOf(network);
  network.issue(founder.keys, { kind: "policy", number: 1, policy: { quorum: 3 } }, START);
  agree(network, [founder]);
  late.issue(second.keys, { kind: "policy", number: 1, policy: { sharing: "release" } }, START);
  network.merge(late.statements().map(({ bytes }) => bytes));
  agree(network, [founder]);
  assert.deepEqual(network.state?.policy.rules, { quorum: 3 });
  const again = network.issue(second.keys, { kind: "policy", number: 1, policy: { sharing: "release" } }, START);
  assert.deepEqual(again, { kind: "refused", why: "policy-changed" });
});

test("a junior admin may make policy stricter alone; laxer only when who speaks for the first domain accepts it", () => {
  const [founder, junior] = [machine(1), machine(2)];
  const network = found(founder);
  admit(network, founder, junior, 1);
  agree(network, [founder]);
  network.issue(junior.keys, { kind: "policy", number: 1, policy: { sharing: "release" } }, START);
  agree(network, [junior]);
  assert.deepEqual(network.state?.policy.rules, { sharing: "release" });
  network.issue(junior.keys, { kind: "policy", number: 2, policy: {} }, START);
  agree(network, [junior]);
  assert.deepEqual(network.state?.policy.rules, { sharing: "release" });
  const [id = ""] = network.state?.proposals.keys() ?? [];
  assert.deepEqual(network.issue(junior.keys, { kind: "accept", statement: id }, START), { kind: "refused", why: "not-a-speaker" });
  network.issue(founder.keys, { kind: "accept", statement: id }, START);
  agree(network, [junior]);
  assert.deepEqual(network.state?.policy.rules, {});
  assert.equal(network.state?.proposals.size, 0);
});

test("versions of before stay behind from the first epoch on that holds what they do not read, also where it waits or is taken back", () => {
  const [founder, junior] = [machine(1), machine(2)];
  const approvedToolchains = DIGESTS.slice(0, 1);
  const policyOf = (number: number, policy: NetworkPolicy): Operation => ({ kind: "policy", number, policy });
  const claim: Operation = { kind: "claim", name: "release", owner: founder.keys.publicKey, after: "" };
  const rows: readonly (readonly [by: Machine, said: readonly Operation[], isNewer: boolean])[] = [
    [founder, [policyOf(1, { quorum: 2, toolchains: "approved", hasTrial: true }), policyOf(2, {})], false],
    [founder, [policyOf(1, { approvedToolchains })], true],
    [founder, [policyOf(1, { approvedToolchains }), policyOf(2, {})], true],
    [junior, [policyOf(1, { approvedToolchains })], true],
    [founder, [policyOf(1, { isUnanimous: true })], true],
    [founder, [claim], true],
  ];
  for (const [by, said, isNewer] of rows) {
    const network = found(founder);
    admit(network, founder, junior, 1);
    agree(network, [founder]);
    assert.equal(network.state?.isNewer, false);
    for (const what of said) {
      assert.equal(network.issue(by.keys, what, START).kind, "issued");
      assert.equal(network.state?.epoch.number === 1 && network.state.isNewer, false, "nobody has decided it yet");
      assert.equal(network.intended?.isNewer, isNewer, "who is invited now may come after that");
      agree(network, [founder]);
    }
    assert.equal(network.state?.isNewer, isNewer, JSON.stringify(said));
    assert.equal(copyOf(network).state?.isNewer, isNewer);
  }
  assert.equal(found(founder, "home", { hasTrial: true }).state?.isNewer, false);
  assert.equal(found(founder, "home", { hasTrial: true, isUnanimous: true }).state?.isNewer, true);
});

test("the reader goes by what the network has decided, and by its own policy where that is stricter", () => {
  const world = trustWorld([1, 1, 1]);
  const [[home], [partner], [third]] = world.signers as never as [[Signer], [Signer], [Signer]];
  const { network } = world.state;
  const made = executed("a", "x");
  const claim = attestedBy(network, partner, made);
  const known = [claim, attestedBy(network, third, made)];
  const verdict = (policy: SharingPolicy): string => {
    const state = world.membership.state ?? world.state;
    const judged = judge({ policy, self: home.keys.publicKey, state, discredited: new Set() }, claim, () => known);
    return judged.kind === "believed" ? judged.tier : judged.why;
  };
  const decide = (number: number, policy: NetworkPolicy): void => {
    assert.equal(world.membership.issue(home.keys, { kind: "policy", number, policy }, START).kind, "issued");
    agree(world.membership, [home]);
  };
  assert.equal(verdict("team"), "team");
  assert.equal(verdict("release"), "too-few-domains");
  decide(1, { sharing: "release" });
  assert.equal(verdict("team"), "too-few-domains", "the network is stricter");
  decide(2, { quorum: 3 });
  assert.equal(verdict("speculative"), "too-few-domains");
  decide(3, { sharing: "speculative" });
  assert.equal(verdict("team"), "team");
  assert.equal(verdict("self"), "policy", "the machine is stricter");
  decide(4, { sharing: "self" });
  assert.equal(verdict("speculative"), "policy");
});

type Signer = ReturnType<typeof trustWorld>["signers"][number][number];

test("what a member proposed ends with its membership: nobody can accept it any more", () => {
  const [founder, junior] = [machine(1), machine(2)];
  const network = found(founder, "home", { hasTrial: true });
  admit(network, founder, junior, 1);
  network.issue(founder.keys, { kind: "policy", number: 1, policy: { sharing: "release" } }, START);
  agree(network, [founder]);
  const policy = network.issue(junior.keys, { kind: "policy", number: 2, policy: {} }, START);
  const domain = network.issue(junior.keys, { kind: "domain", name: "own" }, START);
  assert.ok(policy.kind === "issued" && domain.kind === "issued");
  agree(network, [founder]);
  assert.equal(network.state?.proposals.size, 2);
  network.issue(founder.keys, { kind: "revoke", member: junior.keys.publicKey }, START);
  agree(network, [founder]);
  for (const { id } of [policy.checked, domain.checked])
    assert.deepEqual(network.issue(founder.keys, { kind: "accept", statement: id }, START), { kind: "refused", why: "proposal-unknown" });
  assert.deepEqual(network.state?.policy.rules, { sharing: "release" });
});

test("what enough have accepted takes effect also where it became enough only because there are fewer domains", () => {
  const people = [1, 2, 3, 4].map((number) => machine(number)) as [Machine, Machine, Machine, Machine];
  const [founder, ...partners] = people;
  const network = found(founder);
  for (const [at, partner] of partners.entries()) {
    network.issue(founder.keys, { kind: "domain", name: `d${at}` }, START);
    admit(network, founder, partner, at, `d${at}`);
  }
  network.issue(founder.keys, { kind: "policy", number: 1, policy: { quorum: 2 } }, START);
  agree(network, people);
  assert.equal(network.issue(founder.keys, { kind: "policy", number: 2, policy: {} }, START).kind, "issued");
  agree(network, people);
  assert.deepEqual(network.state?.policy.rules, { quorum: 2 }, "one of four domains is not enough");
  network.issue(partners[2].keys, { kind: "leave" }, START);
  agree(network, people);
  assert.deepEqual(network.state?.policy.rules, {}, "of three domains the chair is");
  assert.equal(network.state?.proposals.size, 0);
  assert.deepEqual(copyOf(network).state?.policy, network.state?.policy);
});

test("one approved toolchain more is laxer, one less is not", () => {
  const [one = "", two = ""] = DIGESTS;
  assert.equal(isLaxer({ approvedToolchains: [one] }, {}), true);
  assert.equal(isLaxer({}, { approvedToolchains: [one] }), false);
  assert.equal(isLaxer({ approvedToolchains: [one] }, { approvedToolchains: [one, two] }), false);
  assert.equal(isLaxer({ approvedToolchains: [two] }, { approvedToolchains: [one] }), true, "another one");
  assert.equal(isLaxer({ approvedToolchains: [one] }, { approvedToolchains: [one] }), false);
});
