import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Digest, digestOf, type Key, limits, type SharingPolicy } from "../base/index.ts";
import { placesAt, readInvocation } from "../compile/index.ts";
import type { FileState, Files, Placed, PlacedOutcome, Row, Toolchain, Usage, WorkerOutcome } from "../contracts/index.ts";
import { Absences, Glance, Look } from "./look.ts";
import { NO_PROJECT } from "./project-policy.ts";
import { Remote } from "./remote.ts";
import { type CompileQuestion, NO_SEARCH, type Understood } from "./request.ts";
import { SourceFacts } from "./source-facts.ts";

const CWD = "/project";
const DIGEST = digestOf("");
const MINUTE = { timeout: 60_000 };
const LATER_MS = 60_000;
const TOOLCHAIN: Toolchain = {
  family: "gcc",
  version: "12.2.0",
  target: "x86_64-linux-gnu",
  digest: DIGEST,
  files: [],
  absent: [],
  beside: [],
  platform: "linux-x86_64",
  targets: [],
  earlierOnPath: [],
};
const USED: Usage = { wallMs: 100, cpuMs: 90, residentBytes: 1 };
const SEARCH = { quote: [], angle: [], missing: [], duplicates: [] };

/** Files in memory. */
class MemoryFiles implements Files {
  readonly texts = new Map<string, string>([
    [`${CWD}/unit.c`, '#include "unit.h"\n'],
    [`${CWD}/unit.h`, "int unit;\n"],
  ]);

  state(path: string, visit?: (content: Buffer, digest: Digest) => void): FileState {
    const text = this.texts.get(path);
    if (text === undefined) return { kind: "absent" };
    const digest = digestOf(text);
    visit?.(Buffer.from(text), digest);
    return { kind: "file", digest, size: text.length, fingerprint: { fp0: 1, fp1: 1 }, changedNs: 0n };
  }

  remembered(): undefined {}

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  content(path: string, digest: Digest): Buffer | undefined {
    const text = this.texts.get(path);
    return text === undefined || digestOf(text) !== digest ? undefined : Buffer.from(text);
  }

  absent(path: string): boolean {
    return path !== CWD && path !== "/" && !this.texts.has(path);
  }

  fingerprint(): { fp0: number; fp1: number } {
    return { fp0: 0, fp1: 0 };
  }
}

function done(exitCode = 0): WorkerOutcome {
  const outputs = [
    { name: "object", content: Buffer.from("object"), executable: false },
    { name: "dependencies", content: Buffer.from("x: unit.c unit.h\n"), executable: false },
  ];
  return { kind: "done", exitCode, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), outputs, used: USED, queuedMs: 1 };
}

interface World {
  readonly files: MemoryFiles;
  readonly remote: Remote;
  /** What was asked, ended and counted, in order. */
  readonly happened: string[];
  /** Of units that were begun here, for how long members had had them, by the log. */
  readonly late: unknown[];
  running: number;
  /** What the preprocessor here says that every source reads. */
  list: (signal: AbortSignal) => Promise<string | undefined>;
  /** Whether a member has a slot in which nothing runs. */
  hasFree: boolean;
  /** Members' slots that are kept for units of this machine. */
  slots: number;
  /** What members answer, one after the other. */
  readonly answers: ((row: Row | undefined) => Promise<WorkerOutcome>)[];
  readonly order: (gone?: AbortSignal, project?: SharingPolicy) => Promise<string>;
}

