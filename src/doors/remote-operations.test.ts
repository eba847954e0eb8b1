import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { digestOf, limits } from "../base/index.ts";
import type { ActionRunner, ExecutorOutcome } from "../contracts/index.ts";
import type { RemoteCodec } from "../wire/index.ts";
import { codec } from "./remote.fixture.ts";
import type { Runnable } from "./remote-actions.ts";
import { ClientCancelled, codes, RemoteFailure } from "./remote-failure.ts";
import { RemoteOperations, type RemoteOperationsParts } from "./remote-operations.ts";
import type { MadeBy, RemoteResults } from "./remote-results.ts";

type OperationInit = ReturnType<RemoteCodec["operationOf"]>;

const { operations: mostOpen, operationsEnded: mostEnded, endedKeptMs, abandonedMs } = limits.remoteExecution;

const done: ExecutorOutcome = {
  kind: "done",
  exitCode: 0,
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  outputs: [],
  strange: [],
  used: { wallMs: 1, cpuMs: undefined, residentBytes: undefined },
};

const runnable: Runnable = {
  isShared: true,
  outputs: [],
  madeOf: { command: digestOf("command"), inputRoot: digestOf("inputs") },
  action: {
    program: "/usr/bin/env",
    arguments: ["true"],
    environment: new Map(),
    cwd: "/",
    toolchain: undefined,
    inputs: [],
    directories: [],
    outputs: [],
    limits: limits.remoteExecution.action,
  },
};

/** Operations whose actions are whatever is asked for, and whose results nobody keeps. */
function operationsOn(run: ActionRunner["run"], told: string[] = [], more: Partial<RemoteOperationsParts> = {}): RemoteOperations {
  const actions = { read: async () => runnable, result: async () => ({ exitCode: 0 }) };
  const results = { find: async () => undefined, keep: async () => undefined };
  const log = { event: (_level: string, event: string) => void told.push(event) };
  return new RemoteOperations({ runner: { run }, actions, results, codec, log, now: Date.now, ...more });
}

function asked(what: string): Parameters<RemoteOperations["execute"]>[0] {
  return { instance: "", action: { digest: digestOf(what), size: what.length }, skipCache: false };
}

/** What a client hears, the last of it last. */
class Ear {
  readonly heard: OperationInit[] = [];
  readonly leave = new AbortController();
  readonly send = async (operation: OperationInit): Promise<void> => void this.heard.push(operation);

  get name(): string {
    return this.heard.at(-1)?.name ?? "";
  }

  get isDone(): boolean {
    return this.heard.at(-1)?.done === true;
  }
}

/** Runs that end when they are told to. */
class Runs {
  readonly ends: ((outcome: ExecutorOutcome) => void)[] = [];
  readonly run = (): Promise<ExecutorOutcome> => new Promise((resolve) => this.ends.push(resolve));
}

async function until(what: () => boolean, signal: AbortSignal): Promise<void> {
  while (!what()) await otherWork(undefined, { signal });
}

function assertGone(operations: RemoteOperations, name: string): Promise<void> {
  const { send, leave } = new Ear();
  return assert.rejects(
    operations.wait(name, send, leave.signal),
    (error) => error instanceof RemoteFailure && error.code === codes.notFound,
  );
}

test("those that have ended keep none from beginning; the latest of them can be asked about", async () => {
  await using operations = operationsOn(async () => done);
  const names: string[] = [];
  for (let i = 0; i < mostOpen + 100; i++) {
    const ear = new Ear();
    await operations.execute(asked(`${i}`), ear.send, ear.leave.signal);
    assert.equal(ear.isDone, true);
    names.push(ear.name);
  }
  const later = new Ear();
  await operations.wait(names.at(-mostEnded) ?? "", later.send, later.leave.signal);
  assert.equal(later.isDone, true);
  await assertGone(operations, names.at(-mostEnded - 1) ?? "");
});

test("how an action ran here is told of it, unless it came near a limit", async () => {
  for (const [near, isTold] of [
    [undefined, true],
    ["output", false],
    ["processes", false],
  ] as const) {
    const made: (MadeBy | undefined)[] = [];
    const results = { find: async () => undefined, keep: async (...[, , , by]: Parameters<RemoteResults["keep"]>) => void made.push(by) };
    const installed = async () => digestOf("installed");
    await using operations = operationsOn(async () => ({ ...done, ...(near !== undefined && { near }) }), [], { results, installed });
    const ear = new Ear();
    await operations.execute(asked("it"), ear.send, ear.leave.signal);
    assert.equal(ear.isDone, true);
    assert.deepEqual(
      made.map((by) => by?.ran?.installed === digestOf("installed")),
      [isTold],
    );
  }
});

