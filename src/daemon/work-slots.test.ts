import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { limits } from "../base/index.ts";
import { type BoundOptions, MemberBounds } from "./member-bounds.ts";
import { WorkSlots } from "./work-slots.ts";

const { leftOverMs, queueMs, turnMs, waitingPerMember } = limits.work;

interface World {
  readonly slots: WorkSlots;
  readonly clock: { nowMs: number };
  /** Jobs of a member, one after the other. */
  readonly run: (from: string, jobs: number, tookMs: number) => Promise<void>;
}

const UNBOUND: BoundOptions = { workMemberSlots: 100, workMemberSeconds: 0, workMemberWhen: "wanted" };

function world(count: number | (() => number), options: Partial<BoundOptions> = {}): World {
  const clock = { nowMs: 0 };
  const now = (): number => clock.nowMs;
  const bounds = new MemberBounds(now, { ...UNBOUND, ...options });
  const slots = new WorkSlots({ slots: typeof count === "number" ? () => count : count, bounds, now, changed: () => undefined });
  const run: World["run"] = async (from, jobs, tookMs) => {
    for (let job = 0; job < jobs; job++) {
      using slot = await slots.take(from, new AbortController().signal);
      assert.ok(slot !== undefined);
      clock.nowMs += tookMs;
    }
  };
  return { slots, clock, run };
}

test("where jobs are short more may wait, and where they are long as many as run", async () => {
  const { slots, run } = world(2);
  assert.equal(slots.queue, 2);
  await run("a", 32, 20);
  assert.equal(slots.queue, 2 ** Math.floor(Math.log2(waitingPerMember)));
  await run("a", 32, queueMs);
  assert.equal(slots.queue, 2);
});

test("a member's many short jobs make the row no longer while another's are long, however many there are of them", async () => {
  const { slots, clock, run } = world(2);
  await run("slow", 8, queueMs);
  for (let i = 0; i < 100; i++) await run("quick", 32, 1);
  assert.equal(slots.queue, 2);
  assert.equal(slots.hasRoom("quick", 3), true);
  assert.equal(slots.hasRoom("quick", 4), false);
  // Whose jobs these were has not been here for long.
  clock.nowMs += 60_000;
  await run("quick", 8, 1);
  assert.ok(slots.queue > 2);
});

test("so many wait in all that no three members take every place", () => {
  assert.ok(limits.work.waiting >= 4 * waitingPerMember);
});

test("of members that wait, the one has its turn that had less time; who comes anew has nothing to catch up", async () => {
  const { slots, clock } = world(1);
  const { signal } = new AbortController();
  const had: Record<string, number> = { long: 0, short: 0, late: 0 };
  const tookMs: Record<string, number> = { long: 900, short: 90, late: 90 };
  const next = (from: string): Promise<{ from: string; slot: Disposable }> =>
    slots.take(from, signal).then((slot) => ({ from, slot: slot ?? assert.fail("nobody waits that long") }));
  const waiting = new Map(["long", "short"].map((from) => [from, next(from)]));
  const order: string[] = [];
  for (let turn = 0; turn < 60; turn++) {
    if (turn === 30) waiting.set("late", next("late"));
    const { from, slot } = await Promise.race(waiting.values());
    waiting.set(from, next(from));
    clock.nowMs += tookMs[from] ?? 0;
    had[from] = (had[from] ?? 0) + (tookMs[from] ?? 0);
    order.push(from);
    slot[Symbol.dispose]();
  }
  const [long = 0, short = 0] = [had.long, had.short];
  assert.ok(Math.abs(long - short) <= 2 * 900, `${long} and ${short} ms`);
  assert.ok(order.slice(30).filter((from) => from === "short").length > 5, "others go on beside who has come");
  assert.ok((had.late ?? 0) > 0);
});

/** Asks for a slot; what happens is told in the order in which it does. */
function asking({ slots }: World, happened: string[]): (from: string) => Promise<Disposable | undefined> {
  return async (from) => {
    const slot = await slots.take(from, new AbortController().signal);
    happened.push(slot === undefined ? `${from} busy` : from);
    return slot;
  };
}

/** Time passes, for timers as well. */
function passing(t: TestContext, { clock }: World): (ms: number) => void {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  return (ms) => {
    clock.nowMs += ms;
    t.mock.timers.tick(ms);
  };
}

