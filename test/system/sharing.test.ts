/**
 * Machines of one network use each other's results: real daemons on loopback, real compilers, checkouts at different paths.
 */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { age, checkout, type Env, run, type TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, heard, SOURCES, UNITS, untilOffered } from "./sharing-world.ts";

/** No copies are made: what a machine has, it has asked for. */
const ALONE = { CAIRN_SHARING_COPIES: "0" };

/** Two machines of one network; the second knows what the first can serve. */
async function pair(t: TestContext, ...invite: string[]): Promise<[TestNode, TestNode]> {
  const [a, b] = await Promise.all([machine(t, "share-a", ALONE), machine(t, "share-b", ALONE)]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a, ...invite), "--machine", "desktop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  return [a, b];
}

test("a second machine builds elsewhere what the first has built, and no compiler runs", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const first = checkoutOf(a, "work");
  const second = checkoutOf(b, "some/where/else");
  await age();
  assert.deepEqual(await build(a, first), { miss: UNITS.length, stored: UNITS.length });
  await untilOffered(t, b, "laptop", UNITS.length);
  assert.deepEqual(await build(b, second), { hit_peer: UNITS.length });
  // Until their records lie there, the daemon answers.
  await until(t, async () => (await build(b, second)).hit_local === UNITS.length);
  const from = (await explained(b, join(second, "src/main.c"))).from;
  assert.deepEqual([from?.name, from?.giver?.name, (from?.giver?.rttMs ?? 0) > 0], ["laptop", "laptop", true]);
  assert.ok((from?.bytes ?? 0) > 0 && (from?.tookMs ?? 0) > 0);

  // What came from others is as good for a third, while the first is away.
  const c = await machine(t, "share-c", ALONE);
  await ask(c, "join", await invitation(b), "--machine", "ci");
  await untilConnected(t, c, "desktop", "laptop");
  await a.stopDaemon("SIGKILL");
  const third = join(dirname(c.home), "third");
  cpSync(second, third, { recursive: true });
  await age();
  await untilOffered(t, c, "desktop", UNITS.length);
  assert.deepEqual(await build(c, third), { hit_peer: UNITS.length });
  const given = (await explained(c, join(third, "src/main.c"))).from;
  assert.deepEqual([given?.name, given?.giver?.name], ["laptop", "desktop"]);
  const { givers } = await ask(c, "stats");
  const [giver, ...others] = givers as { readonly name: string; readonly hits: number; readonly bytes: number }[];
  assert.deepEqual([giver?.name, giver?.hits, others], ["desktop", UNITS.length, []]);
  assert.ok((giver?.bytes ?? 0) > 0);
});

test("a run closes with hits here, hits of others and from whom, and time saved", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  await age();
  await build(a, checkoutOf(a, "work"));
  await untilOffered(t, b, "laptop", UNITS.length);
  const units = UNITS.map((unit) => `gcc -O1 -Wall -Iinclude -MD -MF out/${unit}.d -c src/${unit}.c -o out/${unit}.o`);
  const build2 = ["-C", checkoutOf(b, "work"), join(checkout, "bin/cairn"), "run", "--", "sh", "-c", [...units, units[0]].join(" && ")];
  const ran = await run("env", build2, { cwd: checkout, env: b.env });
  assert.match(ran.stderr, /cairn: 4 compiles: 4 hits \(100 %\), 1 here and 3 from laptop, 0 misses; saved \d/);
});

interface Explained {
  readonly from?: {
    readonly name: string;
    readonly bytes: number;
    readonly tookMs: number;
    readonly giver?: { readonly name: string; readonly rttMs: number };
  };
}

async function explained(node: TestNode, file: string): Promise<Explained> {
  const told = await ask(node, "explain", file);
  assert.equal(told.found, true);
  return told.record as Explained;
}

