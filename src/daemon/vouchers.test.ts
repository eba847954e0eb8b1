import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, silentLog } from "../base/index.ts";
import { type ForSigning, Vouchers } from "./vouchers.ts";
import type { LeftOver } from "./work-slots.ts";

const { vouchingBytes, vouchingPerMember, vouching, vouchedBurst } = limits.work;
const held = { [Symbol.asyncDispose]: async () => undefined };
const nothing = Buffer.alloc(0);

function made(from: string, inputBytes: number, content: Buffer = nothing): ForSigning {
  const outputs = content.length === 0 ? [] : [{ name: "o", content }];
  const done = { kind: "done", exitCode: 0, stdout: nothing, stderr: nothing, outputs, used: {}, queuedMs: 0 };
  return { from, asked: { source: "a.c" }, done, inputBytes, startedAtMs: 0, endedAtMs: 0 } as unknown as ForSigning;
}

const leftOver = (wanted = new AbortController().signal): LeftOver => ({ wanted, [Symbol.dispose]: () => undefined });

function vouchers(
  slot: () => LeftOver | undefined,
  looked: (signal: AbortSignal) => void | Promise<void> = () => undefined,
  mayRun: () => boolean = () => true,
): Vouchers {
  const look = async (_made: unknown, _facts: unknown, signal: AbortSignal): Promise<{ kind: "unclear"; why: string }> => {
    await looked(signal);
    return { kind: "unclear", why: "" };
  };
  return new Vouchers({ witness: { look }, mayRun, sign: () => undefined, slot, log: silentLog, now: () => 0 });
}

test("what waits is bounded in all: by what it holds, and of each member in number", async () => {
  await using full = vouchers(() => undefined);
  assert.ok(!full.hasRoom(made("one", vouchingBytes + 1)));
  void full.add(made("one", vouchingBytes - 1_000), held);
  assert.ok(full.hasRoom(made("other", 900)));
  const part = Buffer.from(new ArrayBuffer(2_000), 0, 10);
  assert.ok(!full.hasRoom(made("other", 0, part)), "all of a buffer is held for a part of it");

  await using many = vouchers(() => undefined);
  for (let i = 0; i < vouchingPerMember; i++) void many.add(made("one", 0), held);
  assert.deepEqual([many.hasRoom(made("one", 0)), many.hasRoom(made("other", 0))], [false, true]);
  for (let i = vouchingPerMember; i < vouching; i++) void many.add(made(`${i}`, 0), held);
  assert.ok(!many.hasRoom(made("other", 0)));
});

test("what has been looked at leaves its room; one member has so many signed at once", async () => {
  let looks = 0;
  await using busy = vouchers(
    () => leftOver(),
    () => void looks++,
  );
  for (let i = 0; i < vouchedBurst + 5; i++) {
    assert.ok(busy.hasRoom(made("one", vouchingBytes)));
    await busy.add(made("one", vouchingBytes), held);
    await Promise.resolve();
  }
  assert.equal(looks, vouchedBurst);
  await busy.add(made("other", 0), held);
  assert.equal(looks, vouchedBurst + 1);
});

test("a toolchain that has been withdrawn since it made something is not run once more to sign that", async () => {
  let looks = 0;
  let isWithdrawn = false;
  await using some = vouchers(
    () => leftOver(),
    () => void looks++,
    () => !isWithdrawn,
  );
  await some.add(made("one", 0), held);
  isWithdrawn = true;
  assert.equal(await some.add(made("one", 0), held), undefined);
  assert.equal(looks, 1);
});

test("a look that a job comes in between is begun again, and counts as one", async () => {
  const wanted = new AbortController();
  const begun = Promise.withResolvers<void>();
  let looks = 0;
  await using some = vouchers(
    () => leftOver(looks === 0 ? wanted.signal : undefined),
    async (signal) => {
      if (++looks > 1) return;
      begun.resolve();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    },
  );
  let answered = false;
  const first = some.add(made("one", vouchingBytes), held).then(() => (answered = true));
  await begun.promise;
  assert.ok(!some.hasRoom(made("one", 1)), "what it needs is held as long as it waits");
  wanted.abort();
  await first;
  assert.deepEqual([looks, answered], [2, true]);
  for (let i = 1; i < vouchedBurst; i++) await some.add(made("one", 0), held);
  assert.equal(looks, vouchedBurst + 1);
  await some.add(made("one", 0), held);
  assert.equal(looks, vouchedBurst + 1, "no more of that member are signed");
});

test("of commands of one member no more are looked at than are signed, and no more at once than of compiles", async () => {
  let looks = 0;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const look = (): Promise<undefined> => {
    looks++;
    return promise;
  };
  const command = (from: string, bytes = 0) => {
    const { done } = made(from, 0, Buffer.from(new ArrayBuffer(bytes)));
    return { from, source: "tool", done };
  };
  await using some = vouchers(() => undefined);
  const atOnce = Array.from({ length: vouchingPerMember + 1 }, () => some.sign(command("one"), look));
  assert.equal(looks, vouchingPerMember, "one more waits for none");
  await some.sign(command("other", vouchingBytes + 1), look);
  assert.equal(looks, vouchingPerMember, "nor does what is too large");
  resolve(undefined);
  await Promise.all(atOnce);
  for (let i = 0; i < vouchedBurst; i++) await some.sign(command("one"), look);
  assert.equal(looks, vouchedBurst);
  assert.equal(await some.sign(command("other"), () => Promise.reject(new Error("no packages"))), undefined);
});
