/**
 * What follows from executing a command once more: everything around it in memory, its inputs are one text.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError, type Digest, digestOf, limits, silentLog } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import { TaskHistory } from "./task-history.ts";
import { type TaskQuestion, type UnderstoodTask, understandTask } from "./task-question.ts";
import { keyed, type TaskDone, type TaskHit, taskAction } from "./task-results.ts";
import type { TaskStopped } from "./task-runs.ts";
import { TaskVerifying } from "./task-verifying.ts";

const { signal } = new AbortController();

const QUESTION: TaskQuestion = {
  root: "/project",
  cwd: "/project",
  command: ["make"],
  inputs: ["src"],
  named: [],
  outputs: ["out"],
  environment: new Map([["N", "1"]]),
  path: "/usr/bin",
  home: "/home/me",
  sandbox: "auto",
  network: false,
  cacheFailures: false,
  force: false,
  umask: 0o22,
  here: false,
};

function done(content: string, stdout = ""): TaskDone {
  const left = [{ kind: "file" as const, path: "out", content: Buffer.from(content), executable: false }];
  return { exitCode: 0, stdout: Buffer.from(stdout), stderr: Buffer.alloc(0), left };
}

type Outcome = TaskStopped | (TaskDone & { readonly isNearLimit?: boolean });

/** A machine whose runs lead to `outcomes`, one after the other. */
class World {
  /** What is in the input. */
  text = "text";
  readonly kept = new Map<Digest, TaskHit>();
  readonly signed: Digest[] = [];
  readonly theirs = new Set<Digest>();
  /** Whether the same came of it, and whether it was still known then. */
  readonly checked: (readonly [isSame: boolean, isKnown: boolean])[] = [];
  /** How long each run here may take. */
  readonly bounds: (number | undefined)[] = [];
  readonly marks = new Map<Digest, string>();
  readonly rows = new Map<string, HistoryRow>();
  readonly outcomes: Outcome[];
  readonly history: TaskHistory;
  readonly verifying: TaskVerifying;
  now = 1_000;

  constructor(outcomes: Outcome[]) {
    this.outcomes = outcomes;
    const index = {
      history: (source: string) => this.rows.get(source),
      remember: (row: HistoryRow) => void this.rows.set(row.source, row),
      forget: (action: Digest) => {
        this.kept.delete(action);
        this.theirs.delete(action);
        this.signed.splice(0, this.signed.length, ...this.signed.filter((one) => one !== action));
      },
    };
    const store = {
      has: () => Promise.resolve(true),
      read: () => Promise.resolve({ kind: "miss" as const }),
      write: () => Promise.resolve(digestOf("")),
    };
    const now = (): number => this.now;
    const run = () => {
      const next = this.outcomes.shift() ?? assert.fail("it ran too often");
      return Promise.resolve(
        "kind" in next
          ? next
          : { kind: "ran" as const, done: next, startedAtMs: 1, endedAtMs: 2, cpuMs: 1, isNearLimit: next.isNearLimit ?? false },
      );
    };
    this.history = new TaskHistory({ store, index, now });
    this.verifying = new TaskVerifying({
      runs: {
        here: (_task, { wallMs }) => {
          this.bounds.push(wallMs);
          return run();
        },
        by: run,
      },
      results: {
        find: ({ key, inputs }) => Promise.resolve(this.kept.get(taskAction({ key, inputs }))),
        keep: ({ key, inputs }, what, { startedAtMs, endedAtMs }, isShared) => {
          const action = taskAction({ key, inputs });
          this.kept.set(action, { ...what, key, tookMs: endedAtMs - startedAtMs, from: undefined });
          if (isShared) this.signed.push(action);
          return Promise.resolve();
        },
      },
      history: this.history,
      index,
      sharing: {
        isOthers: (action) => this.theirs.has(action) && !this.signed.includes(action),
        checked: (action, isSame) => void this.checked.push([isSame, this.kept.has(action)]),
      },
      unshared: {
        why: (command) => this.marks.get(command),
        add: (command, why) => void this.marks.set(command, why),
        delete: (command) => void this.marks.delete(command),
      },
      understand: () => Promise.resolve(this.task()),
      statistics: { count: () => undefined },
      log: silentLog,
      now,
    });
  }

