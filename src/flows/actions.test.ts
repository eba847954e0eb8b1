import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { limits } from "../base/index.ts";
import type { ExecutorAction, ExecutorOutcome, Placed, Unit, WorkerOutcome } from "../contracts/index.ts";
import { Actions, type CommandOrder } from "./actions.ts";
import { membersAction } from "./general-unit.ts";

const never = new AbortController().signal;
const MINUTE = { timeout: 60_000 };
const LATER_MS = 60_000;
const USED = { wallMs: 5, cpuMs: 4, residentBytes: 3 };

const ACTION: ExecutorAction = {
  program: "/usr/bin/env",
  arguments: ["sh"],
  environment: new Map(),
  cwd: "/inputs",
  toolchain: undefined,
  inputs: [{ path: "/inputs/a", digest: "aa".repeat(32), executable: false, bytes: 1 }],
  directories: [],
  outputs: [],
  work: { root: "/inputs", outputs: ["out"], links: [] },
  usesSystem: true,
  limits: limits.remoteExecution.action,
};

const SENT = {
  asked:
    membersAction(ACTION, "ab", { name: "sh", programs: [], variables: [], signed: true }) ?? assert.fail("it is something for members"),
  unit: { key: "cd", kind: "exec sh", costMs: undefined, inputBytes: 1, toolchain: "ab", platform: "", isGeneral: true },
};

type CameDone = Extract<ExecutorOutcome, { kind: "done" }> & Extract<WorkerOutcome, { kind: "done" }>;

function came(by: string, exitCode = 0): CameDone {
  const printed = { stdout: Buffer.from(by), stderr: Buffer.alloc(0) };
  return { kind: "done", exitCode, ...printed, outputs: [], strange: [], left: [], used: USED, queuedMs: 0 };
}

/** A machine of one core, and members that do what they are told to. */
class World {
  readonly happened: string[] = [];
  readonly ran: ExecutorAction[] = [];
  /** How many run or wait here, as placement was told. */
  readonly asked: number[] = [];
  /** What runs cost, as placement was told. */
  readonly costs: string[] = [];
  /** How runs here end, in their order. */
  readonly ends: ((outcome?: ExecutorOutcome) => void)[] = [];
  readonly answers: ((signal: AbortSignal) => Promise<WorkerOutcome>)[] = [];
  system: string | undefined = "ab";
  place: (tried: number, waitedMs: number | undefined) => Placed = (tried) => ({ kind: "member", member: `member${tried}` });
  readonly actions: Actions;

  constructor(t: TestContext) {
    this.actions = new Actions(
      {
        executor: {
          run: (action, signal) => {
            this.ran.push(action);
            return this.#run(signal);
          },
        },
        system: () => this.system,
        store: { read: async () => ({ kind: "hit", bytes: Buffer.from("a") }) },
        log: { event: () => undefined },
        helpers: () => ({
          placement: {
            free: () => new Map(),
            place: async (unit, here, tried) => {
              this.asked.push(here.running);
              assert.deepEqual([unit.isGeneral, unit.toolchain, unit.inputBytes], [true, "ab", 1]);
              return this.place(tried.length, here.waitedMs);
            },
            ended: ({ costMs }: Unit, { kind }, outcome, tookMs, ranMs) => {
              this.happened.push(`${kind} ${outcome}`);
              if (outcome === "done" || outcome === "late") this.costs.push(`${kind} ${kind === "here" ? tookMs : `${costMs} ${ranMs}`}`);
            },
          },
          workers: {
            compile: () => assert.fail("it is no compile"),
            act: (_member, asked, _content, signal) => {
              assert.equal(asked.limits.outputBytes, limits.work.mostGeneral.outputBytes);
              const answer = this.answers.shift() ?? (async () => came("there"));
              const { promise, reject } = Promise.withResolvers<never>();
              signal.addEventListener("abort", () => reject(signal.reason as Error));
              return Promise.race([answer(signal), promise]);
            },
          },
        }),
      },
      { cores: 1 },
    );
    t.after(() => this.actions[Symbol.dispose]());
  }

  async run(action = ACTION, signal = never, began = (): void => undefined): Promise<string> {
    const outcome = await this.actions.run(action, signal, began);
    return outcome.kind === "done" ? outcome.stdout.toString() : outcome.kind;
  }

