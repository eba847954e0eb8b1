/**
 * What a project demands of those who build it, among real daemons: it is stricter than network and machine, from the next compile on, also
 * where a record answers without the daemon; what it cannot say clearly is the strictest; and what is vouched for well enough is used.
 */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { age, checkout, type Ran, run, type TestNode, writeFiles } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, SOURCES, UNITS, unrepeatable, untilOffered } from "./sharing-world.ts";

const ALL = UNITS.length;

function cairnIn(node: TestNode, directory: string, ...args: string[]): Promise<Ran> {
  return run(join(checkout, "bin/cairn"), args, { cwd: directory, env: node.env });
}

async function known(node: TestNode): Promise<number> {
  return ((await node.control("GET", "/status")).network as { readonly attestations: number }).attestations;
}

/** Makes other compiles of them. */
function change(directory: string, round: number): void {
  for (const unit of UNITS) writeFiles(directory, { [`src/${unit}.c`]: `${SOURCES[`src/${unit}.c`]}int round${round};\n` });
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

  const [ours, theirs, work, careful] = nodes.map((node) => checkoutOf(node, "work")) as [string, string, string, string];
  const file = join(work, ".cairn.json");
  // Where all this takes some ten seconds, a machine has executed what it took of others as a sample, and vouches for it, too.
  const sampled = async (): Promise<number> => (await third.counters()).verified ?? 0;
  for (let round = 1; ; round++) {
    for (const directory of [ours, theirs, work, careful]) change(directory, round);
    rmSync(file, { force: true });
    await age();
    const [before, sampledBefore] = [await known(third), await sampled()];
    await build(home, ours);
    await build(partner, theirs);
    await untilOffered(t, third, "home", round * ALL);
    await until(t, async () => (await known(third)) >= before + 2 * ALL);
    assert.deepEqual(await build(third, work), { hit_peer: ALL });
    // Until their records lie there, the daemon answers.
    await until(t, async () => (await build(third, work)).hit_local === ALL);

    writeFileSync(file, '{"sharing": "release"}');
    await age();
    const counts = await build(third, work);
    if ((await sampled()) > sampledBefore) continue;
    assert.deepEqual(counts, { miss: ALL, stored: ALL }, "two domains vouch for what three must");
    break;
  }
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
  writeFileSync(join(careful, ".cairn.json"), '{"sharing": "release"}');
  await age();
  await untilOffered(t, sister, "third", ALL);
  await until(t, async () => (await known(sister)) === (await known(third)));
  assert.deepEqual(await build(sister, careful), { hit_peer: ALL });
  const putBack = unrepeatable(careful);

  // Laxer than the machine is nobody for it; what is not understood is the strictest.
  writeFileSync(join(careful, ".cairn.json"), '{"sharing": "speculative"}');
  assert.match((await cairnIn(sister, careful, "policy")).stdout, /sharing +team .*the network says nothing/);
  writeFileSync(join(careful, ".cairn.json"), "sharing: lax");
  assert.match((await cairnIn(sister, careful, "policy")).stdout, /demands sharing self .*it is no JSON/);
  await putBack();
  assert.deepEqual(await build(sister, careful), { miss: ALL, stored: ALL });
  rmSync(join(careful, ".cairn.json"));
  assert.equal((await build(sister, careful)).miss ?? 0, 0, "own work is used as ever");
});
