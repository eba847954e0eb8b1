import assert from "node:assert/strict";
import { test } from "node:test";
import type { SharingPolicy } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { judge, type Reader } from "./judge.ts";
import { admit, agree, found, START } from "./membership.fixture.ts";
import type { State } from "./state.ts";
import { attestedBy, executed, executedCommand, type Signer, signerOf, trustWorld } from "./trust.fixture.ts";

/** One domain of its own for everybody but `sister`, who shares that of `self`. */
const world = trustWorld([2, 2, 1, 1, 1]);
const [[self, sister], [blue, azure], [green], [red], [gold]] = world.signers as [Signer[], Signer[], Signer[], Signer[], Signer[]];
const people = { self, sister, blue, azure, green, red, gold, ...others() } as Record<string, Signer>;
const state = withOthers();

function others(): Record<string, Signer> {
  return { revoked: signerOf(50, "d1"), left: signerOf(51, "d1"), provisional: signerOf(52, "d4"), stranger: signerOf(53, "d1") };
}

function withOthers(): State {
  const { membership } = world;
  const { revoked, left, provisional } = people;
  assert.ok(blue !== undefined && self !== undefined && gold !== undefined);
  assert.ok(revoked !== undefined && left !== undefined && provisional !== undefined);
  admit(membership, blue, revoked, 90, "d1");
  admit(membership, blue, left, 91, "d1");
  membership.issue(self.keys, { kind: "revoke", member: revoked.keys.publicKey }, START);
  membership.issue(left.keys, { kind: "leave" }, START);
  agree(membership, world.signers.flat());
  admit(membership, gold, provisional, 92, "d4");
  assert.ok(membership.state !== undefined);
  return membership.state;
}

function by(name: string, outcome = "good", what = "work", network = state.network): Attestation {
  const signer = people[name] ?? assert.fail(`who is ${name}?`);
  return attestedBy(network, signer, executed(what, outcome));
}

function reader(policy: SharingPolicy, of: Partial<Reader> = {}): Reader {
  return { policy, self: self?.keys.publicKey ?? "", state, discredited: new Set(), ...of };
}

/** In words: what is believed, as what, or why not and how far it is from that. */
function verdictOf(of: Reader, claim: Attestation, known: readonly Attestation[]): string {
  const verdict = judge(of, claim, () => known);
  if (verdict.kind === "believed") return `${verdict.tier} by ${verdict.certificate.length}`;
  return verdict.needed === 0 ? verdict.why : `${verdict.why}: ${verdict.domains} of ${verdict.needed}`;
}