  #run(signal: AbortSignal): Promise<ExecutorOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<ExecutorOutcome>();
    signal.addEventListener("abort", () => {
      this.happened.push("stopped here");
      reject(signal.reason as Error);
    });
    this.ends.push((outcome = came("here")) => resolve(outcome));
    return promise;
  }
}

/** A command, and where it ran. @param more of the order */
async function command(world: World, more: Partial<CommandOrder> = {}): Promise<string> {
  const order = { action: ACTION, sent: SENT, accepts: () => "taken" as const, began: () => undefined, ...more };
  const { outcome, ...ran } = await world.actions.command(order, never);
  const where = ran.by === undefined ? ran.why : ran.by.member;
  return `${outcome.kind === "done" ? outcome.stdout.toString() : outcome.kind}: ${where}`;
}

const lost = async (): Promise<WorkerOutcome> => ({ kind: "lost", why: "no link" });
const forever = (): Promise<never> => Promise.withResolvers<never>().promise;

test("on an idle core here; otherwise with a member", MINUTE, async (t) => {
  const world = new World(t);
  let began = 0;
  const here = world.run(ACTION, never, () => void began++);
  assert.equal(await world.run(ACTION, never, () => void began++), "there");
  world.ends[0]?.();
  assert.equal(await here, "here");
  assert.equal(began, 2);
  assert.deepEqual(world.happened, ["member done"]);
});

test("what an action costs is the time that it had a core or a slot, however little of it a processor had", MINUTE, async (t) => {
  const waited = { ...USED, wallMs: 250_000 };
  const world = new World(t);
  const first = world.run();
  world.answers.push(async () => ({ ...came("there"), used: waited }));
  assert.equal(await world.run(), "there");
  world.place = () => ({ kind: "here", why: "busy" });
  const second = world.run();
  for (let turns = 0; turns < 20; turns++) await setImmediate();
  world.ends[0]?.();
  assert.equal(await first, "here");
  while (world.ends.length < 2) await setImmediate(undefined, { signal: t.signal });
  world.ends[1]?.({ ...came("here"), used: waited });
  assert.equal(await second, "here");
  assert.deepEqual(world.costs, ["member undefined 250000", "here 250000"]);
});

test("what is lost or fails goes to others, and in the end here; what failed is not sent again", MINUTE, async (t) => {
  const world = new World(t);
  const first = world.run();
  world.answers.push(lost, lost);
  assert.equal(await world.run(), "there");
  world.answers.push(async () => came("there", 1));
  const failing = world.run();
  while (world.answers.length > 0) await setImmediate(undefined, { signal: t.signal });
  const again = world.run();
  world.ends[0]?.();
  await first;
  for (const at of [1, 2]) {
    while (world.ends.length <= at) await setImmediate(undefined, { signal: t.signal });
    world.ends[at]?.();
  }
  assert.deepEqual([await failing, await again], ["here", "here"]);
  assert.equal(world.happened.filter((what) => what.startsWith("member")).length, 4);
});

test("what is nothing for others waits for a core here", MINUTE, async (t) => {
  const { work: _, ...noPlace } = ACTION;
  const [input] = ACTION.inputs;
  assert.ok(input !== undefined);
  const large = { ...ACTION, inputs: [{ ...input, bytes: limits.work.contentBytes + 1 }] };
  for (const [action, system] of [
    [noPlace, "ab"],
    [large, "ab"],
    [ACTION, undefined],
  ] as const) {
    const world = new World(t);
    world.system = system;
    const both = [world.run(), world.run(action)];
    world.ends[0]?.();
    while (world.ends.length < 2) await setImmediate(undefined, { signal: t.signal });
    world.ends[1]?.();
    assert.deepEqual(await Promise.all(both), ["here", "here"]);
  }
});

/** A world in which a member has an action for so long that it has been begun here, too. */
async function raced(
  t: TestContext,
  answer: (signal: AbortSignal) => Promise<WorkerOutcome>,
): Promise<{ world: World; outcome: Promise<string> }> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const world = new World(t);
  const first = world.run();
  world.answers.push(answer);
  const outcome = world.run();
  while (world.answers.length > 0) await setImmediate(undefined, { signal: t.signal });
  now = LATER_MS;
  world.ends[0]?.();
  await first;
  while (world.ends.length < 2) await setImmediate(undefined, { signal: t.signal });
  return { world, outcome };
}

