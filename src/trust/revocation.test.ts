/**
 * Who puts out whom in networks of one to four domains: at once, by an epoch, or not before others agree; as a table. And whom those who wait distrust.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Digest, Operation } from "../base/index.ts";
import { accusedBy } from "./accused.ts";
import { admit, agree, codec, copyOf, found, HOUR, type Machine, machine, START, secret, signed } from "./membership.fixture.ts";
import type { Membership } from "./membership.ts";
import { keepersOfChair } from "./operations.ts";
import { neededFor } from "./proposals.ts";
import { isLetInBy } from "./state.ts";
import { requestToJoin } from "./statements.ts";

/** The first domain's founder and a junior admin; of each other domain its first machine and a second one. */
type Name = "founder" | "junior" | "b" | "b2" | "c" | "c2" | "d" | "d2";

interface World {
  readonly network: Membership;
  readonly machines: Readonly<Record<Name, Machine>>;
  readonly all: readonly Machine[];
}

const NAMES: readonly Name[] = ["founder", "junior", "b", "b2", "c", "c2", "d", "d2"];

/** Since when domains put out each other's machines only together: as networks are founded today, by a policy before there were others, or not. */
type Unanimous = "genesis" | "policy" | "no";

/** Every domain has a voice, and all of it is in epochs. */
function worldOf(domains: number, unanimous: Unanimous): World {
  const machines = Object.fromEntries(NAMES.map((name, at) => [name, machine(at + 1, name)])) as Record<Name, Machine>;
  const { founder, junior } = machines;
  const network = found(founder, "home", { hasTrial: true, ...(unanimous === "genesis" && { isUnanimous: true }) });
  const all = [founder];
  let number = 1;
  const join = (host: Machine, guest: Machine, domain?: string): void => {
    admit(network, host, guest, number++, domain);
    agree(network, all);
    all.push(guest);
  };
  join(founder, junior);
  if (unanimous === "policy")
    assert.equal(network.issue(founder.keys, { kind: "policy", number: 1, policy: { isUnanimous: true } }, START).kind, "issued");
  for (const name of (["b", "c", "d"] as const).slice(0, domains - 1)) {
    network.issue(founder.keys, { kind: "domain", name }, START);
    join(founder, machines[name], name);
    join(machines[name], machines[`${name}2`]);
  }
  agree(network, all);
  assert.equal(network.decided?.council.speakers.size, domains);
  assert.equal(network.decided.isUnanimous, unanimous !== "no");
  return { network, machines, all };
}

/** The founder makes another domain, of one machine, that has its voice at once. */
function addDomain({ network, machines, all }: World, name: "d"): World {
  const { founder } = machines;
  issued(network, founder, { kind: "domain", name });
  admit(network, founder, machines[name], 100, name);
  agree(network, all);
  return { network, machines, all: [...all, machines[name]] };
}

function issued(network: Membership, by: Machine, what: Operation): Digest {
  const done = network.issue(by.keys, what, START);
  return done.kind === "issued" ? done.checked.id : assert.fail(done.why);
}

function isOut({ network, machines }: World, who: Name): boolean {
  return network.decided?.members.get(machines[who].keys.publicKey)?.standing === "revoked";
}

type Outcome = "at once" | "by an epoch" | "when others agree" | "never";

/** @property needs whose word beside the author's it takes where others must agree */
interface Row {
  readonly domains: number;
  readonly unanimous: Unanimous;
  readonly by: Name;
  readonly who: Name;
  readonly outcome: Outcome;
  readonly needs?: readonly Name[];
}

const row = (domains: number, unanimous: Unanimous, by: Name, who: Name, outcome: Outcome, ...needs: Name[]): Row => {
  return { domains, unanimous, by, who, outcome, needs };
};

