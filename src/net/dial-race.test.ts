import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { race } from "./dial-race.ts";

const STAGGER_MS = 250;
const never = new AbortController().signal;

/** What becomes of each attempt, in ms from its beginning. */
type Fate = { readonly afterMs: number; readonly answers: boolean };

interface Outcome {
  readonly begun: number[];
  readonly aborted: Set<number>;
  readonly discarded: number[];
  readonly won: number | undefined;
}

test("whatever happens to the attempts: one winner if any answers, everybody else ended, nobody waits for the dead", async (t) => {
  const fate = fc.record({ afterMs: fc.nat(3_000), answers: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 6 }), async (fates) => {
      t.mock.timers.reset();
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const { begun, aborted, discarded, won } = await run(fates);
      assert.equal(
        won !== undefined,
        fates.some(({ answers }) => answers),
      );
      assert.deepEqual(
        begun,
        begun.toSorted((a, b) => a - b),
        "in the order that was given",
      );
      assert.ok(!aborted.has(won ?? -1), "the winner's signal stays quiet");
      for (const late of discarded) assert.ok(late !== won);
      for (const [at, { answers }] of fates.entries())
        if (won !== undefined && begun.includes(at) && at !== won && answers) assert.ok(aborted.has(at) || discarded.includes(at));
    }),
    { numRuns: 200 },
  );

  async function run(fates: readonly Fate[]): Promise<Outcome> {
    const outcome = { begun: [] as number[], aborted: new Set<number>(), discarded: [] as number[], won: undefined as number | undefined };
    const attempt = (at: number, signal: AbortSignal): Promise<number> => {
      outcome.begun.push(at);
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const { afterMs = 0, answers = false } = fates[at] ?? {};
      setTimeout(() => (answers ? resolve(at) : reject(new Error(`${at} is dead`))), afterMs);
      signal.addEventListener("abort", () => outcome.aborted.add(at));
      return promise;
    };
    const raced = race({ attempt, discard: (late) => outcome.discarded.push(late) }, [...fates.keys()], STAGGER_MS, never).then(
      (won) => {
        outcome.won = won;
      },
      (error: unknown) => assert.ok(error instanceof AggregateError && error.errors.length === fates.length),
    );
    for (let elapsedMs = 0; elapsedMs < 6_000; elapsedMs += 50) {
      t.mock.timers.tick(50);
      for (let i = 0; i < 4; i++) await Promise.resolve();
    }
    await raced;
    return outcome;
  }
});

test("ends all attempts when told to, and says what became of them", async () => {
  const stop = new AbortController();
  const attempt = (_: string, signal: AbortSignal): Promise<string> =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));
  const raced = race({ attempt, discard: () => undefined }, ["a", "b"], 0, stop.signal);
  stop.abort();
  await assert.rejects(raced, AggregateError);
});
