/**
 * Builds in a second checkout: after the first unit the others find records that were laid out for them, and none that is wrong.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { age, counted, run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";

const UNITS = 8;
/** Of what follows the first unit, so many are thought to be asked for already. */
const UNDER_WAY = 2;
const LAID_OUT = UNITS - 1 - UNDER_WAY;
/** The daemon looks for the units of another checkout no more often, plus a little. */
const LOOKED_MS = 1_200;
const FLAGS = ["-Iearly", "-Ilate", "-O1", "-MD", "-c"];

class Checkout {
  readonly path: string;
  readonly #node: TestNode;

  constructor(node: TestNode, path: string) {
    this.#node = node;
    this.path = path;
  }

  /** Compiles some of its units and compares them with what the compiler writes. @returns what was counted */
  async build(units: readonly number[]): Promise<Record<string, number>> {
    const before = await this.#node.counters();
    for (const unit of units) {
      const args = [...FLAGS, join(this.path, `src/u${unit}.c`), "-o", `u${unit}.o`];
      const read = (): Buffer[] => ["o", "d"].map((kind) => readFileSync(join(this.path, `u${unit}.${kind}`)));
      assert.equal((await this.#node.cc("gcc", args, { cwd: this.path })).code, 0);
      const cached = read();
      assert.equal((await run("gcc", args, { cwd: this.path })).code, 0);
      assert.deepEqual(cached, read(), `unit ${unit} in ${this.path}`);
    }
    return counted(before, await this.#node.counters());
  }

  copy(path: string): Checkout {
    cpSync(this.path, path, { recursive: true, preserveTimestamps: true, filter: (name) => !/\.[od]$/.test(name) });
    return new Checkout(this.#node, path);
  }
}

/** Of a node, however many daemons have left them. */
function records(node: TestNode): number {
  const files = readdirSync(join(node.home, "run/hot"), { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile() && !file.name.endsWith(".new")).length;
}

async function untilLeft(node: TestNode, wanted: number): Promise<void> {
  for (let tries = 0; records(node) < wanted && tries < 1_000; tries++) await age();
  assert.ok(records(node) >= wanted, `${records(node)} records, not ${wanted}`);
}

const all = Array.from({ length: UNITS }, (_, unit) => unit);
const laidOut = all.slice(-LAID_OUT);

async function firstCheckout(node: TestNode, path: string): Promise<Checkout> {
  const sources = all.map((unit) => [
    `src/u${unit}.c`,
    `${unit === 0 ? "" : '#include "h.h"\n'}int u${unit}(void) { return ${unit === 0 ? 0 : "H"} + ${unit}; }\n`,
  ]);
  writeFiles(path, {
    ...(Object.fromEntries(sources) as Record<string, string>),
    "late/h.h": "#define H 1\n",
    "early/x": "",
    Makefile: "",
  });
  await age();
  const checkout = new Checkout(node, path);
  await checkout.build(all);
  // Whether they name their place is found out when nobody builds.
  for (let tries = 0; ((await node.counters()).place_free ?? 0) < UNITS && tries < 5_000; tries++) await age();
  return checkout;
}

const EDITS = [
  ["a header that was edited", { "late/h.h": "#define H 2\n" }],
  ["a file that shadows a header", { "early/h.h": "#define H 3\n" }],
] as const;

test("the rest of a second checkout is answered before it asks, and never wrongly", { timeout: 600_000 }, async (t) => {
  await using node = await TestNode.start("checkouts");
  using place = temporaryDirectory("checkouts-project");
  const first = await firstCheckout(node, join(place.path, "first"));
  /** A checkout of which one unit is built, and the next are laid out. */
  const begun = async (name: string): Promise<Checkout> => {
    const checkout = first.copy(join(place.path, name));
    await sleep(LOOKED_MS);
    const before = records(node);
    await checkout.build([0]);
    await untilLeft(node, before + 1 + LAID_OUT);
    return checkout;
  };
  for (const [name, restarts] of [
    ["second", false],
    ["after a restart", true],
  ] as const)
    await t.test(name, async () => {
      if (restarts) await node.stopDaemon();
      if (restarts) await node.startDaemon();
      const checkout = await begun(name);
      assert.deepEqual(await checkout.build(laidOut), { hit_local: LAID_OUT });
      const { record } = (await node.control("GET", `/explain?file=${encodeURIComponent(join(checkout.path, "src/u7.c"))}`)) as {
        record: { outcome: string };
      };
      assert.equal(record.outcome, "hit_ahead");
    });
  for (const [about, edit] of EDITS) {
    await t.test(`${about} before anything was built`, async () => {
      const checkout = first.copy(join(place.path, `${about} before`));
      writeFiles(checkout.path, edit);
      await age();
      await checkout.build([0]);
      assert.equal((await checkout.build(all.slice(1))).hit_local ?? 0, 0);
    });
    await t.test(`${about} after records were laid out`, async () => {
      const checkout = await begun(`${about} after`);
      writeFiles(checkout.path, edit);
      await age();
      assert.equal((await checkout.build(laidOut)).hit_local ?? 0, 0);
    });
  }
});
