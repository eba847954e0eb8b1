/**
 * What the stolen key of a junior admin can do by signing epochs once more, in the place of its own and after them, where two or three domains put
 * out each other's machines only together from the genesis on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Key, Operation } from "../base/index.ts";
import { admit, agree, codec, found, type Machine, machine, parts, START } from "./membership.fixture.ts";
import { Membership } from "./membership.ts";
import { readStatement } from "./statements.ts";

const [founder, second, junior] = [machine(1, "founder"), machine(2, "second"), machine(3, "junior")];
const [b, b2, c, c2] = [machine(4, "b"), machine(5, "b2"), machine(6, "c"), machine(7, "c2")];
const OTHERS = [b, b2, c, c2];

/** Numbers of the epochs that the junior admin has signed. */
const BY_JUNIOR = [3, 5] as const;

/** In which epoch c is let in: before the junior's first; by the founder after that; by the junior. */
const LETTING_C_IN = [2, 4, 5] as const;

/** Three domains, made by the founder; the junior admin has decided epochs, and may have decided them since b was let in only. */
function worldOf(unanimous: "genesis" | "policy", letsIn: (typeof LETTING_C_IN)[number] = 2): Membership {
  const network = found(founder, "home", { hasTrial: true, ...(unanimous === "genesis" && { isUnanimous: true }) });
  admit(network, founder, second, 1);
  admit(network, founder, junior, 2);
  agree(network, [founder]);
  const letIn = (name: string, one: Machine, other: Machine): void => {
    network.issue(founder.keys, { kind: "domain", name }, START);
    admit(network, founder, one, 10 + OTHERS.indexOf(one), name);
    admit(network, one, other, 10 + OTHERS.indexOf(other));
  };
  letIn("b", b, b2);
  if (letsIn === 2) letIn("c", c, c2);
  agree(network, [founder]);
  const policy = unanimous === "policy" ? { isUnanimous: true } : { quorum: 2 };
  for (const [by, number] of [[junior, 1] as const, [founder, 2] as const, [junior, 3] as const]) {
    if (letsIn === number + 2) letIn("c", c, c2);
    network.issue(founder.keys, { kind: "policy", number, policy: { ...policy, auditOneOf: 10 - number } }, START);
    agree(network, [by]);
  }
  assert.deepEqual([network.decided?.epoch.number, network.decided?.isUnanimous, network.decided?.council.speakers.size], [5, true, 3]);
  return network;
}

/** What the thief knows when it begins anew after that epoch: the chain until then, and, if it likes, all that others have signed later. */
function branchAfter(network: Membership, number: number, knowsMore: boolean): Membership {
  const branch = new Membership(parts, network.network);
  const epochs = network.statements();
  branch.merge(epochs.slice(0, number + 1).map(({ bytes }) => bytes));
  if (!knowsMore) return branch;
  for (const { bytes } of epochs.slice(number + 1)) {
    const read = readStatement(codec, bytes);
    const what = read.kind === "checked" ? read.checked.statement.what : undefined;
    if (what?.kind === "epoch") branch.merge([...what.operations]);
  }
  return branch;
}

/** Signs an epoch; ids can be tried until one is smaller than that in whose place it is. */
function decide(branch: Membership, keys: Machine["keys"], rival: string | undefined): void {
  for (let tried = 0; tried < 500; tried++) {
    const epoch = branch.propose(keys, START + tried);
    if (epoch === undefined || (rival !== undefined && epoch.id > rival)) continue;
    branch.merge([epoch.bytes]);
    return;
  }
}

function idOf(network: Membership, number: number): string | undefined {
  return network.statements()[number]?.id;
}

const step = fc.record({
  act: fc.constantFrom("revoke" as const, "domain" as const, "admit" as const, "begin" as const, "accept" as const, "epoch" as const),
  actor: fc.nat(3),
  target: fc.nat(9),
});

/** Plays on a branch; whatever machines the thief lets in do what it likes, too. */
function rob(
  branch: Membership,
  thief: Machine,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
  rival: string | undefined,
): void {
  const own = [thief];
  let first = rival;
  for (const [at, { act, actor, target }] of steps.entries()) {
    const { state } = branch;
    const by = own[actor % own.length] ?? thief;
    const members: Key[] = [...(state?.members.keys() ?? [])];
    const issue = (what: Operation): void => void branch.issue(by.keys, what, START);
    if (act === "revoke") issue({ kind: "revoke", member: members[target % members.length] ?? "" });
    else if (act === "domain") issue({ kind: "domain", name: `fake${target}` });
    else if (act === "accept") for (const statement of state?.proposals.keys() ?? []) issue({ kind: "accept", statement });
    else if (act === "admit" || act === "begin") {
      const guest = machine(1_000 + at, `g${at}`);
      admit(branch, by, guest, 1_000 + at, act === "begin" ? `fake${target}` : undefined);
      own.push(guest);
    } else {
      const before = branch.decided?.epoch.number;
      decide(branch, by.keys, first);
      if (branch.decided?.epoch.number !== before) first = undefined;
    }
  }
  decide(branch, thief.keys, first);
}

