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

test("a claimed name is handed on while its owner is cut off; what that one publishes then nobody takes", LONG, async (t) => {
  const [laptop, desktop, ci] = await three(t);
  const claimed = await ask(ci, "name", "claim", "release");
  assert.deepEqual([claimed.inEffect, claimed.owner, Number(claimed.token) > 0], [true, "ci", true]);
  assert.equal((await ask(ci, "name", "publish", "release", ONE)).token, claimed.token);
  for (const node of [laptop, desktop]) await until(t, async () => (await ask(node, "name", "resolve", "release")).root === ONE);
  // Nobody else publishes it, and what they call so is not found.
  assert.match((await cairn(desktop, "name", "publish", "release", OTHER)).stderr, /another member's/);
  const known = async (node: typeof ci, { token }: Record<string, unknown>): Promise<void> => {
    await until(t, async () => (await cairn(node, "name", "claims")).stdout.includes(`token ${Number(token)}`));
  };
  const taken = await ask(desktop, "name", "claim", "release");
  assert.deepEqual([taken.inEffect, taken.owner], [true, "desktop"], "of the same domain");
  await known(ci, taken);
  const back = await ask(ci, "name", "hand", "release", "ci");
  assert.equal(back.inEffect, true);
  await ask(ci, "name", "publish", "release", ONE);
  for (const node of [laptop, desktop]) await known(node, back);

  // The others hand it on while ci is away, and are away themselves when it comes back.
  await ci.stopDaemon("SIGKILL");
  const handed = await ask(laptop, "name", "hand", "release", "desktop");
  assert.deepEqual([handed.inEffect, handed.owner], [true, "desktop"]);
  await until(t, async () => (await cairn(desktop, "name", "claims")).stdout.includes("desktop (this machine)"));
  for (const node of [laptop, desktop]) await node.stopDaemon("SIGKILL");
  await ci.startDaemon();
  const stale = await ask(ci, "name", "publish", "release", OTHER);
  assert.ok(Number(stale.token) < Number(handed.token));
  assert.deepEqual([stale.copies, (await ask(ci, "name", "resolve", "release")).root], [1, OTHER], "nobody can have told it");

  for (const node of [laptop, desktop]) await node.startDaemon();
  await untilConnected(t, ci, "laptop", "desktop");
  for (const node of [ci, laptop, desktop])
    await until(t, async () => /desktop's, who has not said what it is/.test((await cairn(node, "name", "resolve", "release")).stderr));
  assert.match((await cairn(laptop, "name", "resolve", "ci:release")).stderr, /release is desktop's alone/);
  assert.match((await cairn(ci, "name", "publish", "release", OTHER)).stderr, /another member's/);

  assert.equal((await ask(desktop, "name", "publish", "release", ONE)).token, handed.token);
  for (const node of [ci, laptop, desktop]) {
    const found = await ask(node, "name", "resolve", "release");
    assert.deepEqual([found.root, found.author, found.token], [ONE, "desktop", handed.token]);
  }

  // Given back, it is each author's own; and a second one makes it ambiguous, as ever.
  await ask(desktop, "name", "yield", "release");
  await until(t, async () => (await ask(laptop, "name", "publish", "release", OTHER)).token === null);
  assert.equal((await ask(laptop, "name", "resolve", "release")).root, OTHER);
  await until(t, async () => (await cairn(ci, "name", "publish", "release", ONE)).code === 0);
  assert.match((await cairn(laptop, "name", "resolve", "release")).stderr, /several members say what release is/);
});
