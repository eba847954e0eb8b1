/**
 * Who is let in to work here, and who goes next, with a sandbox in memory.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { BringContents, CompileAction, ExecutorAction, ExecutorOutcome, GeneralAction, WorkerOutcome } from "../contracts/index.ts";
import { MemberBounds } from "./member-bounds.ts";
import { Worker, type WorkerParts } from "./worker.ts";

const never = new AbortController().signal;
const [A, B] = ["aa", "bb"] as const;
const { work } = limits;
const DONE: ExecutorOutcome = {
  kind: "done",
  exitCode: 0,
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  outputs: [{ name: "object", content: Buffer.from("object"), executable: false }],
  strange: [],
  used: { wallMs: 5, cpuMs: 4, residentBytes: 3 },
};

function asked(name: string, more: Partial<CompileAction> = {}): CompileAction {
  return {
    toolchain: "00",
    options: [],
    source: name,
    mode: "object",
    dependencies: undefined,
    environment: new Map(),
    cwd: "/",
    inputs: [],
    directories: [],
    limits: work.most,
    ...more,
  };
}

/** A machine whose jobs run until they are told to end. */
class Machine {
  readonly events: string[] = [];
  /** Sources of jobs that run, and how each is ended. */
  readonly running = new Map<string, () => void>();
  slots = 2;
  held = 0;
  /** The toolchain of all jobs may not be used any more. */
  isWithdrawn = false;
  readonly worker: Worker;

  constructor(parts: Partial<WorkerParts> = {}) {
    this.worker = new Worker({
      compiles: {
        look: async (action) => ({ kind: "harmless", action: { program: action.source } as ExecutorAction }),
        withdrawn: () => (this.isWithdrawn ? { kind: "refused", reason: "toolchain_unknown", detail: "not approved" } : undefined),
      },
      sandbox: {
        look: async () => ({ kind: "walled", walls: "" }),
        stage: (digests) => this.#stage(digests),
        run: (action, signal) => this.runs(action, signal),
      },
      vouchers: { hasRoom: () => false, add: async () => undefined, sign: async () => undefined },
      witness: async () => undefined,
      share: { slots: () => this.slots, withheld: () => undefined },
      bounds: new MemberBounds(() => performance.now(), { workMemberSlots: 100, workMemberSeconds: 0, workMemberWhen: "wanted" }),
      admits: () => true,
      actsFor: () => true,
      systems: () => [],
      lack: async () => undefined,
      toolchains: () => ["00"],
      memoryBytes: 7,
      log: { event: (_level, name) => void this.events.push(name) },
      now: () => performance.now(),
      ...parts,
    });
  }

  compile(from: string, name: string, signal: AbortSignal = never, more: Partial<CompileAction> = {}): Promise<WorkerOutcome> {
    return this.worker.compile(from, asked(name, more), async () => [], signal);
  }

  /** Waits until those run and no other. */
  async untilRunning(t: TestContext, ...names: string[]): Promise<void> {
    while ([...this.running.keys()].toSorted().join() !== names.toSorted().join()) await sleep(1, undefined, { signal: t.signal });
  }

  runs = ({ program }: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> => {
    const { promise, resolve, reject } = Promise.withResolvers<ExecutorOutcome>();
    signal.addEventListener("abort", () => reject(new Error("ended")));
    this.running.set(program, () => resolve(DONE));
    return promise.finally(() => this.running.delete(program));
  };

  async #stage(digests: Iterable<Digest>): Promise<Awaited<ReturnType<WorkerParts["sandbox"]["stage"]>>> {
    this.held++;
    const stage = { missing: [...digests], bytes: 0, put: () => undefined, [Symbol.asyncDispose]: async () => void this.held-- };
    return stage as unknown as Awaited<ReturnType<WorkerParts["sandbox"]["stage"]>>;
  }
}

const MINUTE = { timeout: 60_000 };

test("as many run as there are slots, as many wait, and the next hears that it is busy", MINUTE, async (t) => {
  const machine = new Machine();
  const jobs = ["1", "2", "3", "4"].map((name) => machine.compile(A, name));
  await machine.untilRunning(t, "1", "2");
  assert.deepEqual(await machine.compile(A, "5"), { kind: "busy" });
  for (const name of ["1", "2", "3", "4"]) {
    while (!machine.running.has(name)) await sleep(1, undefined, { signal: t.signal });
    machine.running.get(name)?.();
  }
  for (const outcome of await Promise.all(jobs)) assert.equal(outcome.kind, "done");
  assert.deepEqual([machine.worker.running, machine.held], [0, 0]);
  assert.deepEqual([machine.worker.counts.done, machine.worker.counts.busy], [4, 1]);
});

