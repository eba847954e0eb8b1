import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type Key, limits } from "../base/index.ts";
import type { FrameChannel } from "../contracts/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { tlsPlanes } from "./data.fixture.ts";
import { channelOverPort } from "./frame-port.ts";
import { openShareLane, serveShareLanes } from "./share-lanes.ts";

interface Lane {
  /** The channel of who opened it, and the other's. */
  readonly here: FrameChannel;
  readonly there: FrameChannel;
}

async function lane(t: TestContext): Promise<Lane> {
  const [a, b] = await tlsPlanes(t, new Set(), 1, 2);
  assert.ok(a && b);
  const opened = Promise.withResolvers<FrameChannel>();
  const codec = await loadNetworkCodec();
  serveShareLanes({ plane: b.plane, codec }, (key: Key, port) => opened.resolve(channelOverPort(key, port)));
  const here = channelOverPort(b.key, await openShareLane({ plane: a.plane, codec }, b.key, t.signal));
  const there = await opened.promise;
  assert.deepEqual([here.key, there.key], [b.key, a.key]);
  t.after(() => {
    here.end("over");
    there.end("over");
  });
  return { here, there };
}

/** What a channel hears. */
function heard(channel: FrameChannel): { frames: Uint8Array[]; why: string[]; drained: number } {
  const all = { frames: [] as Uint8Array[], why: [] as string[], drained: 0 };
  channel.listen({
    frame: (bytes) => void all.frames.push(bytes),
    drained: () => void all.drained++,
    broken: (why) => void all.why.push(`broken ${why}`),
    ended: (why) => void all.why.push(why),
  });
  return all;
}

function framed(length: number, fill: number): Buffer {
  const frame = Buffer.alloc(4 + length, fill);
  frame.writeUInt32BE(length);
  return frame;
}

async function until(t: TestContext, condition: () => boolean): Promise<void> {
  while (!condition()) await once(AbortSignal.any([t.signal, AbortSignal.timeout(5)]), "abort");
  t.signal.throwIfAborted();
}

const LONG = { timeout: 60_000 };

test("frames of any size come as they were sent, in order, both ways; an end is told", LONG, async (t) => {
  const { here, there } = await lane(t);
  const [atHere, atThere] = [heard(here), heard(there)];
  const sizes = [1, 5, 70_000, 3, limits.shareFrameBytes, 16_384];
  for (const [i, size] of sizes.entries()) {
    here.send(framed(size, i));
    there.send(framed(size, i + 100));
  }
  await until(t, () => atHere.frames.length === sizes.length && atThere.frames.length === sizes.length);
  for (const [i, size] of sizes.entries()) {
    assert.deepEqual([atThere.frames[i]?.length, atThere.frames[i]?.every((byte) => byte === i)], [size, true]);
    assert.deepEqual([atHere.frames[i]?.length, atHere.frames[i]?.every((byte) => byte === i + 100)], [size, true]);
  }
  here.end("enough");
  assert.deepEqual([here.isOpen, atHere.why], [false, ["enough"]]);
  await until(t, () => !there.isOpen);
  assert.deepEqual(atThere.why, ["closed by peer"]);
});

test("who sends more than fits is told to wait, and when to go on", LONG, async (t) => {
  const { here, there } = await lane(t);
  const [atHere, atThere] = [heard(here), heard(there)];
  let sent = 1;
  while (here.send(framed(limits.shareFrameBytes, 1))) sent++;
  assert.ok(sent <= limits.dataThreadBytes / limits.shareFrameBytes + 1);
  await until(t, () => atHere.drained === 1);
  assert.ok(here.send(framed(9, 1)));
  await until(t, () => atThere.frames.length === sent + 1);
});

test("what is no frame is told", LONG, async (t) => {
  const { here, there } = await lane(t);
  const atThere = heard(there);
  heard(here);
  const wrong = framed(5, 1);
  wrong.writeUInt32BE(limits.shareFrameBytes + 1);
  here.send(wrong);
  await until(t, () => atThere.why.length > 0);
  assert.deepEqual(atThere.why, ["broken frame-invalid: length"]);
});
