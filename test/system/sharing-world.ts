/**
 * A small project that machines of a network build at different paths, for system tests of sharing.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Stage } from "../../src/net/network.fixture.ts";
import { counted, type Ran, run, type TestNode, writeFiles } from "./harness.ts";
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

/** Compiles every unit with the wrapper; each must be what the compiler alone writes there, in every output. */
export async function build(node: TestNode, directory: string, units: readonly string[] = UNITS): Promise<Record<string, number>> {
  const before = await node.counters();
  for (const unit of units) {
    const args = ["-O1", "-Wall", "-Iinclude", "-MD", "-MF", `out/${unit}.d`, "-c", `src/${unit}.c`, "-o", `out/${unit}.o`];
    const plain = await run("gcc", args, { cwd: directory });
    const expected = [`out/${unit}.o`, `out/${unit}.d`].map((path) => readFileSync(join(directory, path)));
    rmSync(join(directory, "out"), { recursive: true });
    mkdirSync(join(directory, "out"));
    const ran = await node.cc("gcc", args, { cwd: directory });
    assert.deepEqual(ran, plain);
    const actual = [`out/${unit}.o`, `out/${unit}.d`].map((path) => readFileSync(join(directory, path)));
    assert.deepEqual(actual, expected, unit);
  }
  return counted(before, await node.counters());
}

/** Compiles as often as it takes until the daemon has had to do with it: on a machine that is very busy the wrapper may not wait for it. */
export async function compileSeen(node: TestNode, args: readonly string[], cwd: string): Promise<Ran & { readonly isMiss: boolean }> {
  for (;;) {
    const before = await node.counters();
    const ran = await node.cc("gcc", args, { cwd });
    const { miss = 0, hit_peer = 0, hit_daemon = 0, hit_equivalent = 0, hit_local = 0 } = counted(before, await node.counters());
    if (ran.code !== 0 || miss + hit_peer + hit_daemon + hit_equivalent + hit_local > 0) return { ...ran, isMiss: miss > 0 };
  }
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