  task(): UnderstoodTask {
    const listing = JSON.stringify([["src/a", `f ${digestOf(this.text)}`]]);
    const inputs = { all: [], files: 1, listing, digest: digestOf(listing) };
    return understandTask(QUESTION, { inputs, programs: [], installed: { digest: digestOf("installed"), isTold: true } });
  }

  get action(): Digest {
    const { keys, inputs } = this.task();
    return taskAction({ key: keys.sandboxed, inputs: inputs.digest });
  }

  /** @returns the row of a run that led to that */
  async ran(what: TaskDone, isOwn = true): Promise<HistoryRow> {
    const task = this.task();
    this.kept.set(this.action, { ...what, key: task.keys.sandboxed, tookMs: 5, from: undefined });
    if (isOwn) this.signed.push(this.action);
    else this.theirs.add(this.action);
    await this.history.remember(task, { outcome: "miss", key: task.keys.sandboxed, differences: [], tookMs: 5 }, signal);
    return this.row;
  }

  get row(): HistoryRow {
    return this.rows.get("/project/out") ?? assert.fail("nothing is remembered");
  }

  content(): string | undefined {
    const [first] = this.kept.get(this.action)?.left ?? [];
    return first?.kind === "file" ? Buffer.from(first.content).toString() : undefined;
  }
}

test("what comes out again is the same, also where it printed something else", async () => {
  const world = new World([done("made", "took 1 ms"), done("made", "took 2 ms")]);
  const row = await world.ran(done("made", "took 1 ms"));
  for (const differing of [0, 1]) {
    const { here, source, action } = await world.verifying.verify(row, [], signal);
    assert.deepEqual([here.kind, source, action], ["same", "/project/out", world.action]);
    assert.equal("differences" in here && here.differences.length, differing);
  }
  assert.deepEqual([world.marks.size, world.signed, world.bounds], [0, [world.action], [undefined, undefined]]);
});

test("own work of which not always the same comes stays here: no member gets it, and the next run is a hit", async () => {
  for (const [first, second, repeatable] of [
    ["two", "three", false],
    ["two", "two", true],
  ] as const) {
    const world = new World([done(first), done(second)]);
    const row = await world.ran(done("one"));
    const { here } = await world.verifying.verify(row, [], signal);
    assert.deepEqual(here, {
      kind: "differs",
      repeatable,
      differences: [{ what: "content", path: "out", line: 1, before: "one", after: "two" }],
    });
    assert.deepEqual([world.signed, world.content(), world.verifying.unsharedFor(QUESTION)], [[], "one", "out, line 1"]);
  }
});

test("what comes out the same again is shared again", async () => {
  const world = new World([done("two"), done("three"), done("one")]);
  const row = await world.ran(done("one"));
  await world.verifying.verify(row, [], signal);
  await world.verifying.verify(row, [], signal);
  assert.deepEqual([world.verifying.unsharedFor(QUESTION), world.signed], [undefined, [world.action]]);
});

test("others' work that comes out again is signed here, too; which does not is taken back, and what comes out here is signed", async () => {
  const confirmed = new World([done("theirs")]);
  await confirmed.verifying.verify(await confirmed.ran(done("theirs"), false), [], signal);
  assert.deepEqual([confirmed.signed, confirmed.content()], [[confirmed.action], "theirs"]);
  assert.deepEqual(confirmed.checked, [[true, true]]);

  const refuted = new World([done("mine"), done("mine")]);
  await refuted.verifying.verify(await refuted.ran(done("theirs"), false), [], signal);
  assert.deepEqual([refuted.signed, refuted.content(), refuted.row.outcome], [[refuted.action], "mine", "recalled"]);
  assert.equal(refuted.verifying.unsharedFor(QUESTION), undefined, "here it is always the same");
  assert.deepEqual(refuted.checked, [[false, true]], "its maker's word is worth less");

  const unsteady = new World([done("mine"), done("yours")]);
  await unsteady.verifying.verify(await unsteady.ran(done("theirs"), false), [], signal);
  assert.deepEqual([unsteady.signed, unsteady.content(), unsteady.row.outcome], [[], undefined, "recalled"]);
  assert.equal(unsteady.verifying.unsharedFor(QUESTION), "out, line 1");
  assert.deepEqual(unsteady.checked, [], "nobody knows who is right");
});

