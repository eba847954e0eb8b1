/**
 * Builds in a second checkout: after the first unit the others find records that were laid out for them, and none that is wrong.
 */
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readHitsLog } from "../../src/wire/index.ts";
import { records, untilLeft } from "./checkouts-world.ts";
import { age, counted, type Env, type Ran, run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { heard } from "./sharing-world.ts";

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
      const [{ code }] = await heard(this.#node, () => this.#node.cc("gcc", args, { cwd: this.path }));
      assert.equal(code, 0);
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

const all = Array.from({ length: UNITS }, (_, unit) => unit);
const laidOut = all.slice(-LAID_OUT);

async function firstCheckout(t: TestContext, node: TestNode, path: string): Promise<Checkout> {
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
  // What every checkout is answered by is made when nobody builds, once it is known that they do not name their place.
  await untilLeft(t, node, 2 * UNITS);
  return checkout;
}

const EDITS = [
  ["a header that was edited", { "late/h.h": "#define H 2\n" }],
  ["a file that shadows a header", { "early/h.h": "#define H 3\n" }],
] as const;

/** Answers for every checkout are none for those whose name make would have quoted. */
test("the rest of a second checkout is answered before it asks, and never wrongly", { timeout: 600_000 }, async (t) => {
  await using node = await TestNode.start("checkouts");
  using place = temporaryDirectory("checkouts-project");
  const first = await firstCheckout(t, node, join(place.path, "first"));
  /** A checkout of which one unit is built, and the next are laid out. */
  const begun = async (name: string): Promise<Checkout> => {
    const checkout = first.copy(join(place.path, name));
    await sleep(LOOKED_MS);
    const before = records(node);
    await checkout.build([0]);
    await untilLeft(t, node, before + 1 + LAID_OUT);
    return checkout;
  };
  for (const [name, restarts] of [
    ["the second", false],
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

type Command = readonly [compiler: string, ...args: string[]];

/** Outputs are called a unit's: the number behind `u`. @param at the checkout */
function commands(at: string): Command[] {
  const of = (compiler: string, first: number): Command[] => [
    [compiler, "-O1", "-Iinc", "-c", "src/a.c", "-o", `u${first}.o`],
    [compiler, "-O1", `-I${at}/inc`, "-MD", "-c", `${at}/src/a.c`, "-o", `${at}/u${first + 1}.o`],
    [
      compiler,
      "-O1",
      "-Iinc",
      "-I",
      `${at}/early`,
      "-MMD",
      "-MP",
      "-MF",
      `u${first + 2}.d`,
      "-c",
      `${at}/src/a.c`,
      "-o",
      `u${first + 2}.o`,
    ],
    [compiler, "-Iearly", "-Iinc", "-MD", "-MP", "-MQ", `${at}/x.o`, "-MT", "y.o", "-c", "src/a.c", "-o", `u${first + 3}.o`],
  ];
  const mapped = ["-g", `-ffile-prefix-map=${at}=.`, "-Iinc", "-c", `${at}/src/a.c`, "-o"];
  return [...of("gcc", 0), ...of("clang-19", 4), ["gcc", ...mapped, "u8.o"], ["clang-19", ...mapped, "u9.o"]];
}

const LONG = "inc/a-name-that-is-rather-long-so-that-lines-of-dependency-files-break-elsewhere.h";

const SOURCES = {
  Makefile: "",
  "src/a.c": '#include <stdio.h>\n#include "a.h"\nint a(void) { return puts("") + A; }\n',
  "inc/a.h": '#include "a-name-that-is-rather-long-so-that-lines-of-dependency-files-break-elsewhere.h"\n',
  [LONG]: "#define A 1\n",
  "early/README": "",
};

/** By name. */
function outputsOf(at: string): Readonly<Record<string, string>> {
  const names = readdirSync(at).filter((name) => /\.[od]$/.test(name));
  return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(join(at, name)).toString("base64")]));
}

async function compileAll(
  at: string,
  made: readonly Command[],
  cc: (compiler: string, args: readonly string[]) => Promise<Ran>,
): Promise<void> {
  for (const name of Object.keys(outputsOf(at))) rmSync(join(at, name));
  for (const [compiler, ...args] of made) {
    const { code, stderr } = await cc(compiler, args);
    assert.equal(code, 0, stderr);
  }
}

/** What lies there is what the compilers write. */
async function compare(at: string, made: readonly Command[]): Promise<void> {
  const cached = outputsOf(at);
  await compileAll(at, made, (compiler, args) => run(compiler, args, called(at)));
  assert.deepEqual(cached, outputsOf(at));
}

/** As shells do. */
function called(at: string): { readonly cwd: string; readonly env: Env } {
  return { cwd: at, env: { PWD: at } };
}

/** With or without a daemon. */
async function compileHere(node: TestNode, at: string): Promise<void> {
  await compileAll(at, commands(at), (compiler, args) => node.cc(compiler, args, called(at)));
}

/** Compiles by way of a daemon and compares what that leaves with what the compilers do. @returns what was counted */
async function buildAll(node: TestNode, at: string, made: readonly Command[] = commands(at)): Promise<Record<string, number>> {
  const before = await node.counters();
  await compileAll(at, made, async (compiler, args) => {
    const [ran] = await heard(node, () => node.cc(compiler, args, called(at)));
    return ran;
  });
  const counts = counted(before, await node.counters());
  await compare(at, made);
  return counts;
}

/** What another branch, or somebody who works there, makes of a checkout. */
const OTHER_CHECKOUTS: readonly (readonly [about: string, edit: (path: string) => void])[] = [
  ["an edited header", (path) => writeFiles(path, { [LONG]: "#define A 2\n" })],
  ["a header that comes earlier", (path) => writeFiles(path, { "src/a.h": "#define A 3\n" })],
  ["another header in between", (path) => writeFiles(path, { "inc/a.h": "#define A 4\n", [LONG]: "" })],
  ["a word about whom to believe", (path) => writeFiles(path, { ".cairn.json": '{"sharing":"self"}' })],
  ["another source", (path) => writeFiles(path, { "src/a.c": "int a(void) { return 5; }\n" })],
];

const BLOCK_BYTES = 4_096;
const ENTRY_BYTES = 80;

/** What lies at a node for wrappers. Whatever is built elsewhere, other records answer for every checkout a few seconds later. */
class Left implements Disposable {
  readonly #node: TestNode;
  readonly #records: string;
  readonly #table: string;
  readonly #copy = temporaryDirectory("movable-left");

  constructor(node: TestNode) {
    this.#node = node;
    this.#records = join(node.home, "run/hot");
    this.#table = join(node.home, "run/contents");
    cpSync(this.#records, this.#copy.path, { recursive: true });
  }

  [Symbol.dispose](): void {
    this.#copy[Symbol.dispose]();
  }

  /** The records that lay there in the beginning, and a daemon that is not about to make others. */
  async restore(): Promise<void> {
    await this.#node.stopDaemon();
    rmSync(this.#records, { recursive: true });
    cpSync(this.#copy.path, this.#records, { recursive: true });
    await this.#node.startDaemon();
  }

  /** Files and directories of which it is known what they contain. */
  remembered(): number {
    return this.#entries(readFileSync(this.#table)).length;
  }

  /** @returns how many entries are damaged */
  damage(part: "a byte of each entry" | "each entry" | "each block", seed: number): number {
    const table = readFileSync(this.#table);
    const entries = this.#entries(table);
    for (const at of entries) {
      const noise = createHash("shake256", { outputLength: BLOCK_BYTES }).update(`${seed} ${at}`).digest();
      if (part === "each block") table.set(noise, at - (at % BLOCK_BYTES));
      else if (part === "each entry") table.set(noise.subarray(0, ENTRY_BYTES), at);
      else {
        // Of the last four nothing is read.
        const byte = at + (noise.readUInt32LE() % (ENTRY_BYTES - 4));
        table.writeUInt8(table.readUInt8(byte) ^ (noise.readUInt8(4) || 1), byte);
      }
    }
    writeFileSync(this.#table, table, { flag: "r+" });
    return entries.length;
  }

  /** Where there are some. */
  #entries(table: Buffer): number[] {
    const places = Array.from({ length: table.length / BLOCK_BYTES }, (_, block) =>
      Array.from({ length: Math.floor(BLOCK_BYTES / ENTRY_BYTES) }, (_, entry) => block * BLOCK_BYTES + entry * ENTRY_BYTES),
    );
    return places.flat().filter((at) => table.subarray(at, at + ENTRY_BYTES).some((byte) => byte !== 0));
  }
}

test("a second checkout builds without any question", { timeout: 600_000 }, async (t) => {
  await using node = await TestNode.start("movable");
  using place = temporaryDirectory("movable-project");
  const at = (name: string): string => join(place.path, name);
  const first = at("first");
  writeFiles(first, SOURCES);
  await age();
  const units = commands(first).length;
  await buildAll(node, first);
  await untilLeft(t, node, 2 * units);
  using left = new Left(node);
  const copy = async (name: string): Promise<string> => {
    cpSync(first, at(name), { recursive: true, filter: (path) => !/\.[od]$/.test(path) });
    await age();
    return at(name);
  };
  await t.test("of another name, and of another age", async () => {
    assert.deepEqual(await buildAll(node, await copy("a-second-one-with-a-longer-name")), { hit_local: units });
    const source = at("a-second-one-with-a-longer-name/src/a.c");
    const { record } = (await node.control("GET", `/explain?file=${encodeURIComponent(source)}`)) as { record: Record<string, unknown> };
    assert.deepEqual([record.source, record.outcome, record.cwd], [source, "hit_moved", at("a-second-one-with-a-longer-name")]);
  });
  await t.test("that has its own record of a part by then", async () => {
    const path = await copy("third");
    const made = commands(path);
    await buildAll(node, path, made.slice(0, 3));
    assert.deepEqual(await buildAll(node, path), { hit_local: units });
  });
  for (const name of ["one with blanks", "one=of-another"]) {
    await t.test(`not with a name that would be read otherwise, but rightly: ${name}`, async () => {
      assert.equal((await buildAll(node, await copy(name))).hit_local ?? 0, 0);
    });
  }
  await t.test("also where the daemon was killed", async () => {
    const path = await copy("fourth");
    await node.stopDaemon("SIGKILL");
    await compileHere(node, path);
    const hits = readHitsLog(readFileSync(join(node.home, "run/hits.log")));
    assert.deepEqual(new Set(hits.map(({ root }) => root)), new Set([path]));
    assert.equal(hits.length, units);
    await compare(path, commands(path));
    await node.startDaemon();
  });
  for (const part of ["a byte of each entry", "each entry", "each block"] as const) {
    await t.test(`also where ${part} of what wrappers remember of contents is damaged, and never wrongly`, async (t) => {
      await left.restore();
      const edited = await copy(`edited-before-${part.replaceAll(" ", "-")}`);
      writeFiles(edited, { [LONG]: "#define A 6\n" });
      await age();
      const same = await copy(`damaged-in-${part.replaceAll(" ", "-")}`);
      const remembers = async (path: string): Promise<boolean> => {
        const before = left.remembered();
        await compileHere(node, path);
        return left.remembered() > before;
      };
      // Of what is young nothing is remembered.
      for (let tries = 0; tries < 1_000 && !(await remembers(same)); tries++) await age();
      assert.ok(await remembers(edited));
      await left.restore();
      const seed = randomInt(2 ** 32);
      t.diagnostic(`seed ${seed}`);
      assert.ok(left.damage(part, seed) > 0);
      assert.deepEqual(await buildAll(node, same), { hit_local: units });
      assert.equal((await buildAll(node, edited)).hit_local ?? 0, 0);
    });
  }
  await t.test("and fails where a header is missing", async () => {
    const path = await copy("without-a-header");
    rmSync(join(path, LONG));
    for (const [compiler, ...args] of commands(path)) {
      const alone = await run(compiler, args, { cwd: path });
      assert.notEqual(alone.code, 0);
      assert.deepEqual(await node.cc(compiler, args, { cwd: path }), alone);
    }
  });
  for (const [about, edit] of OTHER_CHECKOUTS) {
    await t.test(`never one that has ${about}`, async () => {
      await left.restore();
      assert.deepEqual(await buildAll(node, await copy(`without-${about.replaceAll(" ", "-")}`)), { hit_local: units });
      const path = await copy(about.replaceAll(" ", "-"));
      edit(path);
      await age();
      const counts = await buildAll(node, path);
      assert.equal(counts.hit_local ?? 0, 0, JSON.stringify(counts));
    });
  }
});
