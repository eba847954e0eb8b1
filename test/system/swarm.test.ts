/**
 * Large outputs travel in chunks, from several members, and what had come before a daemon was killed is gone on with.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode, writeFiles } from "./harness.ts";
import { ask, invitation, machine, until, untilConnected } from "./network-world.ts";
import { heard } from "./sharing-world.ts";

const MIB = 1_048_576;
const LONG = { timeout: 180_000 };

/** Members of one network, all connected with each other. */
async function network(t: TestContext, names: readonly string[]): Promise<TestNode[]> {
  const nodes: TestNode[] = [];
  for (const name of names) {
    const node = await machine(t, `swarm-${name}`);
    const [first] = nodes;
    await (first === undefined ? ask(node, "init", "--machine", name) : ask(node, "join", await invitation(first), "--machine", name));
    nodes.push(node);
  }
  await Promise.all(nodes.map((node, i) => untilConnected(t, node, ...names.filter((_, at) => at !== i))));
  return nodes;
}

/** Compiles an object file that is larger than that. */
async function compileLarge(node: TestNode, mib: number): Promise<Buffer> {
  const directory = join(dirname(node.home), "large");
  // Every page is another one, so that a chunk at a wrong place would be seen.
  const source = `#define ROW(n) [n * 4096] = n % 251 + 1\nchar large[${mib * MIB}] = {${Array.from({ length: mib * 256 }, (_, i) => `ROW(${i})`).join(",")}};\n`;
  writeFiles(directory, { "large.c": source });
  await age();
  const [ran] = await heard(node, () => node.cc("gcc", ["-c", "large.c", "-o", "large.o"], { cwd: directory }));
  assert.equal(ran.code, 0, ran.stderr);
  return readFileSync(join(directory, "large.o"));
}

/** Blobs of at least that size, in the store of a node. */
function largeBlobs(node: TestNode, bytes: number): string[] {
  const cas = join(node.home, "cache/cas");
  return readdirSync(cas, { recursive: true, encoding: "utf8" })
    .filter((name) => /^[0-9a-f]{2}\/[0-9a-f]{62}$/.test(name))
    .map((name) => join(cas, name))
    .filter((path) => statSync(path).size >= bytes);
}

test("a large object is copied to other members in chunks, and is what the compiler has written", LONG, async (t) => {
  const nodes = await network(t, ["laptop", "desktop", "ci"]);
  const [laptop, ...others] = nodes;
  assert.ok(laptop !== undefined);
  const object = await compileLarge(laptop, 24);
  for (const node of others) {
    await until(t, async () => largeBlobs(node, 24 * MIB).length === 1);
    assert.ok(readFileSync(largeBlobs(node, 24 * MIB)[0] ?? "").equals(object));
    await until(t, async () => node.events("swarm.fetched").some(({ complete }) => complete === true));
  }
});

test("what had come before the daemon was killed is there when it starts again, and is not foreign", LONG, async (t) => {
  const [laptop, desktop] = await network(t, ["laptop", "desktop"]);
  assert.ok(laptop !== undefined && desktop !== undefined);
  const parts = join(desktop.home, "cache/cas/tmp");
  const part = (): string | undefined => (existsSync(parts) ? readdirSync(parts).find((name) => name.startsWith("part-")) : undefined);
  await compileLarge(laptop, 96);
  await until(t, async () => part() !== undefined);
  await desktop.stopDaemon("SIGKILL");
  const left = part();
  await desktop.startDaemon();
  await until(t, async () => largeBlobs(desktop, 96 * MIB).length === 1);
  t.diagnostic(left === undefined ? "it had all come" : `${left} was left`);
  assert.deepEqual(desktop.events("store.foreign-file"), []);
  assert.equal(part(), undefined);
});