test("what a member finds changes nothing", async () => {
  const world = new World([done("theirs"), { kind: "not-run", reason: "system_unknown", detail: "" }, done("mine")]);
  const row = await world.ran(done("mine"));
  const { members, here } = await world.verifying.verify(row, ["one", "other"], signal);
  assert.deepEqual(
    members.map(({ kind, member }) => [kind, member]),
    [
      ["differs", "one"],
      ["not-executed", "other"],
    ],
  );
  assert.deepEqual([here.kind, world.signed, world.marks.size], ["same", [world.action], 0]);
});

test("who was ended, or finds other inputs, says nothing of what was to come out", async () => {
  const stopped: readonly TaskStopped[] = [
    { kind: "killed", limit: "wall" },
    { kind: "not-run", reason: "input_missing", detail: "src/a" },
    { kind: "not-run", reason: "no_sandbox", detail: "none" },
  ];
  for (const one of stopped) {
    const world = new World([one]);
    const row = await world.ran(done("made"));
    assert.equal((await world.verifying.verify(row, [], signal)).here.kind, "not-executed");
    assert.deepEqual([world.content(), world.marks.size], ["made", 0]);
  }
});

test("a command that a signal has ended, or that could not be started, says nothing, unless that was known of it", async () => {
  for (const exitCode of [126, 127, 137]) {
    const end = { ...done("half"), exitCode };
    for (const [outcomes, isOwn] of [
      [[end, end], false],
      [[done("other"), end], false],
      [[end, end], true],
    ] as const) {
      const world = new World([...outcomes]);
      const { here } = await world.verifying.verify(await world.ran(done("made"), isOwn), [], signal);
      assert.deepEqual(here, { kind: "not-executed", reason: "ended", detail: `exit code ${exitCode}` });
      assert.deepEqual([world.content(), world.marks.size, world.signed.length], ["made", 0, Number(isOwn)]);
    }
    const known = new World([end]);
    assert.equal((await known.verifying.verify(await known.ran(end, false), [], signal)).here.kind, "same");
    assert.deepEqual(known.signed, [], "nothing like that is kept");
  }
});

test("what came near a limit here says nothing of the command, neither for a result nor against it", async () => {
  const near = { ...done("truncated"), isNearLimit: true };
  for (const [known, outcomes] of [
    ["truncated", [near]], // The same came of it, perhaps for the same reason.
    ["whole", [near]],
    ["whole", [done("truncated"), near]],
  ] as const) {
    for (const isSample of [false, true]) {
      const world = new World([...outcomes]);
      const row = await world.ran(done(known), false);
      if (isSample) {
        world.verifying.took(world.task(), TAKEN);
        await world.verifying.next(signal);
      } else
        assert.deepEqual((await world.verifying.verify(row, [], signal)).here, { kind: "not-executed", reason: "near_limit", detail: "" });
      assert.deepEqual([world.signed, world.content(), world.checked, world.row.outcome, world.marks.size], [[], known, [], "miss", 0]);
      assert.equal(world.outcomes.length, 0);
    }
  }
});

test("whose work it is, is asked of the inputs as they are now", async () => {
  for (const isOwn of [true, false]) {
    const world = new World(isOwn ? [done("mine"), done("mine")] : [done("true"), done("true")]);
    await world.ran(done("first"), isOwn);
    world.text = "changed";
    const row = await world.ran(done("second"), !isOwn);
    world.text = "text";
    const { here, isOthers, action } = await world.verifying.verify(row, [], signal);
    assert.deepEqual([here.kind, isOthers, action], ["differs", !isOwn, world.action]);
    if (isOwn) assert.deepEqual([world.content(), world.signed.includes(world.action)], ["first", false], "it is barred, not recalled");
    else assert.deepEqual([world.content(), world.signed.includes(world.action)], ["true", true], "theirs is taken back");
    assert.equal(world.marks.size, Number(isOwn));
  }
});

