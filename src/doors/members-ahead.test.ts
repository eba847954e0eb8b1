import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Facts, limits, silentLog } from "../base/index.ts";
import type { CompileQuestion, Next, Prepared, Unit } from "../flows/index.ts";
import { MembersAhead } from "./members-ahead.ts";

const UNITS = 200;
/** Units that are thought to be asked for already. */
const UNDER_WAY = 2;

function prepared(unit: number): Prepared {
  const question = { key: `request ${unit}` } as CompileQuestion;
  const placement = { outputs: [], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), compileMs: 1 };
  const row = { source: `/two/${unit}.c`, request: question.key, outcome: "hit_peer", body: "" };
  const validity = { inputs: [], absences: [] };
  return { question, manifest: `manifest ${unit}`, action: `action ${unit}`, placement, validity, kept: Promise.resolve(true), row };
}

/** A member has made UNITS, and all of it is here. @param recalls what is taken back while an answer is made */
function world(recalls: () => number = () => 0) {
  const left: string[] = [];
  const used: [action: string, session: string][] = [];
  const told: Facts[] = [];
  const clock = { ms: 0 };
  let next = 1;
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
    onExpected: () => undefined,
    preparer: () => (): Promise<Next> =>
      Promise.resolve(next < UNITS ? { kind: "prepared", prepared: prepared(next++) } : { kind: "none" }),
    usedPrepared: ({ action }: Prepared, _at: number, session: string) => used.push([action, session]) > 0,
  };
  const records = { has: () => false, leaveUnkept: (key: string) => void left.push(key) };
  const log = { ...silentLog, event: (_: string, name: string, facts: Facts = {}) => void (name.endsWith("laid-out") && told.push(facts)) };
  const parts = { flow, records, log, letOthersGoFirst: () => setImmediate(), now: () => clock.ms };
  const ahead = new MembersAhead(parts);
  const unit = (at: number): Unit => ({ manifest: `manifest ${at}`, sourcePath: `/two/${at}.c`, projectRoot: "/two" });
  const follow = (at: number, request = `request ${at}`): Promise<void> => ahead.follow(unit(at), request);
  return { ahead, follow, left, used, told, clock };
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

test("what was taken back while it was prepared is not laid out", async () => {
  let recalls = 0;
  const { ahead, follow, left } = world(() => recalls++);
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
