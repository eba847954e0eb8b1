/**
 * Every hostile action of the corpus is refused or contained, nothing that it could reach is touched, and jobs after it are as ever.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostileWorld } from "./hostile.ts";

const LEAST = 60;
/** Rows that an honest job follows; the command has one behind each. */
const EVERY = 10;

test("the corpus of hostile actions", async (t) => {
  await using world = await HostileWorld.open(undefined);
  const lack = await world.lack();
  if (lack !== undefined) return t.skip(`no sandbox here: ${lack}`);
  assert.ok(world.rows.length >= LEAST);
  assert.equal(new Set(world.rows.map(({ name }) => name)).size, world.rows.length, "a name twice");
  for (const row of world.rows) {
    t.signal.throwIfAborted();
    const { trouble, end } = await world.attack(row, false, row === world.rows.at(-1) ? 1 : EVERY);
    assert.equal(trouble, undefined, `${row.threat} ${row.name}: ${end}`);
  }
});
