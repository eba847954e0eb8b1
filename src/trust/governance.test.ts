/**
 * Domains that decide epochs together: real keys, real statements, real replicas; what they send each other arrives when the test says so.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AgreementFrame, type Key, limits } from "../base/index.ts";
import { electorateOf } from "./electorate.ts";
import { Governance, type Outgoing } from "./governance.ts";
import { admit, agree, codec, copyOf, found, HOUR, type Machine, machine, parts, START, secret, signed } from "./membership.fixture.ts";
import { Membership } from "./membership.ts";
import { withDecision } from "./statements.ts";

/** The founder's domain, and three more; the last two machines are of the second domain. */
const PEOPLE = Array.from({ length: 6 }, (_, number) => machine(number));
const [FOUNDER, SECOND, THIRD, FOURTH, SISTER] = PEOPLE as [Machine, Machine, Machine, Machine, Machine];

/** A network of four domains, all of it in epochs. */
function network(): Membership {
  const membership = found(FOUNDER);
  for (const [at, who] of [SECOND, THIRD, FOURTH].entries()) {
    membership.issue(FOUNDER.keys, { kind: "domain", name: `d${at}` }, START);
    admit(membership, FOUNDER, who, at, `d${at}`);
  }
  membership.decide(FOUNDER.keys, START);
  return membership;
}

class Node {
  readonly who: Machine;
  readonly membership: Membership;
  readonly governance: Governance;

  constructor(who: Machine, membership: Membership) {
    this.who = who;
    this.membership = membership;
    const take = (statements: readonly Uint8Array[]): void => void membership.merge(statements);
    this.governance = new Governance({ membership, codec, keys: who.keys, take, wallClock: () => START }, { viewMs: 100, repeatMs: 10 });
  }

  get key(): Key {
    return this.who.keys.publicKey;
  }

  standing(of: Machine): string {
    return this.membership.state?.members.get(of.keys.publicKey)?.standing ?? "unknown";
  }
}

/** Lets everybody hear everybody for so long; frames travel as bytes. */
function run(nodes: readonly Node[], forMs: number, fromMs = 0): void {
  const carry = (from: Node, outgoing: readonly Outgoing[], nowMs: number): void => {
    for (const { to, frame } of outgoing) {
      const bytes = codec.encodeAgreementFrame(frame);
      for (const node of nodes)
        if (to.includes(node.key)) carry(node, node.governance.hear(from.key, codec.decodeAgreementFrame(bytes), nowMs), nowMs);
    }
  };
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 10) for (const node of nodes) carry(node, node.governance.tick(nowMs), nowMs);
}

/** One node for each, which all know the same. */
function nodesOf(membership: Membership, ...people: readonly Machine[]): Node[] {
  return people.map((who) => new Node(who, copyOf(membership)));
}

function share(from: Membership, nodes: readonly Node[]): void {
  for (const { membership } of nodes) membership.merge(from.missing(membership.have()));
}

test("with four domains an admin decides nothing alone; what three agree on is decided, for everybody who hears of it", () => {
  const membership = network();
  const nodes = nodesOf(membership, FOUNDER, SECOND, THIRD);
  const [first] = nodes;
  assert.ok(first);
  first.membership.issue(FOUNDER.keys, { kind: "revoke", member: FOURTH.keys.publicKey }, START);
  share(first.membership, nodes);
  assert.equal(first.membership.decide(FOUNDER.keys, START), undefined);
  for (const node of nodes) assert.equal(node.standing(FOURTH), "active", "until they have agreed");
  run(nodes, 1_000);
  for (const { membership: replica } of nodes) {
    assert.equal(replica.decided?.members.get(FOURTH.keys.publicKey)?.standing, "revoked");
    assert.equal(replica.undecided, 0);
    assert.equal(replica.decidedBy?.by, "domains");
  }
  // Who was away, and who comes new, can check it by itself.
  const newcomer = new Membership(parts, membership.network);
  newcomer.merge(first.membership.statements().map(({ bytes }) => bytes));
  assert.equal(newcomer.summary, first.membership.summary);
  assert.deepEqual(newcomer.decidedBy, first.membership.decidedBy);
});

