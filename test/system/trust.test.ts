/**
 * Whose results count, among real daemons of several trust domains: real compilers, real signatures.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, checkout, type Env, run, type TestNode } from "./harness.ts";
import { forgingMember } from "./liar-world.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, heard, SOURCES, UNITS, unrepeatable, untilOffered } from "./sharing-world.ts";

/** No copies are made: what a machine has, it has asked for. */
const ALONE = { CAIRN_SHARING_COPIES: "0" };

/** Machines of one network, each of a domain of its own and called like it. */
async function domains(t: TestContext, names: readonly string[], env: Env = {}): Promise<TestNode[]> {
  const nodes = await Promise.all(names.map((name) => machine(t, `trust-${name}`, { ...ALONE, ...env })));
  const [founder, ...others] = nodes;
  assert.ok(founder !== undefined);
  await ask(founder, "init", "--domain", names[0] ?? "", "--machine", names[0] ?? "");
  for (const [at, node] of others.entries()) {
    const name = names[at + 1] ?? "";
    await ask(node, "join", await invitation(founder, "--domain", name), "--machine", name);
  }
  for (const [at, node] of nodes.entries()) await untilConnected(t, node, ...names.filter((_, other) => other !== at));
  return nodes;
}

/** How many attestations a machine has heard of. */
async function attested(node: TestNode): Promise<number> {
  return ((await node.control("GET", "/status")).network as { readonly attestations: number }).attestations;
}

async function untilAttested(t: TestContext, node: TestNode, count: number): Promise<void> {
  await until(t, async () => (await attested(node)) >= count);
}

test("a machine that is cut off from most domains uses nothing new of other domains until it no longer is", PATIENT, async (t) => {
  const [a, b, ...others] = await domains(t, ["home", "partner", "third", "fourth"], { CAIRN_SHARING_POLICY: "speculative" });
  assert.ok(a !== undefined && b !== undefined);
  const made = await build(a, checkoutOf(a, "work"));
  assert.equal(made.miss, UNITS.length, JSON.stringify(made));
  await untilOffered(t, b, "home", UNITS.length);
  const work = checkoutOf(b, "some/where/else");
  const [first, second] = [UNITS.slice(0, 1), UNITS.slice(1, 2)];
  assert.equal((await build(b, work, first)).hit_peer, 1);
  await Promise.all(others.map((node) => node.stopDaemon("SIGKILL")));
  await until(t, async () => (await b.control("GET", "/network/peers")).isolation === "few-domains");
  const cut = await build(b, work, second);
  assert.deepEqual([cut.hit_peer, cut.miss], [undefined, 1]);
  assert.equal((await build(b, work, first)).miss, undefined);
  assert.match((await cairn(b, "status")).stdout, /nothing new of other domains is used/);
  await Promise.all(others.map((node) => node.startDaemon()));
  await until(t, async () => (await b.control("GET", "/network/peers")).isolation === null);
  assert.equal((await build(b, work, UNITS.slice(2))).hit_peer, 1);
});

