/**
 * What a network demands of its machines, among real daemons: decided in an epoch, held by all, and what was taken before is judged by it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, members, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, UNITS, unrepeatable, untilOffered } from "./sharing-world.ts";

interface Told {
  readonly number: number;
  readonly settings: readonly { readonly name: string; readonly holds: string; readonly from: string }[];
  readonly proposals: readonly { readonly kind: string; readonly mayAccept: boolean }[];
}

interface Distrusted {
  readonly name: string;
  readonly reputation: { readonly discredited: boolean };
}

async function policyOf(node: TestNode): Promise<Told> {
  return (await node.control("GET", "/network/policy")) as unknown as Told;
}

async function untilHeld(t: TestContext, nodes: readonly TestNode[], name: string, holds: string, from: string): Promise<void> {
  for (const node of nodes)
    await until(t, async () => {
      const setting = (await policyOf(node)).settings.find((one) => one.name === name);
      return setting?.holds === holds && setting.from === from;
    });
}

test(
  "policy is decided for all, what was taken under a laxer one is judged again, and a junior admin loosens nothing alone",
  PATIENT,
  async (t) => {
    const nodes = await Promise.all(
      ["home", "junior", "partner", "third"].map((name) =>
        machine(t, `policy-${name}`, { CAIRN_SHARING_COPIES: "0", ...(name === "partner" && { CAIRN_SHARING_POLICY: "self" }) }),
      ),
    );
    const [home, junior, partner, third] = nodes as [TestNode, TestNode, TestNode, TestNode];
    await ask(home, "init", "--domain", "home", "--machine", "home");
    await ask(junior, "join", await invitation(home), "--machine", "junior");
    await ask(partner, "join", await invitation(home, "--domain", "partner"), "--machine", "partner");
    await ask(third, "join", await invitation(home, "--domain", "third"), "--machine", "third");
    await untilConnected(t, third, "home", "junior", "partner");
    await untilConnected(t, home, "junior", "partner", "third");

    const [first, second, last] = [checkoutOf(home, "work"), checkoutOf(partner, "work"), checkoutOf(third, "work")];
    await age();
    await build(home, first);
    await build(partner, second);
    await untilOffered(t, third, "home", UNITS.length);
    await untilOffered(t, third, "partner", UNITS.length);
    await until(t, async () => {
      const status = (await third.control("GET", "/status")).network as { readonly attestations: number };
      return status.attestations >= 2 * UNITS.length;
    });
    assert.deepEqual(await build(third, last), { hit_peer: UNITS.length });
    const putBack = unrepeatable(last);

    const set = await ask(junior, "policy", "set", "sharing", "release");
    assert.equal(set.waits, false, "any admin may make it stricter");
    await untilHeld(t, [home, junior, third], "sharing", "release", "network");
    await untilHeld(t, [partner], "sharing", "self", "machine");
    const doctor = JSON.parse((await cairn(third, "doctor", "--network", "--json")).stdout) as readonly {
      readonly check: string;
      readonly detail: string;
    }[];
    assert.match(
      doctor.find(({ check }) => check === "policy")?.detail ?? "",
      /sharing release \(the network's; this machine's own is team\)/,
    );
    // Two domains vouch for what is here, and three are wanted now.
    await until(t, async () => third.events("policy.judged-again").length > 0);
    await putBack();
    assert.deepEqual(await build(third, last), { miss: UNITS.length, stored: UNITS.length });
    const own = await cairn(third, "explain", join(last, "src/main.c"));
    assert.match(own.stdout, /it was not taken: 2 of 3 domains vouch for it/);

    const asked = await ask(junior, "policy", "set", "sharing", "own");
    assert.deepEqual([asked.inEffect, asked.waits], [false, true]);
    await ask(junior, "invite", "--domain", "guest");
    await until(t, async () => (await policyOf(home)).proposals.filter(({ mayAccept }) => mayAccept).length === 2);
    assert.notEqual((await cairn(junior, "accept", "policy")).code, 0, "it does not speak for its domain");
    assert.equal((await ask(home, "accept", "policy")).inEffect, true);
    await untilHeld(t, [home, junior, third], "sharing", "team", "own");
    assert.equal((await ask(home, "accept", "guest")).inEffect, true);
    for (const node of nodes) await until(t, async () => (await policyOf(node)).proposals.length === 0);
  },
);

test("three domains put out a machine of one of them together", PATIENT, async (t) => {
  const nodes = await Promise.all(["home", "partner", "third"].map((name) => machine(t, `together-${name}`)));
  const [home, partner, third] = nodes as [TestNode, TestNode, TestNode];
  await ask(home, "init", "--domain", "home", "--machine", "home");
  await ask(partner, "join", await invitation(home, "--domain", "partner"), "--machine", "partner");
  await ask(third, "join", await invitation(home, "--domain", "third"), "--machine", "third");
  await untilConnected(t, home, "partner", "third");
  await untilHeld(t, nodes, "unanimous", "on", "decided");

  const standing = async (node: TestNode): Promise<string | undefined> =>
    (await members(node)).find(({ name }) => name === "partner")?.standing;
  const asked = await cairn(home, "revoke", "partner");
  assert.match(asked.stdout, /waits +1 of 2 domains want partner put out \(home\); it is a member until third \(third\) says so, too/);
  assert.match(asked.stdout, /type there: cairn revoke partner +on third/);
  const again = await ask(home, "revoke", "partner");
  const missing = [{ domain: "third", member: "third" }];
  assert.deepEqual([again.decided, again.inEffect, again.waits], [false, false, { accepted: ["home"], needed: 2, missing }]);
  assert.equal(await standing(home), "active");
  // Who wants it put out does not wait for others with distrust.
  const isDistrusted = async (node: TestNode): Promise<boolean | undefined> => {
    const { peers } = (await node.control("GET", "/network/peers")) as unknown as { readonly peers: readonly Distrusted[] };
    return peers.find(({ name }) => name === "partner")?.reputation.discredited;
  };
  assert.deepEqual([await isDistrusted(home), await isDistrusted(third)], [true, false]);

  const mayAccept = async (node: TestNode): Promise<readonly boolean[]> => (await policyOf(node)).proposals.map((one) => one.mayAccept);
  await until(t, async () => (await mayAccept(third)).includes(true) && (await mayAccept(partner)).includes(false));
  const waiting = await cairn(third, "accept");
  assert.match(waiting.stdout, /partner \(partner\) is to be put out, and is a member until then; .*cairn revoke partner/);
  assert.notEqual((await cairn(third, "accept", "partner")).code, 0, "that is the name of a domain, too");
  assert.equal(await standing(third), "active");
  // Whoever looks at it on that machine is told what it can do.
  for (const command of ["status", "members"])
    assert.match(
      (await cairn(third, command)).stdout,
      /partner is to be put out, .* until third \(third\) says so, too; this machine may: cairn revoke partner/,
    );
  assert.match((await cairn(home, "members")).stdout, /by all others together: home \(home\), partner \(partner\), third \(third\)/);
  await ask(third, "revoke", "partner");
  for (const node of [home, third]) await until(t, async () => (await standing(node)) === "revoked");
});

test("one admin approves a toolchain for all machines of the network, and takes it back", PATIENT, async (t) => {
  const [home, partner] = await Promise.all(["home", "partner"].map((name) => machine(t, `approving-${name}`)));
  assert.ok(home !== undefined && partner !== undefined);
  await ask(home, "init", "--domain", "home", "--machine", "home");
  await ask(partner, "join", await invitation(home, "--domain", "partner"), "--machine", "partner");
  await untilConnected(t, partner, "home");
  let digest = "";
  await until(t, async () => {
    const { toolchains } = (await home.control("GET", "/toolchains")) as unknown as { toolchains: { digest: string }[] };
    digest = toolchains[0]?.digest ?? "";
    return digest !== "";
  });
  const approved = async (node: TestNode): Promise<unknown> =>
    ((await node.control("GET", "/toolchains")) as unknown as { approved: object }).approved;
  const untilApproved = async (network: readonly string[]): Promise<void> => {
    for (const node of [home, partner])
      await until(t, async () => JSON.stringify(await approved(node)) === JSON.stringify({ here: [], network, refused: [] }));
  };
  assert.match(
    (await cairn(home, "toolchains", "approve", digest.slice(0, 12), "--network")).stdout,
    new RegExp(`approved \\+${digest.slice(0, 12)}`),
  );
  await untilApproved([digest]);
  await untilHeld(t, [home, partner], "approved", digest, "decided");
  assert.match((await cairn(partner, "toolchains")).stdout, new RegExp(`approved by the network: ${digest.slice(0, 12)}`));
  await ask(home, "toolchains", "remove", digest.slice(0, 12), "--network");
  await untilApproved([]);
});
