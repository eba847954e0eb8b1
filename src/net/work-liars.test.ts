/**
 * Members that do not keep to docs/protocol/work.md: whoever asks too much or lies is cut off while others' jobs go on, and whoever answers
 * wrongly or not at all is lost.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, limits } from "../base/index.ts";
import type { FrameChannel, WorkDesk } from "../contracts/index.ts";
import type { WorkDone, WorkFrame } from "../wire/index.ts";
import { codec, type Node, until } from "./network.fixture.ts";
import { nodes, noise } from "./share.fixture.ts";
import { echo, generalAction, hostileAsker, hostileWorker, Inputs, never, type WorkNode, worker } from "./work.fixture.ts";

const LONG = { timeout: 60_000 };
const { work } = limits;

/** Ends when it is cancelled, and not before. */
const endless: WorkDesk["compile"] = (_from, _action, _bring, signal) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("ended")));
  });

interface Attack {
  readonly about: string;
  readonly act: (channel: FrameChannel) => void;
  readonly heard?: (frame: WorkFrame, channel: FrameChannel) => void;
  /** Why the worker cuts it off; undefined where it does not. */
  readonly why: RegExp | undefined;
}

const INPUTS = new Inputs("int a;", noise(2, 500_000));

function ask(channel: FrameChannel, job: number, inputs: Inputs = INPUTS, along: ReadonlyMap<string, Uint8Array> = new Map()): void {
  channel.send(codec.encodeWorkAsk(job, inputs.action({ source: "hostile.c" }), along, false) ?? assert.fail("it is too large"));
}

function give(channel: FrameChannel, job: number, size: number | undefined, bytes: Uint8Array): void {
  channel.send(codec.encodeWorkGive(job, [{ absent: false, size, bytes }], false));
}