/** A machine all of whose cores have something to do, and members that have room. */
function world(t: TestContext, place?: (tried: readonly Key[]) => Placed): World {
  const files = new MemoryFiles();
  const happened: string[] = [];
  const absences = new Absences();
  const lookNow = (): Look => new Look(new Glance({ files, absences }), CWD);
  const next = place ?? ((tried: readonly Key[]): Placed => ({ kind: "member", member: `member${tried.length}` }));
  const made: World = {
    files,
    happened,
    late: [],
    running: availableParallelism(),
    list: () => Promise.resolve(undefined),
    hasFree: false,
    slots: 0,
    answers: [],
    remote: new Remote({
      files,
      toolchains: {
        searchPaths: () => Promise.resolve(SEARCH),
        dependencies: (_compiler, args, _cwd, _environment, signal) => {
          assert.deepEqual(args, ["-O2", "unit.c", "-M"]);
          happened.push("listed");
          return made.list(signal);
        },
      },
      facts: new SourceFacts({ files }),
      rootOf: () => Promise.resolve(undefined),
      index: { entries: () => [], result: () => undefined, history: () => undefined },
      running: () => made.running,
      look: lookNow,
      log: { event: (_level, name, facts) => void (name === "remote.late" && made.late.push(facts?.["tookMs"])) },
      sharing: { mayHelp: (project) => project !== "release" },
      helpers: () => ({
        placement: {
          free: () => new Map(made.hasFree ? [["free", 0]] : []),
          place: (_unit, _here, tried) => {
            const placed = next(tried);
            if (placed.kind === "member") made.slots++;
            return Promise.resolve(placed);
          },
          ended: (_unit: unknown, where: Placed, outcome: PlacedOutcome) => {
            if (where.kind === "member") made.slots--;
            happened.push(`ended ${outcome}`);
          },
        },
        workers: {
          act: () => assert.fail("it is a compile"),
          compile: async (member, action, content, signal, row) => {
            const sent = await Promise.all(action.inputs.map(({ digest }) => content(digest, signal)));
            happened.push(`${member}: ${sent.map((bytes) => bytes?.length).join()} ${action.options.join(" ")}`);
            signal.throwIfAborted();
            const answer = made.answers.shift() ?? (() => Promise.resolve(done()));
            const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
            return Promise.race([answer(row), aborted]);
          },
        },
      }),
    }),
    order: (gone = new AbortController().signal, project) =>
      made.remote.answer({
        understood: understoodOf(project),
        look: lookNow(),
        here: () => ({ answer: "here", job: 1n }),
        take: (_good, by, late) => Promise.resolve(late ? undefined : `by ${by.member}, ${by.sentBytes} bytes there, ${by.bytes} back`),
        keptHere: (reason) => void happened.push(`kept here: ${reason}`),
        gone,
      }),
  };
  t.after(() => made.remote[Symbol.dispose]());
  return made;
}

function understoodOf(sharing?: SharingPolicy): Understood {
  const argv = ["gcc", "-O2", "-c", "unit.c", "-o", "unit.o"];
  const environment = new Map<string, string>();
  const reading = readInvocation(
    { argv, environment, family: "gcc" },
    (path) => path,
    () => undefined,
  );
  assert.ok(reading.kind === "compile");
  const question: CompileQuestion = {
    key: DIGEST,
    why: "no-record",
    session: "",
    stderrIsTerminal: false,
    stdoutIsTerminal: false,
    columns: 0,
    cwd: CWD,
    compiler: "/usr/bin/gcc",
    argv,
    environment,
  };
  return {
    question,
    toolchain: TOOLCHAIN,
    invocation: reading.invocation,
    places: placesAt({ cwd: CWD, projectRoot: CWD }),
    projectRoot: CWD,
    search: NO_SEARCH,
    native: "",
    project: { ...NO_PROJECT, sharing },
    manifest: DIGEST,
    place: DIGEST,
    terminal: DIGEST,
    keyEnvironment: [],
    sourcePath: `${CWD}/unit.c`,
    responses: new Map(),
  };
}

const lost = (): Promise<WorkerOutcome> => Promise.resolve({ kind: "lost", why: "the link" });
const busy = (): Promise<WorkerOutcome> => Promise.resolve({ kind: "busy" });
const never = (): Promise<WorkerOutcome> => new Promise(() => undefined);

test("with an idle core nobody is asked", async (t) => {
  const made = world(t);
  made.running -= 1;
  assert.equal(await made.order(), "here");
  assert.deepEqual(made.happened, []);
});

test("otherwise a member does it", async (t) => {
  const made = world(t);
  assert.equal(await made.order(), "by member0, 28 bytes there, 23 back");
  assert.deepEqual(made.happened, ["member0: 18,10 -O2", "ended done"]);
});

test("who is lost is followed by others, and then by the compiler here", async (t) => {
  const made = world(t);
  made.answers.push(lost);
  assert.equal(await made.order(), "by member1, 28 bytes there, 23 back");
  made.answers.push(lost, lost, lost);
  assert.equal(await made.order(), "here");
});

