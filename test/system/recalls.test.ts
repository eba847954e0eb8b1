/**
 * Results that are taken back from a machine that is killed before all that was made of them is gone: real daemons, real compilers.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode, writeFiles } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { compileSeen, untilOffered } from "./sharing-world.ts";

/** No copies are made: what a machine has, it has asked for. */
const ALONE = { CAIRN_SHARING_COPIES: "0" };

/** Records that wrappers find without asking. */
function records(node: TestNode): number {
  return readdirSync(join(node.home, "run/hot"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}

/** @returns whether a compiler ran, of which the daemon knows */
async function isMissed(node: TestNode, unit: string): Promise<boolean> {
  const ran = await compileSeen(node, ["-c", `${unit}.c`, "-o", `${unit}.o`], dirname(node.home));
  assert.equal(ran.code, 0, ran.stderr);
  return ran.isMiss;
}

/** One machine takes a result of another. @returns its unit: who is slow to answer is not waited for, and then there is another one */
async function taken(t: TestContext, taker: TestNode, maker: TestNode, name: string): Promise<string> {
  for (let made = 1; ; made++) {
    const unit = `${name}${made}`;
    for (const node of [maker, taker]) writeFiles(dirname(node.home), { [`${unit}.c`]: `int ${unit}(int x) { return x + ${made}; }\n` });
    await age();
    assert.equal(await isMissed(maker, unit), true);
    await untilOffered(t, taker, name, made);
    if (!(await isMissed(taker, unit))) return unit;
  }
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
  const units = [await taken(t, a, b, "desktop"), await taken(t, a, c, "garage")] as const;

  // The first recall removes what it has put aside at once, the second one some seconds later.
  await ask(a, "revoke", "desktop");
  await untilRecalled(t, a, 1);
  await until(t, async () => {
    assert.equal(await isMissed(a, units[1]), false);
    return records(a) > 0;
  });
  await ask(a, "revoke", "garage");
  await untilRecalled(t, a, 2);
  await a.stopDaemon("SIGKILL");
  assert.equal(records(a), 0, "no wrapper finds any, although no daemon has started");

  await a.startDaemon();
  assert.equal(records(a), 0);
  for (const unit of units) assert.equal(await isMissed(a, unit), true, unit);
});