test("a view begins when there is something to decide, however long there was nothing", () => {
  const nodes = nodesOf(network(), FOUNDER, SECOND, THIRD, FOURTH);
  const [first] = nodes;
  assert.ok(first);
  const previous = first.membership.decided?.epoch.id ?? "";
  run(nodes, 10);
  first.membership.issue(FOUNDER.keys, { kind: "domain", name: "more" }, START);
  share(first.membership, nodes);
  run(nodes, 1_000, 60_000);
  assert.equal(codec.decodeSigned(first.membership.after(previous) ?? new Uint8Array()).decision?.view, 1);
});

test("two of four are no quorum; the same two and another are, without beginning anew", () => {
  const nodes = nodesOf(network(), FOUNDER, SECOND, THIRD);
  const [first, second, third] = nodes;
  assert.ok(first && second && third);
  first.membership.issue(FOUNDER.keys, { kind: "domain", name: "more" }, START);
  share(first.membership, nodes);
  run([first, second], 5_000);
  assert.equal(first.membership.undecided, 1);
  run(nodes, 5_000, 5_000);
  for (const { membership } of nodes) assert.equal(membership.decided?.domains.has("more"), true);
});

test("a domain puts out its own machine at once; that of another only with the others", () => {
  const membership = network();
  admit(membership, SECOND, SISTER, 20);
  agree(membership, PEOPLE);
  assert.equal(membership.decided?.members.get(SISTER.keys.publicKey)?.standing, "active");
  membership.issue(SECOND.keys, { kind: "revoke", member: SISTER.keys.publicKey }, START);
  assert.equal(membership.state?.members.get(SISTER.keys.publicKey)?.standing, "revoked");
  membership.issue(FOUNDER.keys, { kind: "revoke", member: THIRD.keys.publicKey }, START);
  assert.equal(membership.state?.members.get(THIRD.keys.publicKey)?.standing, "active");
  assert.deepEqual(membership.issue(FOUNDER.keys, { kind: "revoke", member: THIRD.keys.publicKey }, START), {
    kind: "refused",
    why: "member-gone",
  });
});

test("who was away learns from those who decided", () => {
  const membership = network();
  const nodes = nodesOf(membership, FOUNDER, SECOND, THIRD);
  const [late] = nodesOf(membership, FOURTH);
  const [first] = nodes;
  assert.ok(first && late);
  for (const { membership: one } of [first, late]) one.issue(SECOND.keys, { kind: "leave" }, START);
  share(first.membership, [...nodes, late]);
  run(nodes, 1_000);
  assert.ok((first.membership.decided?.epoch.number ?? 0) > (late.membership.decided?.epoch.number ?? 0));
  run([...nodes, late], 1_000, 1_000);
  assert.equal(late.membership.summary, first.membership.summary);
});

test("who comes back after a crash signs nothing else in the same ballot", () => {
  const membership = network();
  const electorate = membership.decided && electorateOf(membership.decided);
  const leader = PEOPLE.find(({ keys }) => keys.publicKey === electorate?.voices[0]?.key);
  assert.ok(leader);
  const proposalOf = (node: Node): AgreementFrame | undefined =>
    node.governance.tick(0).find(({ frame }) => frame.values.length > 0)?.frame;
  const [before, after, stranger] = [leader, leader, leader].map((who) => new Node(who, copyOf(membership)));
  assert.ok(before && after && stranger);
  before.membership.issue(FOUNDER.keys, { kind: "domain", name: "one" }, START);
  const said = proposalOf(before);
  const saved = before.governance.save();
  assert.ok(said && saved.length > 0);
  // It comes back, and would propose something else now.
  for (const node of [after, stranger]) node.membership.issue(FOUNDER.keys, { kind: "domain", name: "another" }, START);
  after.governance.restore(saved.map((frame) => codec.decodeAgreementFrame(codec.encodeAgreementFrame(frame))));
  run([after], 50);
  const values = new Set(
    after.governance
      .save()
      .flatMap(({ votes }) => votes)
      .filter(({ kind }) => kind === "notarize")
      .map(({ value }) => value),
  );
  assert.deepEqual([...values], [said.votes[0]?.value]);
  assert.notEqual(proposalOf(stranger)?.votes[0]?.value, said.votes[0]?.value, "without what was saved it does");
});

