/**
 * Results that are taken back from a machine that is killed before all that was made of them is gone: real daemons, real compilers.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, untilOffered } from "./sharing-world.ts";

/** No copies are made: what a machine has, it has asked for. */
const ALONE = { CAIRN_SHARING_COPIES: "0" };

/** Records that wrappers find without asking. */
function records(node: TestNode): number {
  return readdirSync(join(node.home, "run/hot"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}

async function untilRecalled(t: TestContext, node: TestNode, times: number): Promise<void> {
  await until(t, async () => node.events("sharing.recalled").filter(({ forgotten }) => Number(forgotten) > 0).length === times);
}

test("killed when results are gone, and records made of them are not: the next daemon answers nothing of it", PATIENT, async (t) => {
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => machine(t, `recalls-${name}`, ALONE)));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await ask(c, "join", await invitation(a), "--machine", "garage");
  await untilConnected(t, a, "desktop", "garage");
  await age();
  await build(b, checkoutOf(b, "work"), ["shape"]);
  await build(c, checkoutOf(c, "work"), ["main"]);
  await untilOffered(t, a, "desktop", 1);
  await untilOffered(t, a, "garage", 1);
  const work = checkoutOf(a, "some/where/else");
  await age();
  assert.equal((await build(a, work, ["shape", "main"])).hit_peer, 2);
  await until(t, async () => records(a) === 2);

  // The first recall drops all records at once, the second one some seconds later.
  await ask(a, "revoke", "desktop");
  await untilRecalled(t, a, 1);
  await until(t, async () => records(a) === 0);
  await until(t, async () => {
    await build(a, work, ["main"]);
    return records(a) === 1;
  });
  await ask(a, "revoke", "garage");
  await untilRecalled(t, a, 2);
  const left = records(a);
  await a.stopDaemon("SIGKILL");
  t.diagnostic(`${left} records were there when it was killed`);

  await a.startDaemon();
  assert.equal(records(a), 0);
  assert.deepEqual(await build(a, work, ["shape", "main"]), { miss: 2, stored: 2 });
});
