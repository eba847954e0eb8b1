/**
 * The differential fuzzer, small, with seeds that are always the same: what it says depends on the code alone. `npm run fuzz` is the large
 * one, with seeds that nobody has seen.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz, mixOf } from "./fuzz.ts";
import { differences, type Observation } from "./fuzz-observe.ts";

/** On a busy machine fewer steps are made, not more time taken. */
const EACH_MS = 15_000;

const runs: readonly { readonly project: string; readonly seed: number; readonly steps: number }[] = [
  { project: "maze-c", seed: 7, steps: 150 },
  { project: "maze-c++", seed: 8, steps: 40 },
  { project: "maze-c", seed: 250_957, steps: 60 },
];

for (const { project, seed, steps } of runs) {
  test(`${project}, seed ${seed}: with Cairn and without, the compiler leaves the same`, async () => {
    let told = "";
    const deadlineMs = performance.now() + EACH_MS;
    // The difference comes first; the steps before it are made again by the seed.
    const tell = (line: string): void => void (told = `${told}${line}\n`.slice(0, 4_000));
    const [outcome] = await fuzz({ seed, steps, projects: [project], compiler: undefined, deadlineMs, keepGoing: false, tell });
    assert.ok(outcome !== undefined);
    assert.equal(outcome.wrong.length, 0, `npm run fuzz -- --project ${project} --seed ${seed} --steps ${steps}\n${told}`);
    if (outcome.totals.steps === steps) assert.ok(mixOf(outcome.totals).hitShare > 0.2, `hits to speak of: ${mixOf(outcome.totals).text}`);
  });
}

test("whatever differs is told", () => {
  const file = { kind: "file", mode: "644", links: 1, content: Buffer.from("object") };
  const plain: Observation = { end: "0", stdout: Buffer.alloc(0), stderr: Buffer.from("warning"), files: new Map([["a.o", file]]) };
  assert.deepEqual(differences(plain, { ...plain }), []);
  const others: readonly Partial<Observation>[] = [
    { end: "1" },
    { stdout: Buffer.from("x") },
    { stderr: Buffer.alloc(0) },
    { files: new Map() },
    { files: new Map([...plain.files, ["a.d", file]]) },
    { files: new Map([["a.o", { ...file, mode: "600" }]]) },
    { files: new Map([["a.o", { ...file, links: 2 }]]) },
    { files: new Map([["a.o", { ...file, kind: "link" }]]) },
    { files: new Map([["a.o", { ...file, content: Buffer.from("obJect") }]]) },
    { files: new Map([["a.o", { ...file, content: Buffer.from("object and more") }]]) },
  ];
  for (const other of others) assert.equal(differences(plain, { ...plain, ...other }).length, 1, JSON.stringify(other));
});
