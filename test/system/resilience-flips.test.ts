/**
 * Bits that flip where Cairn keeps things: blobs, plain and compressed, hot records, the index. Never a wrong object; what was damaged
 * is stored again by the next compile and then hits. (src/store/flips.test.ts flips the index many more times.)
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { age } from "./harness.ts";
import { BreakableNode, eventually, filesBelow, randomFrom } from "./resilience-world.ts";

const ROUNDS = Number(process.env.CAIRN_TEST_FLIPS ?? 4);

/** Compiles that may miss until one hits, on a machine on which wrappers do not wait for the daemon now and then. */
const LEAST_HEALING = 10;

type Random = (below: number) => number;

/** Changes some bits, or the length. */
function damage(path: string, random: Random): void {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  chmodSync(path, 0o600);
  if (random(6) === 0) return truncateSync(path, random(bytes.length));
  for (let flips = 1 + random(3); flips > 0; flips--) {
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
  }
  writeFileSync(path, bytes);
}

function blobs(node: BreakableNode): string[] {
  const cas = join(node.home, "cache/cas");
  return filesBelow(cas).map((name) => join(cas, name));
}

function records(node: BreakableNode): string[] {
  const hot = join(node.home, "run/hot");
  return filesBelow(hot).map((name) => join(hot, name));
}

async function hits(node: BreakableNode): Promise<number> {
  const { hit_local: local = 0, hit_daemon: daemon = 0, hit_equivalent: equivalent = 0 } = await node.counters();
  return local + daemon + equivalent;
}

/** The same compile as often as it takes: always the compiler's object, and in the end a hit. */
async function heals(node: BreakableNode, name: string, why: string): Promise<void> {
  for (let compiles = 0; ; compiles++) {
    const before = await hits(node);
    await node.sameAsCompiler(name);
    if ((await hits(node)) > before) return;
    assert.ok(compiles < LEAST_HEALING, `${why}\n${node.daemon.log()}`);
    await age();
  }
}

const kept: readonly { readonly name: string; readonly files: (node: BreakableNode) => string[] }[] = [
  { name: "plain blobs", files: blobs },
  { name: "hot records", files: records },
  { name: "hot records and blobs", files: (node) => [...records(node), ...blobs(node)] },
  { name: "the index", files: (node) => ["", "-wal"].map((suffix) => join(node.home, `cache/index.db${suffix}`)).filter(existsSync) },
];

test("bits flip in blobs, records and the index, while the daemon runs and while it is down", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  await using node = await BreakableNode.make("flips");
  node.write({ "a.c": '#include "h.h"\nint f(void) { return H; }\n', "h.h": "#define H 1\n" });
  await node.up();
  await age();
  await heals(node, "a.c", "intact");
  for (let round = 0; round < ROUNDS; round++) {
    const { name, files } = kept[round % kept.length] ?? assert.fail();
    const down = random(3) === 0;
    if (down) await node.kill(random(2) === 0 ? "SIGTERM" : "SIGKILL");
    for (const path of files(node)) damage(path, random);
    // Without the record the daemon must find out; with it, the wrapper.
    if (random(3) === 0) for (const path of records(node)) rmSync(path);
    if (down) await node.up();
    await heals(node, "a.c", `${name}, seed ${seed}, round ${round}, ${down ? "down" : "running"}`);
  }
});

test("bits flip in compressed blobs", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  // The least that may be kept plain is less than what these take.
  await using node = await BreakableNode.make("flips-packed", { env: { CAIRN_STORE_PLAIN: "1MiB" } });
  const names = ["one", "two", "three", "four"];
  const large = (name: string): string => `char ${name}[400000] = {1, 2, 3};\n`;
  node.write(Object.fromEntries(names.map((name) => [`${name}.c`, large(name)])));
  await node.up();
  await age();
  for (const name of names) await node.sameAsCompiler(`${name}.c`);
  const packed = (): string[] => blobs(node).filter((path) => path.endsWith(".zst"));
  await eventually("some are compressed", () => packed().length > 0);
  for (const path of packed()) {
    assert.ok(statSync(path).size < 40_000);
    damage(path, random);
  }
  for (const path of records(node)) rmSync(path);
  for (const name of names) await node.sameAsCompiler(`${name}.c`);
  await eventually("all hit again", async () => {
    const before = await hits(node);
    for (const name of names) await node.sameAsCompiler(`${name}.c`);
    return (await hits(node)) === before + names.length;
  });
});
