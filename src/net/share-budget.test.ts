import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FairTurns } from "../base/index.ts";
import { Budget } from "./share-budget.ts";

const { signal } = new AbortController();

/** Who takes 10 bytes again and again from now on, as long as it may. */
function taker(budget: Budget, key: string, order: string[], most: number): Promise<void> {
  const take = async (): Promise<void> => {
    while (order.length < most) {
      using _ = await budget.take(10, signal, key);
      order.push(key);
    }
  };
  return take();
}

/** Who was let in how often, of so many turns, when each of them always wants more. */
async function turnsOf(budget: Budget, keys: readonly string[], most: number): Promise<Record<string, number>> {
  const order: string[] = [];
  // Two of each: there is always one that waits.
  await Promise.all([...keys, ...keys].map((key) => taker(budget, key, order, most)));
  return Object.fromEntries(keys.map((key) => [key, order.filter((one) => one === key).length]));
}

test("where there is not enough for all, who gave goes first, up to four to one, and who gave nothing has its floor", async () => {
  const turns = new FairTurns();
  turns.earn("giver", 1_000_000);
  const { giver = 0, newcomer = 0, other = 0 } = await turnsOf(new Budget(10, turns), ["newcomer", "giver", "other"], 600);
  assert.ok(giver >= 380 && giver <= 420, `${giver} of 600`);
  assert.ok(newcomer >= 90 && other >= 90, `${newcomer} and ${other} of 600`);
});

test("without turns the first to come is the first", async () => {
  const budget = new Budget(10);
  const held = await budget.take(10, signal, "x");
  const order: string[] = [];
  const all = ["a", "a", "b", "c"].map(async (key) => {
    using _ = await budget.take(10, signal, key);
    order.push(key);
  });
  held[Symbol.dispose]();
  await Promise.all(all);
  assert.deepEqual(order, ["a", "a", "b", "c"]);
});

test("while there is enough nobody waits, whatever it took before", async () => {
  const turns = new FairTurns();
  turns.earn("giver", 1_000_000);
  turns.use("taker", 1_000_000);
  const budget = new Budget(100, turns);
  const order: string[] = [];
  const all = ["taker", "giver", "taker"].map(async (key) => void order.push(key, typeof (await budget.take(30, signal, key))));
  await Promise.all(all);
  assert.equal(order.filter((one) => one === "object").length, 3);
});

test("no more than there is, and what is too large alone; whoever leaves is in nobody's way", async () => {
  const wants = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), bytes: fc.nat(150), leaves: fc.boolean() }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(wants, async (all) => {
      const budget = new Budget(100, new FairTurns());
      const first = await budget.take(100, signal, "first");
      let [used, done] = [0, 0];
      const waiting = all.map(async ({ key, bytes, leaves }) => {
        const leave = new AbortController();
        const taken = budget.take(bytes, leave.signal, key);
        if (leaves) leave.abort(new Error("enough"));
        try {
          using _ = await taken;
          used += bytes;
          assert.ok(used <= 100 || used === bytes, `${used} bytes at once`);
          await Promise.resolve();
          used -= bytes;
        } catch (error) {
          if (!leaves) throw error;
        }
        done++;
      });
      first[Symbol.dispose]();
      await Promise.all(waiting);
      assert.equal(done, all.length);
    }),
  );
});
