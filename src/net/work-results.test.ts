/**
 * Results on their way, on channels that a test drains: how much of them waits, for how long, and what of that is an offence.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { limits } from "../base/index.ts";
import type { FrameChannel, FrameListener, WorkDesk } from "../contracts/index.ts";
import type { WorkFrame } from "../wire/index.ts";
import { codec } from "./network.fixture.ts";
import { echo, Inputs, never } from "./work.fixture.ts";
import { WorkAnswerer } from "./work-answerer.ts";
import { WorkAsker } from "./work-asker.ts";

const { work } = limits;
const INPUTS = new Inputs();

/** A channel whose other end is the test. */
class Pipe implements FrameChannel {
  readonly key = "cd".repeat(32);
  isOpen = true;
  /** Whether it takes one frame, and no more until it is drained. */
  isNarrow = false;
  readonly sent: WorkFrame[] = [];
  listener: FrameListener | undefined;

  send(frame: Uint8Array): boolean {
    this.sent.push(codec.decodeWorkFrame(frame.subarray(codec.SHARE_LENGTH_BYTES)));
    return !this.isNarrow;
  }

  listen(listener: FrameListener): void {
    this.listener = listener;
  }

  end(why: string): void {
    this.isOpen = false;
    this.listener?.ended(why);
  }

  hear(frame: Uint8Array | undefined): void {
    this.listener?.frame((frame ?? assert.fail("it is too large")).subarray(codec.SHARE_LENGTH_BYTES));
  }
}

/** How it ended, and whether that was an offence. */
type Ends = [why: string, isOffence: boolean][];

function answerer(channel: Pipe, compile: WorkDesk["compile"], unsent = { bytes: 0 }): { ends: Ends; unsent: { bytes: number } } {
  const ends: Ends = [];
  const made = new WorkAnswerer(
    {
      codec,
      desk: { ...echo, compile },
      now: () => 0,
      assembling: { bytes: 0 },
      unsent,
      compress: () => false,
      failed: (error) => assert.fail(String(error)),
      ended: (...how) => void ends.push(how),
    },
    channel,
  );
  assert.equal(made.key, channel.key);
  return { ends, unsent };
}

const USED = { wallMs: 1, cpuMs: 1, residentBytes: 1 };
const CONTENT = Buffer.alloc(work.unsentPerMember / 2 - 1);
const NOTHING = Buffer.alloc(0);

const large: WorkDesk["compile"] = async () => ({
  kind: "done",
  exitCode: 0,
  stdout: NOTHING,
  stderr: NOTHING,
  outputs: [{ name: "object", content: CONTENT, executable: false }],
  used: USED,
  queuedMs: 0,
});

function ask(channel: Pipe, ...jobs: readonly number[]): void {
  for (const job of jobs) channel.hear(codec.encodeWorkAsk(job, INPUTS.action(), new Map(), false));
}

const kindsOf = ({ sent }: Pipe): unknown[] => sent.map((frame) => (frame.kind === "end" ? `${frame.job} ${frame.end.kind}` : frame.kind));

test("what a member does not read is bounded, and while much waits nothing is begun for it", async () => {
  const channel = new Pipe();
  channel.isNarrow = true;
  let begun = 0;
  const { unsent } = answerer(channel, async (...job) => {
    begun++;
    return large(...job);
  });
  ask(channel, 1, 2, 3);
  await setImmediate();
  assert.equal(unsent.bytes, 2 * CONTENT.length, "there is no room for the third");
  ask(channel, 4);
  for (let times = 0; times < 4; times++) channel.listener?.drained();
  await setImmediate();
  assert.equal(begun, 3);
  assert.deepEqual(kindsOf(channel).slice(0, 4), ["1 done", "3 busy", "4 busy", "2 done"]);
  channel.end("over");
  await setImmediate();
  assert.equal(unsent.bytes, 0);
});

test("what others do not read counts as well", async () => {
  const channel = new Pipe();
  answerer(channel, large, { bytes: work.unsentBytes / 2 });
  ask(channel, 1);
  assert.deepEqual(kindsOf(channel), ["1 busy"]);
});

test("who reads a result too slowly is let go of, and has not broken the rules", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const channel = new Pipe();
  channel.isNarrow = true;
  const { ends, unsent } = answerer(channel, large);
  ask(channel, 1);
  await setImmediate();
  const stepMs = work.cancelMs / 2;
  for (let ms = 0; ms < work.sendMs && ends.length === 0; ms += stepMs) {
    t.mock.timers.tick(stepMs);
    channel.listener?.drained();
    await setImmediate();
  }
  assert.deepEqual([ends, unsent.bytes], [[["reads too slowly", false]], 0]);
});

test("a job that was cancelled while it ran sends nothing of its result", async () => {
  const channel = new Pipe();
  const running = Promise.withResolvers<void>();
  answerer(channel, async (...job) => running.promise.then(() => large(...job)));
  ask(channel, 1);
  channel.hear(codec.encodeWorkCancel(1, false));
  running.resolve();
  await setImmediate();
  assert.deepEqual(kindsOf(channel), ["1 cancelled"]);
});

/** A job that was given up while the worker's results came. */
async function givenUp(): Promise<{ channel: Pipe; ends: Ends }> {
  const channel = new Pipe();
  const ends: Ends = [];
  const asker = new WorkAsker(
    { codec, compress: () => false, now: () => performance.now(), ended: (...how) => void ends.push(how) },
    channel,
  );
  const stop = new AbortController();
  const given = asker.ask({ kind: "compile", action: INPUTS.action() }, INPUTS.of, stop.signal);
  void asker.ask({ kind: "compile", action: INPUTS.action() }, INPUTS.of, never);
  await setImmediate();
  stop.abort(new Error("nobody waits"));
  await assert.rejects(given, /nobody waits/);
  return { channel, ends };
}

const RESULT = {
  kind: "done",
  exitCode: 0,
  stdoutBytes: 0,
  stderrBytes: 0,
  outputs: [{ name: "object", size: 4 }],
  used: USED,
  queuedMs: 0,
} as const;

test("a result that was on its way when it was cancelled may take its time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { channel, ends } = await givenUp();
  const wait = (): void => t.mock.timers.tick(work.cancelMs - 1);
  wait();
  channel.hear(codec.encodeWorkEnd(2, { ...RESULT, body: Buffer.from("g") }, false)); // Another comes before it.
  wait();
  channel.hear(codec.encodeWorkEnd(1, { ...RESULT, body: Buffer.from("go") }, false));
  wait();
  channel.hear(codec.encodeWorkMore(1, Buffer.from("od"), false));
  wait();
  wait();
  assert.deepEqual(ends, []);
});

test("who sends nothing of any result does not end its jobs", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { channel, ends } = await givenUp();
  channel.hear(codec.encodeWorkEnd(1, { ...RESULT, body: Buffer.from("go") }, false));
  t.mock.timers.tick(work.cancelMs);
  assert.deepEqual(ends, [["does not end its jobs", true]]);
});
