import assert from "node:assert/strict";
import { test } from "node:test";
import { codec, trustWorld } from "../../test/compliance/trust-world.ts";
import { type Digest, digestOf } from "../base/index.ts";
import { epochRule, type KeyPair, Members, type Membership } from "../trust/index.ts";
import { accept, changePolicy, describePolicy, fateOf, type PolicyParts } from "./network-policy.ts";

const [own, other] = [digestOf("own"), digestOf("other")];

function decided(number: number, statement: Digest | undefined): Parameters<ReturnType<typeof fateOf>>[0] {
  return { policy: { number, rules: { quorum: 2 }, statement, by: undefined, epoch: 1 } };
}

test("a policy is in effect where it is the one that was decided; its author hears where another one was in its place", () => {
  const fate = fateOf(own, 2);
  assert.equal(fate(decided(0, undefined)), "open");
  assert.equal(fate(decided(1, other)), "open");
  assert.equal(fate(decided(2, own)), "in-effect");
  for (const number of [2, 3]) assert.equal(fate(decided(number, other)), "replaced");
});

/** As on the machine of those keys. */
function partsOn(membership: Membership, keys: KeyPair): PolicyParts {
  return {
    members: new Members({ codec, rule: epochRule(codec), membership, keys, now: () => 1_800_000_000_000 }),
    membership,
    agreement: {
      deciding: { voices: [], quorum: 0, ballot: undefined },
      until: () => Promise.resolve(),
    } as unknown as PolicyParts["agreement"],
  };
}

interface Waits {
  readonly proposals: readonly { readonly policy: Record<string, unknown>; readonly approved: readonly string[]; readonly id: string }[];
}

test("whoever accepts a policy sees the whole of what it lets in; what one asks for later comes to what waits", async () => {
  const { membership, signers } = trustWorld([2]);
  const [chair, junior] = signers[0] ?? [];
  assert.ok(chair !== undefined && junior !== undefined);
  const on = (keys: KeyPair): PolicyParts => partsOn(membership, keys);
  const waiting = (): Waits["proposals"] => {
    const { intended } = membership;
    assert.ok(intended !== undefined);
    return (describePolicy(intended, chair.keys.publicKey, { sharing: "team", toolchains: "domain" }) as Waits).proposals;
  };
  const [one, two, three] = ["one", "two", "three"].map((what) => digestOf(what)) as [Digest, Digest, Digest];
  assert.equal((await changePolicy(on(chair.keys), "approved", `+${one}`)).inEffect, true);
  for (const digest of [two, three]) assert.equal((await changePolicy(on(junior.keys), "approved", `+${digest}`)).waits, true);
  assert.deepEqual(
    waiting().map(({ approved }) => approved.toSorted()),
    [[`+${two}`], [`+${two}`, `+${three}`].toSorted()],
  );
  assert.deepEqual(waiting().at(-1)?.policy, { approved: [one, two, three].toSorted().join(" ") });
  await accept(on(chair.keys), waiting().at(-1)?.id ?? "");
  assert.deepEqual(membership.state?.policy.rules.approvedToolchains, [one, two, three].toSorted());
  // What is stricter waits for nobody, whatever else does.
  await changePolicy(on(junior.keys), "approved", `+${digestOf("four")}`);
  await changePolicy(on(junior.keys), "approved", `-${two}`);
  assert.deepEqual(membership.state?.policy.rules.approvedToolchains, [one, three].toSorted());
});

test("what a network never takes back nobody can ask it to take back", async () => {
  const { membership, signers } = trustWorld([1]);
  const [chair] = signers[0] ?? [];
  assert.ok(chair !== undefined);
  const on = partsOn(membership, chair.keys);
  for (const name of ["trial", "unanimous"])
    await assert.rejects(changePolicy(on, name, "own"), { facts: { why: `${name} cannot be own`, advice: "it is one of: on" } });
  assert.equal((await changePolicy(on, "quorum", "2")).inEffect, true);
  assert.equal((await changePolicy(on, "quorum", "own")).inEffect, true, "all else is left to the machines again");
});
