/**
 * A small project that machines of a network build at different paths, for system tests of sharing.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Stage } from "../../src/net/network.fixture.ts";
import { age, counted, type Ran, run, type TestNode, writeFiles } from "./harness.ts";
import { until } from "./network-world.ts";

export const SOURCES = {
  Makefile: "",
  "include/shape.h": "#pragma once\nstruct shape { int sides; };\nint area(const struct shape *shape);\n",
  "src/shape.c": '#include "shape.h"\nint area(const struct shape *shape) { return shape->sides * shape->sides; }\n',
  "src/main.c": '#include <stdio.h>\n#include "shape.h"\nint main(void) { struct shape s = {4}; printf("%d\\n", area(&s)); return 0; }\n',
  "src/warns.c": "int twice(int x) { int unused = 1; return 2 * x; }\n",
} as const;
export const UNITS = ["shape", "main", "warns"] as const;

/** A checkout of the project for one machine. */
export function checkoutOf(node: TestNode, name: string): string {
  const directory = join(dirname(node.home), name);
  writeFiles(directory, SOURCES);
  mkdirSync(join(directory, "out"));
  return directory;
}

/** What a daemon counts when it has had to do with a compile to its end. */
const ENDED = /^(?:hit_|stored$|built_elsewhere$|compiler_failed$|not_stored:|pass:)/;
/** So often in a row nobody fails to be heard because the machine is busy. */
const TRIES = 20;

/**
 * Compiles as often as it takes until the daemon has had to do with it: on a machine that is very busy the wrapper may not wait for it.
 *
 * @param compile is made anew each time, and must leave the same @returns what was counted the last time
 */
export async function heard<T>(node: TestNode, compile: () => Promise<T>): Promise<readonly [T, Record<string, number>]> {
  for (let tries = 1; ; tries++) {
    const before = await node.counters();
    const made = await compile();
    const counts = counted(before, await node.counters());
    if (Object.keys(counts).some((name) => ENDED.test(name))) return [made, counts];
    assert.ok(tries < TRIES, "the daemon hears of no compile");
  }
}

/** Compiles every unit with the wrapper; each must be what the compiler alone writes there, in every output. @returns what was counted */
export async function build(node: TestNode, directory: string, units: readonly string[] = UNITS): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const unit of units) {
    const args = ["-O1", "-Wall", "-Iinclude", "-MD", "-MF", `out/${unit}.d`, "-c", `src/${unit}.c`, "-o", `out/${unit}.o`];
    const outputs = [`out/${unit}.o`, `out/${unit}.d`].map((path) => join(directory, path));
    const plain = await run("gcc", args, { cwd: directory });
    const expected = outputs.map((path) => readFileSync(path));
    const [, counts] = await heard(node, async () => {
      rmSync(join(directory, "out"), { recursive: true });
      mkdirSync(join(directory, "out"));
      assert.deepEqual(await node.cc("gcc", args, { cwd: directory }), plain);
      const actual = outputs.map((path) => readFileSync(path));
      assert.deepEqual(actual, expected, unit);
    });
    for (const [name, count] of Object.entries(counts)) all[name] = (all[name] ?? 0) + count;
  }
  return all;
}

/** Compiles that no compiler ran for, whoever has answered them. @param counts as {@link build} returns them */
export function hitsIn(counts: Readonly<Record<string, number>>): number {
  return Object.entries(counts).reduce((sum, [name, count]) => (name.startsWith("hit_") ? sum + count : sum), 0);
}

/** Compiles something. @returns whether a compiler ran, of which the daemon knows */
export async function compileSeen(node: TestNode, args: readonly string[], cwd: string): Promise<Ran & { readonly isMiss: boolean }> {
  const [ran, { miss = 0 }] = await heard(node, () => node.cc("gcc", args, { cwd }));
  return { ...ran, isMiss: miss > 0 };
}

/**
 * Takes away what compiles of a checkout could be executed once more with: what others vouch for is, as a sample, as soon as nobody builds for some
 * seconds, and then this machine vouches for it, too.
 *
 * @returns puts it back
 */
export function unrepeatable(directory: string): () => Promise<void> {
  const paths = UNITS.map((unit) => `src/${unit}.c`);
  const sources = paths.map((path) => [path, readFileSync(join(directory, path))] as const);
  for (const path of paths) writeFiles(directory, { [path]: "int something_else;\n" });
  return async () => {
    writeFiles(directory, Object.fromEntries(sources));
    await age();
  };
}

interface Sharing {
  readonly name: string;
  readonly sharing: { readonly manifests: number } | null;
}

/** Waits until a machine has heard that another one has so many results. */
export async function untilOffered(t: Stage, node: TestNode, by: string, most: number): Promise<void> {
  await until(t, async () => {
    const peers = (await node.control("GET", "/network/peers")).peers as Sharing[];
    return (peers.find(({ name }) => name === by)?.sharing?.manifests ?? 0) >= most;
  });
}