for (const whose of ["its own", "others'"] as const)
  test(`what is gone from a machine's store comes from another one: ${whose} results`, PATIENT, async (t) => {
    const [a, b] = await pair(t);
    const [first, second] = [checkoutOf(a, "work"), checkoutOf(b, "work")];
    await age();
    await build(a, first);
    await untilOffered(t, b, "laptop", UNITS.length);
    assert.deepEqual(await build(b, second), { hit_peer: UNITS.length });
    await untilOffered(t, a, "desktop", UNITS.length);
    const [node, directory] = whose === "its own" ? [a, first] : [b, second];
    const blobs = join(node.home, "cache/cas");
    for (const name of readdirSync(blobs, { recursive: true, encoding: "utf8" }))
      if (statSync(join(blobs, name)).isFile()) rmSync(join(blobs, name));
    assert.deepEqual(await build(node, directory), { hit_peer: UNITS.length });
  });

test("what is compiled while a network starts, and just before the daemon ends, is shared too", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const first = checkoutOf(a, "work");
  await age();
  await a.stopDaemon();
  await a.startDaemon(); // It answers builds before its network runs.
  assert.deepEqual(await build(a, first), { miss: UNITS.length, stored: UNITS.length });
  await a.stopDaemon();
  await a.startDaemon();
  await untilOffered(t, b, "laptop", UNITS.length);
  assert.deepEqual(await build(b, checkoutOf(b, "work")), { hit_peer: UNITS.length });
});

test("a miss asks nobody, and what differs is compiled", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const first = checkoutOf(a, "work");
  const second = checkoutOf(b, "work");
  writeFiles(second, { "include/shape.h": `${SOURCES["include/shape.h"]}#define MORE 1\n`, "src/extra.c": "int extra;\n" });
  await age();
  await build(a, first);
  await untilOffered(t, b, "laptop", UNITS.length);
  // Only what does not include the header is the same.
  assert.deepEqual(await build(b, second), { hit_peer: 1, miss: 2, stored: 2 });
  assert.deepEqual(await build(b, second, ["extra"]), { miss: 1, stored: 1 });
});

test("what nobody has costs no question, however much of it is built beside others", PATIENT, async (t) => {
  const mesh = { ...ALONE, CAIRN_SHARING_DIRECTORY: "mesh" };
  const names = ["laptop", "desktop", "ci"] as const;
  const nodes = await Promise.all(names.map((name) => machine(t, `share-${name}`, mesh)));
  const [a, b, c] = nodes;
  assert.ok(a && b && c);
  await ask(a, "init", "--machine", names[0]);
  for (const [at, node] of [b, c].entries()) await ask(node, "join", await invitation(a), "--machine", names[at + 1] ?? "");
  for (const [at, node] of nodes.entries()) await untilConnected(t, node, ...names.toSpliced(at, 1));
  const [first, second, third] = nodes.map((node) => checkoutOf(node, "work"));
  assert.ok(first && second && third);
  // Other files on each: who has built the same file with other contents is asked, as that cannot be told from a summary.
  const [ofSecond, ofThird] = ["second", "third"].map((name) => Array.from({ length: 24 }, (_, i) => `${name}${i}`));
  assert.ok(ofSecond && ofThird);
  for (const [directory, units] of [
    [second, ofSecond],
    [third, ofThird],
  ] as const)
    writeFiles(directory, Object.fromEntries(units.map((unit) => [`src/${unit}.c`, `int ${unit}(void) { return 0; }\n`])));
  await age();
  await build(a, first);
  await untilOffered(t, b, "laptop", UNITS.length);
  await untilOffered(t, c, "laptop", UNITS.length);

  const before = await questions(nodes);
  // At once, so that each has heard of what the other makes as it goes.
  const counts = await Promise.all([build(b, second, ofSecond), build(c, third, ofThird)]);
  const missed = { miss: ofSecond.length, stored: ofSecond.length };
  assert.deepEqual(counts, [missed, missed]);
  await untilOffered(t, b, "ci", ofThird.length);
  assert.deepEqual(await questions(nodes), before);
  assert.deepEqual(await build(b, second), { hit_peer: UNITS.length });
  assert.notDeepEqual(await questions(nodes), before, "what somebody has is asked for");
});

