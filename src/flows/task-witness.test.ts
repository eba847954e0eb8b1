import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "../base/index.ts";
import type { GeneralAction, SentCommand, TaskCodec } from "../contracts/index.ts";
import type { Done } from "./actions.ts";
import { membersAction } from "./general-unit.ts";
import { listed, type TaskInput } from "./task-inputs.ts";
import { sandboxedAction, sentCommand, type TaskQuestion, type UnderstoodTask, understandTask } from "./task-question.ts";
import { keyed, resultOf, taskAction } from "./task-results.ts";
import { witnessTask } from "./task-witness.ts";

const places = { inputs: "/inputs", work: "/scratch/work" };
const SYSTEM_NAME = digestOf("system");
const installed = { digest: digestOf("packages"), isTold: true };
const codec: TaskCodec = {
  encodeTaskOutcome: (outcome) => Buffer.from(JSON.stringify(outcome)),
  decodeTaskOutcome: () => assert.fail("nothing is read"),
};

function file(path: string): TaskInput {
  return {
    kind: "file",
    path,
    source: `/home/me/shop/${path}`,
    digest: digestOf(path),
    size: 9,
    executable: path.endsWith(".sh"),
    changedNs: 1n,
  };
}

const INPUTS: readonly TaskInput[] = [
  file("app/data"),
  { kind: "directory", path: "app/empty" },
  { kind: "link", path: "app/link", target: "data" },
  file("app/own.sh"),
];

/** A command as its own machine understands it. */
function understood(changes: Partial<TaskQuestion> = {}, programs: UnderstoodTask["programs"] = [SYSTEM]): UnderstoodTask {
  const question: TaskQuestion = {
    root: "/home/me/shop",
    cwd: "/home/me/shop/app",
    command: ["tool", "--fast", "data"],
    inputs: ["app"],
    named: [],
    outputs: ["app/out", "report"],
    environment: new Map([
      ["MODE", "quick"],
      ["HOME", "/somewhere"],
    ]),
    path: "/usr/bin",
    home: "/home/me",
    sandbox: "auto",
    network: false,
    cacheFailures: true,
    force: true,
    umask: 0o22,
    here: false,
    ...changes,
  };
  return understandTask(question, { inputs: listed(INPUTS), programs, installed });
}

const SYSTEM = { path: "/usr/bin/tool", where: "system", digest: digestOf("tool") } as const;
const OWN = { path: "/home/me/bin/tool", where: "own", digest: digestOf("mine") } as const;
const INPUT = { path: "/home/me/shop/app/own.sh", where: "project", digest: digestOf("app/own.sh") } as const;
const BESIDE = { path: "/home/me/shop/build.sh", where: "project", digest: digestOf("build") } as const;
const SHELL = { path: "/bin/sh", where: "system", digest: digestOf("sh") } as const;

function sent(task: UnderstoodTask): GeneralAction {
  const action = sandboxedAction(task, places);
  return membersAction(action, SYSTEM_NAME, sentCommand(task, true)) ?? assert.fail("it is something for members");
}

const done: Done = {
  kind: "done",
  exitCode: 0,
  stdout: Buffer.from("said"),
  stderr: Buffer.alloc(0),
  outputs: [],
  left: [
    { kind: "directory", path: "project/app/out" },
    { kind: "file", path: "project/app/out/made", content: Buffer.from("made"), executable: true },
    { kind: "link", path: "project/app/out/link", target: "made" },
    { kind: "file", path: "project/report", content: Buffer.from("report"), executable: false },
  ],
  used: { wallMs: 12.4, cpuMs: 3.5, residentBytes: 1 },
  queuedMs: 5,
};

/** The key under which its own machine looks for it, or what else is signed. */
function keyOf(action: GeneralAction, task: UnderstoodTask, ran: Partial<Done> = {}): string {
  const seen = witnessTask(codec, { action, done: { ...done, ...ran }, installed, system: SYSTEM_NAME }, { places });
  if (seen === undefined) return "nothing";
  return seen.manifest === task.keys.sandboxed ? "its key" : "another key";
}

test("who ran a command finds by itself what its own machine calls it, and what came of it", () => {
  const rows: readonly (readonly [changes: Partial<TaskQuestion>, programs: UnderstoodTask["programs"]])[] = [
    [{}, [SYSTEM]],
    [{ cwd: "/home/me/shop" }, [SYSTEM]],
    [{ environment: new Map() }, [OWN]],
    [{ command: ["./own.sh"] }, [INPUT, SHELL]],
    [{ command: ["../build.sh", "x"] }, [BESIDE, SHELL]],
    [{ root: "/", cwd: "/home" }, [SYSTEM]],
  ];
  for (const [changes, programs] of rows) {
    const task = understood(changes, programs);
    assert.equal(keyOf(sent(task), task), "its key", JSON.stringify(changes));
  }
});

