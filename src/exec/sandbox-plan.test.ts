import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { ExecutorAction } from "../contracts/index.ts";
import { checkAction } from "./action-check.ts";
import { basePlan, type Entries, Plan, planRoot } from "./sandbox-plan.ts";

const never = new AbortController().signal;
const DIGEST = "d".repeat(64);

function action(paths: readonly string[], more: Partial<ExecutorAction> = {}): ExecutorAction {
  return {
    program: "/project/program",
    arguments: [],
    environment: new Map(),
    cwd: "/project",
    toolchain: undefined,
    inputs: paths.map((path) => ({ path, digest: DIGEST, executable: false })),
    directories: [],
    outputs: [],
    limits: { cpuMs: 1, wallMs: 1, memoryBytes: 1, processes: 1, fileBytes: 1, outputBytes: 1, printedBytes: 1 },
    ...more,
  };
}

/** A toolchain as Debian lays it out, and one link that leads upwards. */
function base(): Entries {
  const plan = basePlan("e".repeat(64));
  for (const [path, target] of [
    ["/lib", "usr/lib"],
    ["/usr/bin/cc", "/etc/alternatives/cc"],
    ["/etc/alternatives/cc", "/usr/bin/gcc"],
    ["/usr/lib/up", "../../../../.."],
    ["/usr/loop", "/usr/loop"],
  ] as const)
    assert.ok(plan.put(path, { kind: "link", target }));
  assert.ok(plan.put("/usr/bin/gcc", { kind: "file", digest: DIGEST, executable: true }));
  return plan.entries;
}

async function placed(paths: readonly string[]): Promise<string[] | string> {
  const before = base();
  const planned = await planRoot(action(paths), before, never);
  if (planned.kind === "refused") return planned.reason;
  return [...planned.entries].filter(([path, { kind }]) => kind === "file" && !before.has(path)).map(([path]) => path);
}

const table: readonly [what: string, paths: readonly string[], expected: string[] | string][] = [
  ["an input lies where it says", ["/project/a.c"], ["/project/a.c"]],
  ["a link of the toolchain leads to its target", ["/lib/x/y.h"], ["/usr/lib/x/y.h"]],
  ["a link that leads too far up ends at the root", ["/usr/lib/up/x"], ["/x"]],
  ["a link to itself leads nowhere", ["/usr/loop/x"], "input_conflict"],
  ["a file is no directory", ["/usr/bin/gcc/x"], "input_conflict"],
  ["a link is no place for an input", ["/usr/bin/cc"], "input_conflict"],
  ["a part of the toolchain is not replaced", ["/usr/bin/gcc"], "input_conflict"],
  ["the sandbox' own places are kept", ["/out/a"], "bad_path"],
  ["the first process is kept", ["/init"], "bad_path"],
  ["a link into a kept place is followed no further than the plan", ["/usr/lib/up/dev/null"], "input_conflict"],
  ["the same twice is once", ["/project/a.c", "/project/a.c"], ["/project/a.c"]],
  ["a file that would have to be a directory", ["/project/a", "/project/a/b"], "input_conflict"],
];

for (const [what, paths, expected] of table) test(what, async () => assert.deepEqual(await placed(paths), expected));

test("where specs would be found none may lie", async () => {
  const toolchain = {
    family: "gcc",
    version: "12",
    target: "x",
    digest: DIGEST,
    files: [],
    beside: [],
    platform: "linux-x86_64",
    targets: [],
    earlierOnPath: [],
    absent: ["/usr/lib/gcc/12/../specs"],
  } as const;
  for (const path of ["/usr/lib/gcc/specs", "/lib/gcc/specs", "/usr/lib/up/usr/lib/gcc/specs"]) {
    const planned = await planRoot(action([path], { toolchain }), base(), never);
    assert.equal(planned.kind, "refused", path);
  }
});

test("what is wanted of directories is made, and /tmp leads to where something may be written", async () => {
  const planned = await planRoot(action([], { directories: ["/lib/made", "/a/b"], cwd: "/c" }), base(), never);
  assert.equal(planned.kind, "planned");
  if (planned.kind !== "planned") return;
  for (const path of ["/usr/lib/made", "/a/b", "/c"]) assert.equal(planned.entries.get(path)?.kind, "directory");
  assert.deepEqual(planned.entries.get("/tmp"), { kind: "link", target: "/scratch" });
});

/** Names that mean something to file systems, and some that do not. */
const part = fc.constantFrom("a", "b", "..", ".", "", "lib", "up", "loop", "usr", "out", "dev", "proc", "cc", "gcc", "x\0y");
const anyPath = fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join("/")}`);

test("whatever an action calls its inputs, nothing lies outside, below a link, or below a file", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPath, { maxLength: 8 }), fc.array(anyPath, { maxLength: 4 }), async (paths, directories) => {
      const asked = action(paths, { directories });
      if (checkAction(asked) !== undefined) return;
      const planned = await planRoot(asked, base(), never);
      if (planned.kind === "refused") return;
      for (const path of planned.entries.keys()) {
        assert.equal(posix.normalize(path), path);
        for (let parent = posix.dirname(path); parent !== "/"; parent = posix.dirname(parent))
          assert.equal(planned.entries.get(parent)?.kind, "directory", `${parent} of ${path}`);
      }
    }),
  );
});

test("parents come before their children", () => {
  const plan = new Plan(new Map());
  plan.put("/a/b/c", { kind: "file", digest: DIGEST, executable: false });
  assert.deepEqual([...plan.entries.keys()], ["/a", "/a/b", "/a/b/c"]);
});

const inputs = (count: number, path: (at: number) => string): string[] => Array.from({ length: count }, (_, at) => path(at));

const tooMuch: readonly [what: string, asked: ExecutorAction][] = [
  ["a path of thousands of directories", action([`/${"x/".repeat(1_900)}x`])],
  ["a directory of thousands of directories", action([], { directories: [`/${"x/".repeat(1_900)}x`] })],
  ["many paths of many directories each", action(inputs(9_000, (at) => `/${at}${"/x".repeat(120)}`))],
  ["words that name outputs", action([], { outputs: ["a"], arguments: Array.from({ length: 200_000 }, () => ({ output: "a" })) })],
  [
    "variables that together are too long",
    action([], { environment: new Map(inputs(17, (at) => `V${at}`).map((name) => [name, "x".repeat(65_000)])) }),
  ],
  ["a variable with a long name", action([], { environment: new Map([["N".repeat(70_000), ""]]) })],
];

for (const [what, asked] of tooMuch)
  test(`too much: ${what}`, () => {
    const refusal = checkAction(asked);
    assert.equal(refusal?.reason, "too_much");
  });

test("directories that inputs imply are counted while they are planned", async () => {
  const asked = action(inputs(7_000, (at) => `/${at}${"/x".repeat(20)}`));
  assert.equal(checkAction(asked), undefined);
  const planned = await planRoot(asked, base(), never);
  assert.equal(planned.kind === "refused" && planned.reason, "too_much");
});

for (const [what, paths] of [
  ["many inputs", inputs(20_000, (at) => `/${at}`)],
  ["few inputs in many directories", inputs(100, (at) => `/${at}${"/x".repeat(100)}`)],
] as const)
  test(`something else has its turn while a large root is planned, and can stop it: ${what}`, async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort(new Error("enough")));
    await assert.rejects(planRoot(action(paths), base(), stop.signal), /enough/);
  });

test("a link to itself is no directory", async () => {
  const planned = await planRoot(action([], { directories: ["/usr/loop"] }), base(), never);
  assert.equal(planned.kind === "refused" && planned.reason, "input_conflict");
});
