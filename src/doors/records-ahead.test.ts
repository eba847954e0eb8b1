import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, silentLog } from "../base/index.ts";
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
function world(mayBeUsed: (question: CompileQuestion) => boolean = () => true) {
  const rows = new Map(built("/one").map((row) => [row.source, row]));
  const index = {
    history: (source: string) => rows.get(source),
    sourcesEnding: (end: string) => [...rows.keys()].filter((source) => source.endsWith(end)),
    sourcesBelow: (directory: string) => [...rows.keys()].filter((source) => source.startsWith(`${directory}/`)),
  };
  const checkouts = new Checkouts({ index });
  const left: string[] = [];
  const used: HistoryRow[] = [];
  const foresee: Foresee = (question) =>
    Promise.resolve(mayBeUsed(question) ? { placement, validity: { inputs: [], absences: [] }, recalls: 0, action: "ab" } : undefined);
  const flow = {
    recalls: 0,
    elsewhere: (unit: Unit) => checkouts.elsewhere(unit),
    foreseer: () => foresee,
    rememberUsed: (row: HistoryRow) => void used.push(row),
  };
  const records = { has: (key: string) => left.includes(key), leave: (key: string) => void left.push(key) };
  return { ahead: new RecordsAhead({ flow, records, log: silentLog }), left, used };
}

const key = (unit: number): string => asked("/two", unit).key;

test("what follows in another checkout is laid out, as far as it is used", async () => {
  const { ahead, left } = world();
  await ahead.follow(unitOf("/two", 0));
  assert.deepEqual(
    left,
    Array.from({ length: limits.laidOutFirst - 2 }, (_, i) => key(i + 3)),
    "but for those that are under way",
  );
  await ahead.follow(unitOf("/two", limits.laidOutFirst + 1));
  assert.deepEqual([left.includes(key(97)), left.includes(key(98))], [true, false], "the build has come so far: twice as many");
  ahead[Symbol.dispose]();
});

test("nothing is laid out of what was built nowhere else, by another command, or in the same place", async () => {
  for (const unit of [unitOf("/two", UNITS), { ...unitOf("/two", 0), manifest: "another" }, unitOf("/one", 0)]) {
    const { ahead, left } = world();
    await ahead.follow(unit);
    assert.deepEqual(left, []);
    ahead[Symbol.dispose]();
  }
});

test("what has no result is left to who asks", async () => {
  const { ahead, left } = world(({ argv }) => argv.at(-1) !== "/two/src/5.c");
  await ahead.follow(unitOf("/two", 0));
  assert.deepEqual([left.includes(key(4)), left.includes(key(5)), left.includes(key(6))], [true, false, true]);
  ahead[Symbol.dispose]();
});

test("once a record does not hold, less is laid out", async () => {
  const { ahead, left } = world();
  await ahead.follow(unitOf("/two", 0));
  const before = left.length;
  ahead.failed(key(4));
  await ahead.follow(unitOf("/two", 4));
  assert.ok(left.length - before <= 4, "no more than what the unit itself leads to");
  ahead[Symbol.dispose]();
});

test("who uses a record is remembered with its own paths", async () => {
  const { ahead, used } = world();
  await ahead.follow(unitOf("/two", 0));
  ahead.served(key(7), 1_000);
  ahead.served(key(7), 2_000);
  ahead.served(key(UNITS - 1), 2_000);
  assert.deepEqual(
    used.map(({ source, request, at, outcome }) => [source, request, at, outcome]),
    [["/two/src/7.c", key(7), 1_000, "hit_ahead"]],
  );
  assert.equal(JSON.stringify(used).includes("/one"), false);
  ahead[Symbol.dispose]();
});
