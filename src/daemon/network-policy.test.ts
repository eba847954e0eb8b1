import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "../base/index.ts";
import { fateOf } from "./network-policy.ts";

const [own, other] = [digestOf("own"), digestOf("other")];

function decided(number: number, statement: Digest | undefined): Parameters<ReturnType<typeof fateOf>>[0] {
  return { policy: { number, rules: { quorum: 2 }, statement, by: undefined, epoch: 1 } };
}

test("a policy is in effect where it is the one that was decided; its author hears where another one was in its place", () => {
  const fate = fateOf(own, 2);
  assert.equal(fate(decided(0, undefined)), "open");
  assert.equal(fate(decided(1, other)), "open");
  assert.equal(fate(decided(2, own)), "in-effect");
  for (const number of [2, 3]) assert.equal(fate(decided(number, other)), "replaced");
});
