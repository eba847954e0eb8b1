import assert from "node:assert/strict";
import { test } from "node:test";
import { storeCompliance } from "../../test/compliance/store.ts";
import { MemoryStore } from "./memory.ts";

storeCompliance("MemoryStore", async () => ({ store: new MemoryStore({ capacityBytes: 16_777_216 }), clean: () => Promise.resolve() }));

test("the blob not used for the longest time goes first", async () => {
  const store = new MemoryStore({ capacityBytes: 30 });
  const first = await store.write(Buffer.alloc(10, 1));
  const second = await store.write(Buffer.alloc(10, 2));
  const third = await store.write(Buffer.alloc(10, 3));
  await store.read(first);
  await store.write(Buffer.alloc(10, 4));
  assert.deepEqual(await Promise.all([first, second, third].map((digest) => store.has(digest))), [true, false, true]);
});