test("what takes too long is begun here; when that ends first it ends there", MINUTE, async (t) => {
  const { world, outcome } = await raced(t, forever);
  world.ends[1]?.();
  assert.equal(await outcome, "here");
  while (!world.happened.includes("member late")) await setImmediate(undefined, { signal: t.signal });
});

test("what a member had no longer than it takes here is not late there", MINUTE, async (t) => {
  const { world, outcome } = await raced(t, forever);
  world.ends[1]?.({ ...came("here"), used: { ...USED, wallMs: LATER_MS } });
  assert.equal(await outcome, "here");
  while (!world.happened.some((what) => what.startsWith("member"))) await setImmediate(undefined, { signal: t.signal });
  assert.ok(world.happened.includes("member cancelled"), world.happened.join());
});

test("when the member is first all the same, it ends here", MINUTE, async (t) => {
  const answer = Promise.withResolvers<WorkerOutcome>();
  const { world, outcome } = await raced(t, () => answer.promise);
  answer.resolve(came("there"));
  assert.equal(await outcome, "there");
  assert.ok(world.happened.includes("stopped here"));
  while (world.actions.running > 0) await setImmediate(undefined, { signal: t.signal });
});

test("when the member fails after that, what runs here is waited for", MINUTE, async (t) => {
  const answer = Promise.withResolvers<WorkerOutcome>();
  const { world, outcome } = await raced(t, () => answer.promise);
  answer.resolve(came("there", 2));
  await setImmediate(undefined, { signal: t.signal });
  world.ends[1]?.();
  assert.equal(await outcome, "here");
});

test("who waits is counted with those that run: the longer the queue, the more is worth sending", MINUTE, async (t) => {
  const world = new World(t);
  world.place = () => ({ kind: "here", why: "not-worth" });
  const stop = new AbortController();
  const all = [];
  for (let at = 0; at < 4; at++) {
    all.push(world.run(ACTION, stop.signal));
    await setImmediate(undefined, { signal: t.signal });
  }
  assert.deepEqual(world.asked, [1, 2, 3]);
  stop.abort(new Error("nobody waits"));
  for (const one of all) await assert.rejects(one, /nobody waits/);
});

test("what was not worth sending is weighed again while it waits, with what it has waited", MINUTE, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const world = new World(t);
  const waits: (number | undefined)[] = [];
  world.place = (_tried, waitedMs) => {
    waits.push(waitedMs);
    return waitedMs === 0 ? { kind: "here", why: "not-worth" } : { kind: "member", member: "member" };
  };
  const first = world.run();
  const second = world.run();
  while (waits.length === 0) await setImmediate(undefined, { signal: t.signal });
  await setImmediate(undefined, { signal: t.signal });
  now = limits.remote.weighAgainMs;
  t.mock.timers.tick(now);
  assert.equal(await second, "there");
  assert.deepEqual(waits, [0, now]);
  world.ends[0]?.();
  assert.equal(await first, "here");
});

test("a member without room is asked again, and as often as that is no reason to pass it over", MINUTE, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = new World(t);
  const first = world.run();
  world.place = (tried) => (tried > 0 ? { kind: "here", why: "nobody" } : { kind: "member", member: "member" });
  for (let times = 0; times < 2 * limits.remote.refusals; times++) world.answers.push(async () => ({ kind: "busy" }));
  const ran: string[] = [];
  void world.run().then((where) => ran.push(where));
  while (ran.length === 0) {
    t.mock.timers.tick(100);
    await setImmediate(undefined, { signal: t.signal });
  }
  assert.deepEqual(ran, ["there"]);
  world.ends[0]?.();
  await first;
});

