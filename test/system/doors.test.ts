/**
 * Real tools at the doors of a real daemon: what one build has left there, the next one finds.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findOnPath } from "../../src/base/index.ts";
import { run, TestNode, temporaryDirectory } from "./harness.ts";

const SOURCES = 3;
const skip = findOnPath("ccache", process.env) === undefined ? "no ccache here" : false;

/** Compiles all sources with ccache, which keeps nothing of its own. */
async function build(directory: string, storage: string): Promise<void> {
  const own = join(directory, "ccache");
  rmSync(own, { recursive: true, force: true });
  const env = { CCACHE_DIR: own, CCACHE_CONFIGPATH: join(directory, "none"), CCACHE_REMOTE_STORAGE: storage, CCACHE_REMOTE_ONLY: "1" };
  for (let i = 0; i < SOURCES; i++) {
    const ran = await run("ccache", ["gcc", "-c", `unit${i}.c`, "-o", `unit${i}.o`], { cwd: directory, env });
    assert.equal(ran.code, 0, ran.stderr);
  }
}

test("ccache finds what an earlier build has left, in each layout and over Redis", { skip }, async () => {
  await using node = await TestNode.start("doors", { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1", CAIRN_DOORS_REDIS_LISTEN: "127.0.0.1" });
  using directory = temporaryDirectory("doors-sources");
  const [http, redis] = [await node.doorPort("http"), await node.doorPort("redis")];
  const storages = [
    ...["subdirs", "flat", "bazel"].map((layout) => [layout, "ccache", `http://127.0.0.1:${http}/ccache|layout=${layout}`] as const),
    ["redis", "redis", `redis://127.0.0.1:${redis}`] as const,
  ];
  for (const [name, door, storage] of storages) {
    const place = join(directory.path, name);
    mkdirSync(place);
    for (let i = 0; i < SOURCES; i++) writeFileSync(join(place, `unit${i}.c`), `int ${name}_unit${i}(void) { return ${i}; }\n`);
    await build(place, storage);
    const before = await node.counters();
    await build(place, storage);
    const after = await node.counters();
    const grown = (what: string): number => (after[`door:${door}:${what}`] ?? 0) - (before[`door:${door}:${what}`] ?? 0);
    // A manifest and a result each.
    assert.deepEqual([grown("hit"), grown("miss"), grown("put"), grown("refused")], [2 * SOURCES, 0, 0, 0], name);
  }
});

test("a daemon whose doors are off listens at no address", async () => {
  await using node = await TestNode.start("no-doors");
  assert.deepEqual((await node.control("GET", "/status")).doors, []);
  assert.deepEqual(node.events("door.opened"), []);
});