test("as many as there may be run or wait, and the next is refused", async (t) => {
  const runs = new Runs();
  await using operations = operationsOn(runs.run);
  const ears = Array.from({ length: mostOpen }, () => new Ear());
  const all = ears.map((ear, i) => operations.execute(asked(`${i}`), ear.send, ear.leave.signal));
  await until(() => ears.every(({ name }) => name !== ""), t.signal);
  const one = new Ear();
  await assert.rejects(operations.execute(asked("one more"), one.send, one.leave.signal), { code: codes.resourceExhausted });
  for (let i = 0; i < mostOpen; i++) {
    await until(() => runs.ends.length > i, t.signal);
    runs.ends[i]?.(done);
  }
  await Promise.all(all);
});

test("one that everybody has left, and that ends before it is stopped, is forgotten like others", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const runs = new Runs();
  const told: string[] = [];
  await using operations = operationsOn(runs.run, told);
  const ear = new Ear();
  const left = assert.rejects(operations.execute(asked("x"), ear.send, ear.leave.signal));
  await until(() => runs.ends.length === 1, t.signal);
  ear.leave.abort(new Error("gone"));
  await left;
  runs.ends[0]?.(done);
  await until(() => told.includes("door.executed"), t.signal);
  t.mock.timers.tick(abandonedMs);
  const back = new Ear();
  await operations.wait(ear.name, back.send, back.leave.signal);
  assert.equal(back.isDone, true);
  t.mock.timers.tick(endedKeptMs);
  await assertGone(operations, ear.name);
});

test("nobody gets the end of a run that is being stopped for his own", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const runs = new Runs();
  await using operations = operationsOn(runs.run);
  const first = new Ear();
  const left = assert.rejects(operations.execute(asked("x"), first.send, first.leave.signal));
  await until(() => runs.ends.length === 1, t.signal);
  first.leave.abort(new Error("gone"));
  await left;
  t.mock.timers.tick(abandonedMs);
  const [second, third] = [new Ear(), new Ear()];
  const both = [second, third].map((ear) => operations.execute(asked("x"), ear.send, ear.leave.signal));
  await until(() => runs.ends.length === 2, t.signal);
  runs.ends[0]?.({ kind: "unavailable", reason: "stopping", detail: "" });
  await until(() => third.name !== "", t.signal);
  runs.ends[1]?.(done);
  await Promise.all(both);
  assert.equal(second.isDone, true);
  assert.equal(third.name, second.name);
  assert.notEqual(second.name, first.name);
});

/** A run that ends when it is stopped, and how those who want it have left. */
async function leaving(
  t: TestContext,
  reasons: readonly Error[],
): Promise<{ readonly isStopped: () => boolean; readonly leave: () => Promise<void> }> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let [isBegun, isStopped] = [false, false];
  const operations = operationsOn(async (_action, signal) => {
    isBegun = true;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    isStopped = true;
    throw signal.reason;
  });
  t.after(() => operations[Symbol.asyncDispose]());
  const left = reasons.map((reason) => {
    const ear = new Ear();
    return { ear, reason, over: assert.rejects(operations.execute(asked("x"), ear.send, ear.leave.signal)) };
  });
  await until(() => isBegun && left.every(({ ear }) => ear.name !== ""), t.signal);
  const leave = async (): Promise<void> => {
    const first = left.shift();
    first?.ear.leave.abort(first.reason);
    await first?.over;
    for (let turns = 0; turns < 20; turns++) await otherWork();
  };
  return { isStopped: () => isStopped, leave };
}

test("what all who waited have cancelled is stopped at once", async (t) => {
  const { isStopped, leave } = await leaving(t, [new ClientCancelled(), new ClientCancelled()]);
  await leave();
  assert.equal(isStopped(), false, "another waits");
  await leave();
  assert.equal(isStopped(), true);
});

test("who is lost may come back for a while, whoever cancels meanwhile", async (t) => {
  const lost = new RemoteFailure("cancelled", "the client has gone");
  const { isStopped, leave } = await leaving(t, [lost, new ClientCancelled()]);
  await leave();
  await leave();
  t.mock.timers.tick(abandonedMs - 1);
  for (let turns = 0; turns < 20; turns++) await otherWork();
  assert.equal(isStopped(), false);
  t.mock.timers.tick(1);
  await until(isStopped, t.signal);
});