test("what nobody waits for ends, there as here, and whoever waits for a core does not", MINUTE, async (t) => {
  const world = new World(t);
  world.answers.push(forever);
  const stop = new AbortController();
  world.place = (tried) => (tried > 0 || world.answers.length === 0 ? { kind: "here", why: "busy" } : { kind: "member", member: "member" });
  const all = [world.run(ACTION, stop.signal), world.run(ACTION, stop.signal)];
  while (world.answers.length > 0) await setImmediate(undefined, { signal: t.signal });
  all.push(world.run(ACTION, stop.signal));
  await setImmediate(undefined, { signal: t.signal });
  stop.abort(new Error("nobody waits"));
  for (const one of all) await assert.rejects(one, /nobody waits/);
  assert.equal(world.actions.running, 0);
});

test("a command waits for a core only while members have something of this machine; why it stays is told", MINUTE, async (t) => {
  const world = new World(t);
  const first = command(world);
  const asked = command(world, { sent: "asked" });
  world.place = () => ({ kind: "here", why: "nobody" });
  const alone = command(world);
  while (world.ends.length < 3) await setImmediate(undefined, { signal: t.signal });
  world.place = () => ({ kind: "member", member: "member" });
  const { promise, resolve } = Promise.withResolvers<WorkerOutcome>();
  world.answers.push(() => promise);
  const away = command(world);
  while (world.answers.length > 0) await setImmediate(undefined, { signal: t.signal });
  world.place = () => ({ kind: "here", why: "busy" });
  const waits = command(world, { sent: { ...SENT, unit: { ...SENT.unit, key: "ef" } } });
  for (let turns = 0; turns < 20; turns++) await setImmediate();
  assert.equal(world.ends.length, 3, "it waits");
  for (const end of world.ends) end();
  while (world.ends.length < 4) await setImmediate(undefined, { signal: t.signal });
  world.ends[3]?.();
  resolve(came("there"));
  assert.deepEqual(await Promise.all([first, asked, alone, waits, away]), [
    "here: core-idle",
    "here: asked",
    "here: nobody",
    "here: busy",
    "there: member",
  ]);
});

test("what a member made of a command and is of no use is made here, and the command is not sent again", MINUTE, async (t) => {
  const world = new World(t);
  const first = world.run();
  const useless = command(world, { accepts: () => "useless" });
  while (world.ends.length < 2) await setImmediate(undefined, { signal: t.signal });
  const again = command(world);
  while (world.ends.length < 3) await setImmediate(undefined, { signal: t.signal });
  for (const end of world.ends) end();
  assert.deepEqual(await Promise.all([first, useless, again]), ["here", "here: failed-there", "here: failed-before"]);
  assert.deepEqual(world.happened, ["member cancelled", "here done", "here done"]);
});

test("who is not believed now, or has another of its programs, is passed over for a command, and not for good", MINUTE, async (t) => {
  const world = new World(t);
  const first = world.run();
  assert.equal(await command(world, { accepts: (member) => (member === "member0" ? "not-believed" : "taken") }), "there: member1");
  const refused = async (detail: string): Promise<WorkerOutcome> => ({ kind: "refused", reason: "system_unknown", detail });
  world.answers.push(() => refused("/usr/bin/tool"));
  assert.equal(await command(world), "there: member1");
  assert.deepEqual(world.happened, ["member cancelled", "member done", "member cancelled", "member done"]);
  world.answers.push(() => refused(SENT.asked.system));
  assert.equal(await command(world), "there: member1");
  assert.deepEqual(world.happened.slice(4), ["member refused", "member done"], "nothing that needs that is asked of it for a while");
  world.ends[0]?.();
  await first;
});

test("while a command is run here and there, nothing of it is shown: who is first is not known", { timeout: LATER_MS }, async (t) => {
  const world = new World(t);
  const first = world.run();
  world.answers.push(forever);
  const sent = { ...SENT, unit: { ...SENT.unit, costMs: 1 } };
  const shown: ExecutorAction["show"] = () => assert.fail("it is shown");
  const raced = command(world, { action: { ...ACTION, show: shown }, sent });
  while (world.answers.length > 0) await setImmediate(undefined, { signal: t.signal });
  world.ends[0]?.();
  while (world.ends.length < 2) await sleep(5, undefined, { signal: t.signal });
  assert.equal(world.ran.at(-1)?.show, undefined);
  world.ends[1]?.();
  assert.deepEqual([await first, await raced], ["here", "here: late"]);
});
