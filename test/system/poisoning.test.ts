/**
 * A liar that is always first, and what it has others believe for a while, in small; the long version is a command (poisoning.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PATIENT } from "./network-world.ts";
import { alwaysFirst, convicted, recalled } from "./poisoning.ts";

test(
  "whoever is first with an object that no compiler has written is believed where one voice is enough, and by no team",
  PATIENT,
  async (t) => {
    const { compiled, accepted, deceived } = await alwaysFirst(t, { sources: 4, believing: 1 });
    assert.deepEqual([compiled, accepted, deceived], [8, 0, 1]);
  },
);

test("what one voice had others believe is gone from all who held it", PATIENT, async (t) => {
  const { held, goneMs, everywhereMs } = await recalled(t, { nodes: 2, sources: 1 });
  assert.ok(held > 0);
  assert.deepEqual([goneMs.length, everywhereMs.length], [held, 1]);
});

test("who is convicted has nothing of its own left anywhere", PATIENT, async (t) => {
  const { held, goneMs, afterMs } = await convicted(t, { nodes: 3, sources: 2 });
  assert.ok(held > 0 && goneMs.length === held && Number.isFinite(afterMs));
});
