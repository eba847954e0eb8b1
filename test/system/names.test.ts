/**
 * Names: what one machine publishes, others resolve, also when it is gone.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, cairn, invitation, machine, three, until, untilConnected } from "./network-world.ts";

const LONG = { timeout: 120_000 };
const [ONE, OTHER] = ["1".repeat(64), "2".repeat(64)];

test("a name is resolved by others, the newest record counts, and it outlives its author's machine", LONG, async (t) => {
  const [laptop, desktop, ci] = await three(t);
  const first = await ask(laptop, "name", "publish", "latest", ONE);
  assert.deepEqual([first.sequence, first.copies], [1, 3]);
  assert.equal((await ask(ci, "name", "resolve", "latest")).root, ONE);
  assert.equal((await ask(laptop, "name", "publish", "latest", OTHER)).sequence, 2);
  const found = await ask(desktop, "name", "resolve", "latest");
  assert.deepEqual([found.root, found.author, found.sequence], [OTHER, "laptop", 2]);

  await laptop.stopDaemon("SIGKILL");
  // Whoever comes now has it from those that are left.
  const attic = await machine(t, "net-d");
  await ask(attic, "join", await invitation(desktop), "--machine", "attic");
  await untilConnected(t, attic, "desktop", "ci");
  assert.equal((await ask(attic, "name", "resolve", "laptop:latest")).root, OTHER);

  // A second author makes it ambiguous, and the member's name settles it.
  await ask(ci, "name", "publish", "latest", ONE);
  const refused = await cairn(desktop, "name", "resolve", "latest");
  assert.deepEqual([refused.code, /several members say what latest is/.test(refused.stderr)], [2, true]);
  assert.equal((await ask(desktop, "name", "resolve", "ci:latest")).root, ONE);
  assert.match((await cairn(desktop, "name", "resolve", "nothing")).stderr, /nobody says what nothing is/);

  // What was published survives a restart of all that keep it.
  for (const node of [desktop, ci, attic]) await node.stopDaemon("SIGKILL");
  await desktop.startDaemon();
  await until(t, async () => (await ask(desktop, "name", "resolve", "laptop:latest")).root === OTHER);
});