test("of those that wait the member goes first for whom the fewest run", MINUTE, async (t) => {
  const machine = new Machine();
  machine.slots = 3;
  const jobs = [machine.compile(A, "a1"), machine.compile(A, "a2"), machine.compile(A, "a3"), machine.compile(A, "a4")];
  await machine.untilRunning(t, "a1", "a2", "a3");
  jobs.push(machine.compile(B, "b1"));
  await turn();
  machine.running.get("a1")?.();
  await machine.untilRunning(t, "a2", "a3", "b1");
  for (const name of ["a2", "a3", "a4", "b1"]) {
    while (!machine.running.has(name)) await sleep(1, undefined, { signal: t.signal });
    machine.running.get(name)?.();
  }
  await Promise.all(jobs);
});

test("when the owner builds, others wait, and then hear that it is busy", MINUTE, async (t) => {
  const machine = new Machine();
  machine.slots = 1;
  const first = machine.compile(A, "1");
  await machine.untilRunning(t, "1");
  const second = machine.compile(A, "2");
  await turn();
  machine.slots = 0;
  machine.running.get("1")?.();
  assert.equal((await first).kind, "done");
  assert.deepEqual(await second, { kind: "busy" });
  assert.deepEqual(machine.worker.capacity(), { slots: 0, free: 0, queue: 0, toolchains: [] });
});

test("where jobs are short as many may wait as get a slot soon, and where they are long as many as run", MINUTE, async (t) => {
  let now = 0;
  const machine = new Machine({ now: () => now });
  const done = async (tookMs: number): Promise<void> => {
    const job = machine.compile(A, "one");
    await machine.untilRunning(t, "one");
    now += tookMs;
    machine.running.get("one")?.();
    assert.equal((await job).kind, "done");
  };
  await machine.worker.look();
  const queues: number[] = [machine.worker.capacity().queue];
  for (const tookMs of [100, 1, 1_900]) {
    for (let i = 0; i < 32; i++) await done(tookMs);
    queues.push(machine.worker.capacity().queue);
  }
  // Two slots, 2 s: 40 jobs of 100 ms, of which half are told of; of those of 1 ms as many as a member may have; of those of 1.9 s two.
  assert.deepEqual(queues, [2, 16, 32, 2]);
  for (let i = 0; i < 32; i++) await done(100);
  const jobs = Array.from({ length: 2 + 16 }, (_, i) => machine.compile(A, `job${i}`));
  await machine.untilRunning(t, "job0", "job1");
  for (let i = 0; i < jobs.length; i++) {
    while (!machine.running.has(`job${i}`)) await sleep(1, undefined, { signal: t.signal });
    machine.running.get(`job${i}`)?.();
  }
  for (const outcome of await Promise.all(jobs)) assert.equal(outcome.kind, "done");
});

test("who claims inputs and never sends them keeps only itself from working", MINUTE, async (t) => {
  const stuck: Promise<WorkerOutcome>[] = [];
  const machine = new Machine();
  const stop = new AbortController();
  const forever = (): Promise<never> => new Promise((_, reject) => stop.signal.addEventListener("abort", () => reject(new Error("ended"))));
  const claim = (i: number): Promise<WorkerOutcome> =>
    machine.worker.compile(A, asked(`stuck${i}`, { inputs: [{ path: "/x", digest: "11" }] }), forever, stop.signal);
  machine.slots = work.waitingPerMember;
  for (let i = 0; i < work.waitingPerMember; i++) stuck.push(claim(i).catch(() => ({ kind: "busy" })));
  await turn();
  assert.deepEqual(await claim(99), { kind: "busy" });
  const honest = machine.compile(B, "honest");
  await machine.untilRunning(t, "honest");
  machine.running.get("honest")?.();
  assert.equal((await honest).kind, "done");
  stop.abort();
  await Promise.all(stuck);
  assert.equal(machine.held, 0);
  assert.equal(machine.events.filter((name) => name === "work.cancelled").length, work.waitingPerMember);
});

test("a cancelled job is ended, whether it runs or waits, and gives back what it held", MINUTE, async (t) => {
  const machine = new Machine();
  machine.slots = 1;
  const stop = new AbortController();
  const jobs = ["1", "2"].map((name) => machine.compile(A, name, stop.signal));
  await machine.untilRunning(t, "1");
  stop.abort(new Error("nobody waits"));
  for (const job of jobs) await assert.rejects(job);
  await machine.untilRunning(t);
  assert.deepEqual([machine.worker.running, machine.held, machine.worker.counts.cancelled], [0, 0, 2]);
});