function framed(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(codec.SHARE_LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const many = (count: number, act: (at: number) => void): void => {
  for (let at = 1; at <= count; at++) act(at);
};

const ATTACKS: readonly Attack[] = [
  { about: "noise", act: (channel) => void channel.send(framed(noise(3, 500))), why: /WorkFrame/ },
  {
    about: "a frame that is too large",
    act: (channel) => void channel.send(framed(new Uint8Array(limits.shareFrameBytes + 1))),
    why: /frame-invalid/,
  },
  {
    about: "a number twice",
    act: (channel) => {
      ask(channel, 1);
      ask(channel, 1);
    },
    why: /number/,
  },
  { about: "too many jobs at once", act: (channel) => many(work.jobsPerMember + 1, (job) => ask(channel, job)), why: /jobs/ },
  {
    about: "a storm of jobs that are cancelled at once",
    act: (channel) =>
      many(work.asksBurst + 2_000, (job) => {
        ask(channel, job, new Inputs());
        channel.send(codec.encodeWorkCancel(job, false));
      }),
    why: /asks|jobs/,
  },
  { about: "a cancel of nothing", act: (channel) => void channel.send(codec.encodeWorkCancel(7, false)), why: /cancel/ },
  { about: "what only workers say", act: (channel) => void channel.send(codec.encodeWorkAlive([])), why: /alive/ },
  {
    about: "a signature, which is for workers to give",
    act: (channel) => void channel.send(codec.encodeWorkVoucher(1, undefined)),
    why: /voucher/,
  },
  { about: "contents of no job", act: (channel) => give(channel, 3, 5, Buffer.from("int a")), why: /give/ },
  {
    about: "contents without end that nobody waits for",
    act: (channel) => {
      ask(channel, 1, new Inputs());
      many(work.asksBurst * 2, () => give(channel, 1, 5, Buffer.from("int a")));
    },
    why: /strays/,
  },
  {
    about: "a content that is another one",
    act: (channel) => ask(channel, 1),
    heard: (frame, channel) => void (frame.kind === "want" && give(channel, 1, 6, Buffer.from("int b;"))),
    why: /content/,
  },
  {
    about: "a content that comes along and is another one",
    act: (channel) => ask(channel, 1, INPUTS, new Map([[INPUTS.digests[0] ?? "", Buffer.from("int b;")]])),
    why: /content/,
  },
  {
    about: "too much along",
    act: (channel) => ask(channel, 1, INPUTS, new Map([[INPUTS.digests[1] ?? "", noise(2, 500_000)]])),
    why: /along/,
  },
  {
    about: "more of a content than was said",
    act: (channel) => ask(channel, 1),
    heard: (frame, channel) => void (frame.kind === "want" && give(channel, 1, 6, Buffer.from("int a; int b;"))),
    why: /piece/,
  },
  {
    about: "a piece without a beginning",
    act: (channel) => ask(channel, 1),
    heard: (frame, channel) => void (frame.kind === "want" && give(channel, 1, undefined, Buffer.from("int a;"))),
    why: /size/,
  },
  {
    about: "empty pieces",
    act: (channel) => ask(channel, 1),
    heard: (frame, channel) =>
      void (frame.kind === "want" && many(2, (at) => give(channel, 1, at === 1 ? 6 : undefined, new Uint8Array(0)))),
    why: /piece/,
  },
  {
    about: "more contents than were wanted",
    act: (channel) => ask(channel, 1, new Inputs("int a;")),
    heard: (frame, channel) => {
      if (frame.kind !== "want") return;
      const piece = { absent: false, size: 6, bytes: Buffer.from("int a;") } as const;
      channel.send(codec.encodeWorkGive(1, [piece, piece], false));
    },
    why: /piece/,
  },
  {
    about: "an input that is larger than any may be",
    act: (channel) => ask(channel, 1),
    heard: (frame, channel) => void (frame.kind === "want" && give(channel, 1, work.contentBytes + 1, noise(1, 9))),
    why: undefined,
  },
  { about: "inputs that are never sent", act: (channel) => many(work.jobsPerMember, (job) => ask(channel, job)), why: undefined },
];

/** Somebody honest, a worker, and a member that asks whatever it likes. No time passes for the worker: however slowly it works, nobody is allowed more meanwhile. */
async function company(t: TestContext): Promise<{ honest: WorkNode; working: Node; hostile: Node }> {
  const [a, b, c] = await nodes(t, 3);
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const honest = await worker(t, a);
  const desk: WorkDesk = { ...echo, compile: (...job) => (job[1].source === "endless.c" ? endless(...job) : echo.compile(...job)) };
  await worker(t, b, desk, () => 0);
  return { honest, working: b, hostile: c };
}

for (const { about, act, heard, why } of ATTACKS)
  test(`asked by a liar: ${about}`, LONG, async (t) => {
    const { honest, working, hostile } = await company(t);
    const inputs = new Inputs("int honest;");
    const own = honest.work.compile(working.members.self, inputs.action({ source: "endless.c" }), inputs.of, never);
    const { channel, ends } = await hostileAsker(hostile, working.members.self, (frame) => heard?.(frame, channel));
    act(channel);
    const cutOff = (): unknown[] => working.events.flatMap(({ name, facts }) => (name === "work.cut-off" ? [facts.why] : []));
    if (why !== undefined) {
      await until(t, () => cutOff().length > 0);
      assert.match(String(cutOff()[0]), why);
      await until(t, () => ends.length > 0);
      // It does not come back at once.
      const again = await hostileAsker(hostile, working.members.self).catch(() => undefined);
      await until(t, () => again?.channel.isOpen !== true);
    }
    const outcome = await honest.work.compile(working.members.self, inputs.action(), inputs.of, never);
    assert.equal(outcome.kind, "done", JSON.stringify(outcome));
    if (why === undefined) assert.deepEqual(cutOff(), []);
    assert.equal(await Promise.race([own, sleep(0, "runs")]), "runs");
  });

const DONE: WorkDone = {
  kind: "done",
  exitCode: 0,
  stdoutBytes: 0,
  stderrBytes: 0,
  outputs: [{ name: "object", size: 4 }],
  used: { wallMs: 1, cpuMs: 1, residentBytes: 1 },
  queuedMs: 0,
  body: Buffer.from("good"),
};

interface Lie {
  readonly about: string;
  readonly answer: (job: number, channel: FrameChannel) => void;
  readonly why: RegExp;
}

function say(channel: FrameChannel, job: number, end: WorkDone): void {
  channel.send(codec.encodeWorkEnd(job, end, false));
}

const LIES: readonly Lie[] = [
  {
    about: "an output that was not declared",
    answer: (job, channel) => say(channel, job, { ...DONE, outputs: [{ name: "../../etc/passwd", size: 4 }] }),
    why: /outputs/,
  },
  {
    about: "an output twice",
    answer: (job, channel) => say(channel, job, { ...DONE, outputs: [...DONE.outputs, { name: "object", size: 0 }] }),
    why: /outputs/,
  },
  {
    about: "an output that is too large",
    answer: (job, channel) => say(channel, job, { ...DONE, outputs: [{ name: "object", size: work.most.outputBytes + 1 }] }),
    why: /outputs/,
  },
  {
    about: "more printed than allowed",
    answer: (job, channel) => say(channel, job, { ...DONE, stderrBytes: work.most.printedBytes + 1 }),
    why: /printed/,
  },
  {
    about: "more bytes than it said",
    answer: (job, channel) => say(channel, job, { ...DONE, body: Buffer.from("too good") }),
    why: /more/,
  },
  {
    about: "fewer bytes, then nothing",
    answer: (job, channel) => {
      say(channel, job, { ...DONE, body: Buffer.from("go") });
      channel.send(codec.encodeWorkMore(job, new Uint8Array(0), false));
    },
    why: /more/,
  },
  {
    about: "another job's end",
    answer: (job, channel) => say(channel, job + 1, DONE),
    why: /job/,
  },
  {
    about: "inputs that there are not",
    answer: (job, channel) => void channel.send(codec.encodeWorkWant(job, [0, 5])),
    why: /want/,
  },
  {
    about: "inputs twice",
    answer: (job, channel) => many(2, () => channel.send(codec.encodeWorkWant(job, [0]))),
    why: /want/,
  },
  {
    about: "cancelled, which it was not",
    answer: (job, channel) => void channel.send(codec.encodeWorkEnd(job, { kind: "cancelled" }, false)),
    why: /cancelled/,
  },
  { about: "what only askers say", answer: (job, channel) => void channel.send(codec.encodeWorkCancel(job, false)), why: /cancel/ },
  {
    about: "a signature that nobody asked for",
    answer: (job, channel) => void channel.send(codec.encodeWorkVoucher(job, undefined)),
    why: /voucher/,
  },
  { about: "noise", answer: (_job, channel) => void channel.send(framed(noise(5, 300))), why: /WorkFrame/ },
  { about: "nothing at all", answer: () => undefined, why: /silent/ },
];

for (const { about, answer, why } of LIES)
  test(`answered by a liar: ${about}`, LONG, async (t) => {
    const [a, b] = await nodes(t, 2);
    assert.ok(a !== undefined && b !== undefined);
    const asker = await worker(t, a);
    await hostileWorker(b, (frame, channel) => void (frame.kind === "ask" && answer(frame.job, channel)));
    const inputs = new Inputs("int a;");
    const outcome = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
    assert.ok(outcome.kind === "lost", JSON.stringify(outcome));
    assert.match(outcome.why, why);
  });

const LEFT = codec.encodeWorkLeft([{ kind: "file", path: "etc/passwd", content: Buffer.from("x"), executable: false }]);
const LIES_OF_ACTIONS: readonly (readonly [about: string, end: Partial<WorkDone>, why: RegExp])[] = [
  [
    "something left that was not declared",
    { left: { listBytes: LEFT.length, contentBytes: 1 }, body: Buffer.concat([LEFT, Buffer.from("x")]) },
    /left/,
  ],
  ["more than it may leave", { left: { listBytes: 1, contentBytes: work.mostGeneral.outputBytes + 1 } }, /outputs/],
  ["a list without end", { left: { listBytes: work.leftListBytes + 1, contentBytes: 0 } }, /outputs/],
  ["an object", { outputs: [{ name: "object", size: 1 }], body: Buffer.from("x") }, /outputs/],
];

for (const [about, end, why] of LIES_OF_ACTIONS)
  test(`a general action, answered by a liar: ${about}`, LONG, async (t) => {
    const [a, b] = await nodes(t, 2);
    assert.ok(a !== undefined && b !== undefined);
    const asker = await worker(t, a);
    await hostileWorker(
      b,
      (frame, channel) =>
        void (frame.kind === "act" && say(channel, frame.job, { ...DONE, outputs: [], stdoutBytes: 0, stderrBytes: 0, ...end })),
    );
    const inputs = new Inputs("int a;");
    const outcome = await asker.work.act(b.members.self, generalAction(inputs), inputs.of, never);
    assert.ok(outcome.kind === "lost", JSON.stringify(outcome));
    assert.match(outcome.why, why);
  });

test("a worker that does not end what is cancelled is let go of", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  let heard = 0;
  await hostileWorker(b, (frame, channel) => {
    heard++;
    if (frame.kind === "ask") setInterval(() => channel.send(codec.encodeWorkAlive([])), 100).unref();
  });
  const inputs = new Inputs("int a;");
  const stop = new AbortController();
  const job = asker.work.compile(b.members.self, inputs.action(), inputs.of, stop.signal);
  await until(t, () => heard > 0);
  stop.abort(new Error("nobody waits"));
  await assert.rejects(job, /nobody waits/);
  await until(t, () => a.events.some(({ name, facts }) => name === "work.cut-off" && facts.why === "does not end its jobs"));
});

test("an honest result of several pieces is whole", LONG, async (t) => {
  const [a, b] = await nodes(t, 2);
  assert.ok(a !== undefined && b !== undefined);
  const asker = await worker(t, a);
  const object = Buffer.from(noise(9, 1_000_000));
  await worker(t, b, {
    ...echo,
    compile: async () => ({
      kind: "done",
      exitCode: 0,
      stdout: Buffer.alloc(0),
      stderr: Buffer.from("warning"),
      outputs: [
        { name: "object", content: object, executable: false },
        { name: "dependencies", content: Buffer.from("a.o: a.c"), executable: false },
      ],
      used: { wallMs: 1, cpuMs: undefined, residentBytes: undefined },
      queuedMs: 0,
    }),
  });
  const inputs = new Inputs("int a;");
  const outcome = await asker.work.compile(b.members.self, inputs.action(), inputs.of, never);
  assert.ok(outcome.kind === "done");
  assert.deepEqual(
    outcome.outputs.map(({ name, content }) => [name, digestOf(content)]),
    [
      ["object", digestOf(object)],
      ["dependencies", digestOf("a.o: a.c")],
    ],
  );
  assert.equal(outcome.stderr.toString(), "warning");
});