const rows: readonly Row[] = [
  // One domain: any of its machines, as ever.
  row(1, "genesis", "founder", "junior", "at once"),
  row(1, "genesis", "junior", "founder", "at once"),
  // A domain's own machines are its own affair, however many domains there are.
  ...[2, 3, 4].flatMap((domains) => [
    row(domains, "genesis", "founder", "junior", "at once"),
    row(domains, "genesis", "b", "b2", "at once"),
  ]),
  // Two: the other domain's word is that of who speaks for it.
  row(2, "genesis", "founder", "b2", "at once"),
  row(2, "genesis", "junior", "b2", "when others agree", "founder"),
  row(2, "genesis", "junior", "b", "when others agree", "founder"),
  // Three: the third one's, too.
  row(3, "genesis", "founder", "b2", "when others agree", "c"),
  row(3, "genesis", "founder", "c", "when others agree", "b"),
  row(3, "genesis", "junior", "b", "when others agree", "founder", "c"),
  // Four: domains decide when, and not whether.
  row(4, "genesis", "founder", "b2", "by an epoch"),
  row(4, "genesis", "junior", "b2", "by an epoch"),
  // Where a policy said so, as in networks of before.
  row(2, "policy", "junior", "b", "when others agree", "founder"),
  row(3, "policy", "founder", "b2", "when others agree", "c"),
  // Networks that have not chosen it.
  row(2, "no", "junior", "b", "at once"),
  row(3, "no", "junior", "b", "at once"),
  row(4, "no", "junior", "b", "by an epoch"),
  // Who is not of the first domain puts out nobody else's, together or not.
  ...[2, 3, 4].map((domains) => row(domains, "genesis", "b", "junior", "never")),
  row(3, "genesis", "b", "c", "never"),
];

for (const one of rows) {
  const { domains, unanimous, by, who, outcome, needs = [] } = one;
  const how = `${outcome}${needs.length > 0 ? ` (${needs.join(", ")})` : ""}`;
  test(`${domains} domains${unanimous === "no" ? "" : `, unanimous by ${unanimous}`}: ${by} puts out ${who}: ${how}`, () => {
    const world = worldOf(domains, unanimous);
    const { network, machines, all } = world;
    const isProvisionallyOut = (): boolean => network.state?.members.get(machines[who].keys.publicKey)?.standing === "revoked";
    const revoke = { kind: "revoke", member: machines[who].keys.publicKey } as const;
    if (outcome === "never") {
      assert.deepEqual(network.issue(machines[by].keys, revoke, START), { kind: "refused", why: "member-foreign" });
      return;
    }
    const id = issued(network, machines[by], revoke);
    assert.equal(isProvisionallyOut(), outcome === "at once");
    agree(network, all);
    for (const word of needs) {
      assert.ok(!isOut(world, who), `not before ${word} agrees`);
      const waiting = network.decided?.proposals.get(id);
      assert.ok(network.decided && waiting);
      // The founder's own word is one of those that it takes, a junior's is not.
      assert.equal(neededFor(network.decided, waiting.what), needs.length + (by === "founder" ? 1 : 0));
      issued(network, machines[word], { kind: "accept", statement: id });
      agree(network, all);
    }
    assert.ok(isOut(world, who));
    assert.deepEqual(copyOf(network).decided, network.decided);
  });
}

for (const by of ["founder", "junior"] as const)
  test(`from three domains to four, unanimous: what ${by} wants of b2 and others have not agreed to is as if nobody had said it`, () => {
    const three = worldOf(3, "genesis");
    const { network, machines } = three;
    const revoke = { kind: "revoke", member: machines.b2.keys.publicKey } as const;
    const id = issued(network, machines[by], revoke);
    agree(network, three.all);
    assert.ok(network.decided?.proposals.has(id) === true);
    const four = addDomain(three, "d");
    assert.equal(network.decided.council.speakers.size, 4);
    agree(network, four.all);
    assert.ok(!isOut(four, "b2"), "nobody has agreed");
    assert.deepEqual([...network.decided.proposals.keys()], []);
    issued(network, machines[by], revoke);
    assert.ok(!isOut(four, "b2"));
    agree(network, four.all);
    assert.ok(isOut(four, "b2"), "four domains have decided it");
    assert.deepEqual(copyOf(network).decided, network.decided);
  });