test("inputs that are too many for this machine are refused; too many of all jobs together are not now", MINUTE, async () => {
  const machine = new Machine();
  for (const [what, kind] of [
    ["inputs", "refused"],
    ["assembling", "busy"],
  ] as const) {
    const bring = (): Promise<never> => Promise.reject(new CairnError("limit-exceeded", { what }));
    const outcome = await machine.worker.compile(A, asked("1", { inputs: [{ path: "/x", digest: "11" }] }), bring, never);
    assert.equal(outcome.kind, kind);
  }
  assert.equal(machine.held, 0);
});

test(
  "what jobs that wait hold of inputs is bounded, of a member and of all, and given back by those that run or end",
  MINUTE,
  async (t) => {
    const machine = new Machine();
    machine.slots = 16;
    const stop = new AbortController();
    const inputs = [{ path: "/x", digest: "11" }];
    const large = { length: work.inputBytes } as Uint8Array;
    /** Gets its inputs, and then waits for more. */
    const stuck = async (from: string, signal: AbortSignal): Promise<WorkerOutcome["kind"]> => {
      const bring: BringContents = async (_wanted, take) => {
        take("11", large);
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));
        return [];
      };
      return machine.worker.compile(from, asked("stuck", { inputs }), bring, signal).then(
        ({ kind }) => kind,
        () => "lost",
      );
    };
    const perMember = work.waitingBytesPerMember / work.inputBytes;
    const ofAll = work.waitingBytes / work.inputBytes;
    const first = new AbortController();
    const waiting = [stuck(A, first.signal)];
    for (let i = 1; i < perMember; i++) waiting.push(stuck(A, stop.signal));
    assert.equal(await stuck(A, stop.signal), "busy");
    for (let i = perMember; i < ofAll; i++) waiting.push(stuck(`member${Math.floor(i / perMember)}`, stop.signal));
    assert.equal(await stuck(B, stop.signal), "busy");
    first.abort();
    await waiting[0];
    const bring: BringContents = async (_wanted, take) => {
      take("11", large);
      return [];
    };
    const runs = machine.worker.compile(A, asked("runs", { inputs }), bring, never);
    await machine.untilRunning(t, "runs");
    waiting.push(stuck(A, stop.signal));
    assert.equal(await stuck(A, stop.signal), "busy");
    machine.running.get("runs")?.();
    assert.equal((await runs).kind, "done");
    stop.abort();
    await Promise.all(waiting);
    assert.equal(machine.held, 0);
  },
);

const REFUSED: readonly (readonly [about: string, parts: Partial<WorkerParts>, reason: string, more?: Partial<CompileAction>])[] = [
  ["somebody of another circle", { admits: () => false }, "not_shared"],
  ["nothing is shared", { share: { slots: () => 0, withheld: () => "off" } }, "not_shared"],
  ["more than any job may use", {}, "too_much", { limits: { ...work.most, memoryBytes: work.most.memoryBytes + 1 } }],
  [
    "something harmful",
    {
      compiles: {
        look: async () => ({ kind: "refused", reason: "plugin", detail: "-fplugin=x" }),
        withdrawn: () => assert.fail("it is not asked"),
      },
    },
    "plugin",
  ],
  [
    "no sandbox",
    {
      sandbox: {
        look: async () => ({ kind: "unavailable", reason: "sandbox_missing", detail: "none" }),
        stage: () => assert.fail("it is not asked"),
        run: () => assert.fail("it is not asked"),
      },
    },
    "not_shared",
  ],
];

for (const [about, parts, reason, more] of REFUSED)
  test(`refused: ${about}`, MINUTE, async () => {
    const machine = new Machine(parts);
    for (let i = 0; i < 2; i++) {
      const outcome = await machine.compile(A, "1", never, more);
      assert.equal(outcome.kind === "refused" ? outcome.reason : outcome.kind, reason);
    }
    assert.ok(machine.events.filter((name) => name === "work.unable").length <= 1);
    assert.equal(machine.worker.counts.refused, 2);
  });

test("a job waits from when it has its contents until it has a slot", MINUTE, async (t) => {
  const machine = new Machine();
  machine.slots = 1;
  const first = machine.compile(A, "1");
  await machine.untilRunning(t, "1");
  const told: boolean[] = [];
  const second = machine.worker.compile(
    B,
    asked("2", {}),
    async () => [],
    never,
    (isWaiting) => void told.push(isWaiting),
  );
  while (told.length === 0) await turn();
  assert.deepEqual(told, [true]);
  machine.running.get("1")?.();
  await machine.untilRunning(t, "2");
  assert.deepEqual(told, [true, false]);
  machine.running.get("2")?.();
  assert.deepEqual([(await first).kind, (await second).kind], ["done", "done"]);
});

