/**
 * Tasks that whoever asks runs itself: the flow with everything around it made up.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CairnError, type Digest, digestOf, silentLog } from "../base/index.ts";
import type { Executor, Offer } from "../contracts/index.ts";
import type { CommandOrder } from "./actions.ts";
import { TaskFlow, type TaskParts, type TaskRunIt } from "./task.ts";
import type { Whole } from "./task-outputs.ts";
import type { TaskQuestion } from "./task-question.ts";
import { taskAction } from "./task-results.ts";

const { signal } = new AbortController();

interface Around {
  readonly installed?: readonly string[];
  /** What a command leaves in the sandbox; there is none without. */
  readonly left?: readonly Whole[];
  /** What is otherwise than on such a machine. */
  readonly more?: object;
}

/** A machine that knows nothing, with the keys of what it keeps. */
function flow(kept: string[], { installed = [], left, more = {} }: Around = {}): TaskFlow {
  const missing = { kind: "unavailable", reason: "no_namespaces", detail: "none" };
  const outcome = { kind: "done", exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), used: { wallMs: 1 }, left };
  const parts = {
    store: { has: () => Promise.resolve(true), read: () => Promise.resolve({ kind: "miss" }), writeVerified: () => Promise.resolve() },
    index: {
      entries: () => [],
      history: () => undefined,
      remember: () => undefined,
      add: (key: string) => void kept.push(key),
    },
    codec: () => Promise.resolve({ encodeTaskOutcome: () => new Uint8Array() }),
    files: { state: () => ({ kind: "absent" }) },
    programs: {
      find: (name: string) => Promise.resolve([{ path: `/usr/bin/${name}`, where: "system", digest: digestOf(name) }]),
      installed: () => Promise.resolve({ digest: digestOf(installed.at(0) ?? ""), isTold: false }),
    },
    sandbox: {
      look: () => Promise.resolve(left === undefined ? missing : { kind: "walled" }),
      run: () => Promise.resolve(outcome),
    },
    workers: () => undefined,
    nameOf: () => "",
    unshared: { why: () => undefined },
    lend: () => ({ [Symbol.dispose]: () => undefined }),
    statistics: { count: () => undefined },
    log: silentLog,
    now: () => 0,
    ...more,
  };
  const actions = {
    command: async ({ action, sent }: CommandOrder) => ({ outcome: await sandboxOf(parts).run(action, signal), by: undefined, why: sent }),
  };
  return new TaskFlow({ ...parts, actions } as unknown as TaskParts, { places: { inputs: "/inputs", work: "/work" } });
}

function sandboxOf(parts: object): Pick<Executor, "run"> {
  return (parts as Pick<TaskParts, "sandbox">).sandbox;
}

