import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Digest, limits, silentLog } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import { Checkouts, type CompileQuestion, type Foresee, type Placement, type Unit } from "../flows/index.ts";
import { requestKey } from "../wire/index.ts";
import { RecordsAhead } from "./records-ahead.ts";

const UNITS = 100;
const placement: Placement = { outputs: [], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), compileMs: 1 };

function asked(root: string, unit: number): CompileQuestion {
  const plain = { stderrIsTerminal: false, stdoutIsTerminal: false, columns: 0, session: "", why: "no-record" } as const;
  const question = {
    ...plain,
    cwd: `${root}/build`,
    compiler: "/usr/bin/cc",
    argv: ["cc", `-I${root}/include`, "-c", `${root}/src/${unit}.c`],
  };
  const environment = new Map([["PWD", `${root}/build`]]);
  return { ...question, environment, key: requestKey({ ...question, environment }) };
}

function unitOf(root: string, unit: number): Unit {
  return { manifest: `manifest ${unit}`, sourcePath: `${root}/src/${unit}.c`, projectRoot: root };
}

/** The history of a checkout of which all was built. */
function built(root: string): HistoryRow[] {
  return Array.from({ length: UNITS }, (_, unit) => {
    const { key, environment, ...question } = asked(root, unit);
    const body = JSON.stringify({ manifest: `manifest ${unit}`, asked: { ...question, environment: [...environment] } });
    return { source: `${root}/src/${unit}.c`, request: key, at: unit + 1, outcome: "miss", body };
  });
}

/** @param mayBeUsed whether there is a result of a request */
function world(mayBeUsed: (question: CompileQuestion) => boolean = () => true, movable: readonly Digest[] = []) {
  const rows = new Map(built("/one").map((row) => [row.source, row]));
  const index = {
    history: (source: string) => rows.get(source),
    sourcesEnding: (end: string) => [...rows.keys()].filter((source) => source.endsWith(end)),
    sourcesBelow: (directory: string) => [...rows.keys()].filter((source) => source.startsWith(`${directory}/`)),
  };
  const checkouts = new Checkouts({ index });
  const left: string[] = [];
  const used: HistoryRow[] = [];
  const clock = { ms: 0, foreseen: 0 };
  const foresee: Foresee = (question) => {
    clock.foreseen += 1;
    return Promise.resolve(
      mayBeUsed(question) ? { placement, validity: { inputs: [], absences: [] }, recalls: 0, action: "ab" } : undefined,
    );
  };
  const flow = {
    recalls: 0,
    elsewhere: (unit: Unit) => checkouts.elsewhere(unit),
    foreseer: () => foresee,
    rememberUsed: (row: HistoryRow) => void used.push(row),
    askedExpected: () => false,
    beganExpected: () => undefined,
    onExpected: () => undefined,
    preparer: () => () => Promise.resolve({ kind: "none" as const }),
    usedPrepared: () => false,
  };
  const records = {
    has: (key: string) => left.includes(key),
    hasMovable: (question: object, root: string) => "key" in question && root === "/two" && movable.includes(String(question.key)),
    leave: (key: string) => void left.push(key),
  };
  const ahead = new RecordsAhead({ flow, records, log: silentLog, now: () => clock.ms });
  const follow = (unit: number, root = "/two"): Promise<void> => ahead.follow(unitOf(root, unit), asked(root, unit).key);
  return { ahead, follow, clock, left, used };
}

const key = (unit: number): string => asked("/two", unit).key;
/** Of what comes first that is laid out: those that are under way are not. */
const FIRST = limits.laidOutFirst - 2;
/** ms after which it is looked again in how many checkouts something was built, and after which a build is another one. */
const [LOOKED_MS, PAUSE_MS] = [1_000, 60_000];

test("what follows in another checkout is laid out, as far as it is used", async () => {
  const { ahead, follow, left } = world();
  await follow(0);
  assert.deepEqual(
    left,
    Array.from({ length: FIRST }, (_, i) => key(i + 3)),
    "but for those that are under way",
  );
  await follow(limits.laidOutFirst + 1);
  assert.deepEqual([left.includes(key(97)), left.includes(key(98))], [true, false], "the build has come so far: twice as many");
  ahead[Symbol.dispose]();
});

test("nothing is laid out of what was built nowhere else, by another command, or in the same place", async () => {
  for (const unit of [unitOf("/two", UNITS), { ...unitOf("/two", 0), manifest: "another" }, unitOf("/one", 0)]) {
    const { ahead, left } = world();
    await ahead.follow(unit, "");
    assert.deepEqual(left, []);
    ahead[Symbol.dispose]();
  }
});

test("what has no result is left to who asks", async () => {
  const { ahead, follow, left } = world(({ argv }) => argv.at(-1) !== "/two/src/5.c");
  await follow(0);
  assert.deepEqual([left.includes(key(4)), left.includes(key(5)), left.includes(key(6))], [true, false, true]);
  ahead[Symbol.dispose]();
});

