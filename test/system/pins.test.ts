/**
 * What is pinned survives what empties the cache, and compiles of it still hit.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { age } from "./harness.ts";
import { ask, cairn, MINUTE, machine } from "./network-world.ts";
import { build, checkoutOf, UNITS } from "./sharing-world.ts";

test("a pinned compile hits after the cache was emptied, over a restart, until it is let go of", MINUTE, async (t) => {
  const node = await machine(t, "pins");
  const work = checkoutOf(node, "work");
  await age();
  await build(node, work);
  const source = join(work, "src/main.c");
  assert.equal(((await ask(node, "pin", source)).pinned as unknown[]).length, 1);
  await node.stopDaemon();
  await node.startDaemon();
  await ask(node, "gc", "--all");
  const [pin] = (await ask(node, "pins")).pins as { kind: string; missing: number }[];
  assert.deepEqual([pin?.kind, pin?.missing], ["result", 0]);
  assert.deepEqual(await build(node, work), { hit_daemon: 1, miss: UNITS.length - 1, stored: UNITS.length - 1 });

  await ask(node, "unpin", source);
  await ask(node, "gc", "--all");
  assert.deepEqual(await build(node, work, ["main"]), { miss: 1, stored: 1 });
  const refused = await cairn(node, "pin", join(work, "Makefile"));
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /no result and no blob called/);
});