function question(t: TestContext, name: string): TaskQuestion {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-task-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return {
    root,
    cwd: root,
    command: [name],
    inputs: [],
    named: [],
    outputs: [],
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
}

async function told(of: TaskFlow, what: TaskQuestion): Promise<TaskRunIt> {
  const answer = await of.ask(what, () => undefined, signal);
  return answer.kind === "run" ? answer : assert.fail("it is to be run");
}

const RAN = { exitCode: 0, stdout: Buffer.from("hi"), stderr: Buffer.alloc(0), startedAtMs: 1, endedAtMs: 2 };

test("what came of a run is kept once, for that run, and not by a daemon that has begun since and numbers its own", async (t) => {
  const kept: string[] = [];
  const [before, after] = [flow(kept), flow(kept)];
  const run = await told(before, question(t, "make"));
  const other = await told(after, question(t, "test"));
  assert.notEqual(run.job, other.job);
  const isUnknown = (error: unknown): boolean => error instanceof CairnError && error.code === "not-found";
  await assert.rejects(after.ran({ ...RAN, job: run.job }, signal), isUnknown);
  assert.deepEqual(kept, []);
  assert.equal((await after.ran({ ...RAN, job: other.job }, signal)).notKept, "");
  assert.deepEqual(kept, [other.key]);
  await assert.rejects(after.ran({ ...RAN, job: other.job }, signal), isUnknown);
});

test("what ran while something else was installed is not kept", async (t) => {
  const kept: string[] = [];
  const installed = ["before"];
  const of = flow(kept, { installed });
  const run = await told(of, question(t, "make"));
  installed[0] = "after";
  assert.match((await of.ran({ ...RAN, job: run.job }, signal)).notKept, /what is installed changed while it ran/);
  assert.deepEqual(kept, []);
});

test("what cannot be placed is told before anything runs; what a first run may write again is no reason", async (t) => {
  const kept: string[] = [];
  const of = flow(kept, { left: [{ kind: "file", path: "dist/made", content: Buffer.from("made"), executable: false }] });
  const rows: [outputs: string[], prepare: (root: string) => void, why: RegExp][] = [
    [["a/b/made"], (root) => writeFileSync(join(root, "a"), ""), /a is no directory, and the output a\/b\/made would lie in it/],
    [["a/made"], (root) => symlinkSync("/tmp", join(root, "a")), /lies outside the project/],
    [["loop/made"], (root) => symlinkSync("loop", join(root, "loop")), /loop cannot be written: ELOOP/],
  ];
  for (const [outputs, prepare, why] of rows) {
    const asked = { ...question(t, "make"), outputs };
    prepare(asked.root);
    const isTold = (error: unknown): boolean => error instanceof CairnError && why.test(String(error.facts.why));
    await assert.rejects(
      of.ask(asked, () => undefined, signal),
      isTold,
    );
    const { inTheWay } = await of.plan(asked, signal);
    assert.match(inTheWay?.why ?? "", why);
    assert.equal(inTheWay?.isCertain, true);
  }
  assert.deepEqual(kept, []);
});

test("what lies where a directory is to be put is told before, and that the command may write it again", async (t) => {
  const [alone, bare] = [flow([], { left: [] }), flow([])];
  const asked = { ...question(t, "make"), outputs: ["new/dist", "dist"] };
  assert.equal((await alone.plan(asked, signal)).inTheWay, undefined);
  mkdirSync(join(asked.root, "dist"));
  writeFileSync(join(asked.root, "dist/mine"), "precious");
  const { inTheWay } = await alone.plan(asked, signal);
  assert.match(inTheWay?.why ?? "", /dist\/mine was not put there by this command/);
  assert.equal(inTheWay?.isCertain, false);
  assert.equal((await alone.plan({ ...asked, force: true }, signal)).inTheWay, undefined);
  assert.equal((await bare.plan(asked, signal)).inTheWay, undefined, "in the checkout it writes there by itself");
  assert.deepEqual(readdirSync(asked.root), ["dist"]);
});

test("what cannot be placed is kept all the same", async (t) => {
  const kept: string[] = [];
  const of = flow(kept, { left: [{ kind: "directory", path: "project/dist" }] });
  const asked = { ...question(t, "make"), outputs: ["dist"] };
  mkdirSync(join(asked.root, "dist"));
  writeFileSync(join(asked.root, "dist/mine"), "precious");
  await assert.rejects(
    of.ask(asked, () => undefined, signal),
    (error) => error instanceof CairnError && /dist\/mine/.test(String(error.facts.why)),
  );
  assert.equal(kept.length, 1);
});

test("a failure that was drawn to be executed here is, also where who asked did not want it", async (t) => {
  const kept: Offer[] = [];
  let runs = 0;
  const failed = { kind: "done", exitCode: 1, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), used: { wallMs: 1 }, left: [] };
  const of = flow([], {
    left: [],
    more: {
      store: { has: async () => true, read: async () => ({ kind: "hit", bytes: Buffer.alloc(0) }) },
      codec: async () => ({ decodeTaskOutcome: () => ({ exitCode: 1, left: [], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }) }),
      index: {
        entries: () => kept.map(({ shared }) => shared.entry),
        result: () => kept[0]?.shared.result,
        history: () => undefined,
        remember: () => undefined,
        touch: () => undefined,
        add: () => undefined,
      },
      programs: {
        find: async (name: string) => [{ path: `/usr/bin/${name}`, where: "system", digest: digestOf(name) }],
        installed: async () => ({ digest: digestOf("installed"), isTold: true }),
      },
      sharing: {
        find: async (key: Digest) => [drawn(key)],
        bring: async () => ({ complete: true, bytes: 1 }),
        keep: (offer: Offer) => kept.push(offer) > 0,
        mayUse: () => true,
        isOthers: () => true,
        executed: () => undefined,
      },
      sandbox: {
        look: async () => ({ kind: "walled" }),
        run: async () => {
          runs++;
          return failed;
        },
      },
    },
  });
  const answer = await of.ask(question(t, "make"), () => undefined, signal);
  assert.deepEqual([answer.kind === "answered" && answer.how, kept.length, runs], ["executed", 1, 1]);
  assert.equal(await of.verifyNext(signal), false);
  assert.equal(runs, 2);
});

/** What a member says of a command without inputs: that it failed. */
function drawn(key: Digest): Offer {
  const inputs = digestOf("[]");
  const entry = {
    action: taskAction({ key, inputs }),
    place: undefined,
    presumed: false,
    terminal: undefined,
    inputs: [{ path: "\0P", digest: inputs }],
    absent: [],
  };
  const outcome = { path: "\0P", digest: digestOf("outcome"), size: 1, role: "outcome", template: false } as const;
  const result = { outputs: [outcome], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 };
  const execution = { signer: digestOf("signer"), toolchain: digestOf("tools"), startedAtMs: 0, endedAtMs: 1 };
  const shared = { manifest: key, entry, result, execution, signature: new Uint8Array(64) };
  return { shared, from: [digestOf("member")], domains: ["one", "other"], tier: "team", isToVerify: true };
}