const POLICIES = ["self", "speculative", "team", "release"] as const;
/** Who offers what and who else says what (`name` or `name=another outcome`); what each policy makes of it. */
const TABLE: readonly (readonly [offered: string, known: string, ...verdicts: readonly [string, string, string, string]])[] = [
  ["self", "", "self by 1", "self by 1", "self by 1", "self by 1"],
  ["self", "blue=bad green=bad red=bad", "self by 1", "self by 1", "self by 1", "self by 1"],
  ["sister", "", "policy", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  ["blue", "", "policy", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  ["blue", "azure", "policy", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  ["blue", "self", "policy", "team by 2", "team by 2", "too-few-domains: 2 of 3"],
  ["blue", "sister", "policy", "team by 2", "team by 2", "too-few-domains: 2 of 3"],
  ["blue", "green", "policy", "team by 2", "team by 2", "too-few-domains: 2 of 3"],
  ["blue", "green red", "policy", "team by 2", "team by 2", "release by 3"],
  ["blue", "azure blue blue", "policy", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  ["blue", "provisional", "policy", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  ["provisional", "", "policy", "speculative by 1", "too-few-domains: 0 of 2", "too-few-domains: 0 of 3"],
  ["provisional=bad", "blue green red", "policy", "disputed: 0 of 1", "disputed: 0 of 2", "disputed: 0 of 3"],
  ["provisional=bad", "blue", "policy", "disputed: 0 of 1", "disputed: 0 of 2", "disputed: 0 of 3"],
  ["blue", "revoked left stranger", "policy", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  ["revoked", "blue green", "revoked", "revoked", "revoked", "revoked"],
  ["left", "blue green", "left", "left", "left", "left"],
  ["stranger", "blue green", "stranger", "stranger", "stranger", "stranger"],
  ["blue", "green=bad", "policy", "disputed: 1 of 1", "disputed: 1 of 2", "disputed: 1 of 3"],
  ["blue", "azure=bad", "policy", "disputed: 1 of 1", "disputed: 1 of 2", "disputed: 1 of 3"],
  ["blue", "self=bad", "policy", "own-work-differs: 1 of 1", "own-work-differs: 1 of 2", "own-work-differs: 1 of 3"],
  ["blue", "green red self=bad", "policy", "own-work-differs: 2 of 1", "own-work-differs: 2 of 2", "own-work-differs: 3 of 3"],
  ["blue", "green=bad red=bad", "policy", "disputed: 1 of 1", "disputed: 1 of 2", "disputed: 1 of 3"],
  ["blue", "green red=bad", "policy", "team by 2", "disputed: 2 of 2", "disputed: 2 of 3"],
  ["blue", "green gold red=bad", "policy", "team by 2", "team by 2", "disputed: 3 of 3"],
  ["blue", "green red=bad gold=bad", "policy", "not-deterministic: 2 of 1", "not-deterministic: 2 of 2", "not-deterministic: 2 of 3"],
  ["blue", "green stranger=bad revoked=bad provisional=bad", "policy", "team by 2", "team by 2", "too-few-domains: 2 of 3"],
];

for (const [offered, known, ...verdicts] of TABLE)
  for (const [at, policy] of POLICIES.entries())
    test(`${policy}: offered by ${offered}${known === "" ? "" : `, known of ${known}`}: ${verdicts[at]}`, () => {
      const others = known.split(" ").flatMap((one) => {
        const [name = "", outcome] = one.split("=");
        return name === "" ? [] : [by(name, outcome)];
      });
      const [name = "", outcome] = offered.split("=");
      assert.equal(verdictOf(reader(policy), by(name, outcome), others), verdicts[at]);
    });

/** How many vouch for it, of one domain or each of another; what each policy makes of it. */
const VOUCHERS: readonly (readonly [
  count: number,
  of: "one domain" | "distinct domains",
  ...verdicts: readonly [string, string, string],
])[] = [
  [1, "one domain", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  [2, "one domain", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  [3, "one domain", "speculative by 1", "too-few-domains: 1 of 2", "too-few-domains: 1 of 3"],
  [2, "distinct domains", "team by 2", "team by 2", "too-few-domains: 2 of 3"],
  [3, "distinct domains", "team by 2", "team by 2", "release by 3"],
];

for (const [count, of, ...verdicts] of VOUCHERS)
  test(`${count} machines of ${of} vouch for it: ${verdicts.join("; ")}`, () => {
    const small = trustWorld([1, 3, 1, 1], 500);
    const [own = [], same = [], ...others] = small.signers;
    const vouch = (of === "one domain" ? same : [same, ...others].flatMap(([first]) => (first === undefined ? [] : [first]))).slice(
      0,
      count,
    );
    assert.equal(vouch.length, count);
    const [claim, ...known] = vouch.map((signer) => attestedBy(small.state.network, signer, executed("work", "good")));
    const reads = { self: own[0]?.keys.publicKey ?? "", state: small.state };
    for (const [at, policy] of (["speculative", "team", "release"] as const).entries())
      assert.equal(verdictOf({ ...reader(policy), ...reads }, claim ?? assert.fail(), known), verdicts[at], policy);
    assert.equal(verdictOf({ ...reader("self"), ...reads }, claim ?? assert.fail(), known), "policy");
  });

test("one domain is enough where there is no other", () => {
  const small = trustWorld([3], 200);
  const [first, second] = small.signers[0] ?? [];
  assert.ok(first !== undefined && second !== undefined);
  const claim = attestedBy(small.state.network, second, executed("work", "good"));
  const of = { ...reader("team"), self: first.keys.publicKey, state: small.state };
  assert.equal(verdictOf(of, claim, []), "team by 1");
  assert.equal(verdictOf({ ...of, policy: "speculative" }, claim, []), "team by 1");
  assert.equal(verdictOf({ ...of, policy: "release" }, claim, []), "too-few-domains: 1 of 3");
});

test("who contradicts takes the place of one more voice only where there are as many domains", () => {
  const small = trustWorld([1, 1, 1, 1], 300);
  const [own, one, two, liar] = small.signers.flat();
  assert.ok(own !== undefined && one !== undefined && two !== undefined && liar !== undefined);
  const of = { ...reader("team"), self: own.keys.publicKey, state: small.state };
  const says = (signer: Signer, outcome: string): Attestation => attestedBy(small.state.network, signer, executed("work", outcome));
  assert.equal(verdictOf(of, says(one, "good"), [says(two, "good"), says(liar, "bad")]), "disputed: 2 of 2");
  const three = trustWorld([1, 1, 1], 320);
  const [, a, b] = three.signers.flat();
  assert.ok(a !== undefined && b !== undefined);
  const reads = { ...of, self: "", state: three.state };
  const [c] = three.signers.flat();
  const said = (signer: Signer | undefined, outcome: string): Attestation =>
    attestedBy(three.state.network, signer ?? assert.fail(), executed("work", outcome));
  assert.equal(verdictOf(reads, said(a, "good"), [said(b, "good"), said(c, "bad")]), "team by 2");
});

test("whose voice does not count vouches for nothing, and contradicts nobody", () => {
  const without = (name: string): Reader => reader("team", { discredited: new Set([people[name]?.attestationKey ?? ""]) });
  assert.equal(verdictOf(without("blue"), by("blue"), [by("green")]), "discredited");
  assert.equal(verdictOf(without("green"), by("blue"), [by("green")]), "too-few-domains: 1 of 2");
  assert.equal(verdictOf(without("green"), by("blue"), [by("red"), by("green", "bad")]), "team by 2");
});

test("what was compiled is not contradicted by who says that it was a command; own work is heard, whatever it says it was", () => {
  const team = reader("team");
  const posing = (name: string): Attestation => attestedBy(state.network, people[name] ?? assert.fail(), executedCommand("work", "bad"));
  assert.equal(verdictOf(team, by("blue"), [by("green"), posing("red"), posing("gold")]), "team by 2");
  assert.equal(verdictOf(team, posing("red"), [posing("gold"), by("blue"), by("green")]), "not-deterministic: 2 of 2");
  assert.equal(verdictOf(team, posing("red"), [posing("gold"), by("self")]), "own-work-differs: 2 of 2");
  assert.equal(verdictOf(team, by("red"), [by("gold"), posing("self")]), "own-work-differs: 2 of 2");
});

test("what vouches for another action, another entry or another network vouches for nothing", () => {
  const team = reader("team");
  assert.equal(verdictOf(team, by("blue"), [by("green", "good", "other work")]), "too-few-domains: 1 of 2");
  const claim = by("blue");
  const entry = executed("work", "good");
  const read = attestedBy(state.network, people.green ?? assert.fail(), { ...entry, entry: { ...entry.entry, absent: [] } });
  assert.equal(verdictOf(team, claim, [read]), "too-few-domains: 1 of 2", "but it contradicts nothing, either");
  assert.equal(verdictOf(team, claim, [by("green", "good", "work", claim.action)]), "too-few-domains: 1 of 2");
});

test("who was put out itself believes by certificate as before", () => {
  const of = reader("team", { self: people.stranger?.keys.publicKey ?? "" });
  assert.equal(verdictOf(of, by("blue"), []), "too-few-domains: 1 of 2");
  assert.equal(verdictOf(of, by("blue"), [by("green")]), "team by 2");
});

test("a peer key signs no results", () => {
  const keys = people.blue?.keys ?? assert.fail();
  const claim = attestedBy(state.network, { sign: keys }, executed("work", "good"));
  assert.equal(verdictOf(reader("speculative"), claim, []), "stranger");
});

test("of many answers that one domain has made up, few signatures are looked at", () => {
  const looked = new Set<Attestation>();
  const watched = Array.from({ length: 200 }, (_, at) => {
    const one = by(at % 2 === 0 ? "blue" : "azure", `bad ${at}`);
    const { signature } = one;
    return Object.defineProperty({ ...one }, "signature", { get: () => (looked.add(one), signature) });
  });
  const known = [...watched, by("red"), by("gold")];
  assert.equal(verdictOf(reader("team"), by("green"), known), "team by 2");
  assert.ok(looked.size <= 2, `${looked.size} were verified`);
});

test("who is on trial vouches for nothing outside its own domain, and may contradict others", () => {
  const [founder, junior, mate, onTrial, sister, partner] = ["home", "home", "home", "trial", "trial", "partner"].map((domain, at) =>
    signerOf(400 + at, domain),
  ) as [Signer, Signer, Signer, Signer, Signer, Signer];
  const network = found(founder, "home", { hasTrial: true });
  admit(network, founder, junior, 1);
  admit(network, founder, mate, 2);
  agree(network, [founder]);
  network.issue(junior.keys, { kind: "domain", name: "trial" }, START);
  admit(network, junior, onTrial, 3, "trial");
  agree(network, [founder]);
  admit(network, onTrial, sister, 4);
  agree(network, [founder]);
  const says = (signer: Signer, outcome = "good"): Attestation => attestedBy(network.network, signer, executed("work", outcome));
  const verdict = (self: Signer, policy: SharingPolicy, claim: Attestation, ...known: Attestation[]): string =>
    verdictOf({ policy, self: self.keys.publicKey, state: network.state ?? state, discredited: new Set() }, claim, known);
  assert.equal(verdict(founder, "speculative", says(onTrial)), "too-few-domains: 0 of 1", "one domain alone has a voice");
  assert.equal(verdict(founder, "team", says(onTrial), says(sister)), "too-few-domains: 0 of 1");
  assert.equal(verdict(founder, "team", says(onTrial), says(mate)), "team by 1", "a machine of the first domain says so");
  assert.equal(verdict(founder, "team", says(mate)), "team by 1");
  assert.equal(verdict(sister, "team", says(onTrial)), "team by 1", "its own domain goes by it");
  network.issue(founder.keys, { kind: "domain", name: "partner" }, START);
  admit(network, founder, partner, 5, "partner");
  agree(network, [founder]);
  assert.equal(verdict(founder, "speculative", says(onTrial)), "too-few-domains: 0 of 1");
  for (const reader of [founder, junior]) {
    assert.equal(verdict(reader, "team", says(onTrial), says(partner)), "too-few-domains: 1 of 2", "not in the first domain's name");
    assert.equal(verdict(reader, "team", says(partner), says(onTrial)), "too-few-domains: 1 of 2");
    assert.equal(verdict(reader, "team", says(partner), says(onTrial), says(mate)), "team by 2");
  }
  assert.equal(verdict(founder, "speculative", says(mate), says(onTrial, "bad")), "disputed: 1 of 1");
  assert.equal(verdict(founder, "speculative", says(onTrial, "bad"), says(mate), says(partner)), "disputed: 0 of 1");
  assert.equal(verdict(sister, "team", says(onTrial), says(partner)), "team by 2");
});