test("what two admins want of one machine is one proposal, and waits for nobody's word twice", () => {
  const world = worldOf(3, "genesis");
  const { network, machines, all } = world;
  const revoke = { kind: "revoke", member: machines.b2.keys.publicKey } as const;
  const id = issued(network, machines.junior, revoke);
  issued(network, machines.founder, revoke);
  agree(network, all);
  assert.equal(network.decided?.proposals.size, 1, "the founder's, who is the senior");
  assert.ok(!network.decided.proposals.has(id));
  assert.deepEqual(network.issue(machines.founder.keys, revoke, START), { kind: "refused", why: "accepted-already" });
  assert.ok(!isOut(world, "b2"), "the third domain has said nothing");
  issued(network, machines.c, { kind: "accept", statement: id });
  agree(network, all);
  assert.ok(isOut(world, "b2"));
  assert.deepEqual(copyOf(network).decided, network.decided);
});

test("what a machine wants is still wanted by the other admins that said so when it is put out itself, and by nobody where none has", () => {
  for (const [says, isWaiting] of [
    ["accept", true],
    ["revoke", true],
    ["nothing", false],
  ] as const) {
    const { network, machines, all } = worldOf(3, "genesis");
    const { founder, junior, c, b2 } = machines;
    const revoke = { kind: "revoke", member: b2.keys.publicKey } as const;
    const id = issued(network, junior, revoke);
    agree(network, all);
    if (says !== "nothing") issued(network, founder, says === "accept" ? { kind: "accept", statement: id } : revoke);
    if (says === "accept") agree(network, all);
    issued(network, founder, { kind: "revoke", member: junior.keys.publicKey });
    const rest = all.filter((one) => one !== junior);
    agree(network, rest);
    assert.equal(network.decided?.proposals.get(id)?.by, isWaiting ? founder.keys.publicKey : undefined, says);
    assert.ok(network.state && network.intended);
    assert.equal(accusedBy(founder.keys.publicKey, network.state, network.intended).has(revoke.member), isWaiting);
    if (!isWaiting) continue;
    issued(network, c, { kind: "accept", statement: id });
    agree(network, rest);
    assert.equal(network.decided?.members.get(revoke.member)?.standing, "revoked");
    assert.deepEqual(copyOf(network).decided, network.decided);
  }
});

test("who speaks for the first domain may want any number of machines put out, another admin five", () => {
  for (const [by, most] of [
    ["founder", 7],
    ["junior", 5],
  ] as const) {
    const { network, machines } = worldOf(3, "genesis");
    const guests = Array.from({ length: 7 }, (_, at) => machine(200 + at));
    for (const [at, guest] of guests.entries()) admit(network, machines.b, guest, 200 + at);
    const wanted = guests.filter(
      (guest) => network.issue(machines[by].keys, { kind: "revoke", member: guest.keys.publicKey }, START).kind === "issued",
    );
    assert.equal(wanted.length, most, by);
  }
});

