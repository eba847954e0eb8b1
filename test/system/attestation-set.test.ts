/**
 * Machines of one network know what all have executed: real daemons on loopback, real compilers.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode, writeFiles } from "./harness.ts";
import { ask, PATIENT, three, until } from "./network-world.ts";
import { heard } from "./sharing-world.ts";

async function compile(node: TestNode, ...names: string[]): Promise<void> {
  const directory = join(dirname(node.home), "work");
  mkdirSync(directory, { recursive: true });
  writeFiles(directory, Object.fromEntries(names.map((name) => [`${name}.c`, `int ${name};\n`])));
  await age();
  for (const name of names) await heard(node, () => node.cc("gcc", ["-c", `${name}.c`, "-o", `${name}.o`], { cwd: directory }));
}

async function known(node: TestNode): Promise<number> {
  return ((await node.control("GET", "/status")).network as { attestations: number }).attestations;
}

async function untilKnown(t: TestContext, nodes: readonly TestNode[], count: number): Promise<void> {
  await until(t, async () => (await Promise.all(nodes.map(known))).every((one) => one === count));
}

test("what one machine executes all know, also one that was away, and nothing of who is revoked", PATIENT, async (t) => {
  const [a, b, c] = await three(t);
  await compile(a, "one", "two");
  await untilKnown(t, [a, b, c], 2);

  // Both go on without each other; who comes later learns it from either.
  await b.stopDaemon();
  await compile(a, "three");
  await untilKnown(t, [a, c], 3);
  await a.stopDaemon();
  await b.startDaemon();
  await untilKnown(t, [b, c], 3);
  await compile(b, "four");
  await untilKnown(t, [b, c], 4);
  await a.startDaemon();
  await untilKnown(t, [a, b, c], 4);
  for (const node of [a, b, c]) assert.deepEqual(node.events("share.cut-off"), []);

  await ask(a, "revoke", "desktop");
  await untilKnown(t, [a, c], 3);
});