test("what was withdrawn while a job waited for its slot does not run, and the slot is the next one's", MINUTE, async (t) => {
  let admitted = true;
  const machine = new Machine({ admits: () => admitted });
  machine.slots = 1;
  const first = machine.compile(A, "1");
  await machine.untilRunning(t, "1");
  const waiting = machine.compile(A, "2");
  await turn();
  machine.isWithdrawn = true;
  machine.running.get("1")?.();
  assert.equal((await first).kind, "done", "what runs already goes on");
  assert.deepEqual(await waiting, { kind: "refused", reason: "toolchain_unknown", detail: "not approved" });
  machine.isWithdrawn = false;
  const third = machine.compile(A, "3");
  await machine.untilRunning(t, "3");
  const last = machine.compile(A, "4");
  await turn();
  admitted = false;
  machine.running.get("3")?.();
  assert.equal((await third).kind, "done");
  const outcome = await last;
  assert.ok(outcome.kind === "refused" && outcome.reason === "not_shared", JSON.stringify(outcome));
  assert.deepEqual([machine.worker.running, machine.held], [0, 0]);
});

const GENERAL: GeneralAction = {
  system: "ab",
  program: "/usr/bin/env",
  arguments: ["sh"],
  environment: new Map(),
  cwd: "/inputs",
  inputs: [],
  directories: [],
  work: { root: "/inputs", outputs: ["a", "a"], links: [] },
  limits: work.mostGeneral,
};

test("a general action runs where its owner allows it, beside what is installed there; what it left is told once", MINUTE, async () => {
  const left = { kind: "file", path: "a", content: Buffer.from("a"), executable: false } as const;
  const ran: ExecutorAction[] = [];
  const machine = new Machine({ systems: () => ["ab"] });
  machine.runs = async (action) => {
    ran.push(action);
    return { ...DONE, outputs: [], left: [left, left] };
  };
  const outcome = await machine.worker.act(A, GENERAL, async () => [], never);
  assert.ok(outcome.kind === "done");
  assert.deepEqual(outcome.left, [left]);
  const { system: _, ...same } = GENERAL;
  assert.deepEqual(ran, [{ ...same, toolchain: undefined, outputs: [], usesSystem: true, heldBytes: 7 }]);
  assert.deepEqual(machine.worker.capacity().toolchains, ["ab", "00"]);
});

test("what is installed is looked at anew after a command that went well, and after no other", MINUTE, async () => {
  const command = { name: "sh", programs: [], variables: [], signed: false };
  for (const [exitCode, looks] of [
    [0, [false, false, true]],
    [1, [false, false]],
  ] as const) {
    const seen: boolean[] = [];
    const machine = new Machine({ systems: () => ["ab"], lack: async (_action, _signal, isFresh) => void seen.push(isFresh) });
    machine.runs = async () => ({ ...DONE, exitCode, outputs: [], left: [] });
    const outcome = await machine.worker.act(A, { ...GENERAL, command }, async () => [], never);
    assert.deepEqual([outcome.kind, seen], ["done", looks]);
  }
});

test("a general action whose system was renamed while it waited for its slot does not run", MINUTE, async (t) => {
  let system = "ab";
  const lack: WorkerParts["lack"] = async (action) => (action.system === system ? undefined : action.system);
  const machine = new Machine({ systems: () => [system], lack });
  machine.slots = 1;
  const first = machine.compile(A, "1");
  await machine.untilRunning(t, "1");
  const waiting = machine.worker.act(A, GENERAL, async () => [], never);
  await turn();
  system = "cd";
  machine.running.get("1")?.();
  assert.equal((await first).kind, "done");
  assert.deepEqual(await waiting, { kind: "refused", reason: "system_unknown", detail: "ab" });
  assert.deepEqual([machine.worker.running, machine.held], [0, 0]);
});

for (const [about, parts, reason, more] of [
  ["its owner has not allowed it", {}, "not_shared", {}],
  ["somebody of another domain", { systems: () => ["ab"], actsFor: () => false }, "not_shared", {}],
  ["something else is installed here", { systems: () => ["cd"], lack: async () => "ab" }, "system_unknown", {}],
  ["it wants more than it may have", { systems: () => ["ab"] }, "too_much", { limits: { ...work.mostGeneral, processes: 10_000 } }],
] as const)
  test(`a general action is refused: ${about}`, MINUTE, async () => {
    const outcome = await new Machine(parts).worker.act(A, { ...GENERAL, ...more }, async () => [], never);
    assert.equal(outcome.kind === "refused" ? outcome.reason : outcome.kind, reason);
  });
