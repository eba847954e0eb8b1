import assert from "node:assert/strict";
import { test } from "node:test";
import { inPieces, LONGEST_TURN_MS } from "./pieces.ts";

test("others have their turn between two pieces of what takes long", async () => {
  const order: string[] = [];
  setImmediate(() => order.push("another"));
  await inPieces(["long", "next"], (piece) => {
    order.push(piece);
    const since = performance.now();
    while (performance.now() - since < LONGEST_TURN_MS);
  });
  assert.deepEqual(order, ["long", "another", "next"]);
});