function areIn(network: Membership, machines: readonly Machine[]): boolean {
  return machines.every(
    ({ keys }) =>
      network.state?.members.get(keys.publicKey)?.standing === "active" &&
      network.decided?.members.get(keys.publicKey)?.standing === "active",
  );
}

/** Neither put out; nor gone, if they were members by that epoch already. */
function areLeft(network: Membership, before: Membership): boolean {
  const isOut = ({ keys }: Machine): boolean => network.state?.members.get(keys.publicKey)?.standing === "revoked";
  return (
    areIn(
      network,
      OTHERS.filter((one) => areIn(before, [one])),
    ) && !OTHERS.some(isOut)
  );
}

test("with it in the genesis no epochs of a junior admin's key put out a machine of another domain, in whatever place they are", () => {
  const won = { second: 0, junior: 0 };
  const world = fc.record({ letsIn: fc.constantFrom(...LETTING_C_IN), after: fc.constantFrom(2, 2, 3, 4, 4, 5), knowsMore: fc.boolean() });
  fc.assert(
    fc.property(
      world,
      fc.constantFrom("second" as const, "junior" as const),
      fc.array(step, { minLength: 1, maxLength: 14 }),
      ({ letsIn, after, knowsMore }, who, steps) => {
        const thief = { second, junior }[who];
        const network = worldOf("genesis", letsIn);
        const before = branchAfter(network, after, false);
        const branch = branchAfter(network, after, knowsMore);
        const original = idOf(network, after + 1);
        rob(branch, thief, steps, original);
        network.merge(branch.statements().map(({ bytes }) => bytes));
        const stands = idOf(network, after + 1);
        const isReplaced = original !== undefined && stands !== original;
        assert.ok(!isReplaced || (stands === idOf(branch, after + 1) && BY_JUNIOR.some((number) => number === after + 1)));
        if (isReplaced) won[who]++;
        assert.ok(areLeft(network, before));
        agree(network, [thief]);
        assert.ok(areLeft(network, before));
      },
    ),
    { numRuns: 200 },
  );
  for (const [who, times] of Object.entries(won))
    assert.ok(times > 10, `${times} epochs of ${who}'s stand in the place of others: otherwise nothing was tried`);
});

/** Puts out b in the place of the junior's own first epoch. */
function withoutB(unanimous: "genesis" | "policy"): Membership {
  const network = worldOf(unanimous);
  const branch = branchAfter(network, 2, false);
  branch.issue(junior.keys, { kind: "revoke", member: b.keys.publicKey }, START);
  decide(branch, junior.keys, idOf(network, 3));
  network.merge(branch.statements().map(({ bytes }) => bytes));
  assert.equal(idOf(network, 3), idOf(branch, 3), "its second epoch stands in the place of the first");
  return network;
}

test("where only a policy says it, who has signed the epoch with that policy replaces it, and puts out whom it likes", () => {
  assert.ok(!areIn(withoutB("policy"), [b]));
  assert.ok(areIn(withoutB("genesis"), OTHERS));
});

/** Puts out the founder in the place of the epoch after that one. */
function withoutFounder(network: Membership, after: number, thief: Machine): Membership {
  const branch = branchAfter(network, after, false);
  const original = idOf(network, after + 1);
  branch.issue(thief.keys, { kind: "revoke", member: founder.keys.publicKey }, START);
  decide(branch, thief.keys, original);
  network.merge(branch.statements().map(({ bytes }) => bytes));
  return network;
}

test("what is left: an epoch in the place of a junior's, by that junior or a more senior admin, undoes what followed: who was let in since was never in", () => {
  const rows = [
    // Let in by that very epoch.
    [5, 4, junior, false],
    [5, 4, second, false],
    // By the founder's, after it.
    [4, 2, junior, false],
    [4, 2, second, false],
    // By the founder's, before it: it stays.
    [4, 4, junior, true],
    [2, 2, second, true],
    // In the place of the founder's no other's stands.
    [4, 3, second, true],
    [2, 1, junior, true],
  ] as const;
  for (const [letsIn, after, thief, isLeft] of rows) {
    const row = `let in by ${letsIn}, forked after ${after}`;
    const network = withoutFounder(worldOf("genesis", letsIn), after, thief);
    const isByFounder = after === 1 || after === 3;
    assert.equal(network.decided?.members.get(founder.keys.publicKey)?.standing, isByFounder ? "active" : "revoked", row);
    const chair = isByFounder ? founder : thief === junior ? second : undefined;
    assert.equal(network.decided.council.chair, chair?.keys.publicKey, row);
    assert.ok(areIn(network, [b, b2]), row);
    for (const one of [c, c2]) assert.equal(network.state?.members.get(one.keys.publicKey)?.standing, isLeft ? "active" : undefined, row);
  }
});