test("who cannot read any more what it said says nothing until that is decided", () => {
  const membership = network();
  membership.issue(FOUNDER.keys, { kind: "domain", name: "one" }, START);
  const nodes = nodesOf(membership, FOUNDER, SECOND, THIRD, FOURTH);
  const [silent, another] = nodes;
  assert.ok(silent && another);
  silent.governance.silence();
  run([silent], 1_000);
  assert.deepEqual([silent.governance.signed, silent.governance.ballot], ["", undefined]);
  run(nodes, 5_000, 1_000);
  assert.equal(another.membership.decided?.domains.has("one"), true, "the others are a quorum");
  share(another.membership, [silent]);
  silent.membership.issue(FOUNDER.keys, { kind: "domain", name: "two" }, START);
  run([silent], 1_000, 6_000);
  assert.notEqual(silent.governance.signed, "");
});

test("what is kept of a long ballot is read again, all of it", () => {
  const membership = network();
  membership.issue(FOUNDER.keys, { kind: "domain", name: "one" }, START);
  const { decided } = membership;
  const electorate = decided && electorateOf(decided);
  assert.ok(decided && electorate);
  const certificates = Array.from({ length: 40 }, (_, i) => {
    const said = { kind: "nullify", view: 1 + i, value: "" } as const;
    const votes = electorate.voices.slice(0, 3).map(({ key }, domain) => {
      const { keys } = PEOPLE.find((one) => one.keys.publicKey === key) ?? FOUNDER;
      return { domain, signature: keys.sign("cairn agreement 1", codec.encodeVoteBody(membership.network, decided.epoch.id, said)) };
    });
    return { ...said, votes };
  });
  const [before, after] = [FOUNDER, FOUNDER].map((who) => new Node(who, copyOf(membership)));
  assert.ok(before && after);
  const frame = { previous: decided.epoch.id, from: 0, votes: [], values: [], wants: [] };
  before.governance.tick(0);
  before.governance.hear(SECOND.keys.publicKey, { ...frame, certificates }, 0);
  assert.equal(before.governance.ballot?.view, 41);
  after.governance.restore(before.governance.save().map((one) => codec.decodeAgreementFrame(codec.encodeAgreementFrame(one))));
  after.governance.tick(0);
  assert.equal(after.governance.ballot?.view, 41);
  const kept = after.governance.save().flatMap((one) => one.certificates);
  assert.deepEqual(
    kept.map(({ view }) => view),
    certificates.map(({ view }) => view),
  );
});

test("votes that do not make a decision, and epochs that nobody may decide, change nothing", () => {
  const membership = network();
  membership.issue(FOUNDER.keys, { kind: "domain", name: "more" }, START);
  const { decided } = membership;
  const electorate = decided && electorateOf(decided);
  const epoch = membership.propose(FOUNDER.keys, START);
  assert.ok(decided && electorate && epoch);
  const vote = (domain: number, kind: "finalize" | "notarize" = "finalize", view = 1): { domain: number; signature: Uint8Array } => {
    const { keys } = PEOPLE.find((one) => one.keys.publicKey === electorate.voices[domain]?.key) ?? FOUNDER;
    const said = { kind, view, value: epoch.id };
    return { domain, signature: keys.sign("cairn agreement 1", codec.encodeVoteBody(membership.network, decided.epoch.id, said)) };
  };
  const rows: [what: string, view: number, votes: ReturnType<typeof vote>[]][] = [
    ["too few", 1, [vote(0), vote(1)]],
    ["of another view", 2, [vote(0), vote(1), vote(2)]],
    ["of another kind", 1, [vote(0), vote(1), vote(2, "notarize")]],
    ["another's", 1, [vote(0), vote(1), { domain: 2, signature: vote(3).signature }]],
    ["none", 1, []],
  ];
  const before = membership.summary;
  for (const [what, view, votes] of rows) {
    membership.merge([withDecision(codec, epoch.bytes, { view, votes })]);
    assert.deepEqual([membership.summary, membership.decided?.epoch.number], [before, decided.epoch.number], what);
  }
  membership.merge([epoch.bytes]);
  assert.equal(membership.decided?.epoch.number, decided.epoch.number, "an admin alone");
  membership.merge([withDecision(codec, epoch.bytes, { view: 1, votes: [vote(0), vote(1), vote(3)] })]);
  assert.equal(membership.decided?.epoch.number, decided.epoch.number + 1);
  // A statement that is no epoch takes no votes along.
  const invite = signed(FOUNDER.keys, membership.network, 90, { kind: "domain", name: "x" });
  assert.deepEqual(membership.merge([withDecision(codec, invite, { view: 1, votes: [vote(0)] })]).refused, ["malformed"]);
});