test("who has said that a machine is put out takes that back as long as it waits, for itself alone", () => {
  const { network, machines, all } = worldOf(3, "genesis");
  const { founder, junior, c, b, b2 } = machines;
  const member = b2.keys.publicKey;
  const back = { kind: "revoke", member, isWithdrawn: true } as const;
  const proposed = (): number => network.intended?.proposals.size ?? 0;
  const isAccused = (by: Machine): boolean =>
    network.state !== undefined &&
    network.intended !== undefined &&
    accusedBy(by.keys.publicKey, network.state, network.intended).has(member);
  for (const inEpochs of [false, true]) {
    const pass = (): void => void (inEpochs && agree(network, all));
    const [first] = [issued(network, junior, { kind: "revoke", member }), issued(network, founder, { kind: "revoke", member })];
    pass();
    for (const one of [b, c]) assert.deepEqual(network.issue(one.keys, back, START), { kind: "refused", why: "proposal-unknown" });
    issued(network, junior, back);
    pass();
    assert.deepEqual([proposed(), isAccused(founder)], [1, true], "the founder wants it still");
    issued(network, founder, back);
    pass();
    assert.deepEqual([proposed(), isAccused(founder), isAccused(junior)], [0, false, false]);
    assert.deepEqual(network.issue(c.keys, { kind: "accept", statement: first }, START), { kind: "refused", why: "proposal-unknown" });
    const again = issued(network, founder, { kind: "revoke", member });
    pass();
    issued(network, founder, back);
    issued(network, founder, { kind: "revoke", member });
    assert.equal(proposed(), 1, "it changes its mind as often as it likes");
    issued(network, founder, back);
    pass();
    assert.equal(network.state?.proposals.has(again), false);
  }
  const id = issued(network, founder, { kind: "revoke", member });
  agree(network, all);
  issued(network, c, { kind: "accept", statement: id });
  assert.deepEqual(network.issue(founder.keys, back, START), { kind: "refused", why: "proposal-unknown" }, "all have said it");
  agree(network, all);
  assert.equal(network.decided?.members.get(member)?.standing, "revoked");
  assert.deepEqual(copyOf(network).decided, network.decided);
});

test("a withdrawal takes back no word that its author has said after it", () => {
  const { network, machines, all } = worldOf(3, "genesis");
  const { founder, b2 } = machines;
  const member = b2.keys.publicKey;
  network.merge([
    signed(founder.keys, network.network, 90, { kind: "revoke", member, isWithdrawn: true }),
    signed(founder.keys, network.network, 91, { kind: "revoke", member }),
  ]);
  agree(network, all);
  assert.equal(network.decided?.proposals.size, 1);
  issued(network, founder, { kind: "revoke", member, isWithdrawn: true });
  agree(network, all);
  assert.equal(network.decided.proposals.size, 0);
  assert.deepEqual(copyOf(network).decided, network.decided);
});

test("who takes back what it was the first to say takes nobody else's word along", () => {
  const { network, machines, all } = worldOf(3, "genesis");
  const { founder, junior, c, b2 } = machines;
  const member = b2.keys.publicKey;
  const id = issued(network, junior, { kind: "revoke", member });
  agree(network, all);
  issued(network, c, { kind: "accept", statement: id });
  agree(network, all);
  issued(network, junior, { kind: "revoke", member, isWithdrawn: true });
  agree(network, all);
  assert.equal(network.decided?.proposals.get(id)?.by, c.keys.publicKey);
  issued(network, founder, { kind: "revoke", member });
  agree(network, all);
  assert.ok(isOut({ network, machines, all }, "b2"));
  assert.deepEqual(copyOf(network).decided, network.decided);
});

test("who puts out the first domain's speaker is told where somebody would be left to speak for it", () => {
  const { network, machines, all } = worldOf(2, "genesis");
  const { founder, junior, b, b2 } = machines;
  const third = machine(70, "third");
  const keepers = (by: Machine, who: Machine): readonly string[] | undefined =>
    network.state && keepersOfChair(network.state, who.keys.publicKey, by.keys.publicKey);
  assert.deepEqual(keepers(junior, founder), [], "nobody is");
  assert.equal(keepers(founder, junior), undefined);
  assert.equal(keepers(founder, b2), undefined);
  assert.equal(keepers(b, b2), undefined);
  admit(network, founder, third, 70);
  agree(network, all);
  assert.deepEqual(keepers(junior, founder), [third.keys.publicKey], "the most junior");
  assert.equal(keepers(third, founder), undefined);
  // Whoever has the key of the one that is to go may have made whom it has let in.
  assert.ok(network.state && isLetInBy(network.state, third.keys.publicKey, founder.keys.publicKey));
  assert.ok(!isLetInBy(network.state, third.keys.publicKey, junior.keys.publicKey));
  issued(network, third, { kind: "revoke", member: founder.keys.publicKey });
  agree(network, [junior]);
  assert.equal(network.decided?.council.chair, junior.keys.publicKey);
});

