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

/** Three domains, let in by the founder; the junior admin has decided epochs since. */
function worldOf(unanimous: "genesis" | "policy"): Membership {
  const network = found(founder, "home", { hasTrial: true, ...(unanimous === "genesis" && { isUnanimous: true }) });
  admit(network, founder, second, 1);
  admit(network, founder, junior, 2);
  agree(network, [founder]);
  for (const [name, one, other] of [["b", b, b2] as const, ["c", c, c2] as const]) {
    network.issue(founder.keys, { kind: "domain", name }, START);
    admit(network, founder, one, 10 + OTHERS.indexOf(one), name);
    admit(network, one, other, 10 + OTHERS.indexOf(other));
  }
  agree(network, [founder]);
  const policy = unanimous === "policy" ? { isUnanimous: true } : { quorum: 2 };
  for (const [by, number] of [[junior, 1] as const, [founder, 2] as const, [junior, 3] as const]) {
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
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
  rival: string | undefined,
): void {
  const own = [junior];
  let first = rival;
  for (const [at, { act, actor, target }] of steps.entries()) {
    const { state } = branch;
    const by = own[actor % own.length] ?? junior;
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
  decide(branch, junior.keys, first);
}

function areIn(network: Membership, machines: readonly Machine[]): boolean {
  return machines.every(
    ({ keys }) =>
      network.state?.members.get(keys.publicKey)?.standing === "active" &&
      network.decided?.members.get(keys.publicKey)?.standing === "active",
  );
}

test("with it in the genesis no epochs of a junior admin's key put out a machine of another domain, in whatever place they are", () => {
  let won = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...BY_JUNIOR.map((number) => number - 1), 5),
      fc.boolean(),
      fc.array(step, { minLength: 1, maxLength: 14 }),
      (after, knowsMore, steps) => {
        const network = worldOf("genesis");
        const branch = branchAfter(network, after, knowsMore);
        rob(branch, steps, idOf(network, after + 1));
        network.merge(branch.statements().map(({ bytes }) => bytes));
        if (idOf(network, after + 1) === idOf(branch, after + 1)) won++;
        assert.ok(areIn(network, OTHERS));
        agree(network, [junior]);
        assert.ok(areIn(network, OTHERS));
      },
    ),
    { numRuns: 200 },
  );
  assert.ok(won > 50, `${won} of its branches stand: otherwise nothing was tried`);
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

test("what is left: who signed the epoch that let a domain in can replace it by one without, if it puts out first who made it", () => {
  const network = found(founder, "home", { hasTrial: true, isUnanimous: true });
  admit(network, founder, second, 1);
  admit(network, founder, junior, 2);
  agree(network, [founder]);
  network.issue(founder.keys, { kind: "domain", name: "b" }, START);
  admit(network, founder, b, 10, "b");
  const elsewhere = branchAfter(network, 1, false);
  agree(network, [junior]);
  assert.ok(areIn(network, [b]));
  elsewhere.issue(junior.keys, { kind: "revoke", member: founder.keys.publicKey }, START);
  decide(elsewhere, junior.keys, idOf(network, 2));
  const byFounder = worldAfter(network, [founder]);
  network.merge(elsewhere.statements().map(({ bytes }) => bytes));
  assert.equal(network.decided?.members.has(b.keys.publicKey), false);
  // Not where the founder has decided it: no epoch of a junior stands in the place of a senior's.
  byFounder.merge(elsewhere.statements().map(({ bytes }) => bytes));
  assert.ok(areIn(byFounder, [b]));
});

/** The same statements, decided by others after the first epoch. */
function worldAfter(network: Membership, by: readonly Machine[]): Membership {
  const copy = branchAfter(network, 1, true);
  agree(copy, by);
  return copy;
}