test("what was executed here since it was taken is no sample any more; who is interrupted waits behind the others", async () => {
  const world = new World([]);
  await world.ran(done("theirs"), false);
  world.verifying.took(world.task(), TAKEN);
  world.signed.push(world.action);
  assert.equal(await world.verifying.next(signal), false);
  assert.equal(world.content(), "theirs");

  world.text = "one";
  await world.ran(done("theirs"), false);
  world.verifying.took(world.task(), TAKEN);
  const interrupted = AbortSignal.abort(new Error("somebody builds"));
  world.outcomes.push({ kind: "killed", limit: "wall" });
  await assert.rejects(world.verifying.next(interrupted), /somebody builds/);
  world.outcomes.push(done("theirs"));
  assert.equal(await world.verifying.next(signal), false);
  assert.equal(world.signed.includes(world.action), true);
});

test("who asks about other inputs than there are now, or about what was not asked for like that, is told", async () => {
  const rejects = (world: World, row: HistoryRow, why: RegExp): Promise<void> =>
    assert.rejects(
      world.verifying.verify(row, [], signal),
      (error) => error instanceof CairnError && error.code === "not-found" && why.test(String(error.facts.why)),
    );
  const world = new World([]);
  const row = await world.ran(done("made"));
  const { task: _, ...older } = JSON.parse(row.body) as Record<string, unknown>;
  await rejects(world, { ...row, body: JSON.stringify(older) }, /how .* was asked for is not remembered/);
  world.text = "changed";
  await rejects(world, row, /as its inputs are now is here: changed/);
  world.text = "text";
  world.kept.clear();
  await rejects(world, row, /it is not kept any more/);
  const { key, inputs } = keyed(world.task(), world.task().keys.bare);
  world.kept.set(taskAction({ key, inputs }), { ...done("made"), key, tookMs: 1, from: undefined });
  await rejects(world, row, /without a sandbox/);
});

/** Two domains vouch for it. */
const TAKEN = { from: { signer: "s", member: "m", bytes: 1, tookMs: 1, tier: "team" as const, domains: ["one", "other"] } };

test("what was taken of others is executed when nobody builds; what cannot be is tried again, and then left", async () => {
  const world = new World([done("theirs"), { kind: "killed", limit: "wall" }]);
  assert.equal(await world.verifying.next(signal), false);
  await world.ran(done("theirs"), false);
  world.verifying.took(world.task(), TAKEN);
  assert.equal(await world.verifying.next(signal), false);
  assert.deepEqual([world.outcomes.length, world.signed], [1, [world.action]]);

  world.signed.length = 0;
  world.verifying.took(world.task(), TAKEN);
  await world.verifying.next(signal);
  assert.equal(world.outcomes.length, 0, "it was ended");
  await world.verifying.next(signal);
  world.now += 3_600_000;
  world.outcomes.push(done("mine"), done("mine"));
  await world.verifying.next(signal);
  assert.deepEqual([world.content(), world.row.outcome], ["mine", "recalled"]);

  world.verifying.took(world.task(), TAKEN);
  world.text = "changed meanwhile";
  for (let tries = 0; tries < 10; tries++, world.now += 3_600_000) assert.equal(await world.verifying.next(signal), false);
  assert.equal(world.outcomes.length, 0);
});

test("what is not deterministic is taken back where several domains vouch for it, and is of use within one", async () => {
  for (const [domains, isUsed] of [
    [["one", "other"], false],
    [["one"], true],
  ] as const) {
    const world = new World([done("mine"), done("yours")]);
    await world.ran(done("theirs"), false);
    world.verifying.took(world.task(), { from: { ...TAKEN.from, domains } });
    await world.verifying.next(signal);
    assert.deepEqual(world.bounds, [limits.task.sampledMs, limits.task.sampledMs]);
    const [why, row] = [world.verifying.unsharedFor(QUESTION), world.row.outcome];
    assert.deepEqual([world.content(), why, row], isUsed ? ["theirs", undefined, "miss"] : [undefined, "out, line 1", "recalled"]);
  }
});
