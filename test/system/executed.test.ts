/**
 * Actions that one daemon has executed for its build tools, found at the doors of others: as policy says, in other domains, too.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { codec, named } from "../../src/doors/remote.fixture.ts";
import { Actor, lackOfSandbox, type Name, sh } from "./actions-world.ts";
import { assertBuilt, Bazel, sizeOfUnits, unitsOfCpp, withoutBazel } from "./bazel-world.ts";
import { type TestNode, temporaryDirectory } from "./harness.ts";
import { ask, cairn, invitation, machine, members, PATIENT, until, untilConnected } from "./network-world.ts";
import { untilOffered } from "./sharing-world.ts";

const DOORS = { CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1", CAIRN_DOORS_GRPC_EXECUTE: "on", CAIRN_LOG_LEVEL: "debug" };

/** Machines of a domain each; the first believes as `team` says, and so do those without a policy. */
async function strangers(t: TestContext, ...policies: string[]): Promise<TestNode[] | undefined> {
  const names = ["laptop", ...policies.map((_, at) => `stranger${at}`)];
  const env = (policy = "team"): Record<string, string> => ({ ...DOORS, CAIRN_SHARING_POLICY: policy });
  const nodes = await Promise.all(names.map((name, at) => machine(t, `executed-${name}`, env(policies[at - 1]))));
  const [first, ...others] = nodes;
  assert.ok(first !== undefined);
  const lack = await lackOfSandbox(first);
  if (lack !== undefined) {
    t.skip(lack);
    return undefined;
  }
  await ask(first, "init", "--machine", "laptop");
  for (const [at, node] of others.entries())
    await ask(node, "join", await invitation(first, "--domain", `d${at}`), "--machine", names[at + 1] ?? "");
  await Promise.all(nodes.map((node, at) => untilConnected(t, node, ...names.filter((_, other) => other !== at))));
  for (const node of nodes) await until(t, async () => (await members(node)).every(({ provisional }) => !provisional));
  return nodes;
}

/** What a client finds of an action, read; undefined where it finds nothing. */
async function found(node: TestNode, action: Name): Promise<string | undefined> {
  using actor = new Actor(await node.doorPort("grpc"));
  const result = await actor.client
    .ask(codec.actionCache.GetActionResult, { actionDigest: action })
    .catch((error: unknown) => (error instanceof Error && "code" in error && error.code === 5 ? undefined : assert.fail(String(error))));
  const [output] = result?.outputFiles ?? [];
  return output?.digest === undefined ? undefined : await actor.bytes({ hash: output.digest.hash, sizeBytes: output.digest.sizeBytes });
}

/** What comes of it is another thing each time. */
const CLOCK = { arguments: sh("date +%s%N > out/time"), outputPaths: ["out/time"] };

/** A directory of more files than one statement can name, in two levels. */
const MANY = {
  arguments: sh("for i in 1 2 3 4; do mkdir -p out/d/$i; for j in $(seq 100); do echo $i $j > out/d/$i/$j; done; done"),
  outputPaths: ["out/d"],
};

/** Runs a command that sorts lines. */
async function execute(node: TestNode, lines: string, skipCacheLookup = false): Promise<Name> {
  using actor = new Actor(await node.doorPort("grpc"));
  const command = { arguments: sh("sort lines > out/sorted; echo done"), outputPaths: ["out/sorted"] };
  const action = await actor.action(command, { lines });
  const { result, status } = await actor.run(action, skipCacheLookup);
  assert.deepEqual([status?.code, result?.exitCode], [0, 0], Buffer.from(result?.stderrRaw ?? []).toString());
  return action;
}