test("whose machine is to be put out has no word about it, nor has a machine that does not speak for its domain", () => {
  const world = worldOf(3, "genesis");
  const { network, machines, all } = world;
  const id = issued(network, machines.junior, { kind: "revoke", member: machines.b2.keys.publicKey });
  agree(network, all);
  for (const name of ["junior", "c2"] as const)
    assert.deepEqual(network.issue(machines[name].keys, { kind: "accept", statement: id }, START), {
      kind: "refused",
      why: "not-a-speaker",
    });
  issued(network, machines.b, { kind: "accept", statement: id });
  issued(network, machines.c, { kind: "accept", statement: id });
  agree(network, all);
  assert.ok(!isOut(world, "b2"), "the chair has said nothing");
});

for (const domains of [2, 3, 4] as const)
  test(`${domains} domains: a machine's own domain puts it out at once, also while somebody else wants that and has to wait`, () => {
    const { network, machines, all } = worldOf(domains, "genesis");
    const revoke = { kind: "revoke", member: machines.b2.keys.publicKey } as const;
    issued(network, machines.junior, revoke);
    assert.equal(network.state?.members.get(revoke.member)?.standing, "active");
    issued(network, machines.b, revoke);
    assert.equal(network.state.members.get(revoke.member)?.standing, "revoked");
    agree(network, all);
    assert.equal(network.decided?.members.get(revoke.member)?.standing, "revoked");
    assert.deepEqual([...network.decided.proposals], []);
    assert.deepEqual(copyOf(network).decided, network.decided);
  });

test("a junior that has put out its seniors has no word against other domains", () => {
  const world = worldOf(3, "genesis");
  const { network, machines, all } = world;
  issued(network, machines.junior, { kind: "revoke", member: machines.founder.keys.publicKey });
  const rest = all.filter((one) => one !== machines.founder);
  agree(network, rest);
  assert.ok(isOut(world, "founder"));
  const id = issued(network, machines.junior, { kind: "revoke", member: machines.b.keys.publicKey });
  agree(network, rest);
  issued(network, machines.c, { kind: "accept", statement: id });
  agree(network, rest);
  assert.ok(!isOut(world, "b") && network.decided?.proposals.has(id) === true);
});

test("whose domain has said it distrusts at once whom it wants put out, also where domains decide; others do not", () => {
  const accusedFor = (network: Membership, who: Machine): readonly string[] => {
    const { state, intended } = network;
    return state && intended ? [...accusedBy(who.keys.publicKey, state, intended)] : [];
  };
  for (const domains of [3, 4] as const) {
    const { network, machines, all } = worldOf(domains, "genesis");
    const target = machines.b2.keys.publicKey;
    issued(network, machines.junior, { kind: "revoke", member: target });
    for (const name of ["founder", "junior"] as const) assert.deepEqual(accusedFor(network, machines[name]), [target], name);
    for (const name of ["b", "c"] as const) assert.deepEqual(accusedFor(network, machines[name]), [], name);
    assert.equal(network.state?.members.get(target)?.standing, "active");
    if (domains === 3) issued(network, machines.c, { kind: "accept", statement: [...(network.intended?.proposals.keys() ?? [])][0] ?? "" });
    if (domains === 3) assert.deepEqual(accusedFor(network, machines.c2), [target]);
    if (domains === 3) issued(network, machines.founder, { kind: "revoke", member: target });
    agree(network, all);
    agree(network, all);
    assert.deepEqual([network.state.members.get(target)?.standing, accusedFor(network, machines.founder)], ["revoked", []]);
  }
});

