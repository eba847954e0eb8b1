/**
 * What every executor must do, whatever stands between it and the machine. Run by each implementation's own test.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Executor, ExecutorAction, ExecutorOutcome, InputFile } from "../../src/contracts/index.ts";

const MIB = 1_048_576;

/** An executor, and a machine on which its actions can run. */
export interface ExecutorWorld extends AsyncDisposable {
  readonly executor: Executor;
  /** Where inputs lie; absolute. */
  readonly project: string;
  /** Makes an input of this text. */
  readonly input: (path: string, text: string) => Promise<InputFile>;
  /** A compiler, with what it needs to run as an action. */
  readonly compiler: Pick<ExecutorAction, "program" | "toolchain" | "environment">;
}

/** @param open skips the test, with a reason, where there can be no such executor */
export function executorCompliance(name: string, open: (t: TestContext) => Promise<ExecutorWorld | undefined>): void {
  const check = (what: string, body: (world: ExecutorWorld, action: Make) => Promise<void>): void =>
    void test(`${name}: ${what}`, async (t) => {
      const world = await open(t);
      if (world === undefined) return;
      await using _ = world;
      await body(world, (text, more) => compile(world, text, more));
    });

  check("a compile gives its object, its dependency file and what was printed", async (_, action) => {
    const made = await action("#warning look\nint f(void) { return 1; }\n", { outputs: ["a.o", "a.d"] });
    const done = mustBeDone(await made.run());
    assert.equal(done.exitCode, 0);
    assert.match(done.stderr.toString(), /look/);
    assert.deepEqual(
      done.outputs.map(({ name: called }) => called),
      ["a.o", "a.d"],
    );
    assert.equal(done.outputs[0]?.content.subarray(1, 4).toString(), "ELF");
    assert.match(done.outputs[1]?.content.toString() ?? "", /^a\.o:.*a\.c/);
    assert.equal(done.outputs[0]?.executable, false);
  });

  check("the same action gives the same bytes", async (_, action) => {
    const made = await action("int f(void) { return 1; }\n");
    const [first, second] = [mustBeDone(await made.run()), mustBeDone(await made.run())];
    assert.deepEqual(first.outputs, second.outputs);
  });

  check("an error is an exit code and a message, and no output", async (_, action) => {
    const done = mustBeDone(await (await action("int f(void) { return }\n")).run());
    assert.notEqual(done.exitCode, 0);
    assert.match(done.stderr.toString(), /error/);
    assert.deepEqual([done.outputs, done.strange], [[], []]);
  });

  check("an input whose content is not to be had is refused", async (world, action) => {
    const missing = { path: `${world.project}/b.h`, digest: "0".repeat(64), executable: false };
    const outcome = await (await action("int x;\n", { inputs: [missing] })).run();
    assert.equal(outcome.kind === "refused" && outcome.reason, "input_missing");
  });

  check("what is no action is refused by name", async (_, action) => {
    const cases: readonly [Partial<ExecutorAction>, string][] = [
      [{ cwd: "relative" }, "bad_path"],
      [{ outputs: ["../a.o"] }, "bad_path"],
      [{ outputs: ["a.o", "a.o"] }, "bad_argument"],
      [{ arguments: [{ output: "undeclared" }] }, "bad_argument"],
      [{ arguments: ["a\0b"] }, "bad_argument"],
      [{ environment: new Map([["A=B", "x"]]) }, "bad_argument"],
      [{ limits: { ...LIMITS, wallMs: 0 } }, "too_much"],
      [{ limits: { ...LIMITS, memoryBytes: 2 ** 60 } }, "too_much"],
    ];
    for (const [more, reason] of cases) {
      const outcome = await (await action("int x;\n", more)).run();
      assert.equal(outcome.kind === "refused" && outcome.reason, reason, JSON.stringify(more));
    }
  });

  check("what lasts too long is ended, and says so", async (_, action) => {
    const slow =
      "#define A B B B B B B B B\n#define B C C C C C C C C\n#define C D D D D D D D D\n#define D E E E E E E E E\n#define E 1 +\n";
    const text = `${slow}${"int x = A A A A A A A A 1;\n".repeat(50)}`;
    const outcome = await (await action(text, { limits: { ...LIMITS, wallMs: 100 } })).run();
    assert.equal(outcome.kind === "killed" && outcome.limit, "wall");
  });

  check("what prints too much is ended, and says so", async (_, action) => {
    const outcome = await (await action("#error x\n".repeat(2_000), { limits: { ...LIMITS, printedBytes: 1_000 } })).run();
    assert.equal(outcome.kind === "killed" && outcome.limit, "output");
  });

  check("it ends when it is aborted, with the reason", async (_, action) => {
    const made = await action("int x;\n");
    const reason = new Error("no longer wanted");
    await assert.rejects(made.run(AbortSignal.abort(reason)), reason);
    const stop = new AbortController();
    const run = made.run(stop.signal);
    setImmediate(() => stop.abort(reason));
    await assert.rejects(run, reason);
    assert.equal((await made.run()).kind, "done"); // And is of use afterwards.
  });
}

type Make = (text: string, more?: Partial<ExecutorAction>) => Promise<{ run: (signal?: AbortSignal) => Promise<ExecutorOutcome> }>;

const LIMITS: ExecutorAction["limits"] = {
  cpuMs: 20_000,
  wallMs: 60_000,
  memoryBytes: 4_096 * MIB,
  processes: 64,
  fileBytes: 64 * MIB,
  outputBytes: 64 * MIB,
  printedBytes: MIB,
};

async function compile(
  { executor, project, input, compiler }: ExecutorWorld,
  text: string,
  { inputs = [], ...more }: Partial<ExecutorAction> = {},
): ReturnType<Make> {
  const source = await input(`${project}/a.c`, text);
  const depfile = more.outputs?.includes("a.d") === true ? ["-MD", "-MF", { output: "a.d" }, "-MT", "a.o"] : [];
  const action: ExecutorAction = {
    ...compiler,
    arguments: ["-c", "a.c", "-o", { output: more.outputs?.[0] ?? "a.o" }, ...depfile],
    cwd: project,
    inputs: [source, ...inputs],
    directories: ["/usr/include"],
    outputs: ["a.o"],
    limits: LIMITS,
    ...more,
  };
  return { run: (signal = new AbortController().signal) => executor.run(action, signal) };
}

function mustBeDone(outcome: ExecutorOutcome): Extract<ExecutorOutcome, { kind: "done" }> {
  if (outcome.kind !== "done") assert.fail(JSON.stringify(outcome));
  return outcome;
}