test("what domains decided stands against an admin who was away, and whom it follows upon wins with it", () => {
  // Two admins decide at once while they are few: the senior's epoch would stand.
  const membership = found(FOUNDER);
  admit(membership, FOUNDER, SISTER, 30);
  for (const [at, who] of [SECOND, THIRD].entries()) {
    membership.issue(FOUNDER.keys, { kind: "domain", name: `d${at}` }, START);
    admit(membership, FOUNDER, who, at, `d${at}`);
  }
  membership.decide(FOUNDER.keys, START);
  const away = copyOf(membership);
  away.issue(FOUNDER.keys, { kind: "domain", name: "elsewhere" }, START + HOUR);
  away.decide(FOUNDER.keys, START);
  membership.issue(SISTER.keys, { kind: "domain", name: "d2" }, START);
  admit(membership, SISTER, FOURTH, 31, "d2");
  membership.decide(SISTER.keys, START);
  membership.issue(SISTER.keys, { kind: "domain", name: "final" }, START);
  agree(membership, PEOPLE);
  assert.equal(membership.decidedBy?.by, "domains");

  for (const [to, from] of [
    [membership, away],
    [away, membership],
  ] as const)
    to.merge(from.statements().map(({ bytes }) => bytes));
  assert.equal(membership.decided?.epoch.id, away.decided?.epoch.id);
  assert.equal(membership.decided?.domains.has("final"), true);
  assert.equal(away.state?.domains.has("elsewhere"), true, "what the senior had decided waits again");
  assert.equal(membership.summary, away.summary);
});

test("two decisions in one place split the network, and are seen", () => {
  const membership = network();
  const [one, other] = [copyOf(membership), copyOf(membership)];
  one.issue(FOUNDER.keys, { kind: "domain", name: "one" }, START);
  other.issue(SECOND.keys, { kind: "leave" }, START);
  for (const replica of [one, other]) agree(replica, PEOPLE);
  const before = one.decided?.epoch.id;
  const { refused } = one.merge(other.statements().map(({ bytes }) => bytes));
  assert.deepEqual(refused, ["epoch-forked"]);
  assert.equal(one.decided?.epoch.id, before);
  assert.equal(one.fork?.number, other.decided?.epoch.number);
});

test("an admin who makes domains of its own beside the past neither undoes what was decided nor seems to show that domains lie", () => {
  const membership = found(FOUNDER);
  const beside = copyOf(membership);
  for (const [at, who] of [SECOND, THIRD, FOURTH].entries()) {
    membership.issue(FOUNDER.keys, { kind: "domain", name: `d${at}` }, START);
    admit(membership, FOUNDER, who, at, `d${at}`);
  }
  const fakes = [40, 41, 42].map((number) => machine(number));
  for (const [at, fake] of fakes.entries()) {
    beside.issue(FOUNDER.keys, { kind: "domain", name: `fake${at}` }, START);
    admit(beside, FOUNDER, fake, 40 + at, `fake${at}`);
  }
  for (const replica of [membership, beside]) {
    replica.decide(FOUNDER.keys, START);
    replica.issue(FOUNDER.keys, { kind: "domain", name: "more" }, START);
    agree(replica, [FOUNDER, ...fakes, SECOND, THIRD, FOURTH]);
    assert.equal(replica.decidedBy?.by, "domains");
  }
  const before = membership.decided?.epoch.id;
  membership.merge(beside.statements().map(({ bytes }) => bytes));
  assert.equal(membership.decided?.epoch.id, before);
  assert.equal(membership.fork, undefined);
});

test("junk beside the past is refused without folding the past anew", () => {
  const membership = network();
  for (const name of ["e", "f", "g"]) {
    membership.issue(FOUNDER.keys, { kind: "domain", name }, START);
    agree(membership, PEOPLE);
  }
  let folds = 0;
  const decides: typeof parts.rule.decides = (...what) => {
    folds += 1;
    return parts.rule.decides(...what);
  };
  const replica = new Membership({ codec, rule: { ...parts.rule, decides } }, membership.network);
  replica.merge(membership.statements().map(({ bytes }) => bytes));
  const before = replica.summary;
  folds = 0;
  const votes = [0, 1, 2].map((domain) => ({ domain, signature: new Uint8Array(64) }));
  const chain = membership.have().epochs.toReversed().slice(0, -1);
  const junk = [machine(99), SECOND, FOUNDER].flatMap(({ keys }) =>
    chain.flatMap((previous, at) => {
      const bytes = signed(keys, membership.network, 0, { kind: "epoch", number: at + 1, previous, operations: [] }, START + HOUR);
      return [bytes, withDecision(codec, bytes, { view: 1, votes })];
    }),
  );
  const { refused } = replica.merge(junk);
  assert.equal(refused.length, junk.length);
  assert.deepEqual(new Set(refused), new Set(["epoch-invalid", "epoch-lost"]));
  assert.deepEqual([folds, replica.summary, replica.fork], [0, before, undefined]);
});

