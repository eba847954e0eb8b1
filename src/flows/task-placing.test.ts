import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits } from "../base/index.ts";
import type { ExecutorAction } from "../contracts/index.ts";
import type { Whole } from "./task-outputs.ts";
import { type Foreknown, forMembers, isWhole, type PlacingParts } from "./task-placing.ts";
import { sandboxedAction, type TaskQuestion, type UnderstoodTask, understandTask } from "./task-question.ts";

const QUESTION: TaskQuestion = {
  root: "/shop",
  cwd: "/shop",
  command: ["/usr/bin/node", "--test"],
  inputs: ["."],
  named: [],
  outputs: ["out"],
  environment: new Map(),
  path: "/usr/bin",
  home: "/home/me",
  sandbox: "auto",
  network: false,
  cacheFailures: false,
  force: false,
  umask: 0o22,
  here: false,
};

function task(changes: Partial<TaskQuestion> = {}, more: Partial<UnderstoodTask> = {}): UnderstoodTask {
  const inputs = { all: [], files: 0, listing: "[]", digest: digestOf("[]") };
  const installed = { digest: digestOf("packages"), isTold: true };
  return understandTask({ ...QUESTION, ...changes }, { inputs, programs: [], installed, ...more });
}

const KNOWN: Foreknown = { costMs: 5, isUnshared: false };
const PARTS: PlacingParts = { sharing: { mayHelp: () => true }, hasNetwork: () => true, alike: () => "ab" };
const places = { inputs: "/inputs", work: "/work" };

function why(
  of: UnderstoodTask,
  more: { parts?: Partial<PlacingParts>; known?: Partial<Foreknown>; action?: Partial<ExecutorAction> },
): string {
  const action = { ...sandboxedAction(of, places), ...more.action };
  const sent = forMembers({ ...PARTS, ...more.parts }, of, action, { ...KNOWN, ...more.known });
  return typeof sent === "string" ? sent : `${sent.unit.kind} ${sent.unit.costMs} ${sent.unit.toolchain}`;
}

test("a command is something for members, unless that cannot be, or somebody does not want it", () => {
  const large = { path: "/inputs/tools/node", digest: digestOf("node"), executable: true, bytes: limits.work.contentBytes + 1 };
  const ofProject = (project: string | undefined): boolean => project !== "release";
  const rows: readonly (readonly [expected: string, of: UnderstoodTask, more: Parameters<typeof why>[1]])[] = [
    ["exec node 5 ab", task(), {}],
    ["exec node undefined ab", task(), { known: { costMs: undefined } }],
    ["test 5 ab", task({ named: ["a.test.ts"] }), {}],
    ["link -O2 5 ab", task({ command: ["gcc", "-O2", "a.o", "-o", "out"] }), {}],
    ["asked", task({ here: true }), {}],
    ["alone", task(), { parts: { hasNetwork: () => false } }],
    ["unshared", task(), { known: { isUnshared: true } }],
    ["policy", task(), { parts: { sharing: { mayHelp: () => false } } }],
    ["project-policy", task({}, { project: "release" }), { parts: { sharing: { mayHelp: ofProject } } }],
    ["system-unknown", task(), { parts: { alike: () => undefined } }],
    ["too-large", task(), { action: { inputs: [large] } }],
  ];
  for (const [expected, of, more] of rows) assert.equal(why(of, more), expected);
});

test("what members would take for an offence is not sent, though it runs here", () => {
  const whole = sandboxedAction(task(), places);
  const work = whole.work ?? assert.fail("it has a place to work in");
  const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `n${at}`);
  const rows: readonly (readonly [most: number, of: (count: number) => Partial<ExecutorAction>])[] = [
    [limits.work.inputs, (count) => ({ inputs: names(count).map((path) => ({ path, digest: "ab", executable: false, bytes: 1 })) })],
    [limits.work.inputs, (count) => ({ directories: names(count) })],
    [limits.work.inputs, (count) => ({ work: { ...work, links: names(count).map((path) => ({ path, target: "t" })) } })],
    [limits.action.workOutputs, (count) => ({ work: { ...work, outputs: names(count) } })],
    [limits.work.words, (count) => ({ arguments: names(count) })],
    [limits.work.variables, (count) => ({ environment: new Map(names(count).map((name) => [name, "v"])) })],
  ];
  for (const [most, of] of rows) {
    const expected = ["exec node 5 ab", "too-large"];
    assert.deepEqual(
      [most, most + 1].map((count) => why(task(), { action: of(count) })),
      expected,
    );
  }
  const variables = new Map(names(limits.task.variables).map((name) => [name, "v"]));
  assert.ok(sandboxedAction(task({ environment: variables }), places).environment.size <= limits.action.variables, "it runs here");
});

test("what a member left is of use where it is what was declared, whole, and leads nowhere else", () => {
  const dir: Whole = { kind: "directory", path: "out" };
  const file = (path: string): Whole => ({ kind: "file", path, executable: false, content: new Uint8Array(1) });
  const link = (target: string): Whole => ({ kind: "link", path: "out/link", target });
  const rows: readonly (readonly [isGood: boolean, left: readonly Whole[], exitCode?: number])[] = [
    [true, [dir, file("out/a"), link("a")]],
    [true, [file("out")]],
    [false, [dir], 1],
    [false, []],
    [false, [file("out/a")]],
    [false, [dir, file("elsewhere")]],
    [false, [dir, file("out/../elsewhere")]],
    [false, [dir, file("out/a"), file("out/a")]],
    [false, [dir, link("/etc/passwd")]],
    [false, [dir, link("../../outside")]],
    [false, [dir, link("."), file("out/link/behind")]],
  ];
  for (const [isGood, left, exitCode = 0] of rows) assert.equal(isWhole(task(), { exitCode, left }), isGood, JSON.stringify(left));
});
