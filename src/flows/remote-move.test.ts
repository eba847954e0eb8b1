import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { limits } from "../base/index.ts";
import type { Placed, PlacedOutcome, Unit, WorkerOutcome } from "../contracts/index.ts";
import { Move } from "./remote-move.ts";

const UNIT: Unit = { key: "k", kind: "c", costMs: 1_000, inputBytes: 1, toolchain: "t", platform: "p" };
const FREE: Placed = { kind: "member", member: "free" };
const BUSY: WorkerOutcome = { kind: "busy" };
const LOST: WorkerOutcome = { kind: "lost", why: "no link" };

interface World {
  readonly move: Move;
  /** What was asked of placement, and told to it. */
  readonly happened: string[];
  hasFree: boolean;
  /** What the member that is free was given so far. */
  given: number;
  hasWaiting: boolean;
  /** The worker says whether it waits, so long after it last did. */
  readonly hears: (isWaiting: boolean, afterMs?: number) => Promise<void>;
}

function world(answer: Placed = FREE, mayMove = true): World {
  let now = 0;
  const happened: string[] = [];
  const move = new Move(
    {
      placement: {
        free: (_unit, tried) => new Map(made.hasFree && tried.join() === "failed,slow" ? [["free", made.given]] : []),
        place: async (_unit, _here, tried) => {
          happened.push(`place beside ${tried.join()}`);
          return answer;
        },
        ended: (_unit: Unit, where: Placed, outcome: PlacedOutcome) =>
          void happened.push(`${where.kind === "member" ? where.member : "here"} ${outcome}`),
      },
      here: () => ({ running: 2, cores: 2 }),
      hasWaiting: () => made.hasWaiting,
      now: () => now,
    },
    { unit: UNIT, tried: ["failed", "slow"], mayMove, gone: new AbortController().signal },
  );
  const made: World = {
    move,
    happened,
    hasFree: true,
    given: 7,
    hasWaiting: false,
    hears: async (isWaiting, afterMs = limits.work.aliveMs) => {
      now += afterMs;
      move.row.waits(isWaiting);
      await turn();
    },
  };
  return made;
}

test("what waits for a second goes where a slot is free, once the worker has given it back", async () => {
  const { move, happened, hears } = world();
  await hears(true);
  await hears(true, limits.remote.weighAgainMs - 1);
  assert.deepEqual(happened, [], "short units have their turn sooner");
  await hears(true, 1);
  assert.deepEqual(happened, ["place beside failed,slow"]);
  assert.ok(move.row.back.aborted);
  await hears(true);
  assert.equal(happened.length, 1, "it is asked for once");
  assert.deepEqual(move.ended(BUSY), FREE);
  assert.equal(happened.length, 1, "the slot is its own");
});

test("what has begun meanwhile stays, and the slot is another's at once", async () => {
  const { move, happened, hears } = world();
  await hears(true);
  await hears(true, limits.remote.weighAgainMs);
  assert.ok(move.row.back.aborted);
  await hears(false);
  assert.equal(happened.at(-1), "free cancelled");
  await hears(true);
  assert.equal(move.ended(BUSY), undefined);
  assert.equal(happened.length, 2);
});

test("whatever else comes of it, the slot is given back", async () => {
  for (const outcome of [LOST, undefined]) {
    const { move, happened, hears } = world();
    await hears(true);
    await hears(true, limits.remote.weighAgainMs);
    assert.equal(move.ended(outcome), undefined);
    assert.deepEqual(happened, ["place beside failed,slow", "free cancelled"]);
  }
});

test("it stays where nobody is free, where it was moved often, and where only another row is to be had", async () => {
  const alone = world();
  alone.hasFree = false;
  await alone.hears(true);
  await alone.hears(true, limits.remote.weighAgainMs);
  assert.deepEqual(alone.happened, []);
  const often = world(FREE, false);
  await often.hears(true);
  await often.hears(true, limits.remote.weighAgainMs);
  assert.deepEqual(often.happened, []);
  for (const answer of [
    { ...FREE, waitMs: 10 },
    { kind: "here", why: "busy" },
  ] as const) {
    const { move, happened, hears } = world(answer);
    await hears(true);
    await hears(true, limits.remote.weighAgainMs);
    assert.ok(!move.row.back.aborted);
    assert.match(happened.at(-1) ?? "", /cancelled$/, "what was placed in vain is given back");
  }
});

test("it stays while others wait for a slot, and goes where one is free that none of them has taken for a second", async () => {
  const made = world();
  made.hasWaiting = true;
  for (const hasFree of [true, false, true]) {
    made.hasFree = hasFree;
    await made.hears(true, limits.remote.weighAgainMs / 2);
  }
  await made.hears(true, limits.remote.weighAgainMs - 1);
  assert.deepEqual(made.happened, [], "slots are free for moments, until who waits has them");
  await made.hears(true, 1);
  assert.deepEqual(made.happened, ["place beside failed,slow"]);
});

test("it stays where a slot is free whenever that is looked at, because those that wait fill it again and again in between", async () => {
  const made = world();
  made.hasWaiting = true;
  for (let looks = 0; looks < 6; looks++) {
    made.given++;
    await made.hears(true, limits.remote.weighAgainMs / 2);
  }
  assert.deepEqual(made.happened, []);
  await made.hears(true, limits.remote.weighAgainMs - 1);
  assert.deepEqual(made.happened, [], "not for a second yet");
  await made.hears(true, 1);
  assert.deepEqual(made.happened, ["place beside failed,slow"], "none of them wants it");
});

test("where it has ended before the new place is known, that is given back", async () => {
  const { move, happened, hears } = world();
  await hears(true);
  const hearing = hears(true, limits.remote.weighAgainMs);
  assert.equal(move.ended(BUSY), undefined);
  await hearing;
  assert.deepEqual(happened, ["place beside failed,slow", "free cancelled"]);
});
