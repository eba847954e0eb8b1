/**
 * A second machine: once it uses one result of a member, those that the member made next are laid out for the wrapper, and none that is wrong.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode, writeFiles } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, untilOffered } from "./sharing-world.ts";

const UNITS = Array.from({ length: 12 }, (_, i) => `unit${i}`);
/** Of what follows the first unit, so many are thought to be asked for already. */
const UNDER_WAY = 2;
const LAID_OUT = UNITS.slice(1 + UNDER_WAY);
/** No copies are made: what a machine has, it has asked for. */
const ENV = { CAIRN_SHARING_COPIES: "0", CAIRN_LOG_LEVEL: "debug" };
const FILES = {
  "include/h.h": "#define H 1\n",
  ...Object.fromEntries(UNITS.map((unit, i) => [`src/${unit}.c`, `#include "h.h"\nint ${unit}(int x) { return x * ${i} + H; }\n`])),
};

/** Records that lie there for wrappers: what is written in them. */
function records(node: TestNode): string[] {
  const hot = join(node.home, "run/hot");
  const files = existsSync(hot) ? readdirSync(hot, { recursive: true, withFileTypes: true }) : [];
  return files
    .filter((file) => file.isFile() && !file.name.endsWith(".new"))
    .map((file) => {
      try {
        return readFileSync(join(file.parentPath, file.name), "latin1");
      } catch {
        return ""; // Taken away meanwhile.
      }
    });
}

/** A record names the inputs that its wrapper looks at. */
function isLaidOut(node: TestNode, units: readonly string[]): boolean {
  const all = records(node);
  return units.every((unit) => all.some((record) => record.includes(`${unit}.c`)));
}

const questions = (node: TestNode): number => node.events("compile.hit").length;

/** But for what is done meanwhile: a sample is executed here once more. */
function hitsIn(counters: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([name]) => name.startsWith("hit_") || name === "miss"));
}

/** Two machines, the first of which has built everything. */
async function pair(t: TestContext): Promise<{ b: TestNode; work: string }> {
  const [a, b] = await Promise.all([machine(t, "ahead-a", ENV), machine(t, "ahead-b", ENV)]);
  await ask(b, "init", "--machine", "desktop");
  await ask(a, "join", await invitation(b), "--machine", "laptop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  const [first, work] = [checkoutOf(a, "work"), checkoutOf(b, "some/where/else")];
  for (const directory of [first, work]) writeFiles(directory, FILES);
  await age();
  await build(a, first, UNITS);
  await untilOffered(t, b, "laptop", UNITS.length);
  return { b, work };
}

/** Builds the first unit, and waits until the others are laid out. */
async function begin(t: TestContext, b: TestNode, work: string): Promise<void> {
  assert.deepEqual(hitsIn(await build(b, work, UNITS.slice(0, 1))), { hit_peer: 1 });
  await until(t, () => Promise.resolve(isLaidOut(b, LAID_OUT)));
}

test("what a member made next is there before the build asks, and is counted as the member's", PATIENT, async (t) => {
  const { b, work } = await pair(t);
  await begin(t, b, work);
  const asked = questions(b);
  assert.deepEqual(hitsIn(await build(b, work, LAID_OUT)), { hit_peer: LAID_OUT.length });
  assert.equal(questions(b), asked, "the daemon was not asked");
  const { record } = (await ask(b, "explain", join(work, `src/${LAID_OUT[0]}.c`))) as {
    record: { outcome: string; from?: { name: string; bytes: number } };
  };
  assert.deepEqual([record.outcome, record.from?.name, (record.from?.bytes ?? 0) > 0], ["hit_peer", "laptop", true]);
  const { givers } = (await ask(b, "stats")) as { givers: { name: string; hits: number }[] };
  assert.deepEqual(
    givers.map(({ name, hits }) => [name, hits]),
    [["laptop", 1 + LAID_OUT.length]],
  );
  assert.deepEqual(hitsIn(await build(b, work, LAID_OUT)), { hit_local: LAID_OUT.length }, "the second time it is this machine's");
});

test("a header that was edited is never answered by what was laid out", PATIENT, async (t) => {
  const { b, work } = await pair(t);
  await begin(t, b, work);
  writeFiles(work, { "include/h.h": "#define H 2\n" });
  await age();
  const { miss = 0 } = await build(b, work, LAID_OUT); // Which compares the objects with the compiler's.
  assert.equal(miss, LAID_OUT.length);
});

test("what was laid out goes with the member that made it", PATIENT, async (t) => {
  const { b, work } = await pair(t);
  await begin(t, b, work);
  await ask(b, "revoke", "laptop");
  await until(t, () => Promise.resolve(records(b).length === 0));
  const { miss = 0 } = await build(b, work, LAID_OUT);
  assert.equal(miss, LAID_OUT.length);
});