test("a revoked admin's key, and domains that it made beside the past, undo nothing that is known", () => {
  const membership = found(FOUNDER);
  admit(membership, FOUNDER, SISTER, 30);
  membership.decide(FOUNDER.keys, START);
  const beside = copyOf(membership);
  membership.issue(FOUNDER.keys, { kind: "revoke", member: SISTER.keys.publicKey }, START);
  membership.decide(FOUNDER.keys, START);
  const fakes = [40, 41, 42].map((number) => machine(number));
  for (const [at, fake] of fakes.entries()) {
    beside.issue(SISTER.keys, { kind: "domain", name: `fake${at}` }, START);
    admit(beside, SISTER, fake, 40 + at, `fake${at}`);
  }
  beside.decide(SISTER.keys, START);
  beside.issue(SISTER.keys, { kind: "revoke", member: FOUNDER.keys.publicKey }, START);
  agree(beside, fakes);
  assert.equal(beside.decidedBy?.by, "domains");
  const stolen = beside.statements().map(({ bytes }) => bytes);
  for (const order of [stolen, stolen.toReversed()]) {
    const replica = copyOf(membership);
    for (const bytes of order) replica.merge([bytes]);
    assert.equal(replica.decided?.epoch.id, membership.decided?.epoch.id);
    assert.equal(replica.decided?.members.get(FOUNDER.keys.publicKey)?.standing, "active");
    assert.equal(replica.fork, undefined);
  }
});

test("in whatever order epochs arrive, a decision of domains is taken up with the epochs that it follows upon", () => {
  const membership = found(FOUNDER);
  admit(membership, FOUNDER, SISTER, 30);
  membership.decide(FOUNDER.keys, START);
  // The senior's epochs would stand, but domains decide upon the junior's.
  const away = copyOf(membership);
  for (const name of ["one", "two"]) {
    away.issue(FOUNDER.keys, { kind: "domain", name }, START + HOUR);
    away.decide(FOUNDER.keys, START);
  }
  for (const [at, who] of [SECOND, THIRD, FOURTH].entries()) {
    membership.issue(SISTER.keys, { kind: "domain", name: `d${at}` }, START);
    admit(membership, SISTER, who, at, `d${at}`);
    membership.decide(SISTER.keys, START);
  }
  for (const name of ["three", "four"]) {
    membership.issue(SISTER.keys, { kind: "domain", name }, START);
    agree(membership, PEOPLE);
  }
  assert.equal(membership.decidedBy?.by, "domains");
  const all = [...membership.statements(), ...away.statements()].map(({ bytes }) => bytes);
  const straight = new Membership(parts, membership.network);
  straight.merge(all);
  assert.equal(straight.decided?.epoch.id, membership.decided?.epoch.id);
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (order) => {
      const replica = new Membership(parts, membership.network);
      for (const bytes of order) replica.merge([bytes]);
      assert.equal(replica.summary, straight.summary);
      assert.equal(replica.fork, undefined);
    }),
    { numRuns: 40 },
  );
});

test("only who speaks for a domain is heard", () => {
  const membership = network();
  admit(membership, SECOND, SISTER, 20);
  agree(membership, PEOPLE);
  const [node] = nodesOf(membership, FOUNDER);
  const previous = membership.decided?.epoch.id ?? "";
  assert.ok(node);
  const frame = { previous, from: 1, votes: [], certificates: [], values: [], wants: [secretId()] };
  assert.deepEqual(node.governance.hear(SISTER.keys.publicKey, frame, 0), []);
  assert.equal(new Node(SISTER, copyOf(membership)).governance.isVoice, false);
  assert.equal(node.governance.electorate?.voices.length, limits.agreement.domainsLeast);
});

function secretId(): string {
  return Buffer.concat([secret(1), secret(2)]).toString("hex");
}