test("who may have half of the slots gets no more although they are left, and is told so at once", async () => {
  const made = world(4, { workMemberSlots: 50 });
  const happened: string[] = [];
  const ask = asking(made, happened);
  assert.equal(made.slots.hasRoom("a", 0), true);
  const [first] = await Promise.all([ask("a"), ask("a")]);
  assert.equal(made.slots.hasRoom("a", 0), false);
  assert.equal(made.slots.hasRoom("b", 0), true);
  assert.equal(await ask("a"), undefined, "what it needs has come, and there is no slot for it");
  await ask("b");
  first?.[Symbol.dispose]();
  assert.equal(made.slots.hasRoom("a", 0), true);
  await ask("a");
  assert.deepEqual(happened, ["a", "a", "a busy", "b", "a"]);
});

test("what comes of who may have half of the slots counts as what it has, as long as slots are left", async () => {
  const { slots } = world(4, { workMemberSlots: 50 });
  const { signal } = new AbortController();
  assert.deepEqual([slots.hasRoom("a", 1), slots.hasRoom("a", 2)], [true, false]);
  const all = ["b", "b", "c", "c"].map((from) => slots.take(from, signal));
  using held = new DisposableStack();
  for (const slot of await Promise.all(all)) held.use(slot);
  assert.equal(slots.hasRoom("a", 2), true, "others may be back soon");
});

test("jobs of who is held back by its own bound wait while others have the slots, and no longer; they take no place of others, nor what is left over", async (t) => {
  const made = world(4, { workMemberSlots: 50 });
  const pass = passing(t, made);
  const { slots } = made;
  const happened: string[] = [];
  const ask = asking(made, happened);
  const others = await Promise.all([ask("a"), ask("a"), ask("b"), ask("b")]);
  const waiting = ask("a");
  assert.equal(slots.waiting, 0, "no slot that is free is for it");
  pass(leftOverMs);
  others[2]?.[Symbol.dispose]();
  assert.equal(slots.takeLeftOver("a"), undefined, "one of its own waits");
  slots.takeLeftOver("b")?.[Symbol.dispose]();
  (await ask("b"))?.[Symbol.dispose]();
  pass(queueMs - 1);
  assert.equal(happened.includes("a busy"), false, "others may be back soon");
  pass(queueMs);
  assert.equal(await waiting, undefined);
});

test("whose seconds have run out while a job of it waits is told so, where they are all that it may ever have", async (t) => {
  const made = world(1, { workMemberSeconds: 10, workMemberWhen: "always" });
  const pass = passing(t, made);
  const ask = asking(made, []);
  const held = await ask("a");
  assert.ok(held !== undefined);
  const waiting = ask("a");
  pass(9_000);
  assert.equal(made.slots.hasRoom("a", 0), true);
  pass(3_000);
  assert.equal(made.slots.hasRoom("a", 0), false);
  pass(queueMs);
  assert.equal(await waiting, undefined);
  held[Symbol.dispose]();
});

test("a job waits for its turn while others run; where the owner's builds have all, it is told soon", async (t) => {
  let count = 1;
  const made = world(() => count);
  const pass = passing(t, made);
  const happened: string[] = [];
  const ask = asking(made, happened);
  const first = await ask("a");
  const second = ask("a");
  pass(turnMs - queueMs);
  first?.[Symbol.dispose]();
  (await second)?.[Symbol.dispose]();
  assert.deepEqual(happened, ["a", "a"]);
  const third = await ask("b");
  const late = ask("a");
  pass(turnMs);
  assert.equal(await late, undefined);
  assert.deepEqual(happened.splice(0), ["a", "a", "b", "a busy"]);

  // A moment without a slot is none to send anybody away for, whenever it comes.
  const patient = ask("a");
  for (let i = 0; i < 5; i++) {
    count = 0;
    pass(queueMs / 2);
    count = 1;
    pass(queueMs);
  }
  third?.[Symbol.dispose]();
  (await patient)?.[Symbol.dispose]();
  assert.deepEqual(happened.splice(0), ["a"]);
  count = 0;
  const unwanted = ask("a");
  pass(queueMs);
  assert.equal(await unwanted, undefined);
});

