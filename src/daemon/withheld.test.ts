import assert from "node:assert/strict";
import { test } from "node:test";
import { executed, sharedBy, trustWorld } from "../../test/compliance/trust-world.ts";
import type { SharedResult } from "../contracts/index.ts";
import { Withheld } from "./withheld.ts";

const { state, signers } = trustWorld([1], 4_200);
const [signer] = signers.flat();

function made(what: string, atMs?: number): SharedResult {
  return sharedBy(state.network, signer ?? assert.fail("nobody"), executed(what, "x"), atMs);
}

/** What was told, and clocks that the test rings. */
function world(): { readonly withheld: Withheld; readonly told: SharedResult[]; readonly ring: () => void } {
  const told: SharedResult[] = [];
  const timers = new Set<() => void>();
  const after = (_: number, done: () => void): (() => void) => {
    timers.add(done);
    return () => void timers.delete(done);
  };
  const withheld = new Withheld({ publish: (all) => told.push(...all), after }, { mostMs: 1_000, mostOfOne: 2 });
  return { withheld, told, ring: () => timers.forEach((done) => done()) };
}

test("what comes of an action is withheld until everybody is done with it, whatever it was executed for", async () => {
  const { withheld, told } = world();
  const [first, second] = [withheld.withhold(made("a").entry.action), withheld.withhold(made("a").entry.action)];
  assert.ok(first !== undefined && second !== undefined);
  const [held, other] = [made("a"), made("b")];
  assert.deepEqual(withheld.admit([held, other]), [other]);
  assert.deepEqual([await first.found, await second.found], [held, held]);
  first[Symbol.dispose]();
  first[Symbol.dispose](); // Twice is once.
  assert.deepEqual(told, []);
  second[Symbol.dispose]();
  assert.deepEqual(told, [held]);
  assert.deepEqual(withheld.admit([held]), [held]);
});

test("nothing is withheld for longer than agreed, nor without bounds, nor when this node stops", async () => {
  const { withheld, told, ring } = world();
  const { action } = made("a").entry;
  const late = withheld.withhold(action);
  assert.deepEqual(withheld.admit([1, 2, 3].map((at) => made("a", at))), []); // The third says what the others do.
  ring();
  assert.deepEqual([told.length, withheld.has(action)], [2, false]);
  late?.[Symbol.dispose]();
  assert.equal(told.length, 2);
  const never = withheld.withhold(action);
  ring();
  assert.equal(await never?.found, undefined);
  withheld.withhold(action);
  withheld.admit([made("a")]);
  withheld[Symbol.dispose]();
  assert.equal(told.length, 3);
});