test("what waits at a member goes to another one that is free, so often and no more", MINUTE, async (t) => {
  t.mock.method(performance, "now", () => now);
  let now = 0;
  const made = world(t);
  made.hasFree = true;
  const waits = waiting((ms) => (now += ms));
  const stays = (row: Row | undefined): Promise<WorkerOutcome> => {
    void waits(row);
    return Promise.resolve(done());
  };
  made.answers.push(...Array.from({ length: limits.remote.moves }, () => waits), stays);
  assert.match(await made.order(), /^by member/);
  const asked = made.happened.filter((one) => one.startsWith("member"));
  assert.equal(asked.length, limits.remote.moves + 1);
  assert.notEqual(asked[0]?.split(":")[0], asked[1]?.split(":")[0]);
  assert.deepEqual(
    made.happened.filter((one) => one.startsWith("ended")),
    [...Array.from({ length: limits.remote.moves }, () => "ended cancelled"), "ended done"],
  );
});

/** A unit waits at a member until it is wanted back. @param passes has time pass @param back happens then */
function waiting(passes: (ms: number) => void, back: () => void = () => undefined): (row: Row | undefined) => Promise<WorkerOutcome> {
  return (row) => {
    const { promise, resolve } = Promise.withResolvers<WorkerOutcome>();
    row?.back.addEventListener("abort", () => {
      resolve({ kind: "busy" });
      back();
    });
    for (const ms of [0, limits.remote.weighAgainMs]) {
      passes(ms);
      row?.waits(true);
    }
    return promise;
  };
}

interface Kept {
  readonly about: string;
  /** Members that have no room before one takes it. */
  readonly full: number;
  /** Happens when it is wanted back, because another one is free. */
  readonly back: (made: World, gone: AbortController) => void;
  readonly comes: RegExp;
}

const KEPT: readonly Kept[] = [
  { about: "although a core here is idle by now", full: 0, back: (made) => void (made.running -= 1), comes: /^by member1/ },
  {
    about: "although as many had no room as are asked",
    full: limits.remote.members - 1,
    back: () => undefined,
    comes: new RegExp(`^by member${limits.remote.members}`),
  },
  {
    about: "or is another's where nobody waits for it any more",
    full: limits.remote.members - 1,
    back: (_made, gone) => gone.abort(),
    comes: /^AbortError/,
  },
];

for (const { about, full, back, comes } of KEPT) {
  test(`a slot that is kept for what waits elsewhere is used, ${about}`, MINUTE, async (t) => {
    t.mock.method(performance, "now", () => now);
    let now = 0;
    const made = world(t);
    made.hasFree = true;
    const gone = new AbortController();
    const waits = waiting(
      (ms) => (now += ms),
      () => back(made, gone),
    );
    made.answers.push(...Array.from({ length: full }, () => busy), waits);
    assert.match(await made.order(gone.signal).catch(String), comes);
    assert.equal(made.slots, 0);
  });
}

test("a member without room is asked again, as long as others work for this machine", MINUTE, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const made = world(t, (tried) => (tried.length > 0 ? { kind: "here", why: "nobody" } : { kind: "member", member: "member" }));
  const gone = new AbortController();
  made.answers.push(never, busy, busy);
  const other = made.order(gone.signal);
  while (made.remote.away === 0) await setImmediate(undefined, { signal: t.signal });
  const answers: string[] = [];
  void made.order().then((told) => answers.push(told));
  while (answers.length === 0) {
    t.mock.timers.tick(100);
    await setImmediate(undefined, { signal: t.signal });
  }
  assert.match(answers.join(), /^by member/);
  assert.equal(made.happened.filter((one) => one === "ended busy").length, 2);
  gone.abort();
  await assert.rejects(other);
  made.answers.push(busy);
  assert.equal(await made.order(), "here", "nobody works for it");
});

test("a member without room is waited for where the others are not worth asking", MINUTE, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const made = world(t, (tried) => (tried.length > 0 ? { kind: "here", why: "not-worth" } : { kind: "member", member: "fast" }));
  const gone = new AbortController();
  made.answers.push(never, busy, busy);
  const other = made.order(gone.signal);
  while (made.remote.away === 0) await setImmediate(undefined, { signal: t.signal });
  const answers: string[] = [];
  void made.order().then((told) => answers.push(told));
  while (answers.length === 0) {
    t.mock.timers.tick(100);
    await setImmediate(undefined, { signal: t.signal });
  }
  assert.match(answers.join(), /^by fast/);
  assert.ok(!made.happened.some((one) => one.startsWith("kept here")), made.happened.join());
  gone.abort();
  await assert.rejects(other);
});

