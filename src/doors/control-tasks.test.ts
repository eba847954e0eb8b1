import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { CairnError } from "../base/index.ts";
import { answerTasks, type TaskControls } from "./control-tasks.ts";

const GOOD = {
  root: "/project",
  cwd: "/project/sub",
  command: ["make"],
  inputs: ["src"],
  named: [],
  outputs: ["out", "../dist/"],
  environment: { A: "1" },
  path: "/usr/bin",
  home: "/home/me",
  sandbox: "auto",
  umask: 0o22,
};
const REPORT = { job: "one", exitCode: 0, stdout: "aGk=", stderr: "", startedAtMs: 1, endedAtMs: 2 };

const events = { once: () => undefined, on: () => undefined, off: () => undefined };

/** What a flow behind the door is asked. */
async function asked(question: string, body: unknown): Promise<unknown> {
  let heard: unknown;
  const hear = (what: unknown): Promise<never> => {
    heard = what;
    return Promise.resolve({} as never);
  };
  const response = { ...events, writeHead: () => undefined, write: () => true, end: () => undefined, headersSent: true };
  await answerTasks({ plan: hear, ask: hear, ran: hear } satisfies TaskControls, question, body, response as unknown as ServerResponse);
  return heard;
}

test("a question is told with paths below the root", async () => {
  const { inputs, outputs, environment, network } = (await asked("POST /task/ask", GOOD)) as Record<string, unknown>;
  assert.deepEqual([inputs, outputs, environment, network], [["src"], ["sub/out", "dist"], new Map([["A", "1"]]), false]);
  const report = (await asked("POST /task/ran", REPORT)) as Record<string, unknown>;
  assert.deepEqual(report.stdout, Buffer.from("hi"));
});

test("what a command prints is said as it comes, and the answer has the rest; all of it where some was taken back", async () => {
  for (const [final, left] of [
    ["one two", " two"],
    ["one", ""],
    ["ONE two", "ONE two"],
    ["on", "on"],
  ] as const) {
    const lines: unknown[] = [];
    const write = (line: string): boolean => lines.push(JSON.parse(line)) > 0;
    const response = { ...events, writeHead: () => undefined, write, end: () => undefined, headersSent: true };
    const ask: TaskControls["ask"] = (_, show) => {
      show("stdout", Buffer.from("one"));
      return Promise.resolve({ kind: "answered", stdout: Buffer.from(final), stderr: Buffer.from("bad") } as never);
    };
    const never = (): Promise<never> => Promise.reject(new Error("not asked"));
    await answerTasks({ plan: never, ask, ran: never }, "POST /task/ask", GOOD, response as unknown as ServerResponse);
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    assert.deepEqual(lines, [
      { shown: "stdout", bytes: base64("one") },
      { done: { kind: "answered", stdout: base64(left), stderr: base64("bad"), ...(left === final ? { takenBack: ["stdout"] } : {}) } },
    ]);
  }
});

test("while whoever listens is slow, what is printed is gathered; the answer or the end of it has the rest", async () => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  for (const isDone of [true, false]) {
    const lines: unknown[] = [];
    let drained = (): void => undefined;
    const response = {
      ...events,
      on: (_: string, listener: () => void) => void (drained = listener),
      writeHead: () => undefined,
      write: (line: string): boolean => lines.push(JSON.parse(line)) > 0,
      end: () => undefined,
      headersSent: true,
      writableNeedDrain: true,
    };
    const ask: TaskControls["ask"] = (_, show) => {
      for (const letter of "one") show("stdout", Buffer.from(letter));
      assert.deepEqual(lines, []);
      drained();
      for (const letter of "two") show("stdout", Buffer.from(letter));
      if (!isDone) return Promise.reject(new CairnError("usage", { why: "killed" }));
      return Promise.resolve({ kind: "answered", stdout: Buffer.from("onetwo"), stderr: Buffer.alloc(0) } as never);
    };
    const never = (): Promise<never> => Promise.reject(new Error("not asked"));
    await answerTasks({ plan: never, ask, ran: never }, "POST /task/ask", GOOD, response as unknown as ServerResponse);
    const rest = isDone
      ? [{ done: { kind: "answered", stdout: base64("two"), stderr: "" } }]
      : [{ shown: "stdout", bytes: base64("two") }, { error: { code: "usage", why: "killed" } }];
    assert.deepEqual(lines, [{ shown: "stdout", bytes: base64("one") }, ...rest]);
  }
});

const wrong: readonly (readonly [changes: object, why: RegExp])[] = [
  [{ root: "project" }, /absolute/],
  [{ root: "/project/" }, /absolute/],
  [{ cwd: "/project/../etc" }, /absolute/],
  [{ cwd: "/projects" }, /does not lie in/],
  [{ command: [] }, /no command/],
  [{ command: ["a\0b"] }, /not text/],
  [{ command: Array.from({ length: 9_000 }, () => "x") }, /at most/],
  [{ inputs: "src" }, /list/],
  [{ outputs: ["../../etc"] }, /outside the project/],
  [{ outputs: ["/etc/passwd"] }, /outside the project/],
  [{ outputs: ["/projects"] }, /outside the project/],
  [{ outputs: [".."] }, /whole project/],
  [{ outputs: ["../.git/hooks/pre-commit"] }, /repository itself/],
  [{ outputs: ["a", "a/b"] }, /in another/],
  [{ outputs: ["a", "./a"] }, /twice/],
  [{ outputs: ["x".repeat(3_000)] }, /too long/],
  [{ environment: { "A B": "" } }, /no variable/],
  [{ environment: { A: 1 } }, /no variable/],
  [{ sandbox: "perhaps" }, /auto, always or never/],
  [{ umask: -1 }, /whole number/],
];
for (const [changes, why] of wrong)
  test(`${JSON.stringify(changes).slice(0, 60)}: ${why}`, async () => {
    const isRefused = (error: unknown): boolean => error instanceof CairnError && why.test(String(error.facts.why));
    await assert.rejects(async () => asked("POST /task/ask", { ...GOOD, ...changes }), isRefused);
  });

test("a report that is none is refused", async () => {
  for (const changes of [{ exitCode: 256 }, { startedAtMs: 3 }, { job: 1 }, { stdout: "x".repeat(8_000_000) }])
    await assert.rejects(async () => asked("POST /task/ran", { ...REPORT, ...changes }), CairnError);
  await assert.rejects(async () => asked("POST /task/other", REPORT), CairnError);
});
