import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { type Invocation, placesAt } from "../compile/index.ts";
import type { ExpectedResult } from "../contracts/index.ts";
import { ExpectedUnits, type ExpectedUnitsParts } from "./expected-units.ts";
import type { Look } from "./look.ts";
import type { CompileQuestion, Understood } from "./request.ts";

const ROOT = "/there";

function outputsOf(unit: string): Invocation["outputs"] {
  return [{ path: `${unit}.o`, role: "object" }];
}

/** A request for a unit, as it was understood. */
function asked(unit: string): Understood {
  const argv = ["cc", "-o", `${unit}.o`, "-c", `${ROOT}/${unit}.c`];
  const question = { cwd: ROOT, compiler: "/usr/bin/cc", argv, environment: new Map(), key: unit };
  const invocation = { mapped: [], source: `${ROOT}/${unit}.c`, outputs: outputsOf(unit) };
  return { question, invocation, places: placesAt({ cwd: ROOT, projectRoot: ROOT }), projectRoot: ROOT } as unknown as Understood;
}

function made(unit: string): ExpectedResult {
  const outputs = outputsOf(unit).map((output) => ({ ...output, digest: digestOf(unit), size: 1, template: false }));
  return {
    manifest: unit,
    entry: { inputs: [{ path: `\0P/${unit}.c`, digest: digestOf(unit) }] },
    result: { outputs },
  } as unknown as ExpectedResult;
}

/** Nothing that a member has made is good for the files as they are here. */
function world(...units: string[]) {
  const expected = new Set(units);
  const looked: string[] = [];
  const understand = ({ argv }: CompileQuestion): Promise<Understood> => {
    const unit = argv.at(-1)?.slice(ROOT.length + 1, -".c".length) ?? "";
    looked.push(unit);
    return Promise.resolve({ ...asked(unit), manifest: unit });
  };
  const parts = {
    sharing: { expected: () => [...expected].map(made) },
    others: { bringExpected: () => Promise.resolve(undefined) },
    understand,
    isUnverified: () => false,
  } as unknown as ExpectedUnitsParts;
  const all = new ExpectedUnits(parts);
  /** Looks at all that is left. */
  const look = async (signal: AbortSignal): Promise<string[]> => {
    looked.length = 0;
    while (
      (
        await all.next(
          () => ({}) as Look,
          () => "",
          signal,
        )
      ).kind !== "none"
    );
    return [...looked];
  };
  return { all, expected, look };
}

test("what a build asks for next is left to it, in that build alone", async (t) => {
  const { all, expected, look } = world("one", "two", "three", "four");
  all.came();
  assert.equal(all.asked("two", 1), true);
  all.saw(asked("zero"));
  assert.deepEqual(await look(t.signal), ["four"]);
  expected.clear();
  for (const unit of ["five", "six"]) expected.add(unit);
  all.began();
  assert.deepEqual(await look(t.signal), ["five", "six"], "the first of the next build");
});

test("what has come before the first question of a build is not forgotten, and each is looked at once", async (t) => {
  const { all, look } = world("one", "two");
  all.came();
  all.began();
  all.saw(asked("zero"));
  assert.deepEqual(await look(t.signal), ["one", "two"]);
  assert.deepEqual(await look(t.signal), []);
});

test("a build has come as far as there are answers once it asks for the last of what was looked at", async (t) => {
  const { all, look } = world("one", "two", "three");
  all.came();
  all.saw(asked("zero"));
  await look(t.signal);
  assert.deepEqual([all.asked("one", 1), all.asked("elsewhere", 1), all.asked("two", 1)], [false, false, true]);
});

test("what was asked for and is expected once more comes after the rest", async (t) => {
  const { all, expected, look } = world("one", "two");
  all.came();
  assert.equal(all.asked("two", 0), true);
  expected.delete("two");
  expected.add("three");
  all.came();
  expected.add("two");
  all.came();
  all.saw(asked("zero"));
  assert.deepEqual(await look(t.signal), ["three", "two"]);
});