test(
  "of many members without room some are asked, then it waits, and longer after some more; in the end it is done here, and counted once",
  MINUTE,
  async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(performance, "now", () => now);
    let now = 0;
    const made = world(t);
    const refused = (): number => made.happened.filter((one) => one === "ended busy").length;
    const settle = async (): Promise<void> => {
      for (let turns = 0; turns < 50; turns++) await setImmediate(undefined, { signal: t.signal });
    };
    const ended = Promise.withResolvers<WorkerOutcome>();
    const gone = new AbortController();
    made.answers.push(() => ended.promise, never);
    const [first, stays] = [made.order(), made.order(gone.signal)];
    while (made.remote.away < 2) await setImmediate(undefined, { signal: t.signal });
    made.answers.push(...Array.from({ length: 1_000 }, () => busy));
    let answer = "";
    void made.order().then((told) => (answer = told));
    await settle();
    assert.equal(refused(), limits.remote.members);
    while (refused() < limits.remote.refusals) {
      t.mock.timers.tick(100);
      await settle();
    }
    t.mock.timers.tick(limits.remote.weighAgainMs / 2);
    await settle();
    assert.equal(refused(), limits.remote.refusals);
    t.mock.timers.tick(limits.remote.weighAgainMs);
    await settle();
    assert.ok(refused() > limits.remote.refusals, "they may have room by now");
    now = limits.remote.waitMs - 1;
    ended.resolve(done());
    assert.match(await first, /^by member/);
    now += limits.remote.waitMs - 1;
    t.mock.timers.tick(2 * limits.remote.waitMs - 2);
    await settle();
    assert.equal(answer, "", "others are done: a core may be free soon");
    now++;
    t.mock.timers.tick(limits.remote.waitMs);
    await settle();
    assert.equal(answer, "here");
    assert.deepEqual(
      made.happened.filter((one) => one.startsWith("kept here")),
      ["kept here: busy"],
    );
    gone.abort();
    await assert.rejects(stays);
  },
);

/** Time passes only as is said, and whatever is due then is done. */
function passing(t: TestContext): (ms: number) => Promise<void> {
  let now = 0;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(performance, "now", () => now);
  return async (ms) => {
    now += ms;
    t.mock.timers.tick(ms);
    for (let turns = 0; turns < 10; turns++) await setImmediate();
  };
}

test("who waits does so as long as others are done, and not for long after the last", async (t) => {
  const passes = passing(t);
  let room = 2;
  const made = world(t, () => (room-- > 0 ? { kind: "member", member: "member" } : { kind: "here", why: "busy" }));
  const ended = Promise.withResolvers<WorkerOutcome>();
  const gone = new AbortController();
  made.answers.push(() => ended.promise, never);
  const [first, stays] = [made.order(), made.order(gone.signal)];
  while (made.remote.away < 2) await setImmediate();
  let answer = "";
  void made.order().then((told) => (answer = told));
  await passes(limits.remote.waitMs - 1);
  ended.resolve(done());
  assert.match(await first, /^by member/);
  await passes(limits.remote.waitMs - 1);
  assert.equal(answer, "");
  await passes(1);
  assert.equal(answer, "here");
  assert.equal(made.happened.at(-1), "kept here: busy");
  gone.abort();
  await assert.rejects(stays);
});

test("what waited at a member in vain waits for a core here as if it had just come", async (t) => {
  const passes = passing(t);
  let room = 2;
  const made = world(t, () => (room-- > 0 ? { kind: "member", member: "member" } : { kind: "here", why: "busy" }));
  const ended = Promise.withResolvers<WorkerOutcome>();
  const gone = new AbortController();
  made.answers.push(never, () => ended.promise);
  const stays = made.order(gone.signal);
  while (made.remote.away < 1) await setImmediate();
  let answer = "";
  void made.order().then((told) => (answer = told));
  while (made.remote.away < 2) await setImmediate();
  await passes(limits.work.turnMs);
  ended.resolve({ kind: "busy" });
  await passes(0);
  await passes(limits.remote.waitMs - 1);
  assert.equal(answer, "");
  await passes(1);
  assert.equal(answer, "here");
  gone.abort();
  await assert.rejects(stays);
});

