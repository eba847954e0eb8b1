/**
 * Work between members over real links: contents go there, outputs come back, what is cancelled or lost ends on both sides.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { digestOf, limits, silentLog } from "../base/index.ts";
import type { GeneralAction, Left, WorkDesk } from "../contracts/index.ts";
import type { WorkDone } from "../wire/index.ts";
import { codec, until } from "./network.fixture.ts";
import { nodes, noise } from "./share.fixture.ts";
import { echo, generalAction, hostileWorker, Inputs, never, worker } from "./work.fixture.ts";
import { Work, type WorkNetwork } from "./work.ts";

const LONG = { timeout: 60_000 };
const NOTHING_MADE: WorkDone = {
  kind: "done",
  exitCode: 0,
  stdoutBytes: 0,
  stderrBytes: 0,
  outputs: [],
  used: { wallMs: 1, cpuMs: 1, residentBytes: 1 },
  queuedMs: 0,
  body: new Uint8Array(0),
};

test("contents go there once, in the order of the inputs; outputs come back", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  await worker(t, b);
  const large = noise(1, 700_000);
  const inputs = new Inputs("int a;", "", large, "int b;");
  const asked: string[] = [];
  const content = (digest: string): Promise<Uint8Array | undefined> => {
    asked.push(digest);
    return inputs.of(digest);
  };
  const action = inputs.action();
  const twice = { ...action, inputs: [...action.inputs, ...action.inputs.map((input) => ({ ...input, path: `${input.path}x` }))] };
  const outcome = await asker.work.compile(b.members.self, twice, content, never);
  assert.ok(outcome.kind === "done", JSON.stringify(outcome));
  assert.deepEqual(asked, inputs.digests);
  assert.equal(outcome.stdout.toString(), "out");
  assert.equal(outcome.stderr.toString(), "err");
  assert.deepEqual(outcome.used, { wallMs: 1, cpuMs: 2, residentBytes: 3 });
  assert.deepEqual(
    outcome.outputs.map(({ name, content: bytes }) => [name, digestOf(bytes)]),
    [["object", digestOf(Buffer.concat([Buffer.from("int a;"), large, Buffer.from("int b;")]))]],
  );
});

test("a general action goes there whole, and what it has left comes back", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  const [large, small] = [Buffer.from(noise(1, 700_000)), Buffer.from("small")];
  const left: Left[] = [
    { kind: "directory", path: "out" },
    { kind: "file", path: "out/large", content: large, executable: false },
    { kind: "directory", path: "out/in" },
    { kind: "file", path: "out/in/empty", content: Buffer.alloc(0), executable: true },
    { kind: "link", path: "out/link", target: "../anywhere" },
    { kind: "file", path: "sub/b", content: small, executable: true },
  ];
  let heard: GeneralAction | undefined;
  await worker(t, b, {
    ...echo,
    act: async (from, action, bring, signal) => {
      heard = action;
      const outcome = await echo.act(from, action, bring, signal);
      return outcome.kind === "done" ? { ...outcome, left } : outcome;
    },
  });
  const inputs = new Inputs("int a;", noise(2, 300_000));
  const action = generalAction(inputs);
  const outcome = await asker.work.act(b.members.self, action, inputs.of, never);
  assert.deepEqual({ ...heard, environment: [...(heard?.environment ?? [])] }, { ...action, environment: [...action.environment] });
  assert.ok(outcome.kind === "done", JSON.stringify(outcome));
  assert.deepEqual([outcome.left, outcome.outputs], [left, []]);
  const gone = await asker.work.act(b.members.self, generalAction(new Inputs("int b;")), async () => undefined, never);
  assert.ok(gone.kind === "refused" && gone.reason === "input_missing");
});

test("what waits for a slot comes back when it is wanted back; what has begun goes on", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  const begins = Promise.withResolvers<void>();
  const ends = Promise.withResolvers<void>();
  await worker(t, b, {
    ...echo,
    async compile(from, action, bring, signal, waits) {
      const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
      waits?.(true);
      await Promise.race([action.source === "waits.c" ? aborted : begins.promise, aborted]);
      waits?.(false);
      await Promise.race([ends.promise, aborted]);
      return echo.compile(from, action, bring, signal);
    },
  });
  const inputs = new Inputs("int a;");
  const back = new AbortController();
  const row = { waits: (isWaiting: boolean): void => void (isWaiting && back.abort()), back: back.signal };
  assert.deepEqual(await asker.work.compile(b.members.self, inputs.action({ source: "waits.c" }), inputs.of, never, row), { kind: "busy" });

  const late = new AbortController();
  const told = Promise.withResolvers<void>();
  const begun = asker.work.compile(b.members.self, inputs.action({ source: "begins.c" }), inputs.of, never, {
    waits: (isWaiting) => isWaiting && told.resolve(),
    back: late.signal,
  });
  await told.promise;
  begins.resolve();
  late.abort(); // As far as is known here it waits.
  assert.equal((await asker.work.act(b.members.self, generalAction(inputs), inputs.of, never)).kind, "done"); // All before it has been heard there.
  ends.resolve();
  assert.equal((await begun).kind, "done");
});

test("a worker of before, which never tells that something waits, is not asked to give it back", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  const heard: string[] = [];
  const back = new AbortController();
  await hostileWorker(b, (frame, channel) => {
    heard.push(frame.kind);
    if (frame.kind === "ask") channel.send(codec.encodeWorkAlive([]));
    if (frame.kind === "act") channel.send(codec.encodeWorkEnd(1, NOTHING_MADE, false));
  });
  const inputs = new Inputs();
  const waits = (isWaiting: boolean): void => {
    assert.ok(!isWaiting);
    back.abort();
    void asker.work.act(b.members.self, generalAction(inputs), inputs.of, never);
  };
  const outcome = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never, { waits, back: back.signal });
  assert.equal(outcome.kind, "done");
  assert.deepEqual(heard, ["ask", "act"]);
});

test("many at once on one channel, each gets its own", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  await worker(t, b);
  const jobs = Array.from({ length: 40 }, (_, i) => new Inputs(`int i${i};`, noise(i, 20_000 * (i % 3))));
  const outcomes = await Promise.all(jobs.map((inputs) => asker.work.compile(b.members.self, inputs.action(), inputs.of, never)));
  for (const [i, outcome] of outcomes.entries()) {
    assert.ok(outcome.kind === "done", JSON.stringify(outcome));
    const expected = Buffer.concat([Buffer.from(`int i${i};`), noise(i, 20_000 * (i % 3))]);
    assert.ok(outcome.outputs[0]?.content.equals(expected), String(i));
  }
  assert.equal(b.events.filter(({ name }) => name === "work.opened").length, 1);
});

test("who has taken something on gets what it has hardly got along with the next question, and nothing twice", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  const along: number[][] = [];
  await hostileWorker(b, (frame, channel) => {
    if (frame.kind === "ask") along.push([...frame.along.values()].map(({ length }) => length));
    if (frame.kind === "ask" && along.length === 1) channel.send(codec.encodeWorkWant(frame.job, [0, 1]));
    else if (frame.kind === "ask" || frame.kind === "give") channel.send(codec.encodeWorkEnd(frame.job, NOTHING_MADE, false));
  });
  const compile = async (...contents: readonly (string | Uint8Array)[]): Promise<void> => {
    const inputs = new Inputs(...contents);
    const outcome = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
    assert.equal(outcome.kind, "done", JSON.stringify(outcome));
  };
  await compile("int a;", "int header;");
  await compile("int ab;", "int header;");
  await compile("int ab;", "int header;", noise(1, 200_000)); // Too large to go without being wanted.
  await compile(...Array.from({ length: 5 }, (_, at) => noise(at, 100_000)));
  assert.deepEqual(along, [[], [7], [], [100_000, 100_000]]);
});

test(
  "what a member has had for a job it does not lack for the next one; how fast its link is is known when enough has gone, until the link goes",
  LONG,
  async (t) => {
    const [a, b] = await nodes(t, 2);
    assert.ok(a !== undefined && b !== undefined);
    const { work } = await worker(t, a);
    await worker(t, b);
    const member = b.members.self;
    const [header, source, other] = [noise(1, 2 * limits.work.paceLeastBytes), noise(2, 1_000), noise(3, 500)];
    const sizes = (...contents: readonly Uint8Array[]): ReadonlyMap<string, number> =>
      new Map(contents.map((content) => [digestOf(content), content.length]));
    const [first, second] = [sizes(header, source), sizes(header, other)];
    assert.deepEqual([work.lackedBytes(member, first), work.bytesPerMs(member)], [undefined, undefined]);
    const inputs = new Inputs(header, source);
    assert.equal((await work.compile(member, inputs.action(), inputs.of, never)).kind, "done");
    assert.deepEqual(
      [first, second].map((contents) => work.lackedBytes(member, contents)),
      [0, other.length],
    );
    assert.ok((work.bytesPerMs(member) ?? 0) > 0);
    await b.network[Symbol.asyncDispose]();
    await until(t, () => work.lackedBytes(member, first) === undefined);
    assert.equal(work.bytesPerMs(member), undefined);
  },
);

test("contents that came along are taken, and only the others are asked for", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  await worker(t, b);
  for (const contents of [["int a;"], ["int b;", ""], [noise(1, 60_000), noise(2, 300_000)]]) {
    const inputs = new Inputs(...contents);
    const outcome = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
    assert.ok(outcome.kind === "done", JSON.stringify(outcome));
    assert.deepEqual(outcome.outputs[0]?.content, Buffer.concat(contents.map((one) => Buffer.from(one))));
  }
});

test("what is gone is said to be; other answers arrive as they are", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  let desk: WorkDesk = echo;
  const asker = await worker(t, a);
  await worker(t, b, { ...echo, compile: (...job) => desk.compile(...job) });
  const inputs = new Inputs("int a;", "int b;");
  const gone = await asker.work.compile(b.members.self, inputs.action(), async () => undefined, never);
  assert.deepEqual(gone, { kind: "refused", reason: "input_missing", detail: inputs.digests[0] });
  for (const outcome of [
    { kind: "busy" },
    { kind: "killed", limit: "wall" },
    { kind: "refused", reason: "plugin", detail: "-fplugin=\u001b[2Jx" },
  ] as const) {
    desk = { ...echo, compile: async () => outcome };
    const heard = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
    assert.deepEqual(heard, "detail" in outcome ? { ...outcome, detail: "-fplugin=?[2Jx" } : outcome);
  }
  desk = { ...echo, compile: () => Promise.reject(new Error("something unforeseen")) };
  assert.deepEqual(await asker.work.compile(b.members.self, inputs.action(), inputs.of, never), { kind: "busy" });
  assert.equal(b.events.filter(({ name }) => name === "work.failed").length, 1);
});

test("a cancelled job is ended there; the channel stays", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  let ended = 0;
  await worker(t, b, {
    ...echo,
    compile: (from, action, bring, signal) =>
      action.source === "slow.c"
        ? new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              ended++;
              reject(new Error("ended"));
            });
          })
        : echo.compile(from, action, bring, signal),
  });
  const inputs = new Inputs("int a;");
  const stop = new AbortController();
  const slow = asker.work.compile(b.members.self, inputs.action({ source: "slow.c" }), inputs.of, stop.signal);
  const quick = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
  assert.equal(quick.kind, "done");
  stop.abort(new Error("nobody waits"));
  await assert.rejects(slow, /nobody waits/);
  await until(t, () => ended === 1);
  assert.equal((await asker.work.compile(b.members.self, inputs.action(), inputs.of, never)).kind, "done");
  assert.equal(b.events.filter(({ name }) => name === "work.opened").length, 1);
});

test("the link goes: the job is lost here, and ended there", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  let begun = false;
  let isEnded = false;
  await worker(t, b, {
    ...echo,
    compile: (_from, _action, _bring, signal) => {
      begun = true;
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          isEnded = true;
          reject(new Error("ended"));
        });
      });
    },
  });
  const inputs = new Inputs("int a;");
  const job = asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
  await until(t, () => begun);
  await b.network[Symbol.asyncDispose]();
  assert.equal((await job).kind, "lost");
  await until(t, () => isEnded);
  assert.equal((await asker.work.compile(b.members.self, inputs.action(), inputs.of, never)).kind, "lost");
});

test("a member that says nothing when it is first spoken to is given up as soon as one that falls silent", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let asked = 0;
  const network: WorkNetwork = {
    serve: async () => undefined,
    open: (_key, _protocol, deadline) => {
      asked++;
      assert.ok(deadline instanceof AbortSignal);
      return new Promise((_, reject) => deadline.addEventListener("abort", () => reject(new Error("no answer"))));
    },
    onPeers: () => undefined,
    connected: () => true,
    rttMs: () => 1,
  };
  const work = await Work.start({ network, desk: echo, codec, log: silentLog, now: () => 0 });
  t.after(() => work[Symbol.dispose]());
  const inputs = new Inputs("int a;");
  const outcomes: string[] = [];
  const jobs = [1, 2].map(async () => {
    const { kind } = await work.compile("ab".repeat(32), inputs.action(), inputs.of, never);
    outcomes.push(kind);
  });
  await turn();
  t.mock.timers.tick(limits.work.silentMs);
  await turn();
  assert.deepEqual(outcomes, []);
  t.mock.timers.tick(limits.work.aliveMs);
  await Promise.all(jobs);
  assert.deepEqual([outcomes, asked], [["lost", "lost"], 1]);
});

test("a member that answers while this node stands still is not given up", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  await worker(t, b);
  const inputs = new Inputs("int a;");
  const job = asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, limits.work.silentMs + limits.work.aliveMs);
  const outcome = await job;
  assert.equal(outcome.kind, "done", JSON.stringify(outcome));
});

test("a member without the protocol, and one that is not there", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  const inputs = new Inputs("int a;");
  assert.equal((await asker.work.compile(b.members.self, inputs.action(), inputs.of, never)).kind, "lost");
  assert.equal((await asker.work.compile("cd".repeat(32), inputs.action(), inputs.of, never)).kind, "lost");
});
