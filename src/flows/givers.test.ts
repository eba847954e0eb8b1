import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, partGifts } from "./givers.ts";

test("what came from whom is added up by member, and is told apart from other counters", () => {
  const [laptop, desktop] = ["ab".repeat(32), "cd".repeat(32)];
  const all: Record<string, number> = { miss: 3, "pass:not_compile": 1 };
  for (const [member, bytes] of [
    [laptop, 10],
    [desktop, 5],
    [laptop, 0],
  ] as const)
    for (const [name, value] of Object.entries(countsOf({ member, bytes, tookMs: 2 }))) all[name] = (all[name] ?? 0) + value;
  const { counters, gifts } = partGifts(all);
  assert.deepEqual(counters, { miss: 3, "pass:not_compile": 1, peer_bytes: 15, peer_ms: 6 });
  assert.deepEqual(Object.fromEntries(gifts), {
    [laptop]: { hits: 2, bytes: 10, tookMs: 4 },
    [desktop]: { hits: 1, bytes: 5, tookMs: 2 },
  });
});