test("a team's machine uses what two domains vouch for, and says so", PATIENT, async (t) => {
  const [a, b, c, d] = await domains(t, ["home", "partner", "third", "fourth"]);
  assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
  const [first, second, third] = [checkoutOf(a, "work"), checkoutOf(b, "some/where/else"), checkoutOf(c, "work")];
  const fourth = checkoutOf(d, "elsewhere");
  await age();
  assert.deepEqual(await build(a, first), { miss: UNITS.length, stored: UNITS.length });
  await untilOffered(t, b, "home", UNITS.length);
  await untilAttested(t, b, UNITS.length);
  assert.deepEqual(await build(b, second), { miss: UNITS.length, stored: UNITS.length });
  const refused = (await cairn(b, "explain", join(second, "src/main.c"))).stdout;
  assert.match(refused, /home had this result; it was not taken: 1 of 2 domains vouches for it/);

  await untilOffered(t, c, "partner", UNITS.length);
  await untilAttested(t, c, 2 * UNITS.length);
  assert.deepEqual(await build(c, third), { hit_peer: UNITS.length });
  unrepeatable(third); // None of it is executed as a sample before somebody asks for it.
  const believed = (await cairn(c, "explain", join(third, "src/main.c"))).stdout;
  assert.match(believed, /vouched for +(home and partner|partner and home): enough for sharing\.policy team/);

  await summarized(t, c, third);

  await untilOffered(t, d, "partner", UNITS.length);
  await untilAttested(t, d, 2 * UNITS.length);
  assert.deepEqual(await build(d, fourth), { hit_peer: UNITS.length });
  unrepeatable(fourth);

  // Somebody says that something else came of it. Two have not executed it yet: one asks the other, each promises what it has found before
  // either tells it, and then four domains agree.
  const forger = await forgingMember(t, a, "evil", a);
  forger.attest();
  const happened = (event: string): boolean => [c, d].some((node) => node.events(event).length > 0);
  await until(t, async () => happened("round.convened") && happened("round.asked"));
  for (const work of [third, fourth]) writeFileSync(join(work, LAST), SOURCES[LAST]);
  await until(t, async () => happened("round.committed") && happened("round.opened"));
  for (const node of [a, b, c, d])
    await until(t, async () =>
      ((await ask(node, "evidence", "show")).convicted as { readonly name: string }[]).some(({ name }) => name === "evil"),
    );
  const file = join(third, "evil.json");
  await ask(c, "evidence", "show", "evil", "--output", file);
  await c.stopDaemon();
  const shows = await ask(c, "evidence", "verify", file);
  assert.deepEqual([shows.ok, (shows.convicted as { readonly domain: string }).domain], [true, "evil"]);
  const agreeing = (shows.agreeing as { readonly domain: string }[]).map(({ domain }) => domain);
  assert.ok(agreeing.length === 3 && agreeing.every((domain) => ["home", "partner", "third", "fourth"].includes(domain)), agreeing.join());
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text.replace(/"attestations":\["..../, (start) => `${start.slice(0, -4)}AAAA`),
  );
  assert.equal((await cairn(c, "evidence", "verify", file)).code, 1);
});

/** The source of the last unit that is built. */
const LAST = "src/warns.c";

/** What a machine that has compiled nothing itself says of those that have, for people without Cairn's network. */
async function summarized(t: TestContext, node: TestNode, work: string): Promise<void> {
  const compiled = [...["shape", "main"].map((unit) => join(work, `src/${unit}.c`)), join(work, "out/warns.o")];
  const file = join(work, "build.intoto.jsonl");
  assert.equal((await ask(node, "attest", "export", "--summary", "--inputs", ...compiled, "--output", file)).exported, UNITS.length);
  const checked = (await ask(node, "attest", "verify", file, "--subject", `warns.o=${join(work, "out/warns.o")}`)).checked as {
    readonly summary?: { readonly levels: readonly string[]; readonly domains: readonly string[] };
    readonly inputsHere?: number;
  }[];
  const summaries = checked.filter(({ summary }) => summary !== undefined);
  assert.deepEqual([checked.length, summaries.length], [UNITS.length * 3, UNITS.length]);
  for (const { summary, inputsHere } of summaries)
    assert.deepEqual([summary?.levels, summary?.domains, inputsHere], [["SLSA_BUILD_REPRODUCED"], ["home", "partner"], 2]);
  const [first = ""] = readFileSync(file, "utf8").split("\n");
  writeFileSync(file, first.replace(/"sig":"../, '"sig":"AA'));
  assert.equal((await cairn(node, "attest", "verify", file)).code, 1);
  // What nobody else has compiled.
  const args = ["-O2", "-Iinclude", "-c", "src/main.c", "-o", "out/alone.o"];
  await heard(node, () => node.cc("gcc", args, { cwd: work }));
  const alone = join(work, "out/alone.o");
  await until(t, async () => (await cairn(node, "attest", "show", alone)).code === 0);
  const lacking = await cairn(node, "attest", "export", "--summary", alone);
  assert.deepEqual([lacking.code, /only 1 domain of 2 vouches/.test(lacking.stderr)], [1, true], lacking.stderr);
}

test("a compile is executed once more here, and by members of other domains that may", PATIENT, async (t) => {
  const [a, b] = await domains(t, ["home", "partner"], { CAIRN_WORK_WITH: "network" });
  assert.ok(a !== undefined && b !== undefined);
  const work = checkoutOf(a, "work");
  await age();
  await build(a, work, ["main"]);
  const source = join(work, "src/main.c");
  const verified = await ask(a, "verify", source);
  assert.deepEqual([verified.here, verified.members], [{ kind: "same" }, []]);
  const challenged = await ask(a, "challenge", String(verified.action));
  const [answer] = challenged.members as { readonly kind: string; readonly name: string; readonly reason?: string }[];
  // Where no sandbox can be had, it says so.
  assert.ok(answer?.kind === "same" || (answer?.kind === "not-executed" && answer.reason === "not_shared"), JSON.stringify(challenged));
  assert.equal(answer.name, "partner");
  const unknown = await cairn(a, "verify", join(work, "src/shape.c"));
  assert.deepEqual([unknown.code, /no compile of .*shape\.c is remembered here/.test(unknown.stderr)], [1, true]);
});

test("what two domains vouch for of a command a third one uses at once, and executes it when nobody builds", PATIENT, async (t) => {
  const names = ["home", "partner", "third"];
  const nodes = await domains(t, names, { CAIRN_LOG_LEVEL: "debug" });
  const works = nodes.map((node) => checkoutOf(node, "work"));
  const args = ["exec", "--json", "--in", "src", "--out", "all", "--", "sh", "-c", "cat src/*.c > all; echo made"];
  const exec = async (at: number): Promise<Record<string, unknown>> => {
    const ran = await run(join(checkout, "bin/cairn"), args, { cwd: works[at] ?? "", env: nodes[at]?.env ?? {} });
    assert.deepEqual([ran.code, ran.stdout], [0, "made\n"], ran.stderr);
    return JSON.parse(ran.stderr) as Record<string, unknown>;
  };
  const [, , third] = nodes;
  assert.ok(third !== undefined);
  let said: Record<string, unknown> = {};
  // A machine that is busy may not answer in time, and then the command runs: the next one is asked for anew.
  for (let round = 1; said.how !== "hit" && round <= 10; round++) {
    for (const work of works) writeFileSync(join(work, "src/round.c"), `int round = ${round};\n`);
    for (const at of [0, 1]) {
      const before = await attested(third);
      const { how, where } = await exec(at);
      if (!(where as { readonly sandboxed: boolean }).sandboxed) return t.skip("no sandbox here");
      assert.equal(how, "executed", "one domain's word is not enough");
      await untilAttested(t, third, before + 1);
    }
    await untilOffered(t, third, "partner", round);
    said = await exec(2);
  }
  assert.deepEqual([said.how, (said.from as { readonly domains: readonly string[] }).domains.toSorted()], ["hit", ["home", "partner"]]);
  await until(t, async () => third.events("verify.same").length === 1);
  const { record } = await ask(third, "explain", join(works[2] ?? "", "all"));
  assert.equal((record as { readonly outcome: string }).outcome, "hit_peer");
  await until(t, async () => {
    const verified = await ask(third, "verify", join(works[2] ?? "", "all"));
    const voices = verified.voices as readonly { readonly name: string; readonly isSame: boolean }[];
    // Who executes it twice at once may say so twice.
    return new Set(voices.map(({ name }) => name)).size === names.length && voices.every(({ isSame }) => isSame);
  });
});

test("what one domain made up is found out by who executes it too, and taken back by all who hold it", PATIENT, async (t) => {
  const [a, b, c] = await domains(t, ["home", "partner", "third"], { CAIRN_SHARING_POLICY: "speculative" });
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const works = [a, b, c].map((node) => checkoutOf(node, "work"));
  const [first = "", second = "", third = ""] = works;
  await age();
  await build(c, third, ["shape"]);
  // It is as honest a result as any, but for the object, and the only one that others know of.
  const forger = await forgingMember(t, a, "evil", c);
  await ask(a, "revoke", "third");
  await until(t, async () => (await attested(a)) + (await attested(b)) === 0);
  forger.offer();
  const args = ["-O1", "-Wall", "-Iinclude", "-MD", "-MF", "out/shape.d", "-c", "src/shape.c", "-o", "out/shape.o"];
  const objects = [first, second].map((work) => join(work, "out/shape.o"));
  for (const [node, work] of [
    [a, first],
    [b, second],
  ] as const) {
    await untilOffered(t, node, "evil", 1);
    assert.equal((await run("gcc", args, { cwd: work })).code, 0);
  }
  const [honest] = objects.map((path) => readFileSync(path));
  const both = [
    [a, first],
    [b, second],
  ] as const;
  await Promise.all(both.map(([node, work]) => heard(node, () => node.cc("gcc", args, { cwd: work }))));
  // Whoever is slow may have heard already what the other has found out.
  const deceived = both.filter(([, work]) => readFileSync(join(work, "out/shape.o")).equals(forger.object));
  assert.ok(deceived.length > 0, "else there is nothing to find out");

  const isTakenBack = (node: TestNode): boolean => node.events("verify.refuted").length + node.events("sharing.contradicted").length > 0;
  await until(t, async () => deceived.every(([node]) => isTakenBack(node)));
  for (const [node, work] of deceived)
    await until(t, async () => (await cairn(node, "explain", join(work, "src/shape.c"))).stdout.includes("must be built again"));
  for (const [node, work] of [
    [a, first],
    [b, second],
  ] as const) {
    await node.cc("gcc", args, { cwd: work });
    assert.deepEqual(readFileSync(join(work, "out/shape.o")), honest);
  }
});