/** What each machine has asked others, and been asked, so far. */
async function questions(nodes: readonly TestNode[]): Promise<number[][]> {
  const rows = nodes.map(async (node) => {
    const { peers } = (await ask(node, "peers")) as { peers: { sharing: { questionsOut: number; questionsIn: number } }[] };
    return peers.flatMap(({ sharing }) => [sharing.questionsOut, sharing.questionsIn]);
  });
  return Promise.all(rows);
}

test("a member that hangs costs a build a moment, and nothing else", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const work = checkoutOf(b, "work");
  await age();
  await build(a, checkoutOf(a, "work"));
  await untilOffered(t, b, "laptop", UNITS.length);
  process.kill(a.pid, "SIGSTOP");
  try {
    assert.deepEqual(await build(b, work), { miss: UNITS.length, stored: UNITS.length });
  } finally {
    process.kill(a.pid, "SIGCONT");
  }
  assert.equal(b.events("sharing.failed").length, 1);
});

for (const [about, policy, domain, expected] of [
  [
    "another domain's results are not used by a team as long as it is the only one to vouch for them",
    "team",
    "partner",
    { miss: 3, stored: 3 },
  ],
  ["another domain's results are used where that is policy", "speculative", "partner", { hit_peer: 3 }],
  ["nobody's results are used where that is policy", "self", "home", { miss: 3, stored: 3 }],
] as const)
  test(about, PATIENT, async (t) => {
    const a = await machine(t, "share-a", ALONE);
    const b = await machine(t, "share-b", { ...ALONE, CAIRN_SHARING_POLICY: policy });
    await ask(a, "init", "--machine", "laptop");
    await ask(b, "join", await invitation(a, "--domain", domain), "--machine", "guest");
    await untilConnected(t, b, "laptop");
    await age();
    await build(a, checkoutOf(a, "work"));
    await untilOffered(t, b, "laptop", UNITS.length);
    const work = checkoutOf(b, "work");
    assert.deepEqual(await build(b, work), expected);
    const why = policy === "team" ? /laptop had this result; it was not taken: 1 of 2 domains vouches for it/ : /^(?!.*not taken)/s;
    assert.match((await cairn(b, "explain", join(work, "src/main.c"))).stdout, why);
  });

test("what a revoked member had made is not used any more", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const c = await machine(t, "share-c", ALONE);
  await ask(c, "join", await invitation(a), "--machine", "ci");
  await untilConnected(t, c, "desktop", "laptop");
  await age();
  await build(b, checkoutOf(b, "work"));
  await untilOffered(t, c, "desktop", UNITS.length);
  const work = checkoutOf(c, "work");
  await age();
  assert.deepEqual(await build(c, work), { hit_peer: UNITS.length });
  await ask(a, "revoke", "desktop");
  await until(t, async () => {
    await sleep(50);
    return ((await build(c, work)).miss ?? 0) === UNITS.length;
  });
});

test("what a build asks for next is fetched ahead, with its blobs", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const units = Array.from({ length: 16 }, (_, i) => `unit${i}`);
  const files = Object.fromEntries(units.map((unit, i) => [`src/${unit}.c`, `int ${unit}(int x) { return x * ${i}; }\n`]));
  const [first, second] = [checkoutOf(a, "work"), checkoutOf(b, "work")];
  for (const directory of [first, second]) writeFiles(directory, files);
  await age();
  await build(a, first, units);
  await untilOffered(t, b, "laptop", units.length);
  assert.deepEqual(await build(b, second, units), { hit_peer: units.length });
  const { peers } = (await ask(b, "peers")) as { peers: { sharing: { questionsOut: number; results: number } | null }[] };
  const [sharing] = peers.flatMap((peer) => peer.sharing ?? []);
  assert.ok(sharing !== undefined && sharing.results >= units.length);
  assert.ok(sharing.questionsOut < units.length, `${sharing.questionsOut} questions`);
});

