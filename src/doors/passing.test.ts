import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { limits } from "../base/index.ts";
import { PassingBodies, type PassingBody } from "./passing.ts";

const PIECE = Buffer.alloc(2 ** 20);
const ROOM = limits.doors.passingBytes / PIECE.length;
const never = new AbortController().signal;

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield PIECE;
}

/** Reads one piece, and no more. */
async function begun(body: PassingBody, into: PassingBody[]): Promise<AsyncIterator<Uint8Array>> {
  const iterator = body[Symbol.asyncIterator]();
  await iterator.next();
  into.push(body);
  return iterator;
}

test("no more is on its way than there is room for, and all bodies get through", async () => {
  const bodies = new PassingBodies();
  let [most, now, done] = [0, 0, 0];
  const take = async (): Promise<void> => {
    using body = bodies.pass(pieces(3), never);
    for await (const _ of body) {
      most = Math.max(most, ++now);
      await setImmediate();
      now--;
      done++;
    }
  };
  await Promise.all(Array.from({ length: 2 * ROOM }, take));
  assert.deepEqual([most, done], [ROOM, 6 * ROOM]);
});

test("what nobody reads on makes room when it is disposed of, and so does who goes while he waits", async () => {
  const bodies = new PassingBodies();
  const reading: PassingBody[] = [];
  await Promise.all(Array.from({ length: ROOM }, () => begun(bodies.pass(pieces(2), never), reading)));
  const gone = new AbortController();
  const leaving = begun(bodies.pass(pieces(1), gone.signal), reading);
  const dropped = bodies.pass(pieces(1), never);
  const dropping = begun(dropped, reading);
  const last = begun(bodies.pass(pieces(1), never), reading);
  await setImmediate();
  assert.equal(reading.length, ROOM);
  gone.abort(new Error("gone"));
  dropped[Symbol.dispose]();
  await assert.rejects(leaving, /gone/);
  await assert.rejects(dropping, { name: "AbortError" });
  assert.equal(reading.length, ROOM);
  reading[0]?.[Symbol.dispose]();
  assert.deepEqual(await (await last).next(), { done: true, value: undefined });
});
