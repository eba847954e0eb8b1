/**
 * What is pinned survives what empties the cache, and compiles of it still hit.
 */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { age } from "./harness.ts";
import { ask, cairn, machine, PATIENT } from "./network-world.ts";
import { build, checkoutOf, UNITS } from "./sharing-world.ts";

test("a pinned compile hits after the cache was emptied, over a restart, until it is let go of", PATIENT, async (t) => {
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
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /no result and no blob called/);
});

test("the doctor tells of damaged blobs and of pins that are not whole, until both are mended", PATIENT, async (t) => {
  const node = await machine(t, "doctor-store");
  const file = join(node.home, "..", "kept.txt");
  writeFileSync(file, "kept");
  const { digest } = await ask(node, "put", file);
  await ask(node, "pin", file);
  const checks = async (...options: string[]): Promise<[code: number | null, troubles: string[]]> => {
    const { code, stdout } = await cairn(node, "doctor", ...options, "--json");
    const rows = JSON.parse(stdout) as { check: string; ok: boolean }[];
    return [code, rows.flatMap(({ check, ok }) => (!ok && ["store", "pins"].includes(check) ? [check] : []))];
  };
  assert.deepEqual(await checks("--store"), [0, []]);
  const blob = join(node.home, "cache/cas", String(digest).slice(0, 2), String(digest).slice(2));
  assert.equal(readFileSync(blob, "utf8"), "kept");
  chmodSync(blob, 0o600);
  writeFileSync(blob, "kepT");
  assert.deepEqual((await checks())[1], ["store", "pins"]);
  assert.deepEqual(await checks("--store"), [1, ["store", "pins"]], "damage is told until all has been read and is well");
  assert.deepEqual(await checks("--store"), [1, ["pins"]], "nobody else has it");
  await ask(node, "put", file);
  assert.deepEqual(await checks("--store"), [0, []]);
  rmSync(blob);
  assert.deepEqual(await checks("--store"), [1, ["store", "pins"]]);
});