test(
  "a compiler that looks for headers in the same places hits, whatever it is called by; a copy looks beside itself, and misses",
  PATIENT,
  async (t) => {
    const [a, b] = await pair(t);
    using elsewhere = temporaryDirectory("toolchain");
    const bin = join(elsewhere.path, "linked");
    mkdirSync(bin);
    symlinkSync((await run("which", ["gcc"], { cwd: "/" })).stdout.trim(), join(bin, "gcc"));
    const linked = { PATH: `${bin}:${process.env.PATH ?? ""}` };
    const copied = { PATH: await copiedCompiler(join(elsewhere.path, "copied")) };
    const first = checkoutOf(a, "work");
    await age();
    const ours = UNITS.length;
    assert.deepEqual(await buildWith(a, first, {}), { miss: ours, stored: ours });
    await untilOffered(t, b, "laptop", ours);
    assert.deepEqual(await buildWith(b, checkoutOf(b, "linked"), linked), { hit_peer: ours });
    assert.deepEqual(await buildWith(b, checkoutOf(b, "copied"), copied), { miss: ours, stored: ours });

    // It runs as before, but nobody has said that what it writes is the same.
    const cc1 = (await run("gcc", ["-print-prog-name=cc1"], { cwd: "/", env: copied })).stdout.trim();
    assert.ok(cc1.startsWith(elsewhere.path));
    appendFileSync(cc1, "another");
    await age();
    assert.deepEqual(await buildWith(b, checkoutOf(b, "other"), copied), { miss: ours, stored: ours });
  },
);

test("copies of a compiler that have other headers beside them do not get each other's objects", PATIENT, async (t) => {
  const a = await machine(t, "share-a", ALONE);
  using elsewhere = temporaryDirectory("toolchain");
  const boards: Env[] = [];
  for (const board of ["1", "2"]) {
    const env = { PATH: await copiedCompiler(join(elsewhere.path, board)) };
    boards.push(env);
    const header = (await run("gcc", ["-print-file-name=include/stddef.h"], { cwd: "/", env })).stdout.trim();
    assert.ok(header.startsWith(elsewhere.path));
    appendFileSync(header, `#define BOARD ${board}\n`);
  }
  const work = checkoutOf(a, "work");
  for (const unit of UNITS) writeFiles(work, { [`src/${unit}.c`]: `#include <stddef.h>\nint ${unit}(void) { return BOARD; }\n` });
  await age();
  const ours = UNITS.length;
  for (const board of boards) assert.deepEqual(await buildWith(a, work, board, "-g"), { miss: ours, stored: ours });
});

/** Compiles every unit with the gcc that a machine finds; each object and dependency file is what that one writes. */
async function buildWith(node: TestNode, directory: string, env: Env, ...options: string[]): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const unit of UNITS) {
    const outputs = ["o", "d"].map((ending) => join(directory, `out/${unit}.${ending}`));
    const args = ["-O1", ...options, "-MD", "-Iinclude", "-c", `src/${unit}.c`, "-o", `out/${unit}.o`];
    const plain = await run("gcc", args, { cwd: directory, env });
    const expected = outputs.map((path) => readFileSync(path));
    const [, counts] = await heard(node, async () => {
      for (const path of outputs) rmSync(path);
      assert.deepEqual(await node.cc("gcc", args, { cwd: directory, env }), plain);
      const actual = outputs.map((path) => readFileSync(path));
      assert.deepEqual(actual, expected, unit);
    });
    for (const [name, count] of Object.entries(counts)) all[name] = (all[name] ?? 0) + count;
  }
  return all;
}

/** Copies gcc, and what it executes of its own, into another directory. @returns a PATH on which that is found first */
async function copiedCompiler(directory: string): Promise<string> {
  const told = async (file: string, ...args: string[]): Promise<string> => (await run(file, args, { cwd: "/" })).stdout.trim();
  const own = dirname(await told("gcc", "-print-prog-name=cc1"));
  const below = join(directory, own.slice(own.indexOf("/lib") + 1));
  for (const made of [join(directory, "bin"), below]) mkdirSync(made, { recursive: true });
  cpSync(realpathSync(await told("which", "gcc")), join(directory, "bin/gcc"));
  for (const name of readdirSync(own)) if (/^cc1|^include$/.test(name)) cpSync(join(own, name), join(below, name), { recursive: true });
  return `${join(directory, "bin")}:${process.env.PATH ?? ""}`;
}
