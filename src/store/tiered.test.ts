import assert from "node:assert/strict";
import { test } from "node:test";
import { storeCompliance } from "../../test/compliance/store.ts";
import { digestOf, silentLog } from "../base/index.ts";
import { MemoryStore } from "./memory.ts";
import { TieredStore } from "./tiered.ts";

const memory = (): MemoryStore => new MemoryStore({ capacityBytes: 16_777_216 });
const clean = (): Promise<void> => Promise.resolve();

storeCompliance("TieredStore", async () => ({ store: new TieredStore({ log: silentLog, first: memory(), others: [memory()] }), clean }));

test("a hit in a farther store is copied to the nearest; writes stay near", async () => {
  const [first, second, third] = [memory(), memory(), memory()];
  const store = new TieredStore({ log: silentLog, first, others: [second, third] });
  const digest = await third.write(Buffer.from("far"));
  assert.equal(await store.has(digest), true);
  assert.equal((await store.read(digest)).kind, "hit");
  assert.deepEqual(await Promise.all([first, second].map((one) => one.has(digest))), [true, false]);
  const near = await store.write(Buffer.from("near"));
  assert.equal(await second.has(near), false);
});

test("a copy that cannot be kept does not spoil the hit", async () => {
  const first = memory();
  first.write = () => Promise.reject(new Error("full"));
  const second = memory();
  const digest = await second.write(Buffer.from("far"));
  const store = new TieredStore({ log: silentLog, first, others: [second] });
  assert.equal((await store.read(digest)).kind, "hit");
  assert.equal(digest, digestOf("far"));
});