test("what there is an answer for every checkout of is not laid out", async () => {
  const { ahead, follow, left } = world(() => true, [key(5)]);
  await follow(0);
  assert.deepEqual([left.includes(key(4)), left.includes(key(5)), left.includes(key(6))], [true, false, true]);
  ahead[Symbol.dispose]();
});

test("where one does not hold, all that follows is laid out, also what was passed over", async () => {
  const all = Array.from({ length: UNITS }, (_, unit) => key(unit));
  const { ahead, follow, left } = world(() => true, all.slice(1));
  await follow(0);
  assert.equal(left.length, 0, "what has no answer for every checkout says nothing of the others");
  await ahead.follow(unitOf("/two", 1), "asked otherwise");
  assert.equal(left.length, 0);
  await follow(2);
  assert.deepEqual(left.slice(0, 3), [key(5), key(6), key(7)]);
  for (let unit = 3; unit < UNITS; unit++) await follow(unit);
  assert.ok(left.includes(key(UNITS - 1)));
  ahead[Symbol.dispose]();
});

test("once a record does not hold, less is laid out", async () => {
  const { ahead, follow, left } = world();
  await follow(0);
  const before = left.length;
  ahead.failed(key(4));
  await follow(4);
  assert.ok(left.length - before <= 4, "no more than what the unit itself leads to");
  ahead[Symbol.dispose]();
});

test("who uses a record is remembered with its own paths", async () => {
  const { ahead, follow, used } = world();
  await follow(0);
  ahead.served(key(7), 1_000, "");
  ahead.served(key(7), 2_000, "");
  ahead.served(key(UNITS - 1), 2_000, "");
  assert.deepEqual(
    used.map(({ source, request, at, outcome }) => [source, request, at, outcome]),
    [["/two/src/7.c", key(7), 1_000, "hit_ahead"]],
  );
  assert.equal(JSON.stringify(used).includes("/one"), false);
  ahead[Symbol.dispose]();
});

test("what is asked otherwise than it was foreseen is not gone on with, however far the build comes", async () => {
  const { ahead, left, clock } = world();
  for (let unit = 0; unit < UNITS; unit++) await ahead.follow(unitOf("/two", unit), `other ${unit}`);
  assert.equal(left.length, FIRST);
  for (let unit = 0; unit < UNITS; unit++) await ahead.follow(unitOf("/two", unit), `other ${unit}`);
  assert.equal(left.length, FIRST);
  clock.ms += PAUSE_MS;
  await ahead.follow(unitOf("/two", FIRST), "other");
  assert.ok(left.length > FIRST, "the next build is another one");
  ahead[Symbol.dispose]();
});

test("what was laid out while it was asked for was not foreseen wrongly", async () => {
  const { ahead, follow, left } = world();
  for (let unit = 0; unit < UNITS; unit++) await follow(unit);
  assert.ok(left.includes(key(UNITS - 1)));
  ahead[Symbol.dispose]();
});

test("where there are no results no more is looked at than at first", async () => {
  const { ahead, follow, clock, left } = world(() => false);
  await follow(0);
  assert.equal(clock.foreseen, FIRST);
  await follow(limits.laidOutFirst + 1);
  assert.deepEqual([clock.foreseen, left.length], [2 * FIRST, 0]);
  ahead[Symbol.dispose]();
});

test("nothing is laid out while somebody waits for an answer", async () => {
  const { ahead, follow, clock, left } = world();
  const questions = [ahead.question(), ahead.question()];
  const following = follow(0);
  for (const question of questions) {
    for (let turns = 0; turns < 20; turns++) await setImmediate();
    assert.deepEqual([left.length, clock.foreseen], [0, 0]);
    question[Symbol.dispose]();
  }
  await following;
  assert.equal(left.length, FIRST);
  ahead[Symbol.dispose]();
});

test("what nobody has used is bounded over all checkouts, until they are left alone", async () => {
  const { ahead, follow, clock, left } = world();
  const enough = Math.ceil(limits.laidOutUnused / FIRST) + 2;
  for (let root = 0; root < enough; root++, clock.ms += LOOKED_MS) await follow(0, `/root${root}`);
  assert.equal(left.length, limits.laidOutUnused);
  clock.ms += PAUSE_MS;
  await follow(0);
  assert.equal(left.length, limits.laidOutUnused + FIRST);
  ahead[Symbol.dispose]();
});

test("the history is not searched for each of many new roots, and again for one that was in vain", async () => {
  const { ahead, follow, clock, left } = world();
  await follow(UNITS, "/two");
  await follow(0, "/three");
  assert.deepEqual(left, [], "it was searched just now");
  clock.ms += LOOKED_MS;
  await follow(0, "/three");
  assert.equal(left.length, FIRST);
  clock.ms += LOOKED_MS;
  await follow(0, "/two");
  assert.equal(left.length, FIRST, "nothing of it was built elsewhere");
  clock.ms += PAUSE_MS;
  await follow(0, "/two");
  assert.equal(left.length, 2 * FIRST);
  ahead[Symbol.dispose]();
});
