/**
 * Domains that decide who belongs to the network: real daemons of four, real links, real disks.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, members, PATIENT, until, untilConnected } from "./network-world.ts";

const NAMES = ["home", "partner", "third", "fourth"];

interface Deciding {
  readonly by: string;
  readonly quorum: number;
  readonly undecided: number;
  readonly newest: { readonly domains?: readonly string[] };
  readonly revocations: readonly string[];
}

async function deciding(node: TestNode): Promise<Deciding> {
  return (await node.control("GET", "/network/members")).deciding as Deciding;
}

async function policyNumber(node: TestNode): Promise<unknown> {
  return (await node.control("GET", "/network/policy")).number;
}

test("four domains agree on what happens to members, and every machine knows by whom it was decided", PATIENT, async (t) => {
  const nodes = await Promise.all(NAMES.map((name) => machine(t, `agree-${name}`)));
  const [home, ...others] = nodes as [TestNode, TestNode, TestNode, TestNode];
  await ask(home, "init", "--domain", "home", "--machine", "home");
  for (const [at, node] of others.entries()) {
    const name = NAMES[at + 1] ?? "";
    await ask(node, "join", await invitation(home, "--domain", name), "--machine", name);
  }
  for (const [at, node] of nodes.entries()) await untilConnected(t, node, ...NAMES.filter((_, other) => other !== at));
  await until(t, async () => (await members(home)).every(({ provisional }) => !provisional));
  // What any admin signs now, no admin decides alone.
  await invitation(home, "--domain", "fifth");
  for (const node of nodes)
    await until(t, async () => {
      const { by, newest, undecided } = await deciding(node);
      return by === "domains" && undecided === 0 && (newest.domains?.length ?? 0) >= 3;
    });

  // What makes the network laxer one admin may not, and a fifth domain counts once another has accepted it.
  const stricter = await ask(home, "policy", "set", "quorum", "3");
  assert.equal(stricter.waits, false);
  const [partner] = others;
  for (const node of nodes) await until(t, async () => (await policyNumber(node)) === 1);
  await ask(home, "policy", "set", "quorum", "own");
  await until(t, async () => ((await ask(partner, "policy")).proposals as unknown[]).length === 2);
  await ask(partner, "accept", "policy");
  await ask(partner, "accept", "fifth");
  for (const node of nodes)
    await until(t, async () => (await policyNumber(node)) === 2 && ((await ask(node, "policy")).proposals as unknown[]).length === 0);

  const asked = await ask(home, "revoke", "fourth");
  // On a slow machine the decision may come after the answer.
  await until(t, async () => (await deciding(home)).revocations.length === 0);
  const again = await cairn(home, "revoke", "fourth", "--json");
  assert.notEqual(again.code, 0, "it is out");
  assert.equal(asked.quorum, 3);
  for (const node of [home, others[0], others[1]])
    await until(t, async () => {
      const fourth = (await members(node)).find(({ name }) => name === "fourth");
      return fourth?.standing === "revoked" && ((await deciding(node)).newest.domains?.length ?? 0) >= 3;
    });
  const told = await cairn(home, "members");
  assert.match(told.stdout, /was decided by the domains/);
});