test("what fails elsewhere is done here, and is not sent again", async (t) => {
  const made = world(t);
  made.answers.push(() => Promise.resolve(done(1)));
  assert.equal(await made.order(), "here");
  assert.equal(await made.order(), "here");
  assert.deepEqual(made.happened.slice(2), ["kept here: result_failed", "kept here: failed_before"]);
  made.files.texts.set(`${CWD}/unit.c`, '#include "unit.h"\nint x;\n');
  assert.match(await made.order(), /by member0/, "another source is another matter");
});

/** A unit whose one header only the preprocessor knows. */
function unnamed(t: TestContext): World {
  const made = world(t);
  made.files.texts.set(`${CWD}/unit.c`, "#define NAME(x) #x\n#include NAME(unit.h)\n");
  return made;
}

const MISSED = "unit.c:2:10: Schwerwiegender Fehler: unit.h: Datei oder Verzeichnis nicht gefunden\n";
const missing = (): Promise<WorkerOutcome> => Promise.resolve({ ...done(1), stderr: Buffer.from(MISSED) } as WorkerOutcome);
const LISTED = "unit.o: unit.c unit.h\n";

test("a header that was not sent: the same member is given all that the preprocessor names, whatever its compiler's language", async (t) => {
  const made = unnamed(t);
  made.list = () => Promise.resolve(LISTED);
  made.answers.push(missing);
  assert.match(await made.order(), /by member0/);
  assert.deepEqual(made.happened, ["member0: 41 -O2", "ended cancelled", "listed", "member0: 41,10 -O2", "ended done"]);
  assert.match(await made.order(), /by member0/);
  assert.deepEqual(made.happened.slice(5), ["listed", "member0: 41,10 -O2", "ended done"], "the next time at once");
});

test("what fails with all files as well, or had them all, is not sent again, nor is the preprocessor asked", async (t) => {
  const made = unnamed(t);
  made.list = () => Promise.resolve(LISTED);
  made.answers.push(missing, () => Promise.resolve(done(1)));
  assert.deepEqual([await made.order(), await made.order()], ["here", "here"]);
  assert.deepEqual(made.happened.slice(3), [
    "member0: 41,10 -O2",
    "ended cancelled",
    "kept here: result_failed",
    "kept here: failed_before",
  ]);
  const had = unnamed(t);
  had.list = () => Promise.resolve("unit.o: unit.c\n");
  had.answers.push(missing);
  assert.deepEqual([await had.order(), await had.order()], ["here", "here"]);
  assert.deepEqual(had.happened.slice(2), ["listed", "kept here: result_failed", "ended cancelled", "kept here: failed_before"]);
});

test("where the preprocessor names nothing it is compiled here, and what the member had room for is given back", async (t) => {
  const made = unnamed(t);
  made.answers.push(missing);
  assert.deepEqual([await made.order(), await made.order()], ["here", "here"]);
  assert.deepEqual(made.happened.slice(1), [
    "ended cancelled",
    "listed",
    "kept here: not_listed",
    "ended cancelled",
    "kept here: failed_before",
  ]);
  const broken = unnamed(t);
  broken.list = () => Promise.reject(new Error("no such compiler"));
  broken.answers.push(missing);
  assert.equal(await broken.order(), "here");
  assert.deepEqual(broken.happened.slice(2), ["listed", "ended cancelled"]);
});

test("a preprocessor that takes too long, or that nobody waits for any more, holds nobody up", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(performance, "now", () => now);
  let now = 0;
  const made = unnamed(t);
  made.list = (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
  made.answers.push(missing);
  const answer = made.order();
  while (!made.happened.includes("listed")) await setImmediate();
  now = LATER_MS;
  made.running -= 1;
  t.mock.timers.tick(LATER_MS);
  assert.equal(await answer, "here");
  made.remote.ended(1n);
  while (made.happened.filter((one) => one === "ended cancelled").length < 2) await setImmediate();
  assert.deepEqual(made.late, [0], "no member has had it");
  made.running += 1;

  const gone = new AbortController();
  const second = made.order(gone.signal);
  while (made.happened.filter((one) => one === "listed").length < 2) await setImmediate();
  gone.abort();
  await assert.rejects(second, { name: "AbortError" });
  assert.equal(made.happened.filter((one) => one === "ended cancelled").length, 3);
  assert.equal(made.remote.away, 0);
  made.list = () => Promise.resolve(LISTED);
  assert.match(await made.order(), /by member0/, "it was not its fault");
});

