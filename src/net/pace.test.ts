import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { Pace } from "./pace.ts";

const { paceLeastBytes, paceMostBytes } = limits.work;

/** A way that takes one thing after the other. */
class Way {
  atMs = 0;
  readonly pace: Pace = new Pace(() => this.atMs);

  async send(bytes: number, forMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const sent = this.pace.sending(bytes, promise);
    this.atMs += forMs;
    resolve();
    await sent;
  }
}

test("a pace is bytes over the time in which they were on their way out; nothing is said of a few", async () => {
  const way = new Way();
  await way.send(paceLeastBytes - 1, 100);
  assert.equal(way.pace.bytesPerMs, undefined);
  way.atMs += 60_000; // Nothing is sent.
  await way.send(paceLeastBytes + 1, 100);
  assert.equal(way.pace.bytesPerMs, (2 * paceLeastBytes) / 200);
});

test("what is sent at once shares the time", async () => {
  const way = new Way();
  const { promise, resolve } = Promise.withResolvers<void>();
  const sent = [1, 2, 3].map(() => way.pace.sending(paceLeastBytes, promise));
  way.atMs += 300;
  resolve();
  await Promise.all(sent);
  assert.equal(way.pace.bytesPerMs, paceLeastBytes / 100);
});

test("a link that has become slower is known as such after a while", async () => {
  const way = new Way();
  for (let i = 0; i < 100; i++) await way.send(paceMostBytes / 8, 10);
  for (let i = 0; i < 40; i++) await way.send(paceMostBytes / 8, 10_000);
  const slow = paceMostBytes / 8 / 10_000;
  assert.ok(Math.abs((way.pace.bytesPerMs ?? 0) / slow - 1) < 0.1);
});

test("what was not taken counts as time, and whoever sent it hears why", async () => {
  const way = new Way();
  await assert.rejects(way.pace.sending(1, Promise.reject(new Error("gone"))), /gone/);
  await way.send(paceLeastBytes, 1);
  assert.ok((way.pace.bytesPerMs ?? 0) > 0);
});