test("what one domain has executed is found in others as policy says, what a client brought is not, and people are told which", {
  ...PATIENT,
}, async (t) => {
  const nodes = await strangers(t, "speculative", "team");
  if (nodes === undefined) return;
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  const action = await execute(a, "b\na\n");
  using client = new Actor(await a.doorPort("grpc"));
  const brought = named(randomBytes(10));
  const output = { path: "out", digest: await client.put(Buffer.from("brought")) };
  await client.client.ask(codec.actionCache.UpdateActionResult, { actionDigest: brought, actionResult: { outputFiles: [output] } });
  const many = await client.action(MANY);
  const there = await client.run(many);
  await Promise.all([untilOffered(t, b, "laptop", 3), untilOffered(t, c, "laptop", 3)]);

  assert.equal(await found(b, brought), undefined, "it was received");
  await until(t, async () => (await found(b, action)) !== undefined); // Who is slow to answer is not waited for.
  assert.equal(await found(b, action), "a\nb\n");
  assert.equal(b.events("door.hit").find(({ key }) => key === action.hash)?.from, "laptop");
  assert.equal((await cairn(a, "config", "set", "doors.share", "domain")).code, 0);
  const kept = await execute(a, "f\ne\n");
  await untilOffered(t, b, "laptop", 4);
  assert.equal(await found(b, kept), undefined, "its owner keeps it in the domain");
  assert.equal((await cairn(a, "config", "set", "doors.share", "policy")).code, 0);
  await until(t, async () => (await found(b, kept)) !== undefined);
  assert.equal(await found(b, kept), "e\nf\n");
  using other = new Actor(await b.doorPort("grpc"));
  const all = await other.client.ask(codec.actionCache.GetActionResult, { actionDigest: many });
  assert.deepEqual(all.outputDirectories, there.result?.outputDirectories);
  assert.equal(await other.bytes(named(Buffer.from("3 77\n"))), "3 77\n");
  assert.equal(await found(c, action), undefined, "two domains are wanted, and one has executed it");
  assert.ok(c.events("sharing.refused").some(({ why, domains, needed }) => why === "too-few-domains" && domains === 1 && needed === 2));

  // Who has it from others does not say so itself; who executes it as well does, and then two agree.
  await execute(b, "b\na\n", true);
  await until(t, async () => (await found(c, action)) === "a\nb\n");
  assert.match(String(c.events("door.hit").find(({ key }) => key === action.hash)?.from), /laptop|stranger0/);

  const file = join(dirname(c.home), "sorted");
  writeFileSync(file, "a\nb\n");
  const shown = await cairn(c, "attest", "show", file);
  assert.match(shown.stdout, /signed by +laptop/);
  assert.match(shown.stdout, /signed by +stranger0/);
  assert.match(shown.stdout, /an action of a build tool, in a sandbox/);
  assert.match(shown.stdout, new RegExp(`action +${action.hash.slice(0, 16)}`));
  assert.match(shown.stdout, /\$CWD\/out\/sorted/);
  assert.equal((await cairn(c, "attest", "export", file, "--output", `${file}.json`)).code, 0);
  const verified = await cairn(c, "attest", "verify", `${file}.json`, "--subject", `sorted=${file}`);
  assert.match(verified.stdout, /good .*\n +signed by .*(?:laptop|stranger0)/);
  assert.match(verified.stdout, /same {2}/);
  const summary = await cairn(c, "attest", "export", file, "--summary");
  assert.equal(summary.code, 0, summary.stderr);
  // What it has executed is in its log; what it has received is not.
  assert.equal((await ask(a, "log")).size, 3);
  const own = join(dirname(a.home), "sorted");
  writeFileSync(own, "a\nb\n");
  const [signed] = (await ask(a, "attest", "show", own)).attestations as { action: string }[];
  const proof = await cairn(a, "log", "prove", signed?.action ?? "", "--output", `${own}.tlog-proof`);
  assert.equal(proof.code, 0, proof.stderr);
});

test("what was taken of a member is gone when it is revoked, and when another domain finds something else", PATIENT, async (t) => {
  const nodes = await strangers(t, "speculative", "speculative");
  if (nodes === undefined) return;
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  const action = await execute(b, "d\nc\n");
  await untilOffered(t, c, "stranger0", 1);
  await until(t, async () => (await found(c, action)) !== undefined); // Who is slow to answer is not waited for.
  assert.equal(await found(c, action), "c\nd\n");
  // Which of two an action leads to that says when it ran, nobody can tell: it is disputed by who executes it as well.
  using actor = new Actor(await b.doorPort("grpc"));
  const [times, on] = await Promise.all(
    [actor, new Actor(await a.doorPort("grpc"))].map(async (one) => [one, await one.action(CLOCK)] as const),
  );
  assert.ok(times !== undefined && on !== undefined);
  using _ = on[0];
  assert.equal((await times[0].run(times[1])).result?.exitCode, 0);
  await untilOffered(t, c, "stranger0", 2);
  await until(t, async () => (await found(c, times[1])) !== undefined);
  assert.match((await found(c, times[1])) ?? "", /^[0-9]+\n$/);
  assert.equal((await on[0].run(on[1], true)).result?.exitCode, 0);
  await until(t, async () => (await found(c, times[1])) === undefined);
  await until(t, async () => c.events("door.recalled").some(({ key, why }) => key === times[1].hash && why === "disputed"));

  assert.equal(await found(c, action), "c\nd\n", "nobody says anything else of that");
  await ask(a, "revoke", "stranger0");
  const mayAccept = async (): Promise<boolean> => JSON.stringify(await c.control("GET", "/network/policy")).includes('"mayAccept":true');
  await until(t, mayAccept); // It has heard of it.
  await ask(c, "revoke", "stranger0"); // Three domains: it takes all others.
  await until(t, async () => (await found(c, action)) === undefined);
  await until(t, async () => c.events("sharing.recalled").some(({ forgotten }) => Number(forgotten) > 0));
});

test("Bazel: what one domain's door has executed, another one's finds", { skip: withoutBazel, timeout: 600_000 }, async (t) => {
  const nodes = await strangers(t, "speculative");
  if (nodes === undefined) return;
  const [a, b] = nodes as [TestNode, TestNode];
  using place = temporaryDirectory("executed-bazel");
  const units = 3;
  await using bazel = new Bazel(place.path, unitsOfCpp(units));
  const executor = async (node: TestNode): Promise<string[]> => {
    const door = `grpc://127.0.0.1:${await node.doorPort("grpc")}`;
    return [`--remote_executor=${door}`, `--remote_cache=${door}`];
  };
  const first = await bazel.build(...(await executor(a)));
  assertBuilt(first, { remote: first.remote });
  assert.ok(first.remote > 4 * units, first.told);
  await untilOffered(t, b, "laptop", first.remote);
  await bazel.clean();
  assertBuilt(await bazel.build(...(await executor(b))), { hits: first.remote });
  assert.equal(bazel.made("out.txt").toString(), sizeOfUnits(units));
  const others = b.events("door.hit").filter(({ door, from }) => door === "bazel" && from === "laptop");
  assert.equal(others.length, first.remote);
});