test("a header that is another one by now: the compiler here", async (t) => {
  const made = world(t);
  made.answers.push(() => {
    made.files.texts.set(`${CWD}/unit.h`, "int other;\n");
    return Promise.resolve(done());
  });
  assert.equal(await made.order(), "here");
  assert.ok(made.happened.includes("kept here: result_input_differs"));
  assert.match(await made.order(), /by member0/, "it was passing");
});

test("what nobody does, or would be too late with, is done here", async (t) => {
  const nobody = world(t, () => ({ kind: "here", why: "nobody" }));
  assert.equal(await nobody.order(), "here");
  const slow = world(t, () => ({ kind: "here", why: "not-worth" }));
  assert.equal(await slow.order(), "here");
  assert.deepEqual(
    [...nobody.happened, ...slow.happened],
    ["ended cancelled", "kept here: nobody", "ended cancelled", "kept here: not_worth"],
  );
});

test("what takes too long is begun here, and ends there when the compiler here has ended", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(performance, "now", () => now);
  let now = 0;
  const made = world(t);
  made.answers.push(never);
  const answer = made.order();
  while (made.remote.away === 0) await setImmediate();
  now = LATER_MS;
  made.running -= 1;
  t.mock.timers.tick(LATER_MS);
  assert.equal(await answer, "here");
  made.remote.ended(1n);
  while (!made.happened.includes("ended late")) await setImmediate();
  assert.deepEqual(made.late, [LATER_MS]);
});

test(
  "a wait for a slot there is waited for once; who never answers is late for all that, and whose row only took its time is not",
  MINUTE,
  async (t) => {
    const { turnMs } = limits.work;
    assert.equal(await overtaken(t, turnMs / 3, 0), "ended cancelled");
    assert.equal(await overtaken(t, turnMs / 3, turnMs), "ended late");
  },
);

/** A unit that has to wait at a member that never answers, and is begun here. @param hereMs how long it takes here @returns what comes of it there */
async function overtaken(t: TestContext, waitMs: number, hereMs: number): Promise<string | undefined> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const clock = t.mock.method(performance, "now", () => now);
  let now = 0;
  const made = world(t, () => ({ kind: "member", member: "member", waitMs }));
  made.answers.push(never);
  let answer = "";
  void made.order().then((told) => (answer = told));
  while (made.remote.away === 0) await setImmediate(undefined, { signal: t.signal });
  const passes = async (ms: number): Promise<void> => {
    now += ms;
    t.mock.timers.tick(ms);
    for (let turns = 0; turns < 10; turns++) await setImmediate(undefined, { signal: t.signal });
  };
  made.running -= 1;
  await passes(waitMs);
  assert.equal(answer, "", "the work itself takes its time, too");
  await passes(limits.remote.lateTimes * limits.remote.unknownMs);
  assert.equal(answer, "here");
  await passes(hereMs);
  made.remote.ended(1n);
  while (made.happened.length < 2) await setImmediate(undefined, { signal: t.signal });
  t.mock.timers.reset();
  clock.mock.restore();
  return made.happened.at(-1);
}

test("where one member's word is not enough nobody is asked", async (t) => {
  const made = world(t);
  assert.equal(await made.order(undefined, "release"), "here");
  assert.deepEqual(made.happened, ["kept here: project_policy"]);
  assert.match(await made.order(undefined, "team"), /^by member0/);
});

test("who has gone is not waited for, neither there", async (t) => {
  const made = world(t);
  made.answers.push(never);
  const gone = new AbortController();
  const answer = made.order(gone.signal);
  while (made.remote.away === 0) await setImmediate();
  gone.abort();
  await assert.rejects(answer, { name: "AbortError" });
  assert.ok(made.happened.includes("ended cancelled"));
});