test("who has nothing here has a place beside who came first, and its turn before the next job of that one", async () => {
  const made = world(1);
  const { slots, clock } = made;
  const happened: string[] = [];
  const ask = asking(made, happened);
  const first = await ask("a");
  const waiting = [ask("a")];
  assert.equal(slots.hasRoom("a", 1), false);
  assert.equal(slots.hasRoom("b", 0), true);
  waiting.push(ask("b"));
  assert.equal(slots.hasRoom("b", 1), false, "one place, and no more");
  clock.nowMs += 1_000;
  first?.[Symbol.dispose]();
  (await waiting[1])?.[Symbol.dispose]();
  (await waiting[0])?.[Symbol.dispose]();
  assert.deepEqual(happened, ["a", "b", "a"]);
  assert.equal(world(0).slots.hasRoom("b", 0), false, "there is no turn to wait for");
});

test("what is left over is so once no job has come for a moment, and until one does", async () => {
  const { slots, clock, run } = world(1);
  await run("a", 1, 100);
  assert.equal(slots.takeLeftOver("a"), undefined, "its next one may be on its way");
  clock.nowMs += leftOverMs;
  using left = slots.takeLeftOver("a");
  assert.ok(left !== undefined);
  assert.deepEqual([slots.running, left.wanted.aborted], [0, false]);
  assert.equal(slots.takeLeftOver("b"), undefined, "there is one");
  using job = await slots.take("b", new AbortController().signal);
  assert.deepEqual([job !== undefined, left.wanted.aborted], [true, true]);
});

test("slots that no job has had for a moment are left over, however many short ones have others", async () => {
  const { slots, clock } = world(4);
  const { signal } = new AbortController();
  const runTwo = async (): Promise<void> => {
    const both = await Promise.all(["a", "b"].map((from) => slots.take(from, signal)));
    clock.nowMs += leftOverMs / 5;
    for (const slot of both) slot?.[Symbol.dispose]();
  };
  for (let i = 0; i < 20; i++) await runTwo();
  const left = ["a", "b", "c"].map((from) => slots.takeLeftOver(from));
  assert.deepEqual(
    left.map((one) => one !== undefined),
    [true, true, false],
  );
  await runTwo();
  assert.deepEqual(
    left.map((one) => one?.wanted.aborted),
    [false, false, undefined],
  );
  clock.nowMs += leftOverMs;
  assert.notEqual(slots.takeLeftOver("c"), undefined);
});

test("who is held to a share of the slots and has had its seconds is told so at once, although a job of it runs", async () => {
  const { slots, clock } = world(2, { workMemberSlots: 50, workMemberSeconds: 10, workMemberWhen: "always" });
  using slot = await slots.take("a", new AbortController().signal);
  using others = await slots.take("b", new AbortController().signal);
  assert.ok(slot !== undefined && others !== undefined);
  assert.equal(slots.hasRoom("a", 0), true);
  clock.nowMs += 11_000;
  assert.equal(slots.hasRoom("a", 0), false);
});

test("who has had its seconds comes after all others, until time has passed", async () => {
  const made = world(1, { workMemberSeconds: 10 });
  const { clock, run, slots } = made;
  const happened: string[] = [];
  const ask = asking(made, happened);
  await run("b", 1, 30_000); // It has had more of all than the other.
  clock.nowMs += 180_000;
  await run("a", 1, 11_000);
  for (const [order, passesMs] of [
    [["b", "a"], 60_000], // And a second over.
    [["a", "b"], 0],
  ] as const) {
    const held = await slots.take("c", new AbortController().signal);
    const asked = ["a", "b"].map(async (from) => (await ask(from))?.[Symbol.dispose]());
    held?.[Symbol.dispose]();
    await Promise.all(asked);
    assert.deepEqual(happened.splice(0), order);
    clock.nowMs += passesMs;
  }
});

test("where seconds are all that one may ever have, who has had them is told so at once", async () => {
  const { slots, clock, run } = world(1, { workMemberSeconds: 10, workMemberWhen: "always" });
  assert.equal(slots.hasRoom("a", 0), true);
  await run("a", 1, 12_000);
  assert.equal(slots.hasRoom("a", 0), false);
  assert.equal(slots.hasRoom("b", 0), true);
  clock.nowMs += 11_000; // It fills by a sixth of a second each second: not yet what it has had too much.
  assert.equal(slots.hasRoom("a", 0), false);
  clock.nowMs += 2_000;
  assert.equal(slots.hasRoom("a", 0), true);
});