test("what is signed is the very statement that the machine which asked makes of what it has", () => {
  const task = understood();
  const seen = witnessTask(codec, { action: sent(task), done, installed, system: SYSTEM_NAME }, { places });
  const left = (done.left ?? []).map((one) => ({ ...one, path: one.path.slice("project/".length) }));
  const run = { startedAtMs: 1_000, endedAtMs: 1_012, cpuMs: 3.5 };
  const { entry, result } = resultOf(codec, keyed(task, task.keys.sandboxed), { ...done, left }, run);
  assert.deepEqual([seen?.entry, seen?.result], [entry, result]);
  assert.equal(seen?.entry.action, taskAction({ key: task.keys.sandboxed, inputs: task.inputs.digest }));
});

test("nothing is signed of what was not sent for it, did not go well, or is not what its command says", () => {
  const task = understood({ command: ["./own.sh"] }, [INPUT, SHELL]);
  const whole = sent(task);
  const { command = assert.fail("it is one"), ...bare } = whole;
  const as = (changes: Partial<SentCommand>): GeneralAction => ({ ...whole, command: { ...command, ...changes } });
  const [first = assert.fail("it has inputs"), ...others] = whole.inputs;
  const rows: readonly (readonly [what: string, action: GeneralAction, ran?: Partial<Done>])[] = [
    ["no command", bare],
    ["none is wanted", as({ signed: false })],
    ["it failed", whole, { exitCode: 1 }],
    ["an output is missing", whole, { left: done.left?.slice(0, 3) ?? [] }],
    ["another program ran", { ...whole, program: "/usr/bin/other" }],
    ["a variable that was not declared", { ...whole, environment: new Map([...whole.environment, ["LD_PRELOAD", "x"]]) }],
    ["a program that is other than it says", as({ programs: command.programs.map((one) => ({ ...one, digest: digestOf("lie") })) })],
    ["no program", as({ programs: [] })],
    ["something beside the project", { ...whole, inputs: [{ ...first, path: "/inputs/beside" }, ...others] }],
    ["inputs twice", { ...whole, inputs: [...others, first] }],
    ["it ran beside what its owner has named, which nobody compares", { ...whole, system: digestOf("image-1") }],
    ...Object.entries(whole.limits).map(
      ([name, value]) => [`less of ${name}`, { ...whole, limits: { ...whole.limits, [name]: value - 1 } }] as const,
    ),
  ];
  for (const [what, action, ran] of rows) assert.equal(keyOf(action, task, ran), "nothing", what);
  const untold = { action: whole, done, installed: { ...installed, isTold: false }, system: SYSTEM_NAME };
  assert.equal(witnessTask(codec, untold, { places }), undefined);
  assert.equal(witnessTask(codec, { ...untold, installed, system: undefined }, { places }), undefined);
});

test("what changes the run changes the key, so that nobody who looks for the one gets the other", () => {
  const task = understood();
  const whole = sent(task);
  const { command = assert.fail("it is one") } = whole;
  const lie = (digest: Digest): GeneralAction["inputs"] => whole.inputs.map((one, at) => (at === 0 ? { ...one, digest } : one));
  const rows: readonly GeneralAction[] = [
    { ...whole, arguments: ["--slow", "data"] },
    { ...whole, inputs: lie(digestOf("other data")) },
    { ...whole, inputs: whole.inputs.map((one) => ({ ...one, executable: true })) },
    { ...whole, environment: new Map([...whole.environment, ["MODE", "slow"]]) },
    { ...whole, work: { ...whole.work, links: [] } },
    { ...whole, work: { ...whole.work, outputs: ["project/report", "project/app/out", "project/more"] } },
    { ...whole, cwd: "/inputs/project" },
    { ...whole, command: { ...command, name: "other" } },
    { ...whole, command: { ...command, programs: [{ ...SHELL, place: "/usr/bin/tool", brought: false }] } },
  ];
  for (const action of rows) assert.notEqual(keyOf(action, task, MORE), "its key", JSON.stringify([...action.environment]));
});

const MORE = { left: [...(done.left ?? []), { kind: "directory", path: "project/more" } as const] };
