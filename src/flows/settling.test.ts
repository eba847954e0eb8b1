import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits } from "../base/index.ts";
import { Settling, type SettlingParts } from "./settling.ts";

type Presumed = Parameters<Settling["wait"]>[1];

test("what the preprocessor told nothing of waits behind the others, and a few times only", () => {
  const settling = new Settling({} as SettlingParts);
  const presumedOf = (key: string): Presumed => ({ question: { key }, execution: {} }) as unknown as Presumed;
  for (const key of ["one", "other"]) settling.wait(digestOf(key), presumedOf(key));
  const taken: string[] = [];
  for (let next = settling.next(); next !== undefined; next = settling.next()) {
    const { key } = next.question;
    taken.push(key);
    if (key === "one") settling.again(digestOf(key), next);
  }
  assert.deepEqual(taken, ["one", "other", ...Array<string>(limits.proofsAgain).fill("one")]);
});
