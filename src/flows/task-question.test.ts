import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { TaskProgram } from "../contracts/index.ts";
import type { TaskInputs } from "./task-inputs.ts";
import { projectPath, sandboxedAction, type TaskQuestion, understandTask } from "./task-question.ts";

const question: TaskQuestion = {
  command: ["node", "a.js"],
  root: "/home/me/project",
  cwd: "/home/me/project/sub",
  inputs: ["src"],
  named: [],
  outputs: ["dist"],
  environment: new Map([["A", "1"]]),
  path: "/usr/bin",
  home: "/home/me",
  sandbox: "auto",
  network: false,
  cacheFailures: false,
  force: false,
  umask: 0o022,
  here: false,
};
const program: TaskProgram = { path: "/opt/node/bin/node", where: "own", digest: digestOf("node") };
const inputs: TaskInputs = {
  all: [
    { kind: "directory", path: "src" },
    {
      kind: "file",
      path: "src/a.js",
      source: "/home/me/project/src/a.js",
      digest: digestOf("a"),
      size: 1,
      executable: true,
      changedNs: 0n,
    },
    { kind: "link", path: "src/l", target: "a.js" },
  ],
  files: 2,
  listing: "",
  digest: digestOf("inputs"),
};
const found = { inputs, programs: [program], installed: { digest: digestOf("packages"), isTold: true } };

function keys(changes: Partial<TaskQuestion>, others: Partial<typeof found> = {}): { readonly sandboxed: string; readonly bare: string } {
  return understandTask({ ...question, ...changes }, { ...found, ...others }).keys;
}

const before = keys({});

test("what may change the outcome changes both keys", () => {
  const changed = [
    keys({ command: ["node", "b.js"] }),
    keys({ command: ["node a.js"] }),
    keys({ cwd: question.root }),
    keys({ environment: new Map([["A", "2"]]) }),
    keys({ environment: new Map() }),
    keys({ outputs: ["dist", "more"] }),
    keys({}, { inputs: { ...inputs, digest: digestOf("others") } }),
    keys({}, { programs: [{ ...program, digest: digestOf("another node") }] }),
    keys({}, { installed: { digest: digestOf("an upgrade"), isTold: true } }),
  ];
  const all = [before, ...changed].flatMap(({ sandboxed, bare }) => [sandboxed, bare]);
  assert.equal(new Set(all).size, all.length);
});

test("where the project lies, who asks, and how, is in the key of a run in the checkout alone", () => {
  for (const changes of [{ root: "/other", cwd: "/other/sub" }, { path: "/bin" }, { home: "/root" }, { network: true }]) {
    const other = keys(changes);
    assert.equal(other.sandboxed, before.sandboxed, JSON.stringify(changes));
    assert.notEqual(other.bare, before.bare, JSON.stringify(changes));
  }
  const same = keys({
    sandbox: "always",
    cacheFailures: true,
    force: true,
    umask: 0,
    here: true,
    environment: new Map(question.environment),
  });
  assert.deepEqual(same, before);
  assert.equal(
    keys({}, { programs: [{ ...program, path: "/home/me/bin/node" }] }).sandboxed,
    before.sandboxed,
    "it is brought to one place",
  );
});

test("in a sandbox it finds its inputs, its program and what was declared, and nothing of who asks", () => {
  const action = sandboxedAction(understandTask(question, found), { inputs: "/inputs", work: "/scratch/place" });
  assert.deepEqual(
    action.inputs.map(({ path, executable }) => [path, executable]),
    [
      ["/inputs/project/src/a.js", true],
      ["/inputs/tools/node", true],
    ],
  );
  assert.deepEqual([action.program, action.cwd, action.work?.outputs], ["/inputs/tools/node", "/inputs/project/sub", ["project/dist"]]);
  assert.deepEqual(action.work?.links, [{ path: "/inputs/project/src/l", target: "a.js" }]);
  assert.deepEqual(Object.fromEntries(action.environment), {
    PATH: "/inputs/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/scratch",
    A: "1",
  });
  assert.equal(JSON.stringify(action).includes("/home/me"), false);
  const script: TaskProgram = { path: "/home/me/project/src/a.js", where: "project", digest: digestOf("a") };
  const own = sandboxedAction(understandTask(question, { ...found, programs: [script, program] }), {
    inputs: "/inputs",
    work: "/scratch/place",
  });
  assert.deepEqual([own.program, own.inputs.length], ["/scratch/place/project/src/a.js", 2]);
  const linked = (leadsTo: string): unknown => {
    const bin: TaskProgram = { path: "/home/me/project/bin/tool", where: "project", digest: digestOf("tool") };
    const all = [{ kind: "link", path: "bin", target: "src" } as const, { kind: "link", path: "src/tool", target: leadsTo } as const];
    const task = understandTask(question, { ...found, inputs: { ...inputs, all: [...inputs.all, ...all] }, programs: [bin, program] });
    const action = sandboxedAction(task, { inputs: "/inputs", work: "/scratch/place" });
    return [action.program, action.inputs.map(({ path }) => path)];
  };
  const [started, file, node] = ["/scratch/place/project/bin/tool", "/inputs/project/src/a.js", "/inputs/tools/node"];
  assert.deepEqual(linked("./a.js"), [started, [file, node]], "it is an input already");
  assert.deepEqual(linked("../lib/tool.js"), [started, [file, "/inputs/project/lib/tool.js", node]]);
  assert.deepEqual([projectPath("project/dist/a"), projectPath("tools/node")], ["dist/a", undefined]);
});
