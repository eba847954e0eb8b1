/**
 * What is pinned survives what empties the cache, and compiles of it still hit.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { age, type TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, members, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, heard, hitsIn, UNITS } from "./sharing-world.ts";

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
  const counts = await build(node, work);
  assert.deepEqual([counts.miss, counts.stored, hitsIn(counts)], [UNITS.length - 1, UNITS.length - 1, 1], JSON.stringify(counts));

  await ask(node, "unpin", source);
  await ask(node, "gc", "--all");
  assert.deepEqual(await build(node, work, ["main"]), { miss: 1, stored: 1 });
  const refused = await cairn(node, "pin", join(work, "Makefile"));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /no result and no blob called/);
});

test(
  "a compile by absolute paths, pinned before or after it is known that its place does not matter, is held by another",
  PATIENT,
  async (t) => {
    const [laptop, desktop] = await Promise.all([machine(t, "pins-absolute"), machine(t, "pins-absolute-2")]);
    await ask(laptop, "init", "--machine", "laptop");
    await ask(desktop, "join", await invitation(laptop), "--machine", "desktop");
    await Promise.all([untilConnected(t, laptop, "desktop"), untilConnected(t, desktop, "laptop")]);
    await age();
    const work = checkoutOf(laptop, "work");
    const sources = ["main", "shape"].map((unit) => join(work, `src/${unit}.c`));
    const [main = "", shape = ""] = sources;
    for (const source of sources) {
      const args = ["-O1", `-I${join(work, "include")}`, "-c", source, "-o", source.replace("src", "out").replace(/c$/, "o")];
      const [{ code }] = await heard(laptop, () => laptop.cc("gcc", args, { cwd: join(work, "out") }));
      assert.equal(code, 0);
      if (source === main) await ask(laptop, "pin", main);
    }
    await until(t, async () => ((await laptop.counters()).place_free ?? 0) >= sources.length);
    await ask(laptop, "pin", shape);
    await until(t, async () => {
      const { pins } = (await ask(laptop, "pins")) as { pins: { copies: number }[] };
      return pins.length === sources.length && pins.every(({ copies }) => copies === 1);
    });
    for (const source of sources) await ask(laptop, "unpin", source);
    assert.deepEqual((await ask(laptop, "pins")).pins, []);
  },
);

const OTHERS = ["desktop", "ci", "attic", "garage"];

test("a pinned compile is held by others, mended from them, and outlives its machine and another holder", {
  timeout: 600_000,
}, async (t) => {
  const laptop = await machine(t, "pins-laptop");
  await ask(laptop, "init", "--machine", "laptop");
  const others = new Map<string, TestNode>();
  for (const name of OTHERS) {
    const node = await machine(t, `pins-${name}`);
    await ask(node, "join", await invitation(laptop), "--machine", name);
    others.set(name, node);
  }
  await untilConnected(t, laptop, ...OTHERS);
  for (const [name, node] of others) await untilConnected(t, node, "laptop", ...OTHERS.filter((other) => other !== name));
  await age();
  const work = checkoutOf(laptop, "work");
  await build(laptop, work);
  const source = join(work, "src/main.c");
  await ask(laptop, "pin", source);
  const pin = async (): Promise<{ readonly root: string; readonly missing: number; readonly copies: number } | undefined> =>
    ((await ask(laptop, "pins")).pins as { root: string; missing: number; copies: number }[])[0];
  await until(t, async () => ((await pin())?.copies ?? 0) >= 2);
  const root = (await pin())?.root;
  const keeps = (node: TestNode): boolean => node.events("tree-copies.kept").some((event) => event.root === root);

  // What is lost here comes back, though no compiler runs.
  const blobs = join(laptop.home, "cache/cas");
  rmSync(blobs, { recursive: true });
  mkdirSync(blobs);
  await until(t, async () => (await cairn(laptop, "doctor", "--store", "--json")).code === 0);
  assert.equal((await pin())?.missing, 0);

  const [holder] = [...others].filter(([, node]) => keeps(node));
  assert.ok(holder !== undefined);
  t.diagnostic(`killed: laptop and ${holder[0]}`);
  for (const node of [laptop, holder[1]]) await node.stopDaemon("SIGKILL");
  const left = [...others].filter(([name]) => name !== holder[0]);
  await until(t, () => Promise.resolve(left.every(([, node]) => keeps(node))));

  // It stays where everything else goes. Who still has what is not pinned may copy it back, so the last one is emptied when it is alone.
  const [last, ...gone] = left;
  assert.ok(last !== undefined);
  for (const [, node] of gone) {
    await ask(node, "gc", "--all");
    await node.stopDaemon();
  }
  await ask(last[1], "gc", "--all");
  const counts = await build(last[1], checkoutOf(last[1], "elsewhere"));
  assert.deepEqual([counts.miss, hitsIn(counts)], [UNITS.length - 1, 1], JSON.stringify(counts));
});

test("a copy whose time is up stays as long as it may be the last, and goes when its pin is gone", PATIENT, async (t) => {
  const [laptop, desktop] = await Promise.all([machine(t, "pins-over"), machine(t, "pins-over-2")]);
  await ask(laptop, "init", "--machine", "laptop");
  await ask(desktop, "join", await invitation(laptop), "--machine", "desktop");
  await Promise.all([untilConnected(t, laptop, "desktop"), untilConnected(t, desktop, "laptop")]);
  await age();
  const work = checkoutOf(laptop, "work");
  await build(laptop, work);
  const source = join(work, "src/main.c");
  await ask(laptop, "pin", source);
  const copies = join(desktop.home, "state/tree-copies.json");
  await until(t, async () => readFileSync(copies, "utf8").includes('"untilMs":'));
  await laptop.stopDaemon("SIGKILL");
  await desktop.stopDaemon();
  // More than a month has passed.
  writeFileSync(copies, readFileSync(copies, "utf8").replaceAll(/"untilMs":\d+/g, `"untilMs":${Date.now() - 1}`));
  await desktop.startDaemon();
  await until(t, async () => (await members(desktop)).length === 2);
  await ask(desktop, "gc", "--all");
  const counts = await build(desktop, checkoutOf(desktop, "elsewhere"));
  assert.deepEqual([counts.miss, hitsIn(counts)], [UNITS.length - 1, 1], JSON.stringify(counts));
  assert.deepEqual(desktop.events("tree-copies.let-go"), []);

  await laptop.startDaemon();
  await ask(laptop, "unpin", source);
  await until(t, async () => desktop.events("tree-copies.let-go").length === 1);
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
  // Without --store it reads for so long only; what it has met it goes on to tell.
  await until(t, async () => isDeepStrictEqual((await checks())[1], ["store", "pins"]));
  assert.deepEqual(await checks("--store"), [1, ["store", "pins"]], "damage is told until all has been read and is well");
  assert.deepEqual(await checks("--store"), [1, ["pins"]], "nobody else has it");
  await ask(node, "put", file);
  assert.deepEqual(await checks("--store"), [0, []]);
  rmSync(blob);
  assert.deepEqual(await checks("--store"), [1, ["store", "pins"]]);
});
