/**
 * What a project demands of those who build it, among real daemons: it is stricter than network and machine, from the next compile on, also
 * where a record answers without the daemon; what it cannot say clearly is the strictest; and what is vouched for well enough is used.
 */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { age, checkout, type Ran, run, type TestNode } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, UNITS, untilOffered } from "./sharing-world.ts";

const ALL = UNITS.length;

function cairnIn(node: TestNode, directory: string, ...args: string[]): Promise<Ran> {
  return run(join(checkout, "bin/cairn"), args, { cwd: directory, env: node.env });
}

async function untilKnown(t: Parameters<typeof until>[0], node: TestNode, attestations: number): Promise<void> {
  await until(t, async () => {
    const status = (await node.control("GET", "/status")).network as { readonly attestations: number };
    return status.attestations >= attestations;
  });
}

test("a project makes those who build it stricter, at once, and none of them laxer", PATIENT, async (t) => {
  const names = ["home", "partner", "third", "sister"] as const;
  const nodes = await Promise.all(names.map((name) => machine(t, `project-${name}`, { CAIRN_SHARING_COPIES: "0" })));
  const [home, partner, third, sister] = nodes as [TestNode, TestNode, TestNode, TestNode];
  await ask(home, "init", "--domain", "home", "--machine", "home");
  await ask(partner, "join", await invitation(home, "--domain", "partner"), "--machine", "partner");
  await ask(third, "join", await invitation(home, "--domain", "third"), "--machine", "third");
  await ask(sister, "join", await invitation(home), "--machine", "sister");
  for (const [at, node] of nodes.entries()) await untilConnected(t, node, ...names.filter((_, other) => other !== at));

  const work = checkoutOf(third, "work");
  const file = join(work, ".cairn.json");
  await age();
  await build(home, checkoutOf(home, "work"));
  await build(partner, checkoutOf(partner, "work"));
  await untilOffered(t, third, "home", ALL);
  await untilKnown(t, third, 2 * ALL);
  assert.deepEqual(await build(third, work), { hit_peer: ALL });
  // Until their records lie there, the daemon answers.
  await until(t, async () => (await build(third, work)).hit_local === ALL);

  writeFileSync(file, '{"sharing": "release"}');
  await age();
  assert.deepEqual(await build(third, work), { miss: ALL, stored: ALL }, "two domains vouch for what three must");
  const explained = await cairnIn(third, work, "explain", "src/main.c");
  assert.match(explained.stdout, /it was not taken: 2 of 3 domains vouch for it/);
  assert.ok(explained.stdout.includes(`release, as ${file} demands`), explained.stdout);
  const told = await cairnIn(third, work, "policy");
  assert.match(told.stdout, /sharing +release .*the project is stricter/);
  assert.ok(told.stdout.includes(`${file} demands sharing release`), told.stdout);
  const doctor = await cairnIn(third, work, "doctor", "--network");
  assert.ok(doctor.stdout.includes(`sharing release (${file} demands it)`), doctor.stdout);
  assert.doesNotMatch((await cairnIn(third, checkout, "policy")).stdout, /project/, "elsewhere it demands nothing");
  // What was executed here is good enough for everybody, and three domains are for a project that wants three.
  await until(t, async () => (await build(third, work)).hit_local === ALL);
  const careful = checkoutOf(sister, "work");
  writeFileSync(join(careful, ".cairn.json"), '{"sharing": "release"}');
  await age();
  await untilOffered(t, sister, "third", ALL);
  await untilKnown(t, sister, 3 * ALL);
  assert.deepEqual(await build(sister, careful), { hit_peer: ALL });

  // Laxer than the machine is nobody for it; what is not understood is the strictest.
  writeFileSync(join(careful, ".cairn.json"), '{"sharing": "speculative"}');
  assert.match((await cairnIn(sister, careful, "policy")).stdout, /sharing +team .*the network says nothing/);
  writeFileSync(join(careful, ".cairn.json"), "sharing: lax");
  await age();
  assert.match((await cairnIn(sister, careful, "policy")).stdout, /demands sharing self .*it is no JSON/);
  assert.deepEqual(await build(sister, careful), { miss: ALL, stored: ALL });
  rmSync(join(careful, ".cairn.json"));
  assert.equal((await build(sister, careful)).miss ?? 0, 0, "own work is used as ever");
});
