/**
 * Which of several jobs ends for what all of them hold: only data, from what was noted of each, in that order, to who was told to end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type LedgerPlace, MemoryLedger } from "./memory-ledger.ts";

/** Of 100 bytes; `job` begins when it is first noted, `bytes` undefined: it ended, `rough`: it holds no more than that. */
interface Note {
  readonly job: string;
  readonly bytes?: number;
  readonly rough?: true;
}

const CASES: readonly (readonly [about: string, notes: readonly Note[], ended: readonly string[]])[] = [
  ["one within the bound", [{ job: "a", bytes: 100 }], []],
  ["one above it", [{ job: "a", bytes: 101 }], ["a"]],
  ["several within it together", [{ job: "a", bytes: 50 }, { job: "b", bytes: 50 }], []], // biome-ignore format: a row
  ["above it together: the youngest, whoever has grown", [{ job: "a", bytes: 10 }, { job: "b", bytes: 10 }, { job: "a", bytes: 95 }], ["b"]], // biome-ignore format: a row
  ["what is noted of it afterwards ends nobody else", [{ job: "a", bytes: 60 }, { job: "b", bytes: 60 }, { job: "b", bytes: 90 }, { job: "a", bytes: 70 }], ["b"]], // biome-ignore format: a row
  ["one after the other while it is still too much", [{ job: "a", bytes: 60 }, { job: "b", bytes: 30 }, { job: "c", bytes: 20 }, { job: "a", bytes: 80 }], ["c", "b"]], // biome-ignore format: a row
  ["what has ended is counted no more", [{ job: "a", bytes: 60 }, { job: "a" }, { job: "b", bytes: 60 }], []], // biome-ignore format: a row
  ["nobody for what is not known exactly", [{ job: "a", bytes: 70, rough: true }, { job: "b", bytes: 60 }], []], // biome-ignore format: a row
  ["until it is", [{ job: "a", bytes: 70, rough: true }, { job: "b", bytes: 60 }, { job: "a", bytes: 65 }], ["b"]], // biome-ignore format: a row
  ["or is found to be less", [{ job: "a", bytes: 70, rough: true }, { job: "b", bytes: 60 }, { job: "a", bytes: 40 }], []], // biome-ignore format: a row
];

for (const [about, notes, expected] of CASES)
  test(`memory of jobs: ${about}`, () => {
    const ledger = new MemoryLedger(100);
    const places = new Map<string, LedgerPlace>();
    const ended: string[] = [];
    for (const { job, bytes, rough } of notes) {
      const place = places.get(job) ?? ledger.enter(() => void ended.push(job));
      places.set(job, place);
      if (bytes === undefined) place[Symbol.dispose]();
      else place.note(bytes, rough !== true);
    }
    assert.deepEqual(ended, expected);
  });

test("what others leave of it is told, and grows when one of them ends", () => {
  const ledger = new MemoryLedger(100);
  const end = (): void => assert.fail("nobody is told to end");
  const [first, second] = [ledger.enter(end), ledger.enter(end)];
  first.note(40, true);
  second.note(30, true);
  assert.deepEqual([first.leftBytes, second.leftBytes], [70, 60]);
  first[Symbol.dispose]();
  assert.equal(second.leftBytes, 100);
});
