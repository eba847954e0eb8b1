import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Facts, limits, silentLog } from "../base/index.ts";
import type { Next, Prepared, PreparedUse, Unit } from "../flows/index.ts";
import { MembersAhead } from "./members-ahead.ts";

const UNITS = 200;
/** Units that are thought to be asked for already. */
const UNDER_WAY = 2;

function prepared(unit: number): Prepared {
  const placement = { outputs: [], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), compileMs: 1 };
  const row = { source: `/two/${unit}.c`, request: `request ${unit}`, outcome: "hit_peer", body: "" };
  const validity = { inputs: [], absences: [] };
  return { placement, validity, use: { manifest: `manifest ${unit}`, action: `action ${unit}`, compileMs: 1, row } };
}

interface WorldOptions {
  /** What is taken back while an answer is made. */
  readonly recalls?: () => number;
  /** Whether what the member gave is good for a unit. */
  readonly isGood?: (unit: number) => boolean;
  /** How long each answer takes. */
  readonly tookMs?: number;
  /** Whether nobody waits for an answer. */
  readonly isQuiet?: boolean;
}

/** A member has made UNITS, and all of it is here. */
function world({ recalls = () => 0, isGood = () => true, tookMs = 0, isQuiet = true }: WorldOptions = {}) {
  const left: string[] = [];
  const used: [action: string, session: string][] = [];
  const told: Facts[] = [];
  const clock = { ms: 0 };
  const tried: number[] = [];
  /** Of what is seen of files, when a unit is looked at, ms. */
  const ages: number[] = [];
  let next = 1;
  let began = 0;
  const flow = {
    get recalls() {
      return recalls();
    },
    askedExpected: (manifest: string, underWay: number) => {
      const place = Number(manifest.split(" ")[1]);
      const isSoFar = place + underWay >= next - 1;
      next = Math.max(next, place + underWay + 1);
      return isSoFar;
    },
    beganExpected: () => void began++,
    onExpected: () => undefined,
    preparer: () => {
      const seenAt = clock.ms;
      return async (): Promise<Next> => {
        if (next >= UNITS) return { kind: "none" };
        const unit = next++;
        ages.push(clock.ms - seenAt);
        clock.ms += tookMs;
        tried.push(unit);
        return isGood(unit) ? { kind: "prepared", prepared: prepared(unit) } : { kind: "left" };
      };
    },
    usedPrepared: ({ action }: PreparedUse, _at: number, session: string) => used.push([action, session]) > 0,
  };
  const records = { has: () => false, leave: (key: string) => void left.push(key) };
  const log = { ...silentLog, event: (_: string, name: string, facts: Facts = {}) => void (name.endsWith("laid-out") && told.push(facts)) };
  let yielded = 0;
  const letOthersGoFirst = async (): Promise<boolean> => {
    yielded += 1;
    await setImmediate();
    return isQuiet;
  };
  const parts = { flow, records, log, letOthersGoFirst, now: () => clock.ms };
  const ahead = new MembersAhead(parts);
  const unit = (at: number): Unit => ({ manifest: `manifest ${at}`, sourcePath: `/two/${at}.c`, projectRoot: "/two" });
  const follow = (at: number, request = `request ${at}`): Promise<void> => ahead.follow(unit(at), request);
  return { ahead, follow, left, tried, ages, used, told, clock, began: () => began, yielded: () => yielded };
}

const FIRST = limits.laidOutFirst;

test("what a member made next is laid out, more of it once the build has come so far", async () => {
  const { ahead, follow, left } = world();
  await follow(0);
  assert.deepEqual(
    left,
    Array.from({ length: FIRST }, (_, i) => `request ${i + 1 + UNDER_WAY}`),
  );
  await follow(1);
  assert.equal(left.length, FIRST);
  await follow(FIRST + UNDER_WAY + 1);
  assert.equal(left.length, 3 * FIRST, "twice as many");
  ahead[Symbol.dispose]();
});

