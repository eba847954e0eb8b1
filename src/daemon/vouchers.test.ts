import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, silentLog } from "../base/index.ts";
import { type ForSigning, Vouchers } from "./vouchers.ts";

const { vouchingBytes, vouchingPerMember, vouching, vouchedBurst } = limits.work;
const held = { [Symbol.asyncDispose]: async () => undefined };
const nothing = Buffer.alloc(0);

function made(from: string, inputBytes: number, content: Buffer = nothing): ForSigning {
  const outputs = content.length === 0 ? [] : [{ name: "o", content }];
  const done = { kind: "done", exitCode: 0, stdout: nothing, stderr: nothing, outputs, used: {}, queuedMs: 0 };
  return { from, asked: { source: "a.c" }, done, inputBytes, startedAtMs: 0, endedAtMs: 0 } as unknown as ForSigning;
}

function vouchers(slot: () => Disposable | undefined, looked: () => void = () => undefined, mayRun: () => boolean = () => true): Vouchers {
  const look = async (): Promise<{ kind: "unclear"; why: string }> => {
    looked();
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
    () => ({ [Symbol.dispose]: () => undefined }),
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
    () => ({ [Symbol.dispose]: () => undefined }),
    () => void looks++,
    () => !isWithdrawn,
  );
  await some.add(made("one", 0), held);
  isWithdrawn = true;
  assert.equal(await some.add(made("one", 0), held), undefined);
  assert.equal(looks, 1);
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
