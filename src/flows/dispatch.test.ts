import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { limits } from "../base/index.ts";
import { Dispatch, overdueMs, type Turn } from "./dispatch.ts";

const never = new AbortController().signal;
const LONG_MS = 3_600_000;
const EXPECTED_MS = 10_000;

interface World {
  readonly dispatch: Dispatch;
  running: number;
  now: number;
  /** In the order in which it happened. */
  readonly happened: string[];
  readonly wait: (name: string, sendable?: boolean, again?: boolean) => void;
}

/** Two cores; clocks stand still. */
function world(t: TestContext): World {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const happened: string[] = [];
  const dispatch = new Dispatch({ running: () => made.running, now: () => made.now }, { cores: 2 });
  t.after(() => dispatch[Symbol.dispose]());
  const wait = (name: string, sendable = true, again = false): void => {
    dispatch.turn(sendable, LONG_MS, again ? { number: 0, toldAt: 0, room: undefined } : undefined, never).then(
      () => happened.push(name),
      () => happened.push(`${name} gave up`),
    );
  };
  const made: World = { dispatch, running: 2, now: 0, happened, wait };
  return made;
}

test("who has waited longest goes next, one for each core that becomes idle", async (t) => {
  const made = world(t);
  for (const name of ["first", "second", "third"]) made.wait(name);
  made.wait("again", true, true);
  made.dispatch.endedHere();
  await setImmediate();
  assert.deepEqual(made.happened, [], "no core is idle");
  made.running = 1;
  made.dispatch.endedHere();
  await setImmediate();
  assert.deepEqual(made.happened, ["again"]);
  made.dispatch.endedHere();
  await setImmediate();
  assert.deepEqual(made.happened, ["again", "first"]);
});

test("room elsewhere is for those that may go there", async (t) => {
  const made = world(t);
  made.wait("stays here", false);
  made.wait("goes");
  made.dispatch.roomElsewhere();
  await setImmediate();
  assert.deepEqual(made.happened, ["goes"]);
});

test("room that is of no use to who waits first is told to others, each once, and to all in time", async (t) => {
  const made = world(t);
  const names = Array.from({ length: 10 }, (_, at) => `unit ${at}`);
  /** None can use it. */
  const waits = async (name: string): Promise<void> => {
    for (let turn: Turn | undefined; ; made.happened.push(name)) turn = await made.dispatch.turn(true, LONG_MS, turn, never);
  };
  for (const name of names) void waits(name);
  made.wait("stays here", false);
  made.dispatch.roomElsewhere();
  for (let turns = 0; turns < 50; turns++) await setImmediate();
  assert.deepEqual(made.happened, names.slice(0, made.happened.length));
  assert.ok(made.happened.length > 1 && made.happened.length < names.length, made.happened.join());
  for (let rooms = 1; rooms < names.length; rooms++) {
    made.dispatch.roomElsewhere();
    for (let turns = 0; turns < 50; turns++) await setImmediate();
  }
  assert.deepEqual([...new Set(made.happened)].toSorted(), names);
  made.happened.length = 0;
  made.dispatch.roomElsewhere();
  await setImmediate();
  assert.deepEqual(made.happened.slice(0, 1), names.slice(0, 1), "who has waited longest is still the first");
});

test("an idle core takes what waits first, then what is late, then nothing", async (t) => {
  const made = world(t);
  using watched = new DisposableStack();
  watched.use(made.dispatch.watch(EXPECTED_MS, 0, () => made.happened.push("late")));
  watched.use(made.dispatch.watch(EXPECTED_MS + 1, 0, () => made.happened.push("less late")));
  made.wait("waits");
  made.running = 1;
  made.now = limits.remote.lateTimes * EXPECTED_MS + 2;
  for (let at = 0; at < 4; at++) {
    made.dispatch.endedHere();
    await setImmediate();
  }
  assert.deepEqual(made.happened, ["waits", "late", "less late"]);
  assert.equal(made.dispatch.away, 0);
});

test("what may be lost comes before what waits; what has come back does not come at all", async (t) => {
  const made = world(t);
  const back = made.dispatch.watch(EXPECTED_MS, 0, () => made.happened.push("back"));
  using _ = made.dispatch.watch(EXPECTED_MS, 0, () => made.happened.push("lost"));
  back[Symbol.dispose]();
  made.wait("waits");
  made.running = 1;
  made.now = limits.remote.goneTimes * EXPECTED_MS;
  made.dispatch.endedHere();
  await setImmediate();
  assert.deepEqual(made.happened, ["lost"]);
});

test("a wait for a slot there is waited for once, before it counts as late or lost", async (t) => {
  const { lateTimes, goneTimes } = limits.remote;
  for (const [times, waits] of [
    [lateTimes, false],
    [goneTimes, true],
  ] as const) {
    const made = world(t);
    using _ = made.dispatch.watch(EXPECTED_MS, LONG_MS, () => made.happened.push("begun"));
    const looks = async (at: number): Promise<void> => {
      made.running = 2;
      if (waits) for (const name of ["waits", "waits, too"]) made.wait(name);
      made.running = 1;
      made.now = at;
      made.dispatch.endedHere();
      await setImmediate();
    };
    await looks(LONG_MS + times * EXPECTED_MS - 1);
    assert.equal(made.happened.includes("begun"), false);
    await looks(LONG_MS + times * EXPECTED_MS);
    assert.equal(made.happened.at(-1), "begun");
    t.mock.timers.reset();
  }
});

test("who never answers is overdue, whatever it tells of a row; a row that took longer than was expected is nobody's fault", () => {
  const { lateTimes } = limits.remote;
  const { turnMs } = limits.work;
  assert.equal(overdueMs(lateTimes * EXPECTED_MS, EXPECTED_MS, 0), undefined);
  assert.equal(overdueMs(lateTimes * EXPECTED_MS + 1, EXPECTED_MS, 0), lateTimes * EXPECTED_MS + 1);
  const waitMs = turnMs / 10;
  // It had its turn after twice as long, and was then as slow as may be.
  assert.equal(overdueMs(2 * waitMs + lateTimes * EXPECTED_MS, EXPECTED_MS, waitMs), undefined);
  assert.equal(overdueMs(turnMs + lateTimes * EXPECTED_MS + 1, EXPECTED_MS, LONG_MS), lateTimes * EXPECTED_MS + 1);
});

test("who has gone does not wait, and nobody waits for ever", async (t) => {
  const made = world(t);
  const gone = new AbortController();
  const left = assert.rejects(made.dispatch.turn(true, LONG_MS, undefined, gone.signal), { name: "AbortError" });
  gone.abort();
  await left;
  made.wait("stays");
  t.mock.timers.tick(LONG_MS);
  await setImmediate();
  assert.deepEqual(made.happened, ["stays"]);
});