test("some records are laid out before it is looked who asks, and one that takes long, or that somebody waits for already, alone", async () => {
  for (const [tookMs, isQuiet, together] of [
    [12, true, 3],
    [50, true, 1],
    [12, false, 1],
  ] as const) {
    const { ahead, follow, left, yielded } = world({ tookMs, isQuiet });
    await follow(0);
    assert.equal(left.length, FIRST);
    assert.equal(yielded(), Math.ceil(FIRST / together));
    ahead[Symbol.dispose]();
  }
});

test("what is seen of files is not used for longer, however many are laid out together", async () => {
  const { ahead, follow, ages } = world({ tookMs: 10 });
  await follow(0);
  assert.deepEqual([ages.length, Math.max(...ages)], [FIRST, 90]);
  ahead[Symbol.dispose]();
});

test("what was taken back while it was prepared is not laid out", async () => {
  let recalls = 0;
  const { ahead, follow, left } = world({ recalls: () => recalls++ });
  await follow(0);
  assert.deepEqual(left, []);
  ahead[Symbol.dispose]();
});

test("who uses a record is told of once, with its session", async () => {
  const { ahead, follow, used, told } = world();
  await follow(0);
  assert.equal(ahead.served("request 3", 1_000, "ab"), true);
  assert.equal(ahead.served("request 3", 2_000, "ab"), false);
  assert.equal(ahead.served("request 0", 2_000, ""), false);
  assert.deepEqual(used, [["action 3", "ab"]]);
  ahead[Symbol.dispose]();
  assert.deepEqual(
    told.map(({ used: count }) => count),
    [1],
  );
});

test("a build that asks otherwise than was foreseen has nothing more laid out", async () => {
  const { ahead, follow, left, clock } = world();
  await follow(0);
  for (let unit = 3; unit < 8; unit++) await follow(unit, "another request");
  const before = left.length;
  ahead.failed("request 9");
  await follow(FIRST + UNDER_WAY + 1);
  assert.equal(left.length, before);
  clock.ms = 120_000; // The next build begins anew.
  await follow(FIRST + UNDER_WAY + 1);
  assert.ok(left.length > before);
  ahead[Symbol.dispose]();
});

test("of what is good for nothing a bounded number is tried, until the build has come as far", async () => {
  const { ahead, follow, left, tried } = world({ isGood: () => false });
  await follow(0);
  assert.equal(tried.length, FIRST);
  await follow(1);
  assert.equal(tried.length, FIRST, "no further than before");
  await follow(FIRST);
  assert.equal(tried.length, 2 * FIRST);
  assert.deepEqual(left, []);
  ahead[Symbol.dispose]();
});

test("what is good among others is laid out", async () => {
  const { ahead, follow, left } = world({ isGood: (unit) => unit % 10 === 0 });
  await follow(0);
  assert.equal(left.at(-1), "request 190");
  ahead[Symbol.dispose]();
});

test("who uses records only is building, and what was laid out for the build before is the member's still", async () => {
  const { ahead, follow, used, clock, began } = world();
  await follow(0);
  assert.equal(began(), 1);
  clock.ms += 50_000;
  assert.equal(ahead.served("request 3", 1_000, ""), true);
  clock.ms += 50_000;
  await follow(1);
  assert.equal(began(), 1, "the same build");
  clock.ms += 120_000;
  await follow(2);
  assert.equal(began(), 2);
  assert.equal(ahead.served("request 5", 2_000, ""), true);
  assert.deepEqual(used, [
    ["action 3", ""],
    ["action 5", ""],
  ]);
  ahead[Symbol.dispose]();
});

test("nobody has used what was taken back", async () => {
  let recalls = 0;
  const { ahead, follow, used } = world({ recalls: () => recalls });
  await follow(0);
  recalls = 1;
  assert.equal(ahead.served("request 3", 1_000, ""), false);
  assert.deepEqual(used, []);
  ahead[Symbol.dispose]();
});