test("who gives the last word distrusts at once, too, while an epoch that has it waits for somebody who may sign one", () => {
  const { network, machines, all } = worldOf(3, "genesis");
  const target = machines.b2.keys.publicKey;
  const id = issued(network, machines.founder, { kind: "revoke", member: target });
  agree(network, all);
  issued(network, machines.c, { kind: "accept", statement: id });
  const { state, intended } = network;
  assert.ok(state && intended);
  assert.deepEqual([state.members.get(target)?.standing, intended.members.get(target)?.standing], ["active", "revoked"]);
  for (const name of ["founder", "junior", "c", "c2"] as const)
    assert.deepEqual([...accusedBy(machines[name].keys.publicKey, state, intended)], [target], name);
  assert.deepEqual([...accusedBy(machines.b.keys.publicKey, state, intended)], []);
});

test("any member's invitation into its own domain counts at once, in however few domains", () => {
  for (const domains of [2, 3, 4]) {
    const { network } = worldOf(domains, "genesis");
    const [b, guest] = [machine(3, "b"), machine(50, "guest")];
    const request = requestToJoin(codec, guest.keys, guest.identity, { network: network.network, secret: secret(99) });
    issued(network, b, { kind: "invite", key: request.invitation, domain: "b", expiresAtMs: START + HOUR });
    issued(network, b, { kind: "admit", request });
    assert.equal(network.state?.members.get(guest.keys.publicKey)?.standing, "active");
  }
});

test("it is never taken back, and domains are on trial with it", () => {
  const founder = machine(1);
  const network = found(founder);
  issued(network, founder, { kind: "policy", number: 1, policy: { isUnanimous: true } });
  agree(network, [founder]);
  issued(network, founder, { kind: "policy", number: 2, policy: { quorum: 2 } });
  agree(network, [founder]);
  const { isUnanimous, hasTrial, policy } = network.decided ?? assert.fail("it is founded");
  assert.deepEqual([isUnanimous, hasTrial, policy.number], [true, true, 2]);
});

test("a stolen key of a junior admin puts out nobody of another domain, whatever it signs", () => {
  type Step =
    | { readonly kind: "revoke"; readonly who: Name; readonly isWithdrawn: boolean }
    | { readonly kind: "domain"; readonly name: string }
    | { readonly kind: "accept" }
    | { readonly kind: "fourth" };
  const steps: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant("revoke" as const), who: fc.constantFrom(...NAMES), isWithdrawn: fc.boolean() }),
    fc.record({ kind: fc.constant("domain" as const), name: fc.constantFrom("x", "y", "z") }),
    fc.constant({ kind: "accept" as const }),
    fc.constant({ kind: "fourth" as const }),
  );
  fc.assert(
    fc.property(fc.constantFrom(2, 3), fc.array(steps, { maxLength: 8 }), (domains, plan) => {
      let world = worldOf(domains, "genesis");
      const { network, machines } = world;
      const { keys } = machines.junior;
      for (const step of plan) {
        if (step.kind === "fourth") {
          // By others, while all that the thief has signed so far waits.
          network.decide(keys, START);
          if (isOut(world, "founder") || network.decided?.domains.has("d") !== false) continue;
          world = addDomain(world, "d");
          agree(network, world.all);
          continue;
        }
        const what: Operation[] =
          step.kind === "revoke"
            ? [{ kind: "revoke", member: machines[step.who].keys.publicKey, ...(step.isWithdrawn && { isWithdrawn: true }) }]
            : step.kind === "domain"
              ? [{ kind: "domain", name: step.name }]
              : [...(network.intended?.proposals.keys() ?? [])].map((statement) => ({ kind: "accept", statement }));
        for (const one of what) network.issue(keys, one, START);
        network.decide(keys, START);
      }
      for (const name of ["b", "b2", "c", "c2"] as const) assert.ok(!isOut(world, name), name);
    }),
    { numRuns: 60 },
  );
});
